"""What all answers have in common: a limit on bodies, headers, and problem documents for whatever went wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dialects import in_dialect
from api.hot_path import LARGEST_BODY, OUR_FAULT, HotPath
from api.problems import away, problem, retry_after, status_of
from policies.errors import Fault, Malformed, Sentence

logger = logging.getLogger("mingjing.http")

PROBLEM = "application/problem+json"
TOO_LARGE = f"the body is larger than {LARGEST_BODY:,} bytes; send it in parts"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class BodyLimit:
    """Counts a body while it comes in: one without a length, or with a false one, is cut off as well."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body counted; what is said about one that was cut off is 413."""
        size, started = 0, False

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise HTTPException(413, TOO_LARGE)
            return message

        async def passed_on(message: Message) -> None:
            nonlocal started
            if size <= LARGEST_BODY:
                started = True
                await send(message)

        try:
            await self._app(scope, counted, passed_on)
        except Exception:
            # A body that was cut off breaks whatever was reading it, in that reader's own way; the answer is 413.
            if size <= LARGEST_BODY:
                raise
        if size > LARGEST_BODY and not started:
            await _too_large()(scope, receive, send)


class Fronted(FastAPI):
    """An application with a lean road in front of everything that the framework puts around a request."""

    front: ASGIApp
    lean_road: HotPath | None = None
    """Where the server's own protocol may hand an invocation over; None where every call is watched."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.front(scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the lean road leaves to the ordinary one."""
        await super().__call__(scope, receive, send)


def _too_large() -> Response:
    document = {"type": "about:blank", "title": "too large", "status": 413, "detail": TOO_LARGE}
    return JSONResponse(document, 413, HEADERS, media_type=PROBLEM)


def handle_faults(app: FastAPI) -> None:
    """Let every error leave as a problem document."""

    @app.exception_handler(Fault)
    async def fault(request: Request, error: Fault) -> Response:
        headers = {"WWW-Authenticate": "Bearer"} if status_of(error) == 401 else {}
        again = retry_after(error)
        if again is not None:
            headers["Retry-After"] = again
        document = in_dialect(request.url.path, problem(error, language_of(request)))
        return JSONResponse(document, status_of(error), headers, media_type=PROBLEM)

    @app.exception_handler(OSError)
    @app.exception_handler(SQLAlchemyError)
    async def out_of_reach(request: Request, error: OSError | SQLAlchemyError) -> Response:
        logger.error("a part is away: %s", type(error).__name__)
        return await fault(request, away(error))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        document = {"type": "about:blank", "title": "internal error", "status": 500, "detail": OUR_FAULT}
        return JSONResponse(document, 500, HEADERS, media_type=PROBLEM)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            Sentence(
                en=f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}",
                zh=f"{'.'.join(str(part) for part in found['loc'])}：{found['msg']}",
            )
            for found in error.errors()
        ]
        return JSONResponse(problem(Malformed(*faults), language_of(request)), 422, media_type=PROBLEM)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase.lower()
        document = {"type": "about:blank", "title": title, "status": error.status_code, "detail": str(error.detail)}
        return JSONResponse(document, error.status_code, media_type=PROBLEM, headers=error.headers)


def guard(app: FastAPI) -> None:
    """Refuse announced bodies that are too large, and give every answer the headers that browsers are held to."""

    @app.middleware("http")
    async def headers_and_size(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        size = request.headers.get("content-length", "0")
        if not (size.isascii() and size.isdigit()) or int(size) > LARGEST_BODY:
            response = _too_large()
        else:
            response = await go_on(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def language_of(request: Request) -> str:
    """Return 'zh' or 'en': the `lang` parameter, else a cookie, else what the browser asks for."""
    wanted = (
        request.query_params.get("lang")
        or request.cookies.get("mingjing_lang")
        or request.headers.get("accept-language", "")
    )
    return "zh" if wanted.lower().startswith("zh") else "en"
