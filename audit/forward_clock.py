"""A clock that never goes back: whoever sets the wall clock back makes no permit last longer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from audit.entries import Clock, microseconds_of, moment_of
from audit.signed_note import sync_folder


class ForwardClock:
    """The wall clock, or the latest moment ever seen and what passed since by a steady clock, whichever is later.

    The latest moment is kept in a file, so that it outlives the process and a battery. A wall clock that once ran
    ahead stays ahead: permits end early then, which is the safe direction.

    Parameters
    ----------
    clock : callable
        The wall clock, UTC.
    monotonic : callable
        A steady clock in seconds that no one sets.
    file : Path, optional
        Where the latest moment is kept for the next process; None keeps it only while this one lives.
    """

    def __init__(self, clock: Clock, monotonic: Callable[[], float], file: Path | None = None) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._file = file
        self._lock = threading.Lock()
        kept = file.read_text() if file is not None and file.exists() else "0"
        self._latest, self._at = moment_of(int(kept)), monotonic()

    def __call__(self) -> datetime:
        """Return the present moment."""
        with self._lock:
            steady = self._monotonic()
            now = max(self._clock(), self._latest + timedelta(seconds=steady - self._at))
            self._latest, self._at = now, steady
            return now

    def not_before(self, moment: datetime) -> None:
        """It is at least this late: somebody trusted said so."""
        with self._lock:
            self._latest = max(self._latest, moment)

    def keep(self) -> datetime:
        """Keep the present moment for the next process; durable when this returns."""
        now = self()
        if self._file is None:
            return now
        draft = self._file.with_suffix(".draft")
        with draft.open("w") as kept:
            kept.write(str(microseconds_of(now)))
            kept.flush()
            os.fsync(kept.fileno())
        os.replace(draft, self._file)
        sync_folder(self._file.parent)
        return now
