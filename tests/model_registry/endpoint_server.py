"""A real HTTP server on this machine that answers as a good endpoint does, or in one of the ways it may fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the server's answer."""

    server: EndpointServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, "headers": dict(self.headers), "body": asked})
        try:
            self.server.answer(self, asked)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def send(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class EndpointServer(ThreadingHTTPServer):
    """Remembers what it was asked, and lets hanging answers go when it is closed."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}/invocations"


@contextmanager
def serving(answer: Answer) -> Iterator[EndpointServer]:
    """Serve while the block runs."""
    server = EndpointServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def rows_in(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a request in MLflow's protocol."""
    split = asked["dataframe_split"]
    return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]


def scored(asked: dict[str, Any]) -> list[float]:
    """A small honest model: more pressure, more danger; a missing reading alarms."""
    return [
        1.0 if row["pressure"] is None else min(max((row["pressure"] - 70) / 60, 0.0), 1.0) for row in rows_in(asked)
    ]


def honest(handler: Handler, asked: dict[str, Any]) -> None:
    """Answer as `mlflow models serve` does."""
    handler.send(json.dumps({"predictions": scored(asked)}).encode())


def told(**answer: Any) -> Answer:
    """Answer every request with the same document."""
    return lambda handler, asked: handler.send(json.dumps(answer).encode())


def hanging(handler: Handler, asked: dict[str, Any]) -> None:
    """Take the request and never answer."""
    handler.server.closing.wait()
    handler.close_connection = True


def dripping(handler: Handler, asked: dict[str, Any]) -> None:
    """Answer one byte at a time, each in time, the whole never."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()
