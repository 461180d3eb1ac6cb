"""How far must one reading move before the verdict flips?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit.checks.bench import Bench
from audit.checks.examined import Floats
from explainers.moves import Stepwise

MEASURED_ROWS = 400
"""Rows that are measured at most."""

PLACES = 24
"""Distances at which a function that cannot be read is asked, from a thousandth of the span up to all of it."""

EDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Bins of the picture, in standard deviations; the last is open."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """Distances to the other verdict, shape (n_rows, n_sensors), in standard deviations of the sensor.

    Infinite where no value within the sensor's range flips the verdict, or its spread is nothing. `exact` says
    whether every interval between two splits was looked at; else the distance is the first of 24 that flipped.
    """

    sensors: tuple[str, ...]
    apart: Floats
    spreads: Floats
    exact: bool

    @property
    def nearest(self) -> Floats:
        """Distance along the sensor that flips the verdict soonest, per row."""
        return np.asarray(self.apart.min(axis=1))

    def picture(self) -> list[dict[str, float | None]]:
        """Return how many rows flip within each band of distances; `to` is None for the open end."""
        ends = [*EDGES[1:], np.inf]
        finite = self.nearest
        return [
            {
                "from": low,
                "to": None if np.isinf(high) else high,
                "rows": int(((finite > low) & (finite <= high)).sum()),
            }
            for low, high in zip(EDGES, ends, strict=True)
        ]

    def lines(self, units: tuple[str | None, ...]) -> list[dict[str, object]]:
        """Return per sensor which share of verdicts it can flip, and how far it must move for half of those."""
        lines: list[dict[str, object]] = []
        for i, sensor in enumerate(self.sensors):
            found = self.apart[np.isfinite(self.apart[:, i]), i]
            middle = float(np.median(found)) if len(found) else None
            lines.append(
                {
                    "feature": sensor,
                    "flips": float(len(found) / len(self.apart)) if len(self.apart) else 0.0,
                    "median_sd": middle,
                    "median": None if middle is None else middle * float(self.spreads[i]),
                    "unit": units[i],
                }
            )
        return lines


def reach_of(bench: Bench) -> Reach:
    """Measure a seeded sample of the probed rows; exact for trees."""
    generator = bench.examined.generator("robustness reach")
    some = np.arange(len(bench.rows))
    if len(some) > MEASURED_ROWS:
        some = np.sort(generator.choice(len(some), MEASURED_ROWS, replace=False))
    rows, spreads = bench.rows[some], bench.spreads[bench.columns]
    predictor = bench.predictor
    moved = _of_steps(bench, predictor, rows) if isinstance(predictor, Stepwise) else _of_any(bench, rows, some)
    apart = np.abs(moved)
    scaled = np.divide(apart, spreads, out=np.full_like(apart, np.inf), where=spreads > 0)
    return Reach(
        sensors=bench.sensors,
        apart=np.where(np.isnan(scaled), np.inf, scaled),
        spreads=spreads,
        exact=isinstance(predictor, Stepwise),
    )


def _of_steps(bench: Bench, predictor: Stepwise, rows: Floats) -> Floats:
    """Distances in the sensors' own units, from the thresholds of the trees."""
    known = np.where(np.isfinite(rows), rows, 0.0)
    low, high = known.min(axis=0), known.max(axis=0)
    for sensor, i in zip(bench.sensors, bench.columns, strict=True):
        low[i], high[i] = bench.span(sensor)
    values, _ = predictor.nearest_flips(rows, threshold=bench.examined.declaration.model.threshold, low=low, high=high)
    return np.asarray(values[:, bench.columns] - rows[:, bench.columns])


def _of_any(bench: Bench, rows: Floats, some: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    """Distances in the sensors' own units, from asking the function at 24 distances either way."""
    moved = np.full((len(rows), len(bench.sensors)), np.nan)
    before = bench.verdicts[some]
    for k, (sensor, i) in enumerate(zip(bench.sensors, bench.columns, strict=True)):
        low, high = bench.span(sensor)
        steps = np.geomspace(1e-3, 1.0, PLACES) * (high - low)
        for step in steps[::-1]:  # the nearest is written last
            for sign in (-1.0, 1.0):
                there = rows[:, i] + sign * step
                inside = (there >= low) & (there <= high)
                if not inside.any():
                    continue
                asked = rows[inside].copy()
                asked[:, i] = there[inside]
                flips = np.flatnonzero(inside)[bench.verdicts_of(asked) != before[inside]]
                moved[flips, k] = step
    return moved
