"""What officers decide about tiers and about what may be approved without them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.routes.shared import Asking, HouseService
from policies.impact_matrix import assess
from policies.tiers import Tier

router = APIRouter(prefix="/v1", tags=["governing"])


class TierIn(BaseModel):
    """The tier a submission should have, and why."""

    tier: Literal["L1", "L2", "L3", "L4"]
    reason: str


class WordIn(BaseModel):
    """Why something is confirmed, declined or revoked."""

    reason: str


class DelegationIn(BaseModel):
    """What may be approved without the officer: L1 by itself when everything holds, L2 by a reviewer."""

    tier: Literal["L1", "L2"]
    until: datetime
    reason: str
    models: list[str] | None = None
    sites: list[str] | None = None


@router.get("/impact-questions")
def questions(service: HouseService) -> dict[str, object]:
    """Show the questions of the impact matrix, their answers, the floors, and where each tier begins."""
    return {"rulebook_digest": service.rulebook.digest, **service.rulebook.impact.as_json()}


@router.post("/impact-assessment")
def assessment(answers: dict[str, str], service: HouseService) -> dict[str, object]:
    """Show the tier that answers would lead to, and why. Nothing is stored."""
    return assess(service.rulebook.impact, answers).as_json()


@router.get("/submissions/{submission}/tier")
def tier_changes(submission: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show the tier of a submission, the cells that decided it, and what people changed."""
    record = service.book.seen_by(submission, person)
    standing = service.approvals.standing(record)
    return {
        "tier": str(record.tier),
        "assessment": record.assessment_now.as_json(),
        "changes": [change.as_json() for change in service.tier_changes.of(submission, person)],
        "standing": standing.as_json() if standing is not None else None,
    }


@router.post("/submissions/{submission}/tier")
def change_tier(submission: str, said: TierIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Raise a tier now, or ask for a lower one, which waits for a second person."""
    return service.tier_changes.change(submission, Tier[said.tier], by=person, reason=said.reason).as_json()


@router.post("/tier-changes/{change}/confirm")
def confirm(change: str, said: WordIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Let a lower tier count, as the second person."""
    return service.tier_changes.confirm(change, by=person, reason=said.reason).as_json()


@router.post("/tier-changes/{change}/decline")
def decline(change: str, said: WordIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Leave the tier as it is."""
    return service.tier_changes.decline(change, by=person, reason=said.reason).as_json()


@router.get("/registry-faults")
def registry_faults(service: HouseService, person: Asking) -> dict[str, object]:
    """List what the registry shows otherwise than it was decided and nobody has put right yet."""
    return {"faults": [fault.as_json() for fault in service.registry_watch.standing(person)]}


@router.get("/delegations")
def delegations(service: HouseService, person: Asking) -> dict[str, object]:
    """List the officer's delegations; a reviewer sees those he may use."""
    return {"delegations": [given.as_json() for given in service.delegations.list(person)]}


@router.post("/delegations", status_code=201)
def delegate(said: DelegationIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Let models be approved at L1 by themselves, at L2 by a reviewer, until a day. It is an act in the signed log."""
    given = service.delegations.give(
        Tier[said.tier], by=person, reason=said.reason, until=said.until, models=said.models, sites=said.sites
    )
    return given.as_json()


@router.get("/delegations/waiting")
def waiting(service: HouseService, person: Asking) -> dict[str, object]:
    """List the submissions that wait for this person's verdict, with findings; a reviewer's are the covered ones."""
    found = service.approvals.waiting_for(person)
    return {"submissions": [{**record.as_json(), "findings": list(record.findings)} for record in found]}


@router.post("/delegations/{delegation}/revoke")
def revoke(delegation: str, said: WordIn, service: HouseService, person: Asking) -> dict[str, object]:
    """End a delegation now. What was approved under it stays approved; the officer may still veto it."""
    return service.delegations.revoke(delegation, by=person, reason=said.reason).as_json()
