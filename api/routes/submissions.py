"""ML teams hand models in and read findings; deciders give verdicts."""

from __future__ import annotations

import io
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from api.routes.shared import Asking, Cursor, HouseService, Limit
from api.work import ask_for_submission
from governance.approvals import Verdict
from governance.stages import Stage
from model_registry.by_address import declaration_by_address
from model_registry.limits import DEFAULT_LIMITS
from model_registry.unpacking import pack_submission, unpack_submission
from policies.declaration import TABLES
from policies.errors import Malformed, Sentence
from policies.roles import Action, require

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])


class VerdictIn(BaseModel):
    """What a decider says. `until` ends the permit; `conditions` are carried out by the predict path."""

    verdict: Literal["approve", "return", "veto"]
    reason: str
    until: datetime | None = None
    conditions: list[dict[str, Any]] = []


async def zip_of(request: Request, person: Asking) -> bytes:
    """Return the uploaded zip: the first file of a form, under whatever name, or the whole body.

    JSON that names a model in the registry becomes the zip that says the same. Who may not submit is told so before
    anything is read.
    """
    require(person, Action.SUBMIT)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form() as form:
            found = next((part for part in form.values() if isinstance(part, UploadFile)), None)
            if found is not None:
                return await found.read()
    elif kind in ("application/zip", "application/octet-stream"):
        return await request.body()
    elif kind == "application/json":
        return _zip_by_address(await request.body())
    raise Malformed(
        Sentence(
            en="there is no zip in this request; send the zipped submission directory as a file of a form "
            "(multipart/form-data), or as the body (application/zip), or name a model in the registry "
            "(application/json)",
            zh="请求中没有压缩包；请将提交目录打包为 zip，"
            "以表单文件（multipart/form-data）或请求正文（application/zip）发送，"
            "或以 JSON（application/json）指定模型库中的模型",
        )
    )


def _zip_by_address(body: bytes) -> bytes:
    if len(body) > DEFAULT_LIMITS.declaration_bytes:
        raise Malformed(
            Sentence(
                en=f"the body has {len(body):,} bytes; a declaration has at most {DEFAULT_LIMITS.declaration_bytes:,}",
                zh=f"请求正文为 {len(body):,} 字节，声明最多 {DEFAULT_LIMITS.declaration_bytes:,} 字节",
            )
        )
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(
            Sentence(en=f"the body is not JSON: {error}", zh=f"请求正文不是合法的 JSON：{error}"),
        ) from error
    if not isinstance(said, dict):
        raise Malformed(
            Sentence(
                en='the body must be a JSON object with "uri" and the tables of submission.toml',
                zh='请求正文应为 JSON 对象，包含 "uri" 以及 submission.toml 中的各表',
            )
        )
    packed = io.BytesIO()
    pack_submission(declaration_by_address(said), {}, packed)
    return packed.getvalue()


FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "A model in the registry, and the tables of submission.toml. A data file is an "
                    "address (runs:/id/path, models:/name/3/path) or a path among what the model's run logged.",
                    "required": ["uri", "model", "use", "data"],
                    "properties": {
                        "uri": {"type": "string", "examples": ["models:/gas-leak/3", "runs:/0123abc/model"]},
                        **{name: {"type": "object"} for name in sorted(TABLES)},
                    },
                    "additionalProperties": False,
                }
            },
        },
    }
}


@router.post("", status_code=201, openapi_extra=FORM)
def submit(
    zipped: Annotated[bytes, Depends(zip_of)],
    service: HouseService,
    person: Asking,
    response: Response,
    prefer: Annotated[str, Header()] = "",
) -> dict[str, object]:
    """Take in a zip of a submission directory, or a model in the registry by its address.

    It is registered, tiered and examined, or refused whole.

    With `Prefer: respond-async` (RFC 7240) the answer is 202 and a job whose address tells how far it is.
    """
    if "respond-async" in prefer.lower():
        job = ask_for_submission(service, zipped, "submission.zip", by=person)
        response.status_code = 202
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        response.headers["Preference-Applied"] = "respond-async"
        return job.as_json()
    with tempfile.TemporaryDirectory() as folder:
        directory = unpack_submission(zipped, Path(folder) / "submission")
        record = service.submit(directory, by=person)
    return record.as_json()


@router.get("")
def submissions(
    service: HouseService,
    person: Asking,
    model: str | None = None,
    stage: Stage | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> dict[str, object]:
    """List submissions, newest first."""
    require(person, Action.READ_SUBMISSIONS)
    found, more = service.book.search(model=model, stage=stage, after=after, limit=limit, seen_by=person)
    return {"submissions": [record.as_json() for record in found], "next": more}


@router.get("/{submission}")
def submission(submission: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show one submission with its tier, stage and verdicts."""
    return service.book.seen_by(submission, person).as_json()


@router.get("/{submission}/findings")
def findings(submission: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show every finding of one submission."""
    record = service.book.seen_by(submission, person)
    return {
        "submission": record.id,
        "model": record.model,
        "artifact_digest": record.artifact_digest,
        "rulebook_digest": record.rulebook_digest,
        "tier": str(record.tier),
        "tier_because": [cell.as_json() for cell in record.assessment_now.because],
        "holds": record.holds,
        "findings": list(record.findings),
    }


@router.post("/{submission}/verdict")
def verdict(submission: str, said: VerdictIn, service: HouseService, person: Asking) -> dict[str, object]:
    """Approve, return or veto. A veto binds at the next prediction and is final for the artifact."""
    ruling = service.give_verdict(
        submission,
        Verdict(said.verdict),
        by=person,
        reason=said.reason,
        until=said.until,
        conditions=list(said.conditions),
    )
    permit = ruling.permit
    return {
        "submission": submission,
        "stage": ruling.stage.value,
        "still_needed": list(ruling.still_needed),
        "permit": {"id": permit.id, "until": permit.until.isoformat()} if permit is not None else None,
        "verdict": ruling.verdict.as_json(),
    }
