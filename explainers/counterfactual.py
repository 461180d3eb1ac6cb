"""The smallest allowed change of a case that gives the other verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explainers.moves import Moves
from explainers.predictor import Predictor
from policies.errors import Sentence

Floats = npt.NDArray[np.float64]

LEADING = 6
"""Features by contribution whose pairs are searched."""

TRIES = 24
"""Random orders tried where pairs do not suffice."""


@dataclass(frozen=True)
class Change:
    """One feature moved from `before` (NaN: missing) to `after`, in its own unit."""

    feature: str
    before: float
    after: float

    def says(self, unit: str | None = None, label: Sentence | None = None) -> Sentence:
        """Return the change in plain words, such as "temperature 3.2 degC lower".

        `label` is what people call the feature; None uses the column's name.

        Examples
        --------
        >>> Change("temperature", 21.2, 18.0).says("degC").en
        'temperature 3.2 degC lower'
        """
        name = label or Sentence(en=self.feature, zh=self.feature)
        of, in_zh = ("", "") if unit is None else (f" {unit}", f" {unit}")
        if np.isnan(self.before):
            return Sentence(
                en=f"{name.en} {self.after:.4g}{of} instead of missing",
                zh=f"{name.zh} 由缺失变为 {self.after:.4g}{in_zh}",
            )
        apart = self.after - self.before
        return Sentence(
            en=f"{name.en} {abs(apart):.4g}{of} {'higher' if apart > 0 else 'lower'}",
            zh=f"{name.zh} {'升高' if apart > 0 else '降低'} {abs(apart):.4g}{in_zh}",
        )


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Changes that together flip the verdict.

    `distance` is the sum of the moves, each as a share of its feature's range. `exact` says that no smaller
    change of as few features exists within the ranges (for pairs: among the leading features).
    """

    changes: tuple[Change, ...]
    score_before: float
    score_after: float
    distance: float
    exact: bool

    def says(
        self, units: Mapping[str, str | None] | None = None, labels: Mapping[str, Sentence] | None = None
    ) -> Sentence:
        """Return all changes as one sentence in both languages, features by their labels where they have one.

        Examples
        --------
        >>> found = Counterfactual(changes=(Change("t", 21.2, 18.0), Change("p", 1.0, 1.5)), score_before=0.7,
        ...                        score_after=0.4, distance=0.1, exact=True)
        >>> found.says({"t": "degC", "p": "bar"}).en
        'the verdict would be the other one with t 3.2 degC lower and p 0.5 bar higher'
        """
        units, labels = units or {}, labels or {}
        told = [change.says(units.get(change.feature), labels.get(change.feature)) for change in self.changes]
        return Sentence(
            en=f"the verdict would be the other one with {' and '.join(said.en for said in told)}",
            zh=f"若{'、'.join(said.zh for said in told)}，结论将相反",
        )


