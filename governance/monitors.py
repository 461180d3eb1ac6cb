"""Watches every model while it decides, and lets the rulebook suspend its permit when it has drifted."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.checks.coverage import psi
from audit.decided import CAPPED, Decided
from audit.deidentify import deidentified
from audit.entries import Clock
from audit.log_reader import Wanted
from audit.served_model import ServedModel
from audit.trace_log import TraceLog
from explainers.predictor import ModelAway
from policies.errors import Sentence
from policies.terms import MONITORS, MonitorRules

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

logger = logging.getLogger("mingjing.monitors")

REVIEWS_OF = timedelta(days=30)
"""Over how long a time overrides are counted."""


CALLS_KEPT, ROWS_KEPT = 8192, 50_000
"""Calls and rows that wait at most to be looked at; what comes beyond is not watched."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one monitor shows of one model now. `worst` names the input that drifted most."""

    model: str
    version: str
    monitor: str
    value: float
    limit: float
    rows: int
    suspends: bool
    worst: str | None = None

    @property
    def breached(self) -> bool:
        """Whether the value is beyond the rulebook's limit."""
        return self.value > self.limit

    @property
    def rule(self) -> str:
        """The rule's name, as the actor of a suspension."""
        return f"monitors.most.{self.monitor}"

    @property
    def says(self) -> Sentence:
        """What was found and what the rulebook allows."""
        where = f" ({self.worst})" if self.worst else ""
        return Sentence(
            en=f"{self.monitor}{where} is {self.value:.3g} over {self.rows} rows; the rulebook allows {self.limit:.3g}",
            zh=f"{self.monitor}{where} 在 {self.rows} 行上为 {self.value:.3g}，规则允许 {self.limit:.3g}",
        )

    def as_json(self) -> dict[str, Any]:
        """Return the reading as JSON values."""
        return {
            **{name: getattr(self, name) for name in ("model", "version", "monitor", "value", "limit", "rows")},
            "suspends": self.suspends,
            "worst": self.worst,
            "breached": self.breached,
            "says": self.says.as_json(),
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """What waits to be looked at of one call: one object for Python's collector, which walks all that wait."""

    served: ServedModel
    X: Floats
    scores: Floats
    verdicts: Bools
    answered: Bools
    flags: Sequence[tuple[str, ...]] | None
    seconds: float


@dataclass(frozen=True)
class _Call:
    """What is kept of one call: its latest rows and their scores, how many alarms and clips, and its time."""

    rows: Floats
    scores: Floats
    alarms: int
    capped: int
    seconds: float


class _Window:
    """The latest rows of one artifact, and what they are compared with."""

    def __init__(self, served: ServedModel, background: Floats) -> None:
        self.served = served
        self.background = background
        self.expected = served.predictor.scores(background) if len(background) else np.zeros(0)
        self.calls: deque[_Call] = deque()
        self.rows = 0

    def add(self, X: Floats, seen: _Seen, most: int) -> None:
        answered = seen.answered[-most:]
        alarms = int((seen.verdicts[-most:] & answered).sum())
        capped = sum(CAPPED in words for words in (seen.flags or ())[-most:])
        self.calls.append(_Call(X[-most:], seen.scores[-most:][answered], alarms, capped, seen.seconds))
        self.rows += len(answered)
        while self.rows - len(self.calls[0].rows) >= most:
            self.rows -= len(self.calls.popleft().rows)


class Monitors:
    """Keeps a window of each model's latest rows in memory, and judges them by the rulebook.

    Parameters
    ----------
    background_of : callable
        Returns the rows a model was examined against, for its name and version; shape (n_rows, n_features).
    overrides : callable
        Returns, for a model and a span of time, how many decisions people reviewed and how many they overrode.
    suspend : callable
        Told model, rule and reason when a monitor that may suspend is beyond its limit.
    """

    def __init__(
        self,
        rules: Callable[[], MonitorRules],
        background_of: Callable[[str, str], Floats],
        overrides: Callable[[str, datetime, datetime], tuple[int, int]],
        suspend: Callable[[Reading], object],
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._background_of = background_of
        self._overrides = overrides
        self._suspend = suspend
        self._clock = clock
        self._incoming: deque[_Seen] = deque()
        self._kept = 0
        self._windows: dict[str, _Window] = {}
        self._judging = threading.Lock()

    def saw(self, served: ServedModel, X: Floats, decided: Decided, seconds: float) -> None:
        """Take note of one call. Costs nothing here: looking at it is for `judge`. What comes too thick is a sample."""
        if self._kept < ROWS_KEPT and len(self._incoming) < CALLS_KEPT:
            self._kept += len(X)
            flags = decided.flags if any(decided.flags) else None
            self._incoming.append(
                _Seen(served, X, decided.raw_scores, decided.verdicts, decided.answered, flags, seconds)
            )

    def judge(self) -> tuple[Reading, ...]:
        """Look at what came since, return every reading, and suspend what is beyond a limit that suspends."""
        with self._judging:
            self._gather()
            readings = [reading for name in sorted(self._windows) for reading in self._readings(name)]
            for reading in readings:
                if reading.breached and reading.suspends and reading.model in self._windows:
                    logger.warning("%s: %s", reading.model, reading.says.en)
                    self._suspend(reading)
                    del self._windows[reading.model]  # whoever lets it run again starts with a fresh window
        return tuple(readings)

    def _gather(self) -> None:
        most, self._kept = self._rules().window_rows, 0
        while self._incoming:
            seen = self._incoming.popleft()
            served = seen.served
            window = self._windows.get(served.name)
            if window is None or window.served.artifact_digest != served.artifact_digest:
                try:
                    window = _Window(served, self._background_of(served.name, served.version))
                except ModelAway as away:  # it is watched again once it answers
                    logger.warning("%s is not watched: %s", served.name, away)
                    continue
                self._windows[served.name] = window
            window.add(deidentified(seen.X, served.predictor.feature_names, served.plan), seen, most)

    def _readings(self, model: str) -> list[Reading]:
        rules, window = self._rules(), self._windows[model]
        found: dict[str, tuple[float, int, str | None]] = {}
        if window.rows >= rules.least_rows:
            found |= _of_rows(window)
        until = self._clock()
        reviewed, overridden = self._overrides(model, until - REVIEWS_OF, until)
        if reviewed >= rules.least_reviews:
            found["override_rate"] = (overridden / reviewed, reviewed, None)
        return [
            Reading(
                model=model,
                version=window.served.version,
                monitor=monitor,
                value=value,
                limit=rules.most[monitor],
                rows=rows,
                suspends=monitor in rules.suspends,
                worst=worst,
            )
            for monitor, (value, rows, worst) in found.items()
            if monitor in MONITORS
        ]


def reviewed_and_overridden(log: TraceLog, model: str, since: datetime, until: datetime) -> tuple[int, int]:
    """Return how many statements of a span confirmed or overrode a decision of a model, and how many overrode one."""
    confirmed, overridden = (
        log.tally(Wanted(model=model, kind=kind, since=since, until=until)).count for kind in ("review", "override")
    )
    return confirmed + overridden, overridden


def _of_rows(window: _Window) -> dict[str, tuple[float, int, str | None]]:
    rows = np.concatenate([call.rows for call in window.calls])
    scores = np.concatenate([call.scores for call in window.calls])
    n, answered = len(rows), max(len(scores), 1)
    found: dict[str, tuple[float, int, str | None]] = {
        "capped_share": (sum(call.capped for call in window.calls) / n, n, None),
        "latency_seconds": (float(np.quantile([call.seconds for call in window.calls], 0.99)), n, None),
    }
    if len(window.background):
        names = window.served.predictor.feature_names
        drifts = [_psi(window.background[:, place], rows[:, place]) for place in range(len(names))]
        worst = int(np.argmax(drifts))
        found["input_psi"] = (drifts[worst], n, names[worst])
        found["score_psi"] = (_psi(window.expected, scores), n, None)
        expected = float(window.served.alarms(window.expected).mean())
        found["alarm_shift"] = (abs(sum(call.alarms for call in window.calls) / answered - expected), n, None)
    return found


def _psi(before: Floats, now: Floats) -> float:
    return psi(pd.Series(before), pd.Series(now))
