"""HTTP as uvicorn speaks it, for callers who are patient to a point: who begins and does not go on is cut off."""

from __future__ import annotations

import asyncio
import time

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 20.0
"""In which a caller has to have said what he wants. One who only holds a connection open is cut off."""

BODY_SECONDS = 120.0
"""In which the body has to follow."""


class PromptProtocol(HttpToolsProtocol):
    """Ends a connection on which a request is begun and not finished in time. httptools calls these methods.

    `due` is the moment by which something has to have happened; None while it is us who take our time.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the head."""
        super().connection_made(transport)
        self.due: float | None = time.monotonic() + HEADER_SECONDS
        self._watch = self.loop.call_later(HEADER_SECONDS, self._look)

    def on_message_begin(self) -> None:
        """A request begins, the first or a later one: its head has to be whole in time."""
        self.due = time.monotonic() + HEADER_SECONDS
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Somebody asks for something; its body has to follow."""
        self.due = time.monotonic() + BODY_SECONDS
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole: now it is us who take our time."""
        self.due = None
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio reads what is returned, uvicorn returns nothing
        """A caller that has said all and only listens still gets its answer; then the connection ends."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Cut off what is overdue. One timer a connection, not one a request: no wait is shorter than its beat."""
        now = time.monotonic()
        if self.due is not None and now >= self.due:
            if not self.transport.is_closing():
                self.transport.close()
            return
        beat = HEADER_SECONDS if self.due is None else min(HEADER_SECONDS, self.due - now)
        self._watch = self.loop.call_later(beat, self._look)
