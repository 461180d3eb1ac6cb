"""Teams declare another use of a model; it is assessed anew, and what it stops is decided anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.routes.shared import Asking, HouseService
from governance.declared_use import Use
from governance.use_changes import LONGEST_DESCRIPTION, LONGEST_SITE, Asked

router = APIRouter(prefix="/v1", tags=["uses"])


class UseIn(BaseModel):
    """What shall change; what is left out, and answers that are not named, stay. `preview` writes nothing."""

    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] | None = None
    site: Annotated[str, Field(max_length=LONGEST_SITE)] | None = None
    impact: dict[str, str] | None = None
    reason: str
    preview: bool = False


@router.get("/submissions/{submission}/use")
def use(submission: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show what a model is used for by its declaration now, its assessment, and every change with what came of it."""
    record = service.book.seen_by(submission, person)
    return {
        "submission": record.id,
        "use": Use.of(record.declaration).as_json(),
        "assessment": record.assessment_now.as_json(),
        "changes": [change.as_json() for change in service.use_changes.of(submission, person)],
    }


@router.post("/submissions/{submission}/use")
def change_use(submission: str, said: UseIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Declare another use. The permit stands, or is suspended at once and the deciders of the new tier decide anew."""
    asked = Asked(description=said.description, site=said.site, impact=said.impact)
    act = service.use_changes.consider if said.preview else service.use_changes.change
    return {"preview": said.preview, **act(submission, asked, by=person, reason=said.reason).as_json()}


@router.get("/use-changes")
def use_changes(service: HouseService, person: Asking) -> dict[str, object]:
    """List the changed uses this person may know of, newest first."""
    return {"changes": [change.as_json() for change in service.use_changes.known_to(person)]}
