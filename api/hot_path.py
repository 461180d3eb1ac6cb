"""The lean road of `POST /v1/models/{name}/invocations`: same meaning as the ordinary reader, less on the way.

See docs/decisions/0005-the-hot-path.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import orjson
from sqlalchemy.exc import SQLAlchemyError

from api.deciding import Decider
from api.dialects import in_dialect
from api.invocations import PARAMS, answer_of, status_of_answer
from api.patience import Patience
from api.problems import away, problem, status_of
from api.spans import IDS
from api.tokens import NotSignedIn
from audit.decided import Decided
from governance.callers_rows import NamedRows
from governance.micro_batches import MicroBatches, Overloaded, Request
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Person

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX, SUFFIX = "/v1/models/", "/invocations"
TOKEN_REMEMBERED = 1.0
"""Seconds for which a token's holder is remembered."""

logger = logging.getLogger("mingjing.http")

OUR_FAULT = "something broke on our side; it was written down, try again or tell the operator"
PROBLEM = b"application/problem+json"

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a request body above which it is refused."""


class _Split(msgspec.Struct):
    columns: tuple[str, ...]
    data: list[list[float | None]]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The common case; anything else is left to the ordinary reader."""

    dataframe_split: _Split
    params: dict[str, Any] | None = None
    subjects: list[str | int | None] | None = None


class _TooLarge(Malformed):
    """The body is larger than is read."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en=f"the body is larger than {LARGEST_BODY:,} bytes; send it in parts",
                zh=f"请求正文超过 {LARGEST_BODY:,} 字节，请分批发送",
            )
        )


class HotPath:
    """Stands in front of an application: answers the common invocation itself, hands all else on, body included."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        service: Decider,
        batches: MicroBatches,
        patience: Patience,
    ) -> None:
        self._app = app
        self._patience = patience
        self._service = service
        self._batches = batches
        self._people: dict[str, tuple[Person, float]] = {}
        self._decoder = msgspec.json.Decoder(_Body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        mine = scope["type"] == "http" and path.startswith(PREFIX) and path.endswith(SUFFIX)
        if not mine or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in HEARD}
        if b"idempotency-key" in headers:  # remembered by the ordinary road
            await self._app(scope, receive, send)
            return
        try:
            body = await _body(receive, headers)
        except Fault as fault:
            await _say_no(send, path, fault, headers)
            return
        try:
            asked = self._decoder.decode(body)
            rows = _rows(asked.dataframe_split)
            _require_known(asked.params)
        except (msgspec.MsgspecError, ValueError):
            await self._app(scope, _again(body, receive), send)
            return
        try:
            status, answer = await self._answered(scope, asked, rows, headers)
        except Fault as fault:
            await _say_no(send, path, fault, headers)
        except (OSError, SQLAlchemyError) as error:
            logger.error("a part is away: %s", type(error).__name__)
            await _say_no(send, path, away(error), headers)
        except Exception as bug:
            logger.error("POST %s failed", path, exc_info=bug)
            document = {"type": "about:blank", "title": "internal error", "status": 500, "detail": OUR_FAULT}
            await _send(send, 500, orjson.dumps(document), PROBLEM)
        else:
            await _send(send, status, answer, b"application/json")

    async def _answered(
        self, scope: Scope, asked: _Body, rows: NamedRows, headers: dict[bytes, bytes]
    ) -> tuple[int, bytes]:
        model = scope["path"][len(PREFIX) : -len(SUFFIX)]
        person = await self._person(headers)
        purpose = headers[b"x-mingjing-purpose"].decode("latin-1") if b"x-mingjing-purpose" in headers else None
        decided = await self._decided(model, person, purpose, rows, asked.subjects)
        scope[IDS] = decided.ids
        wanted = (asked.params or {}).get("contributions") is True or b"contributions=true" in scope["query_string"]
        answer = answer_of(decided, contributions=wanted)
        return status_of_answer(answer), orjson.dumps(answer)

    async def _decided(
        self, model: str, person: Person, purpose: str | None, rows: NamedRows, subjects: Any
    ) -> Decided:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Decided] = loop.create_future()

        def settle(answer: Decided | BaseException) -> None:
            if answered.done():
                return
            if isinstance(answer, BaseException):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

        def done(answer: Decided | BaseException) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is there to hear it, the trace is kept
                loop.call_soon_threadsafe(settle, answer)

        giving_up = loop.call_later(self._patience.for_rows(len(rows.matrix)), settle, Overloaded())
        try:
            self._batches.ask(Request(model, rows, purpose, person, subjects, done))
            return await answered
        except Overloaded:
            serving = self._service.serving
            return await self._patience.hurry(
                lambda: serving.alarms_only(model, rows, purpose=purpose, by=person, subjects=subjects)[1]
            )
        finally:
            giving_up.cancel()

    async def _person(self, headers: dict[bytes, bytes]) -> Person:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn()
        known = self._people.get(token)
        now = asyncio.get_running_loop().time()
        if known is not None and now - known[1] < TOKEN_REMEMBERED:
            return known[0]
        self._people.pop(token, None)
        person = await asyncio.to_thread(self._service.people.by_token, token)
        if len(self._people) > 4096:
            self._people.clear()
        self._people[token] = (person, now)
        return person


HEARD = frozenset((b"authorization", b"x-mingjing-purpose", b"accept-language", b"content-length", b"idempotency-key"))


def _rows(split: _Split) -> NamedRows:
    """Return the rows as a matrix. Raises ValueError when they are ragged or columns repeat."""
    matrix = np.array(split.data, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(split.columns) or len(set(split.columns)) != len(split.columns):
        raise ValueError("not a table")
    return NamedRows(split.columns, matrix)


def _require_known(params: dict[str, Any] | None) -> None:
    """Raise ValueError for what the ordinary reader has to refuse in a sentence."""
    if params and not params.keys() <= set(PARAMS):
        raise ValueError("unknown params")


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body already read once more, then what comes after it."""
    given = False

    async def once() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


async def _body(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        raise _TooLarge()
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed(Sentence(en="the caller hung up", zh="调用方已断开"))
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise _TooLarge()
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _say_no(send: Send, path: str, fault: Fault, headers: dict[bytes, bytes]) -> None:
    language = "zh" if headers.get(b"accept-language", b"").lower().startswith(b"zh") else "en"
    status = 413 if isinstance(fault, _TooLarge) else status_of(fault)
    document = in_dialect(path, {**problem(fault, language), "status": status})
    await _send(send, status, orjson.dumps(document), PROBLEM)


async def _send(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
