"""The lean road of common calls: same meaning as on the ordinary one, less on the way.

See docs/decisions/0005-the-hot-path.md and 0033-every-form-on-the-lean-road.md.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from sqlalchemy.exc import SQLAlchemyError

from api.deciding import Decider
from api.dialects import in_dialect
from api.lean_calls import HEARD, Asked, Call, Said, is_common, read_call
from api.patience import Patience
from api.problems import away, problem, status_of
from api.shares import ShareExceeded, Shares
from api.spans import IDS
from api.tokens import NotSignedIn
from governance.micro_batches import LONGEST_QUEUE, Answer, Done, MicroBatches, Overloaded, Request
from governance.serving import NoTime
from policies.errors import Fault, Malformed, Sentence
from policies.roles import Person

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TOKEN_REMEMBERED = 1.0
"""Seconds for which a token's holder is remembered."""

LOOK_SECONDS = 0.05
"""How often it is looked at who waited too long."""

logger = logging.getLogger("mingjing.http")

OUR_FAULT = "something broke on our side; it was written down, try again or tell the operator"
PROBLEM = b"application/problem+json"

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a request body above which it is refused."""


class _TooLarge(Malformed):
    """The body is larger than is read."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en=f"the body is larger than {LARGEST_BODY:,} bytes; send it in parts",
                zh=f"请求正文超过 {LARGEST_BODY:,} 字节，请分批发送",
            )
        )


