"""A socket and the server behind it: patient with slow callers to a point, and orderly at the end."""

from __future__ import annotations

import logging
import resource
import socket
from typing import Any

import uvicorn

from api.lean_protocol import LeanProtocol

logger = logging.getLogger("mingjing.server")

DRAIN_SECONDS = 30
"""How long an orderly stop waits for requests under way."""

QUEUE = 2048
"""Connections that may wait to be accepted."""


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
        http=LeanProtocol,
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
