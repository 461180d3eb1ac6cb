"""Is the house alive and ready? Open Inference Protocol health addresses."""

from __future__ import annotations

import logging
from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from api.routes.asking import Deciding

logger = logging.getLogger("mingjing.health")

router = APIRouter(tags=["health"])


@router.get("/v2")
def server() -> dict[str, object]:
    """Name this server."""
    return {"name": "mingjing", "version": version("mingjing"), "extensions": ["binary_tensor_data"]}


@router.get("/v2/health/live")
def live() -> dict[str, bool]:
    """Say that the process answers."""
    return {"live": True}


@router.get("/v2/health/ready")
def ready(service: Deciding, response: Response) -> dict[str, object]:
    """Say whether decisions can be made: models are loaded, the log takes entries, permits can be read."""
    missing = service.readiness.missing()
    if missing:
        logger.warning("not ready: %s", "; ".join(said.en for said in missing))
        response.status_code = 503
        return {"ready": False, "why": [said.as_json() for said in missing]}
    return {"ready": True}


@router.get("/v1/models/{name}/ping")
@router.get("/v1/models/{name}/health")
def ping(name: str, service: Deciding, response: Response) -> dict[str, object]:
    """Answer what MLflow's scoring server answers under these names. Says nothing about the model: no login here."""
    return ready(service, response)


@router.get("/v1/models/{name}/version", response_class=PlainTextResponse)
def version_of_server(name: str) -> str:
    """Name the version of this server, as text."""
    return version("mingjing")
