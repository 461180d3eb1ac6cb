"""Is the house alive and ready? Open Inference Protocol health addresses."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Response

from api.routes.shared import HouseService

logger = logging.getLogger("mingjing.health")

router = APIRouter(tags=["health"])


@router.get("/v2")
def server() -> dict[str, object]:
    """Name this server."""
    return {"name": "mingjing", "version": "0.1.0", "extensions": []}


@router.get("/v2/health/live")
def live() -> dict[str, bool]:
    """Say that the process answers."""
    return {"live": True}


@router.get("/v2/health/ready")
def ready(service: HouseService, response: Response) -> dict[str, bool]:
    """Say whether decisions can be made: the log answers and permits can be read."""
    try:
        service.log.size()
        service.permits.permits()
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the honest answer is 'not ready'
        logger.warning("not ready: %s", type(error).__name__)
        response.status_code = 503
        return {"ready": False}
    return {"ready": True}
