"""Requests of people touched by decisions: listed, called to mind, answered, counted."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.routes.shared import Asking, HouseService, Limit, Since, Until
from governance.appeals import Outcome
from policies.roles import Action, require

router = APIRouter(prefix="/v1/appeals", tags=["appeals"])


class AnswerIn(BaseModel):
    """What came of a request, and why."""

    outcome: Outcome
    reason: str


@router.get("")
def appeals(service: HouseService, person: Asking, open: bool = False, limit: Limit = 50) -> dict[str, object]:
    """List requests in scope, those with the nearest day first; an employee finds his own and nobody else's."""
    return {"appeals": [one.as_json() for one in service.appeals.list(person, only_open=open, limit=limit)]}


@router.get("/due")
def due(service: HouseService, person: Asking) -> dict[str, object]:
    """List the open requests whose day is past or near."""
    return {"appeals": [one.as_json() for one in service.appeals.due(person)]}


@router.get("/statistics")
def statistics(service: HouseService, person: Asking, since: Since = None, until: Until = None) -> dict[str, object]:
    """Count requests and answers of a time, as they are published."""
    require(person, Action.READ_DECISIONS)
    first, last = service.window(since, until)
    found = service.appeals.statistics(first, last, seen_by=person)
    return {
        "since": first.isoformat(),
        "until": last.isoformat(),
        "appeals": [figures.as_json() for figures in found],
    }


@router.get("/{appeal}")
def appeal(appeal: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show one request and its answer."""
    return service.appeals.get(appeal, person).as_json()


@router.post("/{appeal}/answer")
def answer(appeal: str, said: AnswerIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Answer a request with reasons; who reviewed the decision does not answer."""
    return service.appeals.answer(appeal, said.outcome, by=person, reason=said.reason).as_json()
