"""Who may do what: a plain table of role and action, and the scope of sites, models and purposes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.errors import NotFound, Refused, Sentence


class Role(StrEnum):
    """What a person or program is here for. Each account has exactly one."""

    ML_ENGINEER = "ml_engineer"
    DSO = "dso"
    COMMITTEE = "committee"
    REVIEWER = "reviewer"
    REGULATOR = "regulator"
    EMPLOYEE = "employee"
    SERVICE = "service"
    TESTER = "tester"
    ADMIN = "admin"


class Action(StrEnum):
    """What can be asked of the house."""

    SUBMIT = "submit"
    READ_SUBMISSIONS = "read_submissions"
    GIVE_VERDICT = "give_verdict"
    SUSPEND = "suspend"
    DELEGATE = "delegate"
    ASSESS = "assess"
    PROPOSE_RULES = "propose_rules"
    ADOPT_RULES = "adopt_rules"
    PREDICT = "predict"
    READ_DECISIONS = "read_decisions"
    READ_OWN_DECISIONS = "read_own_decisions"
    EXPORT_EVIDENCE = "export_evidence"
    REVIEW = "review"
    OVERSEE_REVIEWS = "oversee_reviews"
    APPEAL = "appeal"
    READ_REPORTS = "read_reports"
    HOLD = "hold"
    TAKE_SNAPSHOT = "take_snapshot"
    ADOPT_LAW = "adopt_law"
    MANAGE_PEOPLE = "manage_people"
    READ_METRICS = "read_metrics"
    HAND_IN_OUTCOMES = "hand_in_outcomes"
    DISCLOSE = "disclose"
    ERASE = "erase"


MAY: dict[Role, frozenset[Action]] = {
    Role.ML_ENGINEER: frozenset({Action.SUBMIT, Action.READ_SUBMISSIONS, Action.READ_REPORTS}),
    Role.DSO: frozenset(
        {
            Action.READ_SUBMISSIONS,
            Action.GIVE_VERDICT,
            Action.SUSPEND,
            Action.DELEGATE,
            Action.ASSESS,
            Action.PROPOSE_RULES,
            Action.READ_DECISIONS,
            Action.EXPORT_EVIDENCE,
            Action.REVIEW,
            Action.OVERSEE_REVIEWS,
            Action.READ_REPORTS,
            Action.HOLD,
            Action.READ_METRICS,
            Action.HAND_IN_OUTCOMES,
            Action.DISCLOSE,
            Action.TAKE_SNAPSHOT,
            Action.ADOPT_LAW,
            Action.ERASE,
        }
    ),
    Role.COMMITTEE: frozenset(
        {
            Action.READ_SUBMISSIONS,
            Action.GIVE_VERDICT,
            Action.ASSESS,
            Action.ADOPT_RULES,
            Action.READ_DECISIONS,
            Action.READ_REPORTS,
            Action.ADOPT_LAW,
            Action.ERASE,
        }
    ),
    Role.REVIEWER: frozenset({Action.READ_DECISIONS, Action.REVIEW, Action.READ_REPORTS, Action.HAND_IN_OUTCOMES}),
    Role.REGULATOR: frozenset(
        {
            Action.READ_SUBMISSIONS,
            Action.READ_DECISIONS,
            Action.EXPORT_EVIDENCE,
            Action.READ_REPORTS,
            Action.HOLD,
            Action.TAKE_SNAPSHOT,
        }
    ),
    Role.EMPLOYEE: frozenset({Action.READ_OWN_DECISIONS, Action.APPEAL, Action.READ_REPORTS}),
    Role.SERVICE: frozenset({Action.PREDICT, Action.HAND_IN_OUTCOMES}),
    Role.TESTER: frozenset({Action.PREDICT}),
    Role.ADMIN: frozenset({Action.MANAGE_PEOPLE, Action.READ_METRICS}),
}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an account or a token is narrowed to. None leaves a part as wide as the account is.

    Parameters
    ----------
    sites : tuple of str, optional
        Sites, or subsidiaries that stand for all of their sites.
    models : tuple of str, optional
        Registered model names.
    purposes : tuple of str, optional
        Purposes that a call may state.
    """

    sites: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    purposes: tuple[str, ...] | None = None

    def admits_site(self, site: str | None) -> bool:
        """Whether an object of this site is inside."""
        return self.sites is None or any(covers(place, site) for place in self.sites)

    def admits_model(self, model: str | None) -> bool:
        """Whether an object of this model is inside; what belongs to no model is not."""
        return self.models is None or model in self.models

    def admits_purpose(self, purpose: str | None) -> bool:
        """Whether a call for this purpose is inside."""
        return self.purposes is None or purpose in self.purposes


