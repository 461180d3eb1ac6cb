"""Plant systems call models here, in MLflow's scoring protocol."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Request
from fastapi.responses import ORJSONResponse, Response
from starlette.concurrency import run_in_threadpool

from api.deciding import Question, answer
from api.invocations import answer_of, status_of_answer
from api.media_types import read_body
from api.routes.asking import Asking, Deciding, Waiting
from api.spans import IDS

router = APIRouter(tags=["models"])

Purpose = Annotated[str | None, Header(alias="X-Mingjing-Purpose")]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


@router.post("/v1/models/{name}/invocations", response_class=ORJSONResponse)
async def invoke(
    name: str,
    request: Request,
    service: Deciding,
    person: Asking,
    waiting: Waiting,
    purpose: Purpose = None,
    key: Key = None,
) -> Response:
    """Decide rows in MLflow's scoring protocol. Every answer is explained and durably traced before it leaves."""
    kind, wanted = request.headers.get("content-type", ""), request.query_params.get("contributions") == "true"
    body = await request.body()
    asked = await run_in_threadpool(read_body, kind, body, contributions=wanted)
    question = Question(
        model=name,
        rows=asked.rows,
        purpose=purpose,
        by=person,
        subjects=asked.subjects,
        key=key,
        sent=kind.encode("latin-1") + b"\0" + body,
    )
    answered = await answer(service, waiting, question)
    request.scope[IDS] = answered.decided.ids
    said = answer_of(answered.decided, contributions=asked.contributions)
    headers = {"Idempotent-Replayed": "true"} if answered.repeated else {}
    return Response(orjson.dumps(said), status_of_answer(said), headers, media_type="application/json")


@router.post("/endpoints/{name}/invocations", response_class=ORJSONResponse)
async def invoke_by_client(
    name: str,
    request: Request,
    service: Deciding,
    person: Asking,
    waiting: Waiting,
    purpose: Purpose = None,
    key: Key = None,
) -> Response:
    """Answer `mlflow.deployments` where it looks for an endpoint; the same as the address above."""
    return await invoke(name, request, service, person, waiting, purpose, key)
