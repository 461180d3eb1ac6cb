"""Which models may run now, until when, and the officer's hand on the switch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.console.pages import PageRoute, done, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.routes.shared import service_of
from api.wiring import Service
from audit.log_reader import Wanted
from governance.agreement import agreement_by_model, over_reliance
from governance.permits import Permit, PermitState
from policies.errors import Fault, Sentence
from policies.roles import Action, Person, require

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/models")
def models(request: Request, person: Visitor) -> Response:
    """Show every model with a permit that is not ended, the next to end first."""
    require(person, Action.READ_SUBMISSIONS)
    return _shown(request, service_of(request), person)


@router.post("/models/{name}/{act}")
def switch(request: Request, name: str, act: str, person: Visitor, form: Posted) -> Response:
    """Suspend a model or let it run again, with a reason."""
    require(person, Action.SUSPEND)
    service, reason = service_of(request), text_of(form, "reason")
    try:
        if act == "suspend":
            service.suspensions.suspend(name, by=person, reason=reason)
        elif act == "resume":
            service.suspensions.resume(name, by=person, reason=reason)
    except Fault as fault:
        return _shown(request, service, person, 422, faults=fault.faults, tried=name)
    return done("/models", act if act in ("suspend", "resume") else "")


def _shown(
    request: Request,
    service: Service,
    person: Person,
    status: int = 200,
    faults: Sequence[Sentence] = (),
    tried: str = "",
) -> Response:
    held = [permit for permit in service.permits.permits() if permit.state is not PermitState.ENDED]
    shown = [(permit, _site_of(service, permit)) for permit in held]
    windowed = service.window(None, None)
    oversees = person.may(Action.OVERSEE_REVIEWS)
    readings: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in service.standing.readings():
        readings.setdefault((one["model"], one["version"]), []).append(one)
    lines: list[dict[str, Any]] = [
        {
            "permit": permit,
            "site": site,
            "seen": readings.get((permit.model, permit.version), ()),
            **_use_of(service, permit),
        }
        for permit, site in sorted(shown, key=lambda line: line[0].until)
        if person.sees(site or None, permit.model)
    ]
    return page(
        request,
        "models.html",
        status,
        lines=lines,
        now=service.clock(),
        may_switch=person.may(Action.SUSPEND),
        calendar=_calendar([line["permit"] for line in lines]),
        agreement=agreement_by_model(service.log, *windowed, site=person.site) if oversees else (),
        reliance=over_reliance(service.log, service.rulebook.reviews, *windowed, by=person) if oversees else None,
        again=service.rule_changes.to_examine_again(),
        shown_wrongly=service.registry_watch.standing(person),
        faults=faults,
        tried=tried,
    )


def _calendar(held: list[Permit]) -> list[tuple[datetime, list[Permit]]]:
    """Return the permits by the month in which they end, the first of that month before them."""
    months: dict[datetime, list[Permit]] = {}
    for permit in held:
        months.setdefault(permit.until.replace(day=1, hour=0, minute=0, second=0, microsecond=0), []).append(permit)
    return sorted(months.items())


def _site_of(service: Service, permit: Permit) -> str:
    return service.book.get(permit.submission).site


def _use_of(service: Service, permit: Permit) -> dict[str, float | int | None]:
    """Return how often the version decided, alarmed, and was overridden."""

    def of(kind: str) -> int:
        return service.log.tally(Wanted(model=permit.model, version=permit.version, kind=kind)).count

    decided = service.log.tally(Wanted(model=permit.model, version=permit.version, kind="decision"))
    overridden, confirmed = of("override"), of("review")
    reviewed = overridden + confirmed
    return {
        "decisions": decided.count,
        "alarms": decided.protective,
        "reviewed": reviewed,
        "override_rate": overridden / reviewed if reviewed else None,
    }
