"""One person's records go before their time: one account asks, another approves, each with a token of its own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.routes.shared import Asking, HouseService

router = APIRouter(prefix="/v1/erasures", tags=["erasures"])


class ErasureIn(BaseModel):
    """Whose records shall go, by the id in the data, and why. The id is kept sealed, and only until it is decided."""

    subject: Annotated[str, Field(max_length=400)]
    reason: str


class WordIn(BaseModel):
    """Why it is approved or declined."""

    reason: str


@router.get("")
def erasures(service: HouseService, person: Asking) -> dict[str, object]:
    """List the requests for early erasure, newest first."""
    return {"erasures": [one.as_json() for one in service.erasures.known_to(person)]}


@router.post("", status_code=201)
def ask(said: ErasureIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Ask that one person's records go before their time. Nothing goes before another account approves."""
    return service.erasures.ask(said.subject, by=person, reason=said.reason).as_json()


@router.post("/{erasure}/approve")
def approve(erasure: str, said: WordIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Let the records go, as the second person; what is under the legal floor is restricted, what is held stays."""
    return service.erasures.approve(erasure, by=person, reason=said.reason).as_json()


@router.post("/{erasure}/decline")
def decline(erasure: str, said: WordIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Let the records stay."""
    return service.erasures.decline(erasure, by=person, reason=said.reason).as_json()
