"""A socket and the server behind it: patient with slow callers to a point, and orderly at the end."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger("mingjing.server")

DRAIN_SECONDS = 30
"""How long an orderly stop waits for requests under way."""

HEADER_SECONDS = 20.0
"""In which a caller has to have said what he wants. One who only holds a connection open is cut off."""

BODY_SECONDS = 120.0
"""In which the body has to follow."""

QUEUE = 2048
"""Connections that may wait to be accepted."""


class PromptProtocol(HttpToolsProtocol):
    """Ends a connection on which a request is begun and not finished in time. httptools calls these methods."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the head."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._cut_off)

    def on_headers_complete(self) -> None:
        """Somebody asks for something; its body has to follow."""
        self._waiting.cancel()
        self._waiting = self.loop.call_later(BODY_SECONDS, self._cut_off)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole: now it is us who take our time."""
        self._waiting.cancel()
        super().on_message_complete()

    def on_message_begin(self) -> None:
        """A request begins, the first or a later one: its head has to be whole in time."""
        self._waiting.cancel()
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._cut_off)
        super().on_message_begin()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio reads what is returned, uvicorn returns nothing
        """A caller that has said all and only listens still gets its answer; then the connection ends."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._waiting.cancel()
        super().connection_lost(exc)

    def _cut_off(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections; they wait there until a process accepts them. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((host, port))
    door.listen(QUEUE)
    door.set_inheritable(True)
    return door


def serve_app(door: socket.socket, app: Any) -> None:
    """Serve an application on a socket until the process is told to stop."""
    _allow_many_connections()
    uvicorn.Server(_config(app)).run(sockets=[door])


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PromptProtocol,
        ws="none",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _allow_many_connections() -> None:
    """Take as many file handles as the system lets this user have: a slow caller costs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
