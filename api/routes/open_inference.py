"""The Open Inference Protocol, version 2: metadata, readiness and inference of one model."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api.deciding import Question, answer
from api.media_types import UnsupportedType
from api.open_inference import answer_inference, metadata_of, read_inference, status_of_inference
from api.routes.asking import Asking, Deciding, Waiting
from api.routes.invocations import Key, Purpose
from api.spans import IDS
from audit.served_model import ServedModel
from policies.errors import NotFound, Sentence

router = APIRouter(prefix="/v2/models", tags=["open inference"])

HeaderLength = Annotated[str | None, Header(alias="Inference-Header-Content-Length")]
Encoding = Annotated[str, Header(alias="Content-Encoding")]


class NoSuchVersion(NotFound):
    """The version asked for is not the one that holds the live permit."""

    def __init__(self, asked: str) -> None:
        super().__init__(
            Sentence(
                en=f"version '{asked}' is not the one that may run; ask without a version",
                zh=f"版本“{asked}”不是当前获准运行的版本；请在请求中省略版本",
            )
        )


@router.get("/{name}")
@router.get("/{name}/versions/{version}")
def metadata(name: str, service: Deciding, person: Asking, version: str | None = None) -> dict[str, Any]:
    """Describe the permitted version of a model."""
    served = service.serving.served(name, person)
    _require_version(served, version)
    return metadata_of(served)


@router.get("/{name}/ready")
@router.get("/{name}/versions/{version}/ready")
def ready(name: str, service: Deciding, person: Asking, version: str | None = None) -> dict[str, object]:
    """Say that a model holds a live permit and is loaded; else the refusal says why not."""
    served = service.serving.served(name, person)
    _require_version(served, version)
    return {"name": name, "ready": True}


@router.post("/{name}/infer")
@router.post("/{name}/versions/{version}/infer")
async def infer(
    name: str,
    request: Request,
    service: Deciding,
    person: Asking,
    waiting: Waiting,
    version: str | None = None,
    purpose: Purpose = None,
    key: Key = None,
    header_length: HeaderLength = None,
    encoding: Encoding = "identity",
) -> Response:
    """Decide rows handed over as tensors, in JSON or binary. Every answer is explained and durably traced first."""
    if encoding != "identity":
        raise UnsupportedType(
            Sentence(en=f"Content-Encoding {encoding} is not read", zh=f"不支持 Content-Encoding {encoding}")
        )
    body = await request.body()
    asked = await run_in_threadpool(read_inference, body, header_length)
    if version is not None:
        _require_version(await run_in_threadpool(service.serving.served, name, person), version)
    question = Question(
        model=name, rows=asked.rows, purpose=purpose, by=person, subjects=asked.subjects, key=key, sent=body
    )
    answered = await answer(service, waiting, question)
    request.scope[IDS] = answered.decided.ids
    said, head = answer_inference(asked, answered.decided, answered.served)
    headers = {"Idempotent-Replayed": "true"} if answered.repeated else {}
    status = status_of_inference(answered.decided)
    if head is None:
        return Response(said, status, headers, media_type="application/json")
    headers["Inference-Header-Content-Length"] = str(head)
    return Response(said, status, headers, media_type="application/octet-stream")


def _require_version(served: ServedModel, asked: str | None) -> None:
    if asked is not None and asked != served.version:
        raise NoSuchVersion(asked)
