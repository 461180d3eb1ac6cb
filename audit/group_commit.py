"""Many callers, one commit: whoever comes while the disk is busy shares the next turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class _Ticket(Generic[Asked, Given]):
    __slots__ = ("asked", "given", "leads", "ready", "wrong")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.given: Given | None = None
        self.wrong: BaseException | None = None
        self.leads = False
        self.ready = threading.Lock()
        self.ready.acquire()


class GroupCommit(Generic[Asked, Given]):
    """Gathers concurrent requests and hands them to `commit` together.

    There is no thread behind it: the first caller commits for everyone waiting, then the next waiting caller
    takes over. A single caller commits at once, without a switch of threads.

    Parameters
    ----------
    commit : callable
        Takes the requests of one turn and returns for each its answer, or the exception that its caller gets.
        What it raises itself goes to every caller of the turn.

    Examples
    --------
    >>> GroupCommit(lambda numbers: [number + 1 for number in numbers]).submit(1)
    2
    """

    def __init__(self, commit: Callable[[Sequence[Asked]], Sequence[Given | BaseException]]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[Asked, Given]] = []
        self._led = False

    def submit(self, asked: Asked) -> Given:
        """Return the answer to one request once its turn is committed."""
        ticket: _Ticket[Asked, Given] = _Ticket(asked)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._led
            self._led = True
        if not ticket.leads:
            ticket.ready.acquire()
        if ticket.leads:
            self._lead()
        if ticket.wrong is not None:
            raise ticket.wrong
        return ticket.given  # type: ignore[return-value]  # None only where the answer is None

    def _lead(self) -> None:
        with self._lock:
            turn, self._waiting = self._waiting, []
        try:
            answers = self._commit([ticket.asked for ticket in turn])
            for ticket, answer in zip(turn, answers, strict=True):
                if isinstance(answer, BaseException):
                    ticket.wrong = answer
                else:
                    ticket.given = answer
        except BaseException as wrong:  # noqa: BLE001  # nobody may wait for ever, whatever broke
            for ticket in turn:
                ticket.wrong = wrong
        self._hand_over()
        for ticket in turn:
            ticket.ready.release()

    def _hand_over(self) -> None:
        with self._lock:
            if not self._waiting:
                self._led = False
                return
            self._waiting[0].leads = True
            self._waiting[0].ready.release()
