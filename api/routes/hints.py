"""Hints from outside: MLflow says that its registry changed. Nothing is believed; what it names is looked at again."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.notifying.signing import is_from_mlflow
from api.routes.shared import HouseService
from api.tokens import NotSignedIn
from policies.errors import Malformed, Sentence
from policies.roles import absent

router = APIRouter(prefix="/v1/hints", tags=["hints"])

LARGEST_HINT = 1_000_000


@router.post("/mlflow", status_code=202)
async def mlflow(request: Request, service: HouseService) -> dict[str, object]:
    """Take a registry webhook of MLflow, signed under the shared secret, as a hint to compare artifacts again."""
    secret = service.settings.mlflow_webhook_secret
    if secret is None:
        raise absent("address", "mlflow")
    body = await request.body()
    if len(body) > LARGEST_HINT or not is_from_mlflow(secret, request.headers, body, service.clock().timestamp()):
        raise NotSignedIn(
            Sentence(
                en="this webhook is not signed under the secret shared with MLflow, or is older than five minutes",
                zh="该 Webhook 未用与 MLflow 共享的密钥签名，或已超过五分钟",
            )
        )
    model = _model_in(body)
    if model is None:
        return {"looked_at": None, "sound": True}
    sound = await run_in_threadpool(service.serving.recheck, model)
    await run_in_threadpool(service.registry_watch.look, model)
    return {"looked_at": model, "sound": sound}


def _model_in(body: bytes) -> str | None:
    """Return the registered model a webhook is about; None for one about something else."""
    try:
        said = json.loads(body)
        data = said["data"]
        name = data.get("name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(
            Sentence(en="this is no webhook of MLflow: it has no data", zh="这不是 MLflow 的 Webhook：缺少 data")
        ) from error
    return name if isinstance(name, str) and name else None
