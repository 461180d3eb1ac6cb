"""Requests that arrive together are decided together: one score, one attribution, one synchronisation of the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audit.decided import Decided
from governance.callers_rows import NamedRows
from governance.serving import Serving
from policies.errors import Sentence, Unavailable
from policies.roles import Person

LARGEST_BATCH = 4096
"""Rows decided together at most."""

LONGEST_QUEUE = 2048
"""Requests that may wait; one more is told to come back later."""


class Overloaded(Unavailable):
    """More requests wait than may wait."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en=f"more than {LONGEST_QUEUE:,} requests are waiting; try again in a moment",
                zh=f"等待中的请求已超过 {LONGEST_QUEUE:,} 个，请稍后重试",
            )
        )


@dataclass(frozen=True, eq=False)
class Request:
    """One caller's rows, and where the answer or the error goes. `done` is called in the deciding thread."""

    model: str
    rows: NamedRows
    purpose: str | None
    by: Person
    subjects: Sequence[object] | None
    done: Callable[[Decided | BaseException], None]

    @property
    def kind(self) -> tuple[object, ...]:
        """Requests of one kind can be decided in one go. One whose subjects do not fit its rows is of its own kind:
        beside others it would give them its subjects."""
        fits = self.subjects is None or len(self.subjects) == len(self.rows.matrix)
        return (self.model, self.by, self.purpose, self.rows.names, self.subjects is None, 0 if fits else id(self))


class MicroBatches:
    """Takes requests from many callers and decides what waits in as few goes as possible.

    There is no timer: while one go is on its way to the disk, the next one gathers.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mingjing-decide", daemon=True)
        self._thread.start()

    def ask(self, request: Request) -> None:
        """Put a request in the queue. Raises Overloaded when it is full."""
        if self._queue.qsize() >= LONGEST_QUEUE:
            raise Overloaded
        self._queue.put(request)

    def close(self) -> None:
        """Decide what waits, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            waiting = self._gather()
            going = waiting[-1] is not None
            for batch in _batches([request for request in waiting if request is not None]):
                self._decide(batch)

    def _gather(self) -> list[Request | None]:
        waiting = [self._queue.get()]
        rows = 0
        while waiting[-1] is not None and rows < LARGEST_BATCH:
            rows += len(waiting[-1].rows.matrix)
            try:
                waiting.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return waiting

    def _decide(self, batch: list[Request]) -> None:
        first = batch[0]
        if len(batch) == 1:
            first.done(self._answer(first))
            return
        together = replace(
            first,
            rows=NamedRows(first.rows.names, np.concatenate([request.rows.matrix for request in batch])),
            subjects=None
            if first.subjects is None
            else [subject for request in batch for subject in request.subjects or ()],
        )
        answer = self._answer(together)
        if isinstance(answer, BaseException):
            # One caller's bad row must not be another's refusal.
            for request in batch:
                request.done(self._answer(request))
            return
        start = 0
        for request in batch:
            end = start + len(request.rows.matrix)
            request.done(answer.part(start, end))
            start = end

    def _answer(self, request: Request) -> Decided | BaseException:
        try:
            return self._serving.decide(
                request.model, request.rows, purpose=request.purpose, by=request.by, subjects=request.subjects
            )
        except Exception as error:  # noqa: BLE001 - handed to the caller, who raises it in his own place
            return error


def _batches(waiting: list[Request]) -> list[list[Request]]:
    kinds: dict[tuple[object, ...], list[Request]] = {}
    for request in waiting:
        kinds.setdefault(request.kind, []).append(request)
    return list(kinds.values())
