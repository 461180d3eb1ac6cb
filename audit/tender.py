"""A checkpoint a minute without anybody asking: the thread that signs what is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from audit.signed_heads import SignedHeads

LOOK_SECONDS = 1.0


class Tender:
    """A thread that signs a checkpoint when one is due. What it cannot sign it keeps as `wrong` and tries again.

    After each signature it calls `settle`, so that the database's housekeeping falls into nobody's append.
    """

    def __init__(
        self, heads: SignedHeads, settle: Callable[[], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._heads = heads
        self._settle = settle
        self._monotonic = monotonic
        self._patience = 0.0
        self._late_since: tuple[int, float] | None = None
        self._wake = threading.Event()
        self._over = False
        self.wrong: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="log checkpoints", daemon=True)
        self._thread.start()

    def step_back(self, seconds: float) -> None:
        """Another process signs: from now on sign only what is due for so many seconds."""
        self._patience = seconds

    def look(self) -> None:
        """Look now whether a checkpoint is due."""
        self._wake.set()

    def stop(self) -> None:
        """Sign what waits and end."""
        self._over = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over:
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            self._sign()

    def _sign(self) -> None:
        try:
            if self._over:
                self._heads.sign()
            elif self._is_mine() and self._heads.sign_when_due() is not None:
                self._settle()
            self.wrong = None
        except Exception as wrong:  # noqa: BLE001  # the thread must live to sign once the database is back
            self.wrong = wrong

    def _is_mine(self) -> bool:
        """Whether it is for this thread to sign: always, or only because whoever should have signed is late."""
        if not self._patience:
            return True
        if not self._heads.is_due():
            self._late_since = None
            return False
        last, now = self._heads.latest(), self._monotonic()
        signed = 0 if last is None else last.size
        if self._late_since is None or self._late_since[0] != signed:
            self._late_since = (signed, now)
        return now - self._late_since[1] >= self._patience
