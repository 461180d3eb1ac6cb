"""How much of a decision each reader sees, and who is a reader at all: the same at every door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from policies.errors import Refused, Sentence
from policies.roles import Action, Person, Role, require
from reports.figures import View

VIEWS: tuple[View, ...] = get_args(View)


class NotYourView(Refused):
    """The reader asked to see more of a decision than his role may."""

    def __init__(self, person: Person, wanted: View) -> None:
        super().__init__(
            Sentence(
                en=f"{person.name} is {person.role.value} and sees the view '{view_of(person)}', not '{wanted}'",
                zh=f"{person.name} 的角色为 {person.role.value}，可见视图为“{view_of(person)}”，而非“{wanted}”",
            )
        )


def view_of(person: Person) -> View:
    """Return how much of a decision this person may see."""
    if person.role is Role.EMPLOYEE:
        return "employee"
    return "regulator" if person.role in (Role.REGULATOR, Role.DSO) else "reviewer"


def require_view(person: Person, wanted: View) -> None:
    """Raise `NotYourView` where somebody asks for more than he may see; less is always allowed."""
    order: tuple[View, ...] = ("employee", "reviewer", "regulator")
    if order.index(wanted) > order.index(view_of(person)):
        raise NotYourView(person, wanted)


def require_reader(person: Person) -> None:
    """Raise NotAllowed unless the person may read decisions, his own at least."""
    if not person.may(Action.READ_OWN_DECISIONS):
        require(person, Action.READ_DECISIONS)


def as_seen_by(person: Person, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision as this reader may see it: who may not tie it to a person sees no pseudonym."""
    return {**decision, "subject": decision["subject"] if view_of(person) == "regulator" else None}
