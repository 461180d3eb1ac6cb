"""Did the system run normally? Restarts, clock steps, disk pressure and version changes as entries of the log.

Evidence counts when the system that made it ran normally and was watched for errors (Electronic Signature Law
art. 8; civil-evidence rules 93, 94), so the watching is itself on record.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from audit.entries import Clock, Draft, TraceSink

CLOCK_STEP = timedelta(seconds=2)
"""How far the wall clock may run from the steady clock between two looks before it counts as a step."""

LEAST_FREE = 1024**3
"""Free bytes of the data folder's disk below which the log says that the disk is filling up."""


@dataclass
class EnvironmentWatch:
    """Looks at clock and disk, and writes an entry when something changed.

    Parameters
    ----------
    log : TraceSink
    clock : callable
        The wall clock, UTC.
    monotonic : callable
        A steady clock in seconds that no one sets.
    folder : Path
        Where the data lie.
    free : callable
        Free bytes of the disk that holds a folder.
    """

    log: TraceSink
    clock: Clock
    monotonic: Callable[[], float]
    folder: Path
    free: Callable[[Path], int] = field(default=lambda folder: shutil.disk_usage(folder).free)

    def __post_init__(self) -> None:
        self._wall = self.clock()
        self._steady = self.monotonic()
        self._pressed = False

    def started(self, versions: Mapping[str, str]) -> None:
        """Record that a process began to serve, and with which versions of what."""
        self._keep("restart", {"what": "started", "versions": dict(versions)})

    def stopped(self) -> None:
        """Record an orderly end; its absence before the next `started` tells of a crash."""
        self._keep("restart", {"what": "stopped"})

    def look(self) -> tuple[str, ...]:
        """Look once, record what changed since the last look, and return the kinds of entries written."""
        written = []
        wall, steady = self.clock(), self.monotonic()
        step = (wall - self._wall) - timedelta(seconds=steady - self._steady)
        self._wall, self._steady = wall, steady
        if abs(step) > CLOCK_STEP:
            self._keep("clock", {"what": "stepped", "seconds": f"{step.total_seconds():.3f}"})
            written.append("clock")
        free = self.free(self.folder)
        pressed = free < LEAST_FREE
        if pressed != self._pressed:
            self._pressed = pressed
            self._keep("health", {"what": "disk_pressure" if pressed else "disk_eased", "free_bytes": free})
            written.append("health")
        return tuple(written)

    def _keep(self, kind: str, said: Mapping[str, object]) -> None:
        payload = json.dumps({"format": 1, **said}, sort_keys=True).encode()
        self.log.append([Draft(kind=kind, payload=payload, actor="mingjing")])
