"""What waits for a person, how far people and model agree, and what was found to be true, for retraining."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.routes.shared import Asking, HouseService, Limit, Since, Until
from governance.agreement import agreement, agreement_by_model, over_reliance
from governance.relabelling import relabelled_rows
from policies.roles import Action, require

router = APIRouter(prefix="/v1/reviews", tags=["reviews"])


@router.get("/queue")
def queue(service: HouseService, person: Asking, model: str | None = None, limit: Limit = 50) -> dict[str, object]:
    """List decisions that wait for a person, gravest tier and nearest deadline first."""
    waiting = service.review_queue.waiting(person, model=model, limit=limit)
    service.reviews.note_listed([one.decision for one in waiting], person)
    return {"waiting": [one.as_json() for one in waiting]}


@router.get("/agreement")
def how_far_they_agree(
    service: HouseService, person: Asking, since: Since = None, until: Until = None
) -> dict[str, object]:
    """Count confirmations and overrides of a time, all models together and each by itself."""
    require(person, Action.READ_DECISIONS)
    first, last = service.window(since, until)
    return {
        "all": agreement(service.log, first, last, seen_by=person).as_json(),
        "models": [one.as_json() for one in agreement_by_model(service.log, first, last, seen_by=person)],
    }


@router.get("/over-reliance")
def signs_of_over_reliance(
    service: HouseService, person: Asking, since: Since = None, until: Until = None
) -> dict[str, object]:
    """Show the officer whether people have stopped looking: over all reviewers together, never about one."""
    first, last = service.window(since, until)
    return over_reliance(service.log, service.rulebook.reviews, first, last, by=person).as_json()


@router.get("/labels.csv")
def labels(model: str, service: HouseService, person: Asking, since: Since = None, until: Until = None) -> Response:
    """Hand out what reviewers found to be true, as rows for retraining without persons; that is logged."""
    first, last = service.window(since, until)
    return Response(relabelled_rows(service.log, model, first, last, by=person), media_type="text/csv; charset=utf-8")
