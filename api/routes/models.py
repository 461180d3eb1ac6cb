"""Plant systems call models here; officers suspend and resume them."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request
from fastapi.responses import ORJSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.invocations import answer_of, read_invocation, status_of_answer
from api.routes.shared import Asking, HouseService
from policies.errors import Malformed, Sentence

router = APIRouter(prefix="/v1/models", tags=["models"])

Purpose = Annotated[str | None, Header(alias="X-Mingjing-Purpose")]


class Reason(BaseModel):
    """Why something is done."""

    reason: str


@router.post("/{name}/invocations", response_class=ORJSONResponse)
async def invoke(
    name: str, request: Request, service: HouseService, person: Asking, purpose: Purpose = None
) -> Response:
    """Decide rows in MLflow's scoring protocol. Every answer is explained and durably traced before it leaves."""
    body = await request.body()
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(
            Sentence(en=f"the body is not JSON: {error}", zh=f"请求正文不是合法的 JSON：{error}")
        ) from error
    asked = read_invocation(document)

    def decide() -> dict[str, Any]:
        decided = service.serving.decide(name, asked.rows, purpose=purpose, by=person, subjects=asked.subjects)
        return answer_of(decided, contributions=asked.contributions)

    answer = await run_in_threadpool(decide)
    return Response(orjson.dumps(answer), status_of_answer(answer), media_type="application/json")


@router.post("/{name}/suspend")
def suspend(name: str, said: Reason, service: HouseService, person: Asking) -> dict[str, object]:
    """Suspend the live permit of a model: the next call is refused."""
    permit = service.approvals.suspend(name, by=person, reason=said.reason)
    return {"model": name, "version": permit.version, "state": "suspended"}


@router.post("/{name}/resume")
def resume(name: str, said: Reason, service: HouseService, person: Asking) -> dict[str, object]:
    """Let a suspended model run again."""
    permit = service.approvals.resume(name, by=person, reason=said.reason)
    return {"model": name, "version": permit.version, "state": "live"}
