"""Counts what the predict path does: decisions, flags, refusals, time. No persons, no readings, no ids."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from audit.decided import Decided
from audit.served_model import ServedModel

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)
"""Upper bounds, in seconds, of the classes in which calls are counted by their time."""

Key = tuple[str, ...]


class Tallies:
    """Counters of one process. Safe for many threads.

    Every count has a name and labels, `("decisions", model, version, "alarm")`; times are counted by `BOUNDS`.
    """

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._times: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._lock = threading.Lock()

    def decided(self, served: ServedModel, decided: Decided, seconds: float) -> None:
        """Count one call and its rows."""
        alarms = int(np.count_nonzero(decided.verdicts & decided.answered))
        answered = int(np.count_nonzero(decided.answered))
        flags = Counter(flag for words in decided.flags for flag in words) if any(decided.flags) else {}
        name, version = served.name, served.version
        with self._lock:
            self._counts["decisions", name, version, "alarm"] += alarms
            self._counts["decisions", name, version, "clear"] += answered - alarms
            self._counts["refused_rows", name] += len(decided) - answered
            for flag, times in flags.items():
                self._counts["flags", name, flag] += times
            classes = self._times.setdefault(name, [0] * (len(BOUNDS) + 1))
            classes[bisect_left(BOUNDS, seconds)] += 1
            self._seconds[name] += seconds  # type: ignore[assignment]  # a Counter of floats

    def refused(self, reason: str) -> None:
        """Count one call that was refused whole. Not by model: callers choose that word, and it would have no end."""
        with self._lock:
            self._counts["refusals", reason] += 1

    def snapshot(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        with self._lock:
            return {
                "counts": [[*key, count] for key, count in self._counts.items()],
                "times": {name: list(classes) for name, classes in self._times.items()},
                "seconds": dict(self._seconds),
            }


def added(snapshots: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of several processes' snapshots."""
    counts: Counter[Key] = Counter()
    times: dict[str, list[int]] = {}
    seconds: Counter[str] = Counter()
    for snapshot in snapshots:
        for *key, count in snapshot["counts"]:
            counts[tuple(key)] += count
        for name, classes in snapshot["times"].items():
            known = times.setdefault(name, [0] * len(classes))
            times[name] = [one + other for one, other in zip(known, classes, strict=True)]
        seconds.update(snapshot["seconds"])
    return {"counts": [[*key, count] for key, count in counts.items()], "times": times, "seconds": dict(seconds)}
