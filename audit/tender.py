"""A checkpoint a minute without anybody asking: the thread that signs what is due."""

from __future__ import annotations

import threading
from collections.abc import Callable

from audit.signed_heads import SignedHeads

LOOK_SECONDS = 1.0


class Tender:
    """A thread that signs a checkpoint when one is due. What it cannot sign it keeps as `wrong` and tries again.

    After each signature it calls `settle`, so that the database's housekeeping falls into nobody's append.
    """

    def __init__(self, heads: SignedHeads, settle: Callable[[], None]) -> None:
        self._heads = heads
        self._settle = settle
        self._wake = threading.Event()
        self._over = False
        self.wrong: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="log checkpoints", daemon=True)
        self._thread.start()

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
            elif self._heads.sign_when_due() is not None:
                self._settle()
            self.wrong = None
        except Exception as wrong:  # noqa: BLE001  # the thread must live to sign once the database is back
            self.wrong = wrong
