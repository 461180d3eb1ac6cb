"""How a tree ensemble's margin moves when one feature moves: a step function, known in full from one walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import CATEGORIES, NAN_BY_DEFAULT, Nodes
from explainers.trees.routes import goes_left

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """The values at which anything can change.

    Parameters
    ----------
    edges : float array of shape (n_edges,)
        Thresholds of all features, sorted within each feature, each once.
    start : int array of shape (n_features + 1,)
        Where each feature's begin.
    rank : int array of shape (n_nodes,)
        Place of a split's threshold among those of its feature.
    plain : bool array of shape (n_features,)
        Whether every split on the feature is `x <= threshold` for every number x.
    """

    edges: Floats
    start: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    plain: npt.NDArray[np.bool_]

    def of(self, feature: int) -> Floats:
        """Return the sorted thresholds of one feature."""
        return self.edges[self.start[feature] : self.start[feature + 1]]


def steps_of(nodes: Nodes, n_features: int) -> Steps:
    """Return the steps of an ensemble, category splits left out."""
    split = nodes.left >= 0
    numeric = split & (nodes.rule != CATEGORIES)
    odd = split & (nodes.rule != NAN_BY_DEFAULT)
    plain = np.ones(n_features, dtype=np.bool_)
    plain[nodes.feature[odd]] = False
    feature, threshold = nodes.feature[numeric], nodes.threshold[numeric]
    order = np.lexsort((threshold, feature))
    f, t = feature[order], threshold[order]
    new = np.ones(len(f), dtype=np.bool_)
    new[1:] = (f[1:] != f[:-1]) | (t[1:] != t[:-1])
    start = np.searchsorted(f[new], np.arange(n_features + 1)).astype(np.int64)
    rank = np.zeros(len(nodes), dtype=np.int64)
    rank[np.flatnonzero(numeric)[order]] = np.cumsum(new) - 1 - start[f]
    return Steps(edges=t[new], start=start, rank=rank, plain=plain)


def profiles(nodes: Nodes, steps: Steps, X: Floats, margins: Floats, only: int | None = None) -> Floats:
    """Return the margin in every interval of every feature, all other features of the row staying as they are.

    Parameters
    ----------
    nodes, steps
        Of one output.
    X : array of shape (n_rows, n_features)
        The intervals of a feature that is missing in a row mean nothing.
    margins : array of shape (n_rows,)
        Their margins.
    only : int, optional
        The one feature asked for; the intervals of all others are then not worked out.

    Returns
    -------
    array of shape (n_rows, n_edges + n_features)
        Feature f's intervals begin at `steps.start[f] + f`: (-inf, t_0], (t_0, t_1], ..., (t_last, inf).
        Equal to the margin of the moved row up to rounding.
    """
    out = np.zeros((len(X), len(steps.edges) + X.shape[1]))
    _profiles(
        X, margins, nodes.roots, nodes.left, nodes.right, nodes.feature, nodes.threshold, nodes.value,
        nodes.rule, nodes.default_left, nodes.set_start, nodes.set_words, nodes.listed_left, nodes.sets,
        steps.start, steps.rank, steps.plain, -1 if only is None else only, out,
    )  # fmt: skip
    return out


@compiled()
def _profiles(
    X: Any,
    margins: Any,
    roots: Any,
    left: Any,
    right: Any,
    feature: Any,
    threshold: Any,
    value: Any,
    rule: Any,
    default_left: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    start: Any,
    rank: Any,
    plain: Any,
    only: int,
    out: Any,
) -> None:
    n_rows, n_features = X.shape
    low = np.zeros(n_features, dtype=np.int64)
    high = np.empty(n_features, dtype=np.int64)
    for f in range(n_features):
        high[f] = start[f + 1] - start[f]
    path = np.empty(1024, dtype=np.int64)
    sides = np.empty(1024, dtype=np.bool_)
    stack = np.empty(1024, dtype=np.int64)
    lows = np.empty(1024, dtype=np.int64)
    highs = np.empty(1024, dtype=np.int64)
    for i in range(n_rows):
        x, mine = X[i], out[i]
        for tree in range(len(roots)):
            node, length = roots[tree], 0
            while left[node] >= 0:
                side = goes_left(
                    x[feature[node]], threshold[node], rule[node], default_left[node],
                    set_start[node], set_words[node], listed_left[node], sets,
                )  # fmt: skip
                path[length], sides[length] = node, side
                length += 1
                node = left[node] if side else right[node]
            here = value[node]
            # leave the row's own path at every split on it, once, with that split's feature set free
            for k in range(length):
                split = path[k]
                f, r = feature[split], rank[split]
                if not plain[f] or (only >= 0 and f != only):
                    continue
                if sides[k]:
                    stack[0], lows[0], highs[0] = right[split], max(low[f], r + 1), high[f]
                    high[f] = min(high[f], r)
                else:
                    stack[0], lows[0], highs[0] = left[split], low[f], min(high[f], r)
                    low[f] = max(low[f], r + 1)
                top = 1
                while top:
                    top -= 1
                    at, a, b = stack[top], lows[top], highs[top]
                    if a > b:
                        continue
                    if left[at] < 0:
                        mine[start[f] + f + a] += value[at] - here
                        if b < start[f + 1] - start[f]:
                            mine[start[f] + f + b + 1] -= value[at] - here
                    elif feature[at] == f:
                        r = rank[at]
                        stack[top], lows[top], highs[top] = left[at], a, min(b, r)
                        stack[top + 1], lows[top + 1], highs[top + 1] = right[at], max(a, r + 1), b
                        top += 2
                    else:
                        side = goes_left(
                            x[feature[at]], threshold[at], rule[at], default_left[at],
                            set_start[at], set_words[at], listed_left[at], sets,
                        )  # fmt: skip
                        stack[top], lows[top], highs[top] = (left[at] if side else right[at]), a, b
                        top += 1
            for k in range(length):
                f = feature[path[k]]
                low[f], high[f] = 0, start[f + 1] - start[f]
        for f in range(n_features):
            if only >= 0 and f != only:
                continue
            total = margins[i]
            for at in range(start[f] + f, start[f + 1] + f + 1):
                total += mine[at]
                mine[at] = total


def nearest_changes(
    steps: Steps, X: Floats, profile: Floats, limit: float, above: npt.NDArray[np.bool_], low: Floats, high: Floats
) -> Floats:
    """Return for every row and feature the nearest value within `low` and `high` that crosses the limit.

    Parameters
    ----------
    profile : array of shape (n_rows, n_edges + n_features)
        From `profiles`.
    limit : float
        Margin of the threshold.
    above : bool array of shape (n_rows,)
        Which rows are at or above it now.
    low, high : arrays of shape (n_features,)

    Returns
    -------
    array of shape (n_rows, n_features)
        NaN where no value crosses, and for features that are missing or not plain.
    """
    out = np.full(X.shape, np.nan)
    _nearest_changes(X, profile, limit, above, low, high, steps.edges, steps.start, steps.plain, out)
    return out


@compiled()
def _nearest_changes(
    X: Any,
    profile: Any,
    limit: float,
    above: Any,
    low: Any,
    high: Any,
    edges: Any,
    start: Any,
    plain: Any,
    out: Any,
) -> None:
    for i in range(X.shape[0]):
        for f in range(X.shape[1]):
            x = X[i, f]
            if not plain[f] or x != x:
                continue
            mine = edges[start[f] : start[f + 1]]
            here = np.searchsorted(mine, x)
            first = start[f] + f
            best = np.inf
            for interval in range(here + 1, len(mine) + 1):
                value = max(np.nextafter(mine[interval - 1], np.inf), low[f])
                if value > high[f]:
                    break
                if (interval == len(mine) or value <= mine[interval]) and (
                    profile[i, first + interval] >= limit
                ) != above[i]:
                    best, out[i, f] = value - x, value
                    break
            for interval in range(here - 1, -1, -1):
                value = min(mine[interval], high[f])
                if value < low[f] or x - value >= best:
                    break
                if (interval == 0 or value > mine[interval - 1]) and (profile[i, first + interval] >= limit) != above[
                    i
                ]:
                    out[i, f] = value
                    break
