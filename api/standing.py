"""What every serving process counts and sees, put side by side: one file per process in the data folder."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from governance.monitors import Reading
from governance.tallies import Tallies, added


class Standing:
    """Keeps this process's counts where the others find them, and adds up those of all.

    A file of a process that is gone stays and counts on, so that no counter falls while the house serves.
    """

    def __init__(self, folder: Path, tallies: Tallies) -> None:
        self._folder = folder
        self._tallies = tallies
        self._file = folder / f"{os.getpid()}.json"
        self._readings: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def publish(self, readings: Sequence[Reading] | None = None) -> None:
        """Write this process's counts, and its monitors' readings where they were read anew."""
        with self._lock:
            if readings is not None:
                self._readings = [reading.as_json() for reading in readings]
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._file.with_suffix(".draft")
            draft.write_text(json.dumps({**self._tallies.snapshot(), "readings": self._readings}), encoding="utf-8")
            os.replace(draft, self._file)

    def counts(self) -> dict[str, Any]:
        """Return the counts of all processes together; this one's as they are now."""
        return added([self._tallies.snapshot(), *self._others()])

    def readings(self) -> tuple[dict[str, Any], ...]:
        """Return the worst reading of every monitor of every model over all processes."""
        with self._lock:
            mine = list(self._readings)
        worst: dict[tuple[str, str], dict[str, Any]] = {}
        for reading in [*mine, *(reading for other in self._others() for reading in other["readings"])]:
            key = (reading["model"], reading["monitor"])
            if key not in worst or reading["value"] > worst[key]["value"]:
                worst[key] = reading
        return tuple(worst[key] for key in sorted(worst))

    def clear(self) -> None:
        """Begin anew: nobody of this house serves yet."""
        for file in self._folder.glob("*.json") if self._folder.is_dir() else ():
            file.unlink(missing_ok=True)

    def _others(self) -> list[dict[str, Any]]:
        found = []
        for file in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            if file != self._file:
                found.append(json.loads(file.read_text(encoding="utf-8")))
        return found