class _Waiting:
    """A call that was taken: answered once, by whoever comes first."""

    __slots__ = ("_answered", "_first", "ask", "due")

    def __init__(self, ask: Request, due: float, answered: Done) -> None:
        self.ask = ask
        self.due = due
        self._answered = answered
        self._first = threading.Lock()

    def settle(self, answer: Answer | BaseException) -> None:
        """Answer, unless somebody did. In any thread."""
        if self._first.acquire(blocking=False):
            self._answered(answer)


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
        self._shares = Shares(LONGEST_QUEUE // 2)
        self._people: dict[str, tuple[Person, float]] = {}
        self._taken: dict[_Waiting, None] = {}
        self._together: list[_Waiting] = []
        self._looks = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] != "POST" or not is_common(path):
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in HEARD}
        if b"idempotency-key" in headers:  # remembered by the ordinary road
            await self._app(scope, receive, send)
            return
        try:
            body = await _body(receive, headers)
        except Fault as fault:
            await _send(send, said_no(path, fault, headers))
            return
        call = Call(path, scope["query_string"], headers, body)
        asked = self._read(call)
        if asked is None:
            await self._app(scope, _again(body, receive), send)
            return
        answer: Answer | BaseException
        try:
            answer = await self._decided(call, asked)
            scope[IDS] = answer[1].ids
        except Exception as error:  # noqa: BLE001 - every error is an answer too
            answer = error
        await _send(send, said_of(answer, call, asked))

    def take(self, call: Call, answered: Callable[[Said], None]) -> bool:
        """Take a call that can be decided without further asking; False leaves it to `__call__`.

        `answered` gets the answer, once and in some other thread. Only for the thread of the event loop.
        """
        person = self._remembered(_token_of(call.headers))
        asked = self._read(call) if person is not None else None
        if person is None or asked is None:
            return False
        ask = _request(call, asked, person)
        waiting = _Waiting(
            ask,
            time.monotonic() + self._patience.for_rows(len(ask.rows.matrix)),
            lambda answer: answered(said_of(answer, call, asked)),
        )
        if not self._shares.take(person.name):
            self._hurry(waiting, beyond_share=True)
            return True
        self._taken[waiting] = None
        self._look_later()
        if not self._together:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._together.append(waiting)
        return True

    def _read(self, call: Call) -> Asked | None:
        """Return what a common call asks; None where it is another, or where others would wait behind it."""
        asked = read_call(call)
        return None if asked is None or self._service.serving.takes_long(asked.model) else asked

    def _hand_over(self) -> None:
        """Hand over what came in one turn of the event loop at once, so that it is decided at once too."""
        together, self._together = self._together, []
        for waiting in together:
            try:
                self._ask(waiting.ask, partial(self._done, waiting))
            except Overloaded:
                self._hurry(waiting)

    def _done(self, waiting: _Waiting, answer: Answer | BaseException) -> None:
        self._shares.give_back(waiting.ask.by.name)
        self._taken.pop(waiting, None)
        waiting.settle(answer)

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """See who waited too long: one look for all of them, instead of a timer for each."""
        self._looks, now = False, time.monotonic()
        for waiting in [waiting for waiting in self._taken.copy() if waiting.due <= now]:
            if waiting in self._taken:  # else it was answered just now
                self._hurry(waiting)
        if self._taken:
            self._look_later()

    def _hurry(self, waiting: _Waiting, *, beyond_share: bool = False) -> None:
        """Answer the alarms of a call past every queue, once: what is hurried is not looked at again."""
        self._taken.pop(waiting, None)

        def alarms() -> None:
            try:
                waiting.settle(self._alarms_of(waiting.ask))
            except NoTime as none:
                waiting.settle(ShareExceeded() if beyond_share else none)
            except Exception as error:  # noqa: BLE001 - every error is an answer too
                waiting.settle(error)

        self._patience.beside(alarms)

    def _alarms_of(self, ask: Request) -> Answer:
        serving = self._service.serving
        return serving.alarms_only(ask.model, ask.rows, purpose=ask.purpose, by=ask.by, subjects=ask.subjects)

    async def _decided(self, call: Call, asked: Asked) -> Answer:
        """Decide as `take` does, for callers who have an event loop to wait in."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        person = await self._person(_token_of(call.headers))

        def settle(answer: Answer | BaseException) -> None:
            if answered.done():
                return
            if isinstance(answer, BaseException):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

        def done(answer: Answer | BaseException) -> None:
            self._shares.give_back(person.name)
            with suppress(RuntimeError):  # the loop is closed: nobody is there to hear it, the trace is kept
                loop.call_soon_threadsafe(settle, answer)

        ask = _request(call, asked, person)
        if not self._shares.take(person.name):
            try:
                return await self._patience.hurry(lambda: self._alarms_of(ask))
            except NoTime:
                raise ShareExceeded() from None
        giving_up = loop.call_later(self._patience.for_rows(len(ask.rows.matrix)), settle, Overloaded())
        try:
            self._ask(ask, done)
            return await answered
        except Overloaded:
            return await self._patience.hurry(lambda: self._alarms_of(ask))
        finally:
            giving_up.cancel()

    def _ask(self, ask: Request, done: Done) -> None:
        try:
            self._batches.ask(ask, done)
        except Overloaded:
            self._shares.give_back(ask.by.name)
            raise

    async def _person(self, token: str | None) -> Person:
        if token is None:
            raise NotSignedIn()
        known = self._remembered(token)
        if known is not None:
            return known
        person = await asyncio.to_thread(self._service.people.by_token, token)
        if len(self._people) > 4096:
            self._people.clear()
        self._people[token] = (person, time.monotonic())
        return person

    def _remembered(self, token: str | None) -> Person | None:
        """Return the holder of a token that was looked up a moment ago."""
        known = None if token is None else self._people.get(token)
        if known is None or token is None:
            return None
        if time.monotonic() - known[1] < TOKEN_REMEMBERED:
            return known[0]
        del self._people[token]
        return None


def _request(call: Call, asked: Asked, person: Person) -> Request:
    stated = call.headers.get(b"x-mingjing-purpose")
    purpose = None if stated is None else stated.decode("latin-1")
    return Request(asked.model, asked.rows, purpose, person, asked.subjects)


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


async def _body(receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
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


def said_of(answer: Answer | BaseException, call: Call, asked: Asked) -> Said:
    """Return a decision, or the error that came instead of one, as it is answered."""
    if isinstance(answer, tuple):
        return asked.say(*answer)
    if isinstance(answer, Fault):
        return said_no(call.path, answer, call.headers)
    if isinstance(answer, OSError | SQLAlchemyError):
        logger.error("a part is away: %s", type(answer).__name__)
        return said_no(call.path, away(answer), call.headers)
    logger.error("POST %s failed", call.path, exc_info=answer)
    document = {"type": "about:blank", "title": "internal error", "status": 500, "detail": OUR_FAULT}
    return Said(500, orjson.dumps(document), PROBLEM)


def said_no(path: str, fault: Fault, headers: Mapping[bytes, bytes]) -> Said:
    """Return a fault as it is answered, in the caller's language."""
    language = "zh" if headers.get(b"accept-language", b"").lower().startswith(b"zh") else "en"
    status = 413 if isinstance(fault, _TooLarge) else status_of(fault)
    document = in_dialect(path, {**problem(fault, language), "status": status})
    again = ((b"retry-after", b"1"),) if status in (429, 503) else ()
    return Said(status, orjson.dumps(document), PROBLEM, again)


async def _send(send: Send, said: Said) -> None:
    await send({"type": "http.response.start", "status": said.status, "headers": said.headers()})
    await send({"type": "http.response.body", "body": said.body})


def _token_of(headers: Mapping[bytes, bytes]) -> str | None:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token if scheme.lower() == "bearer" and token else None
