"""The bench on which a model is shaken: the rows that are probed, its sensors, and what it says undisturbed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audit.checks.examined import Bools, Examined, Floats, Indices, alarms, verdicts_of
from audit.checks.times import times_of, usual_step
from explainers.predictor import Predictor
from policies.errors import Sentence

PROBED_ROWS = 2_000
"""Rows probed at most; a share of changed verdicts is known to about two points from these."""

PROBED_READINGS = 60_000
"""Rows times sensors probed at most: with more than thirty sensors, fewer rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """The rows that are probed, and what the model says about them undisturbed.

    `at` are the places of `rows` among the evaluation rows; `declared` says whether the sensors were declared or
    guessed from how the numbers look.
    """

    examined: Examined
    predictor: Predictor
    rows: Floats
    at: Indices
    verdicts: Bools
    sensors: tuple[str, ...]
    declared: bool

    def verdicts_of(self, rows: Floats) -> Bools:
        """What the model says about disturbed rows."""
        return verdicts_of(self.examined.declaration, self.predictor, rows)

    def column(self, sensor: str) -> int:
        """Place of a sensor among the features."""
        return self.predictor.feature_names.index(sensor)

    @property
    def columns(self) -> list[int]:
        """Places of all sensors."""
        return [self.column(sensor) for sensor in self.sensors]

    @cached_property
    def spreads(self) -> Floats:
        """Standard deviation of every feature, missing readings left out."""
        known = np.isfinite(self.rows)
        n = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, self.rows, 0.0)
        mean = filled.sum(axis=0) / n
        return np.asarray(np.sqrt((np.where(known, self.rows - mean, 0.0) ** 2).sum(axis=0) / n))

    def readings(self, sensor: str) -> Floats:
        """What a sensor read in the probed rows, missing readings left out."""
        values = self.rows[:, self.column(sensor)]
        return np.asarray(values[np.isfinite(values)])

    def span(self, sensor: str) -> tuple[float, float]:
        """What a sensor can show: its declared range, or what it showed."""
        declared = self.examined.declaration.feature(sensor).range
        if declared is not None:
            return declared
        known = self.readings(sensor)
        return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)

    def keep_in_range(self, rows: Floats) -> None:
        """Hold disturbed readings within what a sensor can show."""
        for sensor in self.sensors:
            limits = self.examined.declaration.feature(sensor).range
            if limits is not None:
                i = self.column(sensor)
                inside = (self.rows[:, i] >= limits[0]) & (self.rows[:, i] <= limits[1])
                rows[inside, i] = np.clip(rows[inside, i], *limits)

    @cached_property
    def times(self) -> Floats | None:
        """Times of all evaluation rows, or None where none is declared or most are unreadable."""
        column = self.examined.declaration.data.time
        if column is None or column not in self.examined.evaluation.columns:
            return None
        times = times_of(self.examined.evaluation[column])
        return times if np.isfinite(times).mean() > 0.5 else None

    @cached_property
    def progress(self) -> Floats:
        """How far into the evaluation each probed row lies, from 0 to 1, by time or else by place."""
        when = self.at.astype(np.float64) if self.times is None else self.times[self.at]
        order = np.argsort(np.argsort(when, kind="stable"), kind="stable")
        return np.asarray(order / max(len(order) - 1, 1))

    def late(self, sensor: str, rows: int) -> Floats | None:
        """What a sensor read so many readings earlier; None where readings do not follow each other regularly."""
        if self.times is None or self.examined.inputs is None or usual_step(self.times) is None:
            return None
        order = np.argsort(self.times, kind="stable")
        readings = self.examined.inputs[order, self.column(sensor)]
        shifted = np.empty_like(readings)
        shifted[order] = np.concatenate([readings[:rows], readings[:-rows]]) if rows < len(readings) else readings
        return np.asarray(shifted[self.at])


def bench_of(examined: Examined) -> Bench | Sentence:
    """Return the rows to probe, or the sentence that tells why there is nothing to probe."""
    if examined.predictor is None or examined.inputs is None:
        return Sentence(
            en="cannot conclude: the model was not handed in, so nothing can be fed to it; hand in the model",
            zh="无法得出结论：未提交模型，无法输入扰动数据进行试验，请提交模型文件",
        )
    rows, at = examined.inputs, np.arange(len(examined.inputs))
    declared = [name for name in examined.features if examined.declaration.feature(name).sensor]
    sensors = declared or [name for i, name in enumerate(examined.features) if looks_measured(rows[:, i])]
    if not sensors:
        return Sentence(
            en="cannot conclude: no feature is declared a sensor and none looks like a measurement; "
            "declare sensor = true where it is one",
            zh="无法得出结论：未声明任何传感器特征，也没有形似测量值的特征；请在相应特征下写明 sensor = true",
        )
    most = min(PROBED_ROWS, PROBED_READINGS // len(sensors))
    if len(rows) > most:
        at = np.sort(examined.generator("robustness").choice(len(rows), most, replace=False))
        rows = rows[at]
    return Bench(
        examined=examined,
        predictor=examined.predictor,
        rows=rows,
        at=at,
        verdicts=alarms(examined.declaration, examined.predictor.scores(rows)),
        sensors=tuple(sensors),
        declared=bool(declared),
    )


def looks_measured(values: Floats) -> bool:
    """Whether undeclared numbers look measured: more than ten values, not all of them whole."""
    known = values[np.isfinite(values)]
    return bool(len(np.unique(known)) > 10 and (known != np.round(known)).any())
