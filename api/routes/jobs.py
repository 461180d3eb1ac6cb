"""Long work: how far it is, as one answer or as a stream, and how to stop it. Everyone sees his own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.routes.shared import Asking, HouseService
from governance.jobs import Job, JobBook

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LOOK_EVERY = 0.5
LONGEST = 3600.0
"""Seconds after which a stream ends by itself; a browser then asks anew."""


@router.get("/{job}")
def job(job: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Show how far one's own job is, and where it led."""
    return service.jobs.seen_by(job, person).as_json()


@router.delete("/{job}")
def cancel(job: str, service: HouseService, person: Asking) -> dict[str, object]:
    """Stop one's own job: at once while it waits, before its next step while it runs."""
    return service.jobs.cancel(job, by=person).as_json()


@router.get("/{job}/events", response_class=StreamingResponse)
def events(job: str, service: HouseService, person: Asking) -> StreamingResponse:
    """Tell every change of one's own job as server-sent events, until it is over."""
    first = service.jobs.seen_by(job, person)
    return StreamingResponse(_changes(service.jobs, first), media_type="text/event-stream")


async def _changes(book: JobBook, job: Job) -> AsyncIterator[bytes]:
    told: dict[str, object] = {}
    for _ in range(int(LONGEST / LOOK_EVERY)):
        if job.as_json() != told:
            told = job.as_json()
            yield b"event: job\ndata: " + orjson.dumps(told) + b"\n\n"
        if job.over:
            return
        await anyio.sleep(LOOK_EVERY)
        job = await run_in_threadpool(book.get, job.id)
