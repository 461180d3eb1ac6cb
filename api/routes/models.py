"""Officers suspend models and let them run again."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.routes.shared import Asking, HouseService

router = APIRouter(prefix="/v1/models", tags=["models"])


class Reason(BaseModel):
    """Why something is done."""

    reason: str


@router.post("/{name}/suspend")
def suspend(name: str, said: Reason, service: HouseService, person: Asking) -> dict[str, object]:
    """Suspend the live permit of a model: the next call is refused."""
    permit = service.suspensions.suspend(name, by=person, reason=said.reason)
    return {"model": name, "version": permit.version, "state": "suspended"}


@router.post("/{name}/resume")
def resume(name: str, said: Reason, service: HouseService, person: Asking) -> dict[str, object]:
    """Let a suspended model run again."""
    permit = service.suspensions.resume(name, by=person, reason=said.reason)
    return {"model": name, "version": permit.version, "state": "live"}
