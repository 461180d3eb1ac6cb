"""A real server on the loopback, in a thread of the test, for clients that speak over the wire."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def listening(app: Any, http: Any = "auto") -> Iterator[int]:
    """Serve an application until the end of the block; gives the port. The application's own end is the caller's.

    `http` is the protocol it speaks, uvicorn's own or that of `api.lean_protocol`.
    """
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(app, http=http, lifespan="off", log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
        thread.start()
        try:
            yield int(door.getsockname()[1])  # it accepts from here on; who connects earlier waits in the socket
        finally:
            server.should_exit = True
            thread.join(timeout=30)