def covers(place: str, site: str | None) -> bool:
    """Whether a place is a site, or a subsidiary that the site belongs to: 'east' covers 'east/plant-07'.

    Examples
    --------
    >>> covers("east", "east/plant-07"), covers("east", "eastern"), covers("east/plant-07", "east")
    (True, False, False)
    """
    return site is not None and (site == place or site.startswith(f"{place}/"))


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who asks. `site` None means every site; `subject` ties an employee to his pseudonym in the data.

    `earlier` are the pseudonyms he had before the key changed: decisions of then are found under them.
    `scopes` narrow further: the account's own, then that of the token he holds. All of them have to admit an object.
    """

    name: str
    role: Role
    site: str | None = None
    subject: str | None = None
    purpose: str | None = None
    earlier: tuple[str, ...] = ()

    @property
    def pseudonyms(self) -> tuple[str, ...]:
        """Every pseudonym of the person, newest first; none for who is not tied to the data."""
        return () if self.subject is None else (self.subject, *self.earlier)

    scopes: tuple[Scope, ...] = ()

    def may(self, action: Action) -> bool:
        """Whether the role allows the action at all, whatever the object."""
        return action in MAY[self.role]

    def sees_site(self, site: str | None) -> bool:
        """Whether an object of this site is inside the person's scope."""
        at_home = self.site is None or covers(self.site, site)
        return at_home and all(scope.admits_site(site) for scope in self.scopes)

    def sees_model(self, model: str | None) -> bool:
        """Whether an object of this model is inside the person's scope."""
        return all(scope.admits_model(model) for scope in self.scopes)

    def sees(self, site: str | None, model: str | None) -> bool:
        """Whether an object of this site and model is inside the person's scope."""
        return self.sees_site(site) and self.sees_model(model)

    def may_state(self, purpose: str | None) -> bool:
        """Whether the person's token is good for a purpose."""
        return all(scope.admits_purpose(purpose) for scope in self.scopes)

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """Groups of places; an object in scope lies in one place of every group. None at all means everywhere."""
        own = ((self.site,),) if self.site is not None else ()
        return own + tuple(scope.sites for scope in self.scopes if scope.sites is not None)

    @property
    def only_models(self) -> tuple[str, ...] | None:
        """The models the person is narrowed to; None means every model."""
        narrowed = [set(scope.models) for scope in self.scopes if scope.models is not None]
        return tuple(sorted(set.intersection(*narrowed))) if narrowed else None


class NotAllowed(Refused):
    """The role does not allow this action."""

    def __init__(self, person: Person, action: Action) -> None:
        able = ", ".join(role.value for role, actions in MAY.items() if action in actions)
        super().__init__(
            Sentence(
                en=f"{person.name} is {person.role.value}; '{action.value}' is for {able}",
                zh=f"{person.name} 的角色为 {person.role.value}，“{action.value}”仅限 {able}",
            )
        )
        self.person, self.action = person, action


def require(person: Person, action: Action) -> None:
    """Raise `NotAllowed` unless the person's role allows the action."""
    if not person.may(action):
        raise NotAllowed(person, action)


def require_site(person: Person, site: str | None, kind: str, identifier: str) -> None:
    """Raise `NotFound` unless the object's site is in the person's scope: foreign looks like absent."""
    if not person.sees_site(site):
        raise absent(kind, identifier)


def require_in_scope(person: Person, site: str | None, model: str | None, kind: str, identifier: str) -> None:
    """Raise `NotFound` unless the object's site and model are in the person's scope: foreign looks like absent."""
    if not person.sees(site, model):
        raise absent(kind, identifier)


def absent(kind: str, identifier: str) -> NotFound:
    """Return the one error for what does not exist and for what the caller may not see."""
    return NotFound(
        Sentence(
            en=f"there is no {kind} '{identifier}' here, or it is outside your scope",
            zh=f"此处没有 {kind}“{identifier}”，或不在您的权限范围内",
        )
    )
