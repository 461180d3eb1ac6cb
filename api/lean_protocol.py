"""Invocations on the connection they come on: no task, no request object, and the thread that decides also answers.

See docs/decisions/0028-answered-where-it-was-decided.md. What is not the common invocation is left to uvicorn.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.hot_path import HotPath
from api.lean_calls import HEARD, Call, Said, is_common
from api.prompt_protocol import BODY_SECONDS, PromptProtocol

LARGEST = 1024 * 1024
"""Bytes of a body that is gathered here; larger ones are read piece by piece on the ordinary road."""

RESTS = 5.0
"""Seconds for which a connection may rest between two requests."""


class LeanProtocol(PromptProtocol):
    """Hands the common invocation to the lean road, and everything else to the application."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._road: HotPath | None = getattr(config.app, "lean_road", None)
        self._parts: list[bytes] | None = None
        self._exchange: Exchange | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Note where answers are written."""
        super().connection_made(transport)
        self.handle: int = transport.get_extra_info("socket").fileno()

    def on_headers_complete(self) -> None:
        """Gather the body of an invocation; leave anything else to uvicorn."""
        self._see_the_last_exchange()
        if not self._is_lean():
            super().on_headers_complete()
            return
        self.due = time.monotonic() + BODY_SECONDS
        self._parts = []

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: hand it over, or replay it where the lean road does not take it."""
        if self._parts is None:
            super().on_message_complete()
            return
        body, self._parts, self.due = b"".join(self._parts), None, None
        path, _, query = self.url.partition(b"?")
        headers = {name: value for name, value in self.headers if name in HEARD}
        before, exchange = self.cycle, Exchange(self)
        self._exchange = exchange
        self.cycle = exchange  # type: ignore[assignment]  # what uvicorn looks at in a cycle, an exchange has
        assert self._road is not None, "only then a body is gathered"
        if not self._road.take(Call(path.decode(), query, headers, body), exchange.answer):
            self.cycle, self._exchange = before, None
            HttpToolsProtocol.on_headers_complete(self)
            HttpToolsProtocol.on_body(self, body)
            HttpToolsProtocol.on_message_complete(self)

    def eof_received(self) -> bool:  # type: ignore[override]  # as in the class above
        """A caller that only listens still gets its answer."""
        self._see_the_last_exchange()
        return super().eof_received()

    def shutdown(self) -> None:
        """The server stops: a connection that rests ends now, another after its answer."""
        self._see_the_last_exchange()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more. The handle belongs to somebody else as soon as this returns."""
        if self._exchange is not None:
            self._exchange.lost()
        super().connection_lost(exc)

    def _is_lean(self) -> bool:
        if self._road is None or self.parser.get_method() != b"POST" or b"%" in self.url or not self.url.isascii():
            return False
        if not is_common(self.url.partition(b"?")[0].decode()):
            return False
        if (self.cycle is not None and not self.cycle.response_complete) or self.expect_100_continue:
            return False
        if not self.parser.should_keep_alive() or self.transport.get_write_buffer_size():
            return False
        length = b""
        for name, value in self.headers:
            if name == b"content-length":
                length = value
            elif name in (b"idempotency-key", b"transfer-encoding"):
                return False
        return length.isdigit() and int(length) <= LARGEST

    def _see_the_last_exchange(self) -> None:
        if self._exchange is not None:
            self._exchange.seen()


class _Nobody:
    """Where uvicorn wakes a reader of the body, there is none here."""

    def set(self) -> None:
        """Wake nobody."""


class Exchange:
    """One invocation and its answer. uvicorn's protocol sees a request cycle in it.

    The thread that decided writes the answer while the connection is ours alone: nothing else is asked on it or
    written to it until `response_complete`, which only the event loop's thread sets. Whatever is out of the
    ordinary (a slow reader, a second request behind this one, a stop) is left to that thread.
    """

    more_body = False
    body = b""
    message_event = _Nobody()

    def __init__(self, protocol: LeanProtocol) -> None:
        self.response_complete = False
        self.keep_alive = True
        self.disconnected = False
        self._protocol = protocol
        self._lock = threading.Lock()
        self._answered = False
        self._awaited = False

    def answer(self, said: Said) -> None:
        """Write an answer. In any thread."""
        protocol = self._protocol
        with self._lock:
            if self.disconnected:
                return
            data = _written(said, protocol.server_state.default_headers, self.keep_alive)
            protocol.due = time.monotonic() + RESTS
            try:
                sent = os.write(protocol.handle, data)
            except BlockingIOError:
                sent = 0
            except OSError:  # the caller is gone; the event loop finds that out by itself
                sent = len(data)
            self._answered = True
            if sent == len(data) and not self._awaited:
                return
            self._awaited = True
        with suppress(RuntimeError):  # the loop is closed, and every connection with it
            protocol.loop.call_soon_threadsafe(self._end, data[sent:])

    def seen(self) -> None:
        """The event loop wants to know whether this is over; if not, it will be told."""
        with self._lock:
            if self._answered and not self._awaited:
                self.response_complete = True
            elif not self._answered:
                self._awaited = True

    def lost(self) -> None:
        """The connection is gone."""
        with self._lock:
            self.disconnected = True

    def _end(self, left: bytes) -> None:
        """Write what is left, then go on with what came behind, or close."""
        protocol, self.response_complete = self._protocol, True
        if protocol.transport.is_closing():
            return
        if left:
            protocol.transport.write(left)
        if not self.keep_alive:
            protocol.transport.close()
        else:
            protocol.on_response_complete()


def _written(said: Said, defaults: list[tuple[bytes, bytes]], keep_alive: bool) -> bytes:
    ending = [] if keep_alive else [(b"connection", b"close")]
    headers = b"".join(b"%b: %b\r\n" % header for header in (*defaults, *said.headers(), *ending))
    return _STATUS[said.status] + headers + b"\r\n" + said.body


_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
