"""What a column says about another: bins that need no shape, and how well they predict on rows not used to learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.checks.intervals import auc_alone

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

BINS = 20


def numbers(column: pd.Series) -> Floats | None:
    """Return a column as float64 with NaN for missing; None for one that holds text or times."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return None


def usual_spread(values: Floats) -> float:
    """Return the standard deviation, or that of the middle half where a long tail makes it larger.

    Examples
    --------
    >>> usual_spread(np.array([1.0, 2.0, 3.0, 4.0, 1e6])) < 2
    True
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, [0.25, 0.75])
    middle, whole = float(high - low) / 1.349, float(known.std())
    return min(middle, whole) if middle > 0 else whole


def bins_of(column: pd.Series, most: int = BINS) -> Codes:
    """Return a bin per row: quantile bins for many numbers, one bin per value for few, one for missing.

    Text of many values keeps its most frequent ones, the rest share a bin.
    """
    values = numbers(column)
    if values is None:
        codes, names = pd.factorize(column.astype("string"))
        counts = np.bincount(codes[codes >= 0], minlength=max(len(names), 1))
        frequent = np.argsort(-counts, kind="stable")[: most * 5]
        place = np.full(len(names) + 1, len(frequent), dtype=np.intp)
        place[frequent] = np.arange(len(frequent))
        place[-1] = len(frequent) + 1
        return np.asarray(place[codes])
    return bins_of_numbers(values, most)


def bins_of_numbers(values: Floats, most: int = BINS) -> Codes:
    """Return a bin per number; missing is bin 0."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values), dtype=np.intp)
    distinct = np.unique(values[known])
    if len(distinct) > most:
        distinct = np.unique(np.quantile(values[known], np.linspace(0, 1, most + 1)[1:-1]))
        return np.where(known, np.searchsorted(distinct, values, side="right") + 1, 0)
    return np.where(known, np.searchsorted(distinct, values) + 1, 0)


def auc_of_bins(bins: Codes, truth: Bools, folds: Codes) -> float:
    """Return the AUC of predicting `truth` by the rate in each bin, learnt on the other fold.

    Finds dependence of any shape. 0.5 is none; learning and judging on different rows keeps chance out.
    """
    learnt = np.full(len(truth), truth.mean())
    for fold in (0, 1):
        other = folds != fold
        n = np.bincount(bins[other], minlength=int(bins.max()) + 1)
        hits = np.bincount(bins[other], weights=truth[other], minlength=int(bins.max()) + 1)
        rate = (hits + truth.mean()) / (n + 1)
        learnt[~other] = rate[bins[~other]]
    return auc_alone(truth, learnt)


def r2_of_bins(bins: Codes, target: Floats, folds: Codes) -> float:
    """Return how much of `target`'s variance the mean in each bin explains, learnt on the other fold.

    Rows whose target is missing are left out. Below 0 counts as 0; a constant target gives 0.
    """
    known = np.isfinite(target)
    bins, target, folds = bins[known], target[known], folds[known]
    spread = float(((target - target.mean()) ** 2).sum()) if len(target) else 0.0
    if spread <= 0:
        return 0.0
    guessed = np.full(len(target), target.mean())
    for fold in (0, 1):
        other = folds != fold
        size = int(bins.max()) + 1
        n = np.bincount(bins[other], minlength=size)
        total = np.bincount(bins[other], weights=target[other], minlength=size)
        guessed[~other] = ((total + target.mean()) / (n + 1))[bins[~other]]
    return max(0.0, 1 - float(((target - guessed) ** 2).sum()) / spread)
