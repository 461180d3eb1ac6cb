"""What every route shares: the service, who asks, and which view of a decision he gets."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from api.identity import NotSignedIn
from api.wiring import Service
from policies.roles import Action, Person, Role, require
from reports.figures import View

SESSION = "mingjing_session"


def service_of(request: Request) -> Service:
    """Return the service behind this application."""
    service: Service = request.app.state.service
    return service


def person_of(request: Request) -> Person:
    """Return who asks, by bearer token or session cookie. Raises NotSignedIn."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(SESSION, "")
    if not token:
        raise NotSignedIn()
    return service_of(request).people.by_token(token.strip())


def view_of(person: Person) -> View:
    """Return how much of a decision this person may see."""
    if person.role is Role.EMPLOYEE:
        return "employee"
    return "regulator" if person.role in (Role.REGULATOR, Role.DSO) else "reviewer"


def require_reader(person: Person) -> None:
    """Raise NotAllowed unless the person may read decisions, his own at least."""
    if not person.may(Action.READ_OWN_DECISIONS):
        require(person, Action.READ_DECISIONS)


HouseService = Annotated[Service, Depends(service_of)]
Asking = Annotated[Person, Depends(person_of)]
Cursor = Annotated[str | None, Query(description="Cursor of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Language = Annotated[str, Query(alias="lang", pattern="^(zh|en)$")]
