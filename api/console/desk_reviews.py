"""The reviewer's inbox: what waits for a person, gravest first; and what people touched by decisions have asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.console.pages import PageRoute, done, page, text_of
from api.console.sessions import signed_in
from api.console.signing_in import Posted
from api.routes.shared import service_of
from governance.appeals import OUTCOMES, Outcome
from policies.errors import Conflict, Fault, Malformed, Refused, Sentence
from policies.roles import Action, Person, require

router = APIRouter(route_class=PageRoute)

Visitor = Annotated[Person, Depends(signed_in)]

SHOWN = 100


@router.get("/inbox")
def inbox(request: Request, person: Visitor) -> Response:
    """Show what waits for this person: open requests whose day is near, and decisions, gravest tier first."""
    require(person, Action.REVIEW)
    service = service_of(request)
    waiting = service.review_queue.waiting(person, limit=SHOWN + 1)
    return page(
        request,
        "inbox.html",
        waiting=waiting[:SHOWN],
        more=len(waiting) > SHOWN,
        due=service.appeals.due(person),
        now=service.clock(),
    )


@router.get("/requests")
def requests(request: Request, person: Visitor) -> Response:
    """List what was asked about decisions: an employee finds his own, with their answers."""
    service = service_of(request)
    return page(
        request,
        "requests.html",
        asked=service.appeals.list(person, limit=SHOWN),
        own_only=not person.may(Action.READ_DECISIONS),
        now=service.clock(),
    )


@router.get("/requests/{asked}")
def one(request: Request, asked: str, person: Visitor) -> Response:
    """Show one request and its answer, or the form that answers it."""
    return _shown(request, asked, person)


@router.post("/requests/{asked}/answer")
def answer(request: Request, asked: str, person: Visitor, form: Posted) -> Response:
    """Answer a request with reasons; who reviewed the decision does not answer."""
    require(person, Action.REVIEW)
    outcome, reason = text_of(form, "outcome"), text_of(form, "reason")
    try:
        if outcome not in list(Outcome):
            raise Malformed(Sentence(en="choose an outcome first", zh="请先选择处理结果"))
        service_of(request).appeals.answer(asked, Outcome(outcome), by=person, reason=reason)
    except (Malformed, Conflict, Refused) as fault:
        return _shown(request, asked, person, fault, given={"reason": reason, "outcome": outcome})
    return done(f"/requests/{asked}", "answered")


def _shown(
    request: Request,
    asked: str,
    person: Person,
    fault: Fault | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    found = service_of(request).appeals.get(asked, person)
    faults: Sequence[Sentence] = fault.faults if fault is not None else ()
    return page(
        request,
        "request.html",
        422 if fault is not None else 200,
        asked=found,
        outcomes=OUTCOMES[found.asks],
        may_answer=person.may(Action.REVIEW) and found.outcome is None,
        own_only=not person.may(Action.READ_DECISIONS),
        faults=faults,
        given=given or {},
    )
