"""What is watched: Prometheus' figures for the operator, and the monitors of one model for those who answer for it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.metrics import exposition
from api.routes.shared import Asking, HouseService, person_of
from governance.compliance import require_whole_house
from policies.roles import Action, absent, require

router = APIRouter(tags=["watching"])

LOOPBACK = ("127.0.0.1", "::1")


@router.get("/metrics", response_class=Response)
def metrics(request: Request, service: HouseService) -> Response:
    """Give figures in Prometheus' format: to who asks from this machine, else to `admin` and `dso` of all sites."""
    if not _from_here(request):
        person = person_of(request)
        require(person, Action.READ_METRICS)
        require_whole_house(person)
    body, kind = exposition(service)
    return Response(body, media_type=kind)


@router.get("/v1/models/{name}/monitors")
def monitors(name: str, service: HouseService, person: Asking) -> dict[str, Any]:
    """Show what the monitors of a model read the last time, the worst over all serving processes."""
    require(person, Action.READ_SUBMISSIONS)
    known, _ = service.book.search(model=name, limit=1)
    if not known or not person.sees(known[0].site or None, name):
        raise absent("model", name)
    return {"model": name, "monitors": [said for said in service.standing.readings() if said["model"] == name]}


def _from_here(request: Request) -> bool:
    """Whether the caller sits on this machine; what a proxy on it hands on comes from elsewhere."""
    passed_on = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return request.client is not None and request.client.host in LOOPBACK and not passed_on
