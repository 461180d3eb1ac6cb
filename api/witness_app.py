"""The witness over HTTP: one address, nothing to sign in to, nothing to read back."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from audit.witness import LARGEST_REQUEST, Answer, Witness


def create_witness_app(witness: Witness) -> Starlette:
    """Return the application of one witness."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_REQUEST:
                return PlainTextResponse("the request is too large\n", 413)
        answer: Answer = await run_in_threadpool(witness.add_checkpoint, body)
        return Response(answer.body, answer.status, media_type=answer.kind)

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])
