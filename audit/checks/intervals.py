"""Rates with honest intervals, differences of rates, and correction for looking many times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Estimate(NamedTuple):
    """A measured value and its confidence interval."""

    value: float
    lo: float
    hi: float

    @property
    def interval(self) -> tuple[float, float]:
        """The interval alone."""
        return self.lo, self.hi

    def as_json(self) -> dict[str, float]:
        """Return `{"value", "lo", "hi"}`."""
        return {"value": self.value, "lo": self.lo, "hi": self.hi}


@cache
def normal_quantile(confidence: float) -> float:
    """Return the two-sided normal quantile: 1.96 for 0.95."""
    return float(stats.norm.ppf(0.5 + confidence / 2))


def wilson(hits: int, n: int, confidence: float = 0.95) -> Estimate:
    """Return a rate with its Wilson score interval (Wilson 1927). For n = 0: nothing is known, NaN in [0, 1].

    Examples
    --------
    >>> wilson(0, 10).hi > 0.2
    True
    """
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0)
    z = normal_quantile(confidence)
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Estimate(rate, low, high)


def difference(a: tuple[int, int], b: tuple[int, int], confidence: float = 0.95) -> Estimate:
    """Return rate a minus rate b with Newcombe's interval (1998, method 10).

    Parameters
    ----------
    a, b : pairs (hits, n)
        Two independent groups; both n must be positive.
    """
    one, two = wilson(*a, confidence), wilson(*b, confidence)
    gap = one.value - two.value
    low = gap - math.hypot(one.value - one.lo, two.hi - two.value)
    high = gap + math.hypot(one.hi - one.value, two.value - two.lo)
    return Estimate(gap, low, high)


def mean_of_two(a: Estimate, b: Estimate) -> Estimate:
    """Return the mean of two independent estimates with the interval of Zou and Donner (MOVER, 2008)."""
    value = (a.value + b.value) / 2
    low = value - math.hypot(a.value - a.lo, b.value - b.lo) / 2
    high = value + math.hypot(a.hi - a.value, b.hi - b.value) / 2
    return Estimate(value, low, high)


def mean_of(values: Floats, confidence: float = 0.95) -> Estimate:
    """Return the mean of independent values with Student's interval; one value alone carries none."""
    if len(values) < 2:
        value = float(values[0]) if len(values) else math.nan
        return Estimate(value, -math.inf, math.inf)
    value = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * error
    return Estimate(value, value - half, value + half)


def same_rate(hits: Sequence[int], sizes: Sequence[int]) -> float:
    """Return the p-value of "all groups share one rate": Fisher's exact test for two groups, else chi-squared.

    A rate of 0 or 1 everywhere gives 1: there is nothing that could differ.
    """
    table = np.array([hits, np.subtract(sizes, hits)])
    if (table.sum(axis=1) == 0).any() or table.shape[1] < 2:
        return 1.0
    if table.shape[1] == 2 and table.sum() <= EXACT_UP_TO:
        return float(stats.fisher_exact(table).pvalue)
    return float(stats.chi2_contingency(table, correction=False).pvalue)


EXACT_UP_TO = 20_000
"""Rows up to which Fisher's exact test is used; beyond it equals the chi-squared test to three figures."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for having looked at all of them (Holm 1979).

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def roc_auc(truth: Bools, scores: Floats, confidence: float = 0.95) -> Estimate:
    """Return the area under the ROC curve with DeLong's variance on the logit scale (DeLong 1988).

    The chance that a random positive scores above a random negative, ties counting half. NaN in [0, 1] when
    one of the two kinds is absent.
    """
    positives, negatives = scores[truth], scores[~truth]
    m, n = len(positives), len(negatives)
    if m == 0 or n == 0:
        return Estimate(math.nan, 0.0, 1.0)
    everyone = stats.rankdata(np.concatenate([positives, negatives]))
    above_negatives = (everyone[:m] - stats.rankdata(positives)) / n
    above_positives = 1 - (everyone[m:] - stats.rankdata(negatives)) / m
    area = float(above_negatives.mean())
    variance = 0.0
    if m > 1:
        variance += float(above_negatives.var(ddof=1)) / m
    if n > 1:
        variance += float(above_positives.var(ddof=1)) / n
    return _on_the_logit(area, math.sqrt(variance), m + n, confidence)


def auc_alone(truth: Bools, values: Floats) -> float:
    """Return the area under the ROC curve without an interval; NaN when one kind is absent."""
    m = int(truth.sum())
    n = len(truth) - m
    if m == 0 or n == 0:
        return math.nan
    return float((stats.rankdata(values)[truth].sum() - m * (m + 1) / 2) / (m * n))


def average_precision(truth: Bools, scores: Floats, confidence: float = 0.95) -> Estimate:
    """Return the area under the precision-recall curve (step sum) with a logit interval (Boyd et al. 2013)."""
    positives = int(truth.sum())
    if positives == 0:
        return Estimate(math.nan, 0.0, 1.0)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_ties = np.append(ordered[1:] != ordered[:-1], True)
    hits = np.cumsum(truth[order])[last_of_ties]
    counted = np.flatnonzero(last_of_ties) + 1
    recall_steps = np.diff(hits, prepend=0) / positives
    area = float(np.sum(recall_steps * hits / counted))
    error = math.sqrt(max(area * (1 - area), 0.0) / positives)
    return _on_the_logit(area, error, positives, confidence)


def _on_the_logit(area: float, error: float, n: int, confidence: float) -> Estimate:
    """An interval that stays in [0, 1]; at 0 and 1 exactly, where the error vanishes, the rule of three."""
    if not 0 < area < 1 or error == 0:
        slack = min(1.0, 3.0 / n)
        return Estimate(area, max(0.0, area - slack), min(1.0, area + slack))
    half = normal_quantile(confidence) * error / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return Estimate(area, _logistic(middle - half), _logistic(middle + half))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