def nearest_flip(
    predictor: Predictor,
    row: Floats,
    *,
    threshold: float,
    ranges: Mapping[str, tuple[float, float]],
    immutable: Iterable[str] = frozenset(),
    steps: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Counterfactual | None:
    """Return the smallest change that flips the verdict: as few features as possible, then as near as possible.

    One feature is searched over all of its values, then every pair of the six leading movable features; for
    trees both are exact. If no pair flips, features are moved one after the other to where they push most,
    in seeded random orders, and then moved back as far as the verdict allows.

    Parameters
    ----------
    predictor, row, threshold
        As in `explainers.boundary.flip_points`.
    ranges : mapping of feature name to (lowest, highest)
        Only features with a range can move; their width makes moves comparable.
    immutable : names
        Features that never move: protected ones, and those nobody can change.
    steps : mapping of feature name to width
        Features that move in whole steps from where they are, such as counts and categories.
    seed : int
        For the random orders.

    Returns
    -------
    Counterfactual or None
        None when no allowed change was found.
    """
    moves = Moves(predictor, row, threshold=threshold, ranges=ranges, steps=steps)
    kept = frozenset(immutable)
    names = predictor.feature_names
    free = [j for j, name in enumerate(names) if name in ranges and name not in kept and _width(moves, j) > 0]
    if not free:
        return None
    contributions = predictor.explain(moves.row[None, :]).contributions[0]
    free.sort(key=lambda j: -abs(float(contributions[j])))
    stepwise = moves.likely_flips(moves.row[None, :], free[0]) is not None
    nearest = moves.all_nearest()
    single = _best(moves, ({j: at} for j in free if (at := nearest[j]) is not None))
    if single is not None:
        return _told(moves, single, exact=stepwise)
    pair = _best(moves, _pairs(moves, free[:LEADING]))
    if pair is not None:
        return _told(moves, pair, exact=stepwise)
    found = _best(moves, _greedy(moves, free, np.random.default_rng(seed)))
    return None if found is None else _told(moves, found, exact=False)


def _width(moves: Moves, j: int) -> float:
    low, high = moves.ranges[moves.predictor.feature_names[j]]
    return float(high - low)


def _distance(moves: Moves, change: Mapping[int, float]) -> float:
    total = 0.0
    for j, after in change.items():
        before = moves.row[j]
        total += 1.0 if np.isnan(before) else abs(after - before) / _width(moves, j)
    return float(total)


def _best(moves: Moves, changes: Iterable[dict[int, float]]) -> dict[int, float] | None:
    return min(changes, key=lambda change: _distance(moves, change), default=None)


def _pairs(moves: Moves, leading: list[int]) -> Iterable[dict[int, float]]:
    """Yield for every pair the best change of both: one feature at each of its values, the other nearest."""
    for place, a in enumerate(leading):
        span = moves.span(a)
        if span is None:
            continue
        values = moves.candidates(a, span, moves.row[a])
        rows = moves.moved(moves.row, a, values)
        for b in leading[place + 1 :]:
            yield from _second(moves, a, values, rows, b)


def _second(moves: Moves, a: int, values: Floats, rows: Floats, b: int) -> Iterable[dict[int, float]]:
    span = moves.span(b)
    stepped = moves.predictor.feature_names[b] in moves.steps
    likely = None if stepped or span is None else moves.likely_flips(rows, b)
    if likely is None or span is None:
        few = values[:: max(1, len(values) // 32)]
        for value, row in zip(few, moves.moved(moves.row, a, few), strict=True):
            at = moves.nearest(b, row)
            if at is not None:
                yield {a: float(value), b: at}
        return
    stops = moves.predictor.stops(b)  # type: ignore[attr-defined]  # likely_flips is None for models without stops
    allowed = (stops >= span[0]) & (stops <= span[1])
    cost = np.abs(values - moves.row[a])[:, None] / _width(moves, a) + np.abs(stops - moves.row[b]) / _width(moves, b)
    cost = np.where(likely & allowed, np.nan_to_num(cost, nan=2.0), np.inf)
    for at in np.argsort(cost, axis=None, kind="stable")[:8].tolist():
        i, k = divmod(at, len(stops))
        if not np.isfinite(cost[i, k]):
            return
        change = {a: float(values[i]), b: float(stops[k])}
        if moves.flips(_applied(moves, change)[None, :])[0]:
            yield change
            return


def _greedy(moves: Moves, free: list[int], random: np.random.Generator) -> Iterable[dict[int, float]]:
    for attempt in range(TRIES):
        order = free if attempt == 0 else [free[i] for i in random.permutation(len(free))]
        change = _pushed(moves, order)
        if change is not None:
            yield _taken_back(moves, change)


def _pushed(moves: Moves, order: list[int]) -> dict[int, float] | None:
    row, change = moves.row.copy(), {}
    sign = -1.0 if moves.above else 1.0
    for j in order:
        span = moves.span(j)
        values = moves.candidates(j, span, row[j]) if span is not None else np.zeros(0)
        if not len(values):
            continue
        scores = sign * moves.predictor.scores(moves.moved(row, j, values))
        best = int(np.argmax(scores))
        if scores[best] > sign * moves.predictor.scores(row[None, :])[0]:
            row[j] = change[j] = float(values[best])
        if moves.flips(row[None, :])[0]:
            return change
    return None


def _taken_back(moves: Moves, change: dict[int, float]) -> dict[int, float]:
    """Undo moves that are not needed and shorten the others, largest first."""
    for j in sorted(change, key=lambda j: -_distance(moves, {j: change[j]})):
        rest = {k: v for k, v in change.items() if k != j}
        row = _applied(moves, rest)
        if moves.flips(row[None, :])[0]:
            change = rest
            continue
        nearer = moves.nearest(j, row)
        if nearer is not None:
            change = {**rest, j: nearer}
    return change


def _applied(moves: Moves, change: Mapping[int, float]) -> Floats:
    row: Floats = moves.row.copy()
    for j, value in change.items():
        row[j] = value
    return row


def _told(moves: Moves, change: Mapping[int, float], *, exact: bool) -> Counterfactual:
    names = moves.predictor.feature_names
    return Counterfactual(
        changes=tuple(Change(names[j], float(moves.row[j]), value) for j, value in change.items()),
        score_before=moves.score,
        score_after=float(moves.predictor.scores(_applied(moves, change)[None, :])[0]),
        distance=_distance(moves, change),
        exact=exact,
    )
