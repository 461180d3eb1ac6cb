"""Every version of one model that was handed in, and any two of them side by side."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.console.pages import PageRoute, page
from api.console.sessions import signed_in
from api.routes.shared import service_of
from api.wiring import Service
from governance.submissions import SubmissionRecord
from policies.roles import Action, Person, absent, require
from reports.model_figures import ModelFigures

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]


@router.get("/models/{name}/versions")
def versions(request: Request, name: str, person: Visitor) -> Response:
    """List the versions of a model, newest first."""
    service = service_of(request)
    return page(
        request,
        "versions.html",
        model=name,
        records=_versions(service, name, person),
        now=service.clock(),
        waiting=False,
    )


@router.get("/models/{name}/compare")
def compare(request: Request, name: str, person: Visitor, a: str = "", b: str = "") -> Response:
    """Set two versions side by side, the newest unless others are asked for: their rates, and what checks found."""
    service = service_of(request)
    known = {record.version: record for record in _versions(service, name, person)}
    newest = list(known)[:2]
    a, b = a or newest[-1], b or newest[0]
    for version in (a, b):
        if version not in known:
            raise absent("model version", f"{name}:{version}")
    figures = [service.telling.model_figures(known[version]) for version in (a, b)]
    return page(
        request,
        "compare.html",
        model=name,
        records=[known[a], known[b]],
        rates=rates_beside(figures[0], figures[1]),
        checks=_checks_beside(figures[0], figures[1]),
    )


def rates_beside(ours: ModelFigures, theirs: ModelFigures) -> list[tuple[str, Any, Any]]:
    """Return the rates that both versions have: name, the first's, the second's."""
    if ours.performance is None or theirs.performance is None:
        return []
    others = theirs.performance.rates
    return [(name, rate, others[name]) for name, rate in ours.performance.rates.items() if name in others]


def _checks_beside(ours: ModelFigures, theirs: ModelFigures) -> list[tuple[str, list[Any], list[Any]]]:
    names = list(dict.fromkeys(finding.check for finding in (*ours.findings, *theirs.findings)))
    return [
        (name, [f for f in ours.findings if f.check == name], [f for f in theirs.findings if f.check == name])
        for name in names
    ]


def _versions(service: Service, name: str, person: Person) -> list[SubmissionRecord]:
    require(person, Action.READ_SUBMISSIONS)
    found, _ = service.book.search(model=name, limit=200)
    seen = [record for record in found if person.sees(record.site or None, record.model)]
    if not seen:
        raise absent("model", name)
    return seen
