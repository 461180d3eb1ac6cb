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
from api.wiring import Service
from audit.holds import holds, lift_hold, place_hold
from governance.compliance import require_whole_house
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Action, NotAllowed, Person, require, require_in_scope

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
    given = {name: text_of(form, name) for name in ("model", "since", "until", "reason")}
    service = service_of(request)
    try:
        _require_reach(service, person, given["model"] or None)
        place_hold(
            service.log,
            since=day_of(given["since"]),
            until=day_of(given["until"], after=1),
            reason=given["reason"],
            actor=person.name,
            model=given["model"] or None,
        )
    except Fault as fault:
        return _shown(request, person, 422, fault.faults, given)
    return done("/keeping", "held")


@router.post("/keeping/{hold}/lift")
def lift(request: Request, hold: str, person: Visitor, form: Posted) -> Response:
    """Lift a legal hold; what is overdue goes with the next expiry."""
    require(person, Action.HOLD)
    service, reason = service_of(request), text_of(form, "reason")
    try:
        if not reason:
            raise Malformed(Sentence(en="lifting a hold needs a reason", zh="解除法定保全须写明理由"))
        for standing in holds(service.database):
            if standing.id == hold:
                _require_reach(service, person, standing.model)
        lift_hold(service.log, hold, reason=reason, actor=person.name)
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


def _require_reach(service: Service, person: Person, model: str | None) -> None:
    """Raise unless a hold on this model is this person's to place or lift; one on every model is the whole house's."""
    if model is None:
        require_whole_house(person)
    elif person.places or person.only_models is not None:
        require_in_scope(person, _sites(service).get(model), model, "model", model)


def _sites(service: Service) -> dict[str, str | None]:
    return {permit.model: service.book.get(permit.submission).site or None for permit in service.permits.permits()}


def _shown(
    request: Request,
    person: Person,
    status: int = 200,
    faults: Sequence[Sentence] = (),
    given: Mapping[str, str] | None = None,
) -> Response:
    service = service_of(request)
    sites = _sites(service)
    seen = [name for name, site in sites.items() if person.sees(site, name)]
    return page(
        request,
        "keeping.html",
        status,
        rules=service.rulebook.retention,
        models=sorted((name, kept) for name, kept in service.retention_by_model().items() if name in seen),
        holds=[
            hold
            for hold in holds(service.database)
            if hold.model is None or person.sees(sites.get(hold.model), hold.model)
        ],
        may_hold=person.may(Action.HOLD),
        faults=faults,
        given=given or {},
    )
