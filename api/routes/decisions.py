"""Decisions: found, explained, drawn, replayed, proven, reviewed and contested."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.routes.shared import Asking, Cursor, HouseService, Language, Limit, Purposed
from api.views import as_seen_by, view_of
from api.wiring import in_utc
from audit.entries import Entry
from governance.appeals import Asks
from governance.reviews import Judgement
from policies.roles import Action, Person, Role, require

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])


class ReviewIn(BaseModel):
    """What a reviewer says of a decision; `label` and `labels` (by track) are what he found to be true."""

    judgement: Literal["confirm", "override"]
    reason: str
    label: str | None = None
    labels: dict[str, str] = {}


class AppealIn(BaseModel):
    """What a person asks about a decision on himself, and why."""

    reason: str
    asks: Asks = Asks.APPEAL


@router.get("")
def decisions(
    service: HouseService,
    person: Asking,
    purpose: Purposed,
    model: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    subject: str | None = None,
    flag: str | None = None,
    verdict: bool | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> dict[str, object]:
    """List decisions, newest first; an employee finds his own and nobody else's."""
    if subject is not None and person.role is not Role.EMPLOYEE:
        service.reading.note_search_about(subject, purpose, person)
    page = service.log.search(
        kind="decision",
        model=model,
        since=in_utc(since),
        until=in_utc(until),
        subject=person.pseudonyms if person.role is Role.EMPLOYEE else subject,
        flag=flag,
        verdict=verdict,
        places=person.places,
        models=person.only_models,
        after=after,
        limit=limit,
    )
    if subject is None or person.role is Role.EMPLOYEE:  # a search about a person is in the log already
        service.reviews.note_listed(page.entries, person, purpose)
    lines = [service.telling.line(entry) for entry in page.entries]
    if person.role is Role.EMPLOYEE:
        lines = [{**line, "score": None} for line in lines]
    return {"decisions": lines, "next": page.next}


@router.get("/{decision}")
def decision(decision: str, service: HouseService, person: Asking, purpose: Purposed) -> dict[str, object]:
    """Show one decision, as far as this reader may see it."""
    entry = _looked_at(service, person, decision, "decision", purpose)
    if person.role is Role.EMPLOYEE:
        return service.telling.decision_figures(entry.id).for_view("employee").as_json()
    return as_seen_by(person, service.telling.decision(entry.id))


@router.get("/{decision}/explanation")
def explanation(decision: str, service: HouseService, person: Asking, purpose: Purposed) -> dict[str, object]:
    """Show why: contributions, boundary, and the smallest change that would have flipped the verdict."""
    entry = _looked_at(service, person, decision, "explanation", purpose)
    return service.telling.decision_figures(entry.id).for_view(view_of(person)).as_json()


@router.get("/{decision}/boundary.svg")
def boundary(
    decision: str, service: HouseService, person: Asking, purpose: Purposed, language: Language = "en"
) -> Response:
    """Draw the decision boundary around one case."""
    entry = _looked_at(service, person, decision, "boundary", purpose)
    return Response(service.telling.boundary_svg(entry.id, language, view_of(person)), media_type="image/svg+xml")


@router.get("/{decision}/letter.pdf")
def letter(
    decision: str, service: HouseService, person: Asking, purpose: Purposed, language: Language = "en"
) -> Response:
    """Write the letter about one decision."""
    entry = _looked_at(service, person, decision, "letter", purpose)
    return Response(service.telling.letter(entry.id, language, view_of(person)), media_type="application/pdf")


@router.get("/{decision}/replay")
def replay(decision: str, service: HouseService, person: Asking, purpose: Purposed) -> dict[str, Any]:
    """Run the sealed input through the same artifact again."""
    require(person, Action.READ_DECISIONS)
    return service.telling.replay(_looked_at(service, person, decision, "replay", purpose).id)


@router.get("/{decision}/evidence")
def evidence(decision: str, service: HouseService, person: Asking, purpose: Purposed) -> dict[str, Any]:
    """Hand out the evidence bundle; `mingjing verify` checks it offline."""
    require(person, Action.EXPORT_EVIDENCE)
    return service.telling.evidence(_looked_at(service, person, decision, "evidence", purpose).id)


@router.post("/{decision}/reviews", status_code=201)
def review(decision: str, said: ReviewIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Confirm or override a decision; the words are added to the log, nothing is edited."""
    made = service.reviews.review(
        decision, Judgement(said.judgement), by=person, reason=said.reason, label=said.label, labels=said.labels
    )
    return made.as_json()


@router.post("/{decision}/appeals", status_code=201)
def appeal(decision: str, said: AppealIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Contest a decision about oneself, ask for an explanation of it, or for a decision by a person."""
    return service.appeals.ask(decision, said.asks, by=person, reason=said.reason).as_json()


def _looked_at(service: HouseService, person: Person, decision: str, what: str, purpose: str) -> Entry:
    entry = service.reviews.decision(decision, person)
    service.reviews.note_access(entry, person, what, purpose)
    return entry
