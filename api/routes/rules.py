"""The rules in force, for anyone to read."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.shared import HouseService

router = APIRouter(prefix="/v1", tags=["rules"])


@router.get("/rulebook")
def rulebook(service: HouseService) -> dict[str, object]:
    """Show the rulebook in force and its digest."""
    book = service.rulebook
    return {
        "version": book.version,
        "title": book.title.as_json(),
        "digest": book.digest,
        "toml": book.source.decode(),
    }


@router.get("/negative-list")
def negative_list(service: HouseService) -> dict[str, object]:
    """Show the known failures every submission is tried on, with the digest of the list."""
    return service.negative_list.as_json()
