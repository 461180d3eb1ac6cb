"""Requests that arrive together are decided together: one score, one attribution, one synchronisation of the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from audit.decided import Decided
from audit.served_model import ServedModel
from governance.callers_rows import NamedRows
from governance.serving import Serving
from policies.errors import Sentence, Unavailable
from policies.roles import Person

LARGEST_BATCH = 4096
"""Rows decided together at most."""

HELPED_FROM = 64
"""Rows that wait while others are decided, from which on a second thread is worth its turns of Python's lock."""

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


Answer = tuple[ServedModel, Decided]
"""What was decided, and by which version."""

Done = Callable[[Answer | BaseException], None]
"""Takes the answer or the error, once. Called in a deciding thread."""


@dataclass(frozen=True, eq=False)
class Request:
    """One caller's rows, and what for."""

    model: str
    rows: NamedRows
    purpose: str | None
    by: Person
    subjects: Sequence[object] | None

    @property
    def kind(self) -> tuple[object, ...]:
        """Requests of one kind can be decided in one go. One whose subjects do not fit its rows is of its own kind:
        beside others it would give them its subjects."""
        fits = self.subjects is None or len(self.subjects) == len(self.rows)
        columns = (self.rows.names, self.rows.matrix.shape[1])
        return (self.model, self.by, self.purpose, columns, self.subjects is None, 0 if fits else id(self))


_Item = tuple[Request, Done]


class MicroBatches:
    """Takes requests from many callers and decides what waits in as few goes as possible.

    There is no timer: while one go is on its way to the disk, the next one gathers. Where much gathers meanwhile, a
    second thread decides it; the disk, the kernels and the database work without Python's lock.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._rows_asked = 0
        self._rows_taken = [0, 0]
        self._busy = [False, False]
        self._much = threading.Event()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._decide_all, name="mingjing-decide", daemon=True),
            threading.Thread(target=self._help, name="mingjing-decide-too", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, request: Request, done: Done) -> None:
        """Put a request in the queue. Raises Overloaded when it is full. For one thread at a time."""
        if self._queue.qsize() >= LONGEST_QUEUE:
            raise Overloaded
        self._queue.put((request, done))
        self._rows_asked += len(request.rows)
        if self._busy[0] and self._rows_asked - sum(self._rows_taken) >= HELPED_FROM:
            self._much.set()

    def close(self) -> None:
        """Decide what waits, then stop."""
        self._closed = True
        self._queue.put(None)
        self._much.set()
        for thread in self._threads:
            thread.join()

    def _decide_all(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            self._go(self._gather(first, 0), 0)

    def _help(self) -> None:
        """Decide what gathers beside the other thread, and rest as soon as nothing does."""
        while True:
            self._much.wait()
            self._much.clear()
            if self._closed:
                return
            with suppress(queue.Empty):
                while (first := self._queue.get_nowait()) is not None:
                    self._go(self._gather(first, 1), 1)
                self._queue.put(None)  # it was meant for the other thread

    def _gather(self, first: _Item, who: int) -> list[_Item]:
        waiting, rows = [first], len(first[0].rows)
        while rows < LARGEST_BATCH:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._queue.put(None)
                break
            waiting.append(item)
            rows += len(item[0].rows)
        self._rows_taken[who] += rows
        return waiting

    def _go(self, waiting: list[_Item], who: int) -> None:
        for batch in _batches(waiting):
            self._decide(batch, who)

    def _decide(self, batch: list[_Item], who: int) -> None:
        first, done = batch[0]
        if len(batch) == 1:
            done(self._answer(first, who))
            return
        requests = [request for request, _ in batch]
        together = replace(
            first,
            rows=NamedRows(first.rows.names, np.concatenate([request.rows.matrix for request in requests])),
            subjects=None
            if first.subjects is None
            else [subject for request in requests for subject in request.subjects or ()],
        )
        answer = self._answer(together, who)
        if isinstance(answer, BaseException):
            # One caller's bad row must not be another's refusal.
            for request, done in batch:
                done(self._answer(request, who))
            return
        (served, decided), start = answer, 0
        for request, done in batch:
            end = start + len(request.rows)
            done((served, decided.part(start, end)))
            start = end

    def _answer(self, request: Request, who: int) -> Answer | BaseException:
        self._busy[who] = True
        try:
            return self._serving.decide_with(
                request.model, request.rows, purpose=request.purpose, by=request.by, subjects=request.subjects
            )
        except Exception as error:  # noqa: BLE001 - handed to the caller, who raises it in his own place
            return error
        finally:
            self._busy[who] = False  # before the answer leaves: a caller who asks again at once finds nobody busy


def _batches(waiting: list[_Item]) -> list[list[_Item]]:
    kinds: dict[tuple[object, ...], list[_Item]] = {}
    for item in waiting:
        kinds.setdefault(item[0].kind, []).append(item)
    return list(kinds.values())
