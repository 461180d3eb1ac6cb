"""How long records are kept, what must stay whatever its age, and whether the installation is sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.console.days import day_of
from api.console.pages import PageRoute, done, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.doctor import examine_installation
from api.routes.shared import service_of
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, NotAllowed, Person, require

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/keeping")
def keeping(request: Request, person: Visitor) -> Response:
    """Show retention by model and the legal holds that stand."""
    _require_keeper(person)
    return _shown(request, person)


@router.post("/keeping")
def hold(request: Request, person: Visitor, form: Posted) -> Response:
    """Place a legal hold: what falls under it stays whatever its age."""
    require(person, Action.HOLD)
    given = {name: text_of(form, name) for name in ("model", "subject", "since", "until", "reason")}
    try:
        service_of(request).holds.place(
            by=person,
            since=day_of(given["since"]),
            until=day_of(given["until"], after=1),
            reason=given["reason"],
            model=given["model"] or None,
            subject=given["subject"] or None,
        )
    except Fault as fault:
        return _shown(request, person, 422, fault.faults, given)
    return done("/keeping", "held")


@router.post("/keeping/{hold}/lift")
def lift(request: Request, hold: str, person: Visitor, form: Posted) -> Response:
    """Lift a legal hold; what is overdue goes with the next expiry."""
    try:
        service_of(request).holds.lift(hold, by=person, reason=text_of(form, "reason"))
    except Malformed as fault:
        return _shown(request, person, 422, fault.faults)
    return done("/keeping", "lifted")


@router.get("/health")
def health(request: Request, person: Visitor) -> Response:
    """Show the administrator whether packages, folders, database, registry and log are sound."""
    require(person, Action.MANAGE_PEOPLE)
    service = service_of(request)
    return page(request, "health.html", looks=examine_installation(service.settings), head=service.telling.log_facts())


def _require_keeper(person: Person) -> None:
    if not person.may(Action.HOLD) and not person.may(Action.MANAGE_PEOPLE):
        raise NotAllowed(person, Action.HOLD)


def _shown(
    request: Request,
    person: Person,
    status: int = 200,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
) -> Response:
    service = service_of(request)
    sites = service.holds.sites()
    return page(
        request,
        "keeping.html",
        status,
        rules=service.rulebook.retention,
        models=sorted(
            (name, kept) for name, kept in service.retention_by_model().items() if person.sees(sites.get(name), name)
        ),
        holds=service.holds.standing(person),
        may_hold=person.may(Action.HOLD),
        faults=faults,
        given=given or {},
    )
