"""Waits for a decision as long as an alarm may wait, then answers only the alarms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from api.shares import ShareExceeded, Shares
from governance.serving import NoTime

logger = logging.getLogger("mingjing.http")

Answer = TypeVar("Answer")

PATIENCE = 2.0
"""Seconds that a request waits for explanation and log before its alarms leave without."""

PATIENCE_PER_ROW = 0.005
"""Seconds more for each row: a large table is slow and not stuck."""

AT_ONCE = 16
"""Tables decided at a time on the ordinary road; what comes beyond waits in turn."""

WAITING = 256
"""Tables that may wait; for one more only its alarms are looked for."""

LANES = 2


class Patience:
    """The ordinary road's queue, and the lane beside every queue in which only alarms are answered."""

    def __init__(
        self, *, patience: float = PATIENCE, per_row: float = PATIENCE_PER_ROW, waiting: int = WAITING
    ) -> None:
        self._patience, self._per_row = patience, per_row
        self._most = waiting
        self._under_way = 0
        self._shares = Shares(max(1, waiting // 2))
        self._deciding = ThreadPoolExecutor(AT_ONCE, "mingjing-table")
        self._lane = ThreadPoolExecutor(LANES, "mingjing-alarm")

    def for_rows(self, rows: int) -> float:
        """Return how many seconds a request of so many rows waits."""
        return self._patience + rows * self._per_row

    async def decide(self, caller: str, rows: int, work: Callable[[], Answer], alarms: Callable[[], Answer]) -> Answer:
        """Return what `work` returns; when it must not wait or waited too long, what `alarms` returns.

        Work that is given up goes on: its traces are kept, and its answer is not given.

        Raises
        ------
        ShareExceeded
            When this caller has his share of the queue under way already, and there is no alarm.
        """
        if not self._shares.take(caller):
            try:
                return await self.hurry(alarms)
            except NoTime:
                raise ShareExceeded() from None
        if self._under_way >= self._most:
            self._shares.give_back(caller)
            return await self.hurry(alarms)
        self._under_way += 1
        task: asyncio.Future[Answer] = asyncio.get_running_loop().run_in_executor(self._deciding, work)
        task.add_done_callback(lambda done: self._done(caller, done))
        await asyncio.wait({task}, timeout=self.for_rows(rows))
        if task.done():
            return task.result()
        logger.warning("a table of %d rows waited too long; only its alarms are answered", rows)
        return await self.hurry(alarms)

    def beside(self, alarms: Callable[[], None]) -> None:
        """Run `alarms` past every queue, for a caller who does not wait for it here."""
        self._lane.submit(alarms)

    async def hurry(self, alarms: Callable[[], Answer]) -> Answer:
        """Return what `alarms` returns, past every queue."""
        return await asyncio.get_running_loop().run_in_executor(self._lane, alarms)

    def close(self) -> None:
        """Let what is under way come to its end."""
        self._deciding.shutdown()
        self._lane.shutdown()

    def _done(self, caller: str, task: asyncio.Future[Any]) -> None:
        self._under_way -= 1
        self._shares.give_back(caller)
        if not task.cancelled():
            task.exception()  # taken note of: whoever gave the work up does not look at it again
