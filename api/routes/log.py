"""Verifiers read the log's head and its proofs. Nothing here names a person or a decision's content."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.routes.shared import Asking, HouseService
from policies.errors import Malformed, NotFound, Sentence
from policies.roles import Action, absent, require, require_in_scope

router = APIRouter(prefix="/v1/log", tags=["log"])


@router.get("/checkpoint")
def checkpoint(service: HouseService) -> Response:
    """Show the newest signed checkpoint, a C2SP signed note."""
    head = service.log.checkpoint_when_due() or service.log.latest_checkpoint()
    if head is None:
        raise NotFound(Sentence(en="the log is still empty", zh="日志尚无条目"))
    return Response(head.note, media_type="text/plain; charset=utf-8")


@router.get("/consistency")
def consistency(
    service: HouseService,
    older: Annotated[int, Query(alias="from", ge=0)],
    newer: Annotated[int, Query(alias="to", ge=0)],
) -> dict[str, object]:
    """Prove that the log of size `to` only added to the log of size `from`."""
    size = service.log.size()
    if older > newer or newer > size:
        raise Malformed(
            Sentence(
                en=f"from {older} to {newer} is no part of a log of {size} entries; expected from <= to <= {size}",
                zh=f"日志共 {size} 条，从 {older} 到 {newer} 无效；应满足 from <= to <= {size}",
            )
        )
    return {"from": older, "to": newer, "proof": [node.hex() for node in service.log.consistency(older, newer)]}


@router.get("/proof/{decision}")
def proof(decision: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Prove that an entry is in the log of the newest checkpoint."""
    require(person, Action.READ_DECISIONS)
    try:
        entry = service.log.entry(decision)
    except NotFound as missing:
        raise absent("entry", decision) from missing
    require_in_scope(person, entry.site, entry.model, "entry", decision)
    head = service.log.latest_checkpoint()
    if head is None or head.size <= entry.index:
        head = service.log.checkpoint()
    return {
        "id": entry.id,
        "index": entry.index,
        "leaf": entry.leaf.hex(),
        "size": head.size,
        "root": head.root.hex(),
        "proof": [node.hex() for node in service.log.inclusion(entry.index, head.size)],
        "checkpoint": head.note,
    }
