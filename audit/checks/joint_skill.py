"""Do two columns together know what neither knows alone? The outcome may be split over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from audit.checks.examined import Bools, Floats
from audit.checks.intervals import auc_alone

MOST_COLUMNS = 30
"""Columns looked at in pairs, the heaviest in the model first."""

MOST_ROWS = 4_000
"""Rows looked at; a skill near 1 shows in these."""


class Pair(NamedTuple):
    """Two columns, the area under the ROC curve of both together and of the better one alone."""

    first: str
    second: str
    together: float
    alone: float


def telling_pairs(
    values: Mapping[str, Floats],
    truth: Bools,
    alone: Mapping[str, float],
    *,
    least: float,
    gain: float,
    generator: np.random.Generator,
) -> list[Pair]:
    """Return the pairs that tell the outcome from `least` on and at least `gain` better than either column alone.

    A pair's skill is that of the least-squares fit of the outcome on both columns and their product, learnt on the
    other half of the rows; so sums, differences and exclusive-or are found.

    Parameters
    ----------
    values : mapping of column to array of shape (n_rows,)
        NaN counts as the mean.
    alone : mapping of column to area
        Skill of single columns.
    """
    rows = np.arange(len(truth))
    if len(rows) > MOST_ROWS:
        rows = np.sort(generator.choice(len(rows), MOST_ROWS, replace=False))
    folds = generator.permutation(len(rows)) % 2 == 0
    told = truth[rows]
    if min(told[folds].sum(), (~told[folds]).sum(), told[~folds].sum(), (~told[~folds]).sum()) == 0:
        return []
    names = [name for name in values if alone.get(name, 1.0) < least][:MOST_COLUMNS]
    scaled = {name: _scaled(values[name][rows]) for name in names}
    found = []
    for one, other in combinations(names, 2):
        best = max(alone.get(one, 0.5), alone.get(other, 0.5))
        if best + gain > 1:
            continue
        together = _skill([scaled[one], scaled[other], scaled[one] * scaled[other]], told, folds)
        if together >= least and together >= best + gain:
            found.append(Pair(one, other, together, best))
    return sorted(found, key=lambda pair: -pair.together)


def _scaled(values: Floats) -> Floats:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    centred = np.where(known, values - values[known].mean(), 0.0)
    spread = float(centred.std())
    return np.asarray(centred / spread if spread > 0 else centred)


def _skill(columns: Sequence[Floats], truth: Bools, folds: Bools) -> float:
    """Area under the ROC curve of a linear fit, each half judged by the fit of the other."""
    table = np.column_stack([np.ones(len(truth)), *columns])
    told = np.empty(len(truth))
    for half in (folds, ~folds):
        learnt = table[~half]
        weights = np.linalg.lstsq(learnt.T @ learnt, learnt.T @ truth[~half].astype(np.float64), rcond=None)[0]
        told[half] = table[half] @ weights
    return min(auc_alone(truth[half], told[half]) for half in (folds, ~folds))
