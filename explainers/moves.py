"""One case and the moves that change its verdict: what the boundary and the counterfactual both ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from explainers.matrix import check_matrix
from explainers.predictor import Predictor

Floats = npt.NDArray[np.float64]

PLACES = 257
"""Where along a range a function that cannot be read is looked at."""


@runtime_checkable
class Stepwise(Protocol):
    """A model whose margin is a step function of every feature, with the steps known."""

    def stops(self, feature: int) -> Floats:
        """Return sorted values of which at least one lies in every interval (and category) of a feature.

        For each threshold both its sides are there: the threshold and the next float above it.
        """
        ...

    def profile(self, rows: Floats, feature: int) -> Floats | None:
        """Return the margins at all stops of a feature for every row, up to rounding; None where unknown."""
        ...

    def nearest_flips(
        self, X: Floats, *, threshold: float, low: Floats, high: Floats
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the nearest value that gives the other verdict for every row and feature, and where that is sure."""
        ...


class Moves:
    """A case, its verdict, and the nearest values that give the other one.

    Parameters
    ----------
    predictor : Predictor
        With one output.
    row : array of shape (n_features,)
        The case.
    threshold : float
        A score at or above it is one verdict, below it the other.
    ranges : mapping of feature name to (lowest, highest)
        Where values may go.
    steps : mapping of feature name to step width
        Features that only move in whole steps from where they are, such as counts.
    """

    def __init__(
        self,
        predictor: Predictor,
        row: Floats,
        *,
        threshold: float,
        ranges: Mapping[str, tuple[float, float]],
        steps: Mapping[str, float] | None = None,
    ) -> None:
        self.predictor, self.threshold, self.ranges = predictor, threshold, ranges
        self.steps = {} if steps is None else steps
        self.row = check_matrix(np.atleast_2d(np.asarray(row, dtype=np.float64)), predictor.feature_names)[0]
        self.score = float(predictor.scores(self.row[None, :])[0])
        self.above = self.score >= threshold

    def span(self, j: int) -> tuple[float, float] | None:
        """Return where feature `j` may go: its range, or for a tree its outermost thresholds; None if unknown."""
        name = self.predictor.feature_names[j]
        if name in self.ranges:
            low, high = self.ranges[name]
            return float(low), float(high)
        if isinstance(self.predictor, Stepwise):
            stops = self.predictor.stops(j)
            stops = stops[np.abs(stops) < 1e300]
            known = np.concatenate([stops, self.row[j : j + 1][np.isfinite(self.row[j : j + 1])]])
            return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        return None

    def all_nearest(self) -> dict[int, float | None]:
        """Return the nearest value that flips the verdict for every feature that may go anywhere."""
        spans = {j: span for j in range(len(self.row)) if (span := self.span(j)) is not None}
        known: dict[int, float | None] = {}
        if isinstance(self.predictor, Stepwise) and not self.steps:
            low, high = (np.array([spans[j][k] for j in range(len(self.row))]) for k in (0, 1))
            found, sure = self.predictor.nearest_flips(self.row[None], threshold=self.threshold, low=low, high=high)
            known = {j: None if np.isnan(v := found[0, j]) else float(v) for j in np.flatnonzero(sure[0]).tolist()}
        return {j: known[j] if j in known else self.nearest(j) for j in spans}

    def nearest(self, j: int, row: Floats | None = None) -> float | None:
        """Return the value of feature `j` nearest to its own that flips the verdict, other features as in `row`."""
        span = self.span(j)
        if span is None:
            return None
        row = self.row if row is None else row
        values = self.candidates(j, span, row[j])
        if not len(values):
            return None
        if isinstance(self.predictor, Stepwise):
            return self._first_flip(values, self._likely(row, j, values), row, j)
        return self._narrowed(values, row, j)

    def candidates(self, j: int, span: tuple[float, float], value: float) -> Floats:
        """Return values to try for feature `j`, nearest to `value` first (from the low end for a missing value)."""
        low, high = span
        width = self.steps.get(self.predictor.feature_names[j])
        origin = low if np.isnan(value) else value
        if width is not None:
            count = np.arange(np.ceil((low - origin) / width), np.floor((high - origin) / width) + 1)
            values = origin + count[:10_001] * width
        elif isinstance(self.predictor, Stepwise):
            values = self.predictor.stops(j)
            values = np.concatenate([values, [low, high]]) if len(values) else values
        else:
            values = np.unique(np.concatenate([np.linspace(low, high, PLACES), [np.clip(origin, low, high)]]))
        values = values[(values >= low) & (values <= high) & (values != value)]
        return np.asarray(values[np.argsort(np.abs(values - origin), kind="stable")])

    def moved(self, row: Floats, j: int, values: Floats) -> Floats:
        """Return copies of `row` with feature `j` at each of `values`."""
        rows = np.repeat(row[None, :], len(values), axis=0)
        rows[:, j] = values
        return rows

    def flips(self, rows: Floats) -> npt.NDArray[np.bool_]:
        """Say which rows get the other verdict than the case."""
        return np.asarray((self.predictor.scores(rows) >= self.threshold) != self.above)

    def likely_flips(self, rows: Floats, j: int) -> npt.NDArray[np.bool_] | None:
        """Say for every row and stop of `j` whether it probably flips, from profiles; None where there are none."""
        if not isinstance(self.predictor, Stepwise):
            return None
        margins = self.predictor.profile(rows, j)
        if margins is None:
            return None
        return np.asarray((self.predictor.score_of(margins) >= self.threshold) != self.above)

    def _likely(self, row: Floats, j: int, values: Floats) -> npt.NDArray[np.bool_]:
        found = None if self.predictor.feature_names[j] in self.steps else self.likely_flips(row[None, :], j)
        if found is None or not isinstance(self.predictor, Stepwise):
            return self.flips(self.moved(row, j, values))
        stops = self.predictor.stops(j)  # a value between two stops behaves like the one above it
        return np.asarray(found[0][np.minimum(np.searchsorted(stops, values), len(stops) - 1)])

    def _first_flip(self, values: Floats, likely: npt.NDArray[np.bool_], row: Floats, j: int) -> float | None:
        """Return the first value that flips; the profile proposes, the model's own score decides."""
        if not likely.any():
            return None
        first = int(np.argmax(likely))
        if self.flips(self.moved(row, j, values[first : first + 1]))[0]:
            return float(values[first])
        sure = self.flips(self.moved(row, j, values))  # a score so close to the threshold that rounding decides
        return float(values[np.argmax(sure)]) if sure.any() else None

    def _narrowed(self, values: Floats, row: Floats, j: int) -> float | None:
        """Return the crossing nearest to the case for a function: found on the grid, halved to the last bit."""
        flipped = self.flips(self.moved(row, j, values))
        if not flipped.any():
            return None
        far = float(values[np.argmax(flipped)])
        if np.isnan(row[j]) or self.predictor.feature_names[j] in self.steps:
            return far
        passed = ((values - row[j]) * (far - row[j]) >= 0) & (np.abs(values - row[j]) < abs(far - row[j]))
        toward = values[~flipped & passed]
        near = float(toward[-1]) if len(toward) else float(row[j])
        for _ in range(80):
            middle = near + (far - near) / 2
            if middle in (near, far):
                break
            if self.flips(self.moved(row, j, np.array([middle])))[0]:
                far = middle
            else:
                near = middle
        return far
