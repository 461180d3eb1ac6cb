"""A lock that is given in the order of asking: who asks in a loop must not keep out who asks once."""

from __future__ import annotations

import threading
from types import TracebackType


class Turns:
    """Used as `with turns:`. Python's own lock may be taken again by who just gave it back; this one may not."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[object] = []

    def __enter__(self) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket)
            except BaseException:  # an interrupt while waiting gives the place in the row back
                self._waiting.remove(ticket)
                self._changed.notify_all()
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            del self._waiting[0]
            self._changed.notify_all()
