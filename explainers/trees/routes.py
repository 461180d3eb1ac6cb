"""Which way a row goes at a split, and the leaf it ends in: the score is the sum of leaves in tree order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import CATEGORIES, NAN_BY_DEFAULT, ZERO, Nodes

Floats = npt.NDArray[np.float64]


@compiled()
def goes_left(
    x: float,
    threshold: float,
    rule: int,
    default_left: bool,
    start: int,
    words: int,
    listed_left: bool,
    sets: Any,
) -> bool:
    """Say whether value `x` takes the left side of a split."""
    if rule == NAN_BY_DEFAULT:
        return bool(x <= threshold or (x != x and default_left))
    if rule == CATEGORIES:
        if x != x:
            return default_left
        listed = False
        if 0 <= x < words * 32.0:
            code = int(x)
            listed = (sets[start + (code >> 5)] >> np.uint32(code & 31)) & np.uint32(1) != 0
        return listed == listed_left
    if x != x or -ZERO <= x <= ZERO:
        return default_left
    return bool(x <= threshold)


TOGETHER = 16
"""Rows that walk down a tree in step: while one waits for memory, the others go on."""


def sum_leaves(nodes: Nodes, X: Floats, offset: Floats) -> Floats:
    """Return offset plus the leaves every row reaches, added tree after tree, shape (n_rows, n_outputs)."""
    out = np.tile(offset, (len(X), 1))
    if nodes.plain:
        s = nodes.steps_down
        _sum_plain(X, nodes.roots, nodes.output, s.depth, s.kids, s.feature, s.threshold, s.default, s.value, out)
    else:
        _sum_any(
            X, nodes.roots, nodes.output, nodes.left, nodes.right, nodes.feature, nodes.threshold, nodes.rule,
            nodes.default_left, nodes.value, nodes.set_start, nodes.set_words, nodes.listed_left, nodes.sets, out,
        )  # fmt: skip
    return out


@compiled()
def _sum_plain(
    X: Any,
    roots: Any,
    output: Any,
    depth: Any,
    kids: Any,
    feature: Any,
    threshold: Any,
    default: Any,
    value: Any,
    out: Any,
) -> None:
    """Walk rows in step; a leaf leads to itself, so all take as many steps as the tree is deep."""
    at = np.zeros(TOGETHER, dtype=np.uint32)
    for first in range(0, X.shape[0], TOGETHER):
        rows = min(TOGETHER, X.shape[0] - first)
        for tree in range(len(roots)):
            for i in range(rows):
                at[i] = roots[tree]
            for _ in range(depth[tree]):
                for i in range(rows):
                    node = at[i]
                    x = X[first + i, feature[node]]
                    at[i] = kids[node, np.uint32((x <= threshold[node]) | (default[node] & (x != x)))]
            for i in range(rows):
                out[first + i, output[tree]] += value[at[i]]


@compiled()
def _sum_any(
    X: Any,
    roots: Any,
    output: Any,
    left: Any,
    right: Any,
    feature: Any,
    threshold: Any,
    rule: Any,
    default_left: Any,
    value: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    out: Any,
) -> None:
    for i in range(X.shape[0]):
        for tree in range(len(roots)):
            node = roots[tree]
            while left[node] >= 0:
                at = goes_left(
                    X[i, feature[node]],
                    threshold[node],
                    rule[node],
                    default_left[node],
                    set_start[node],
                    set_words[node],
                    listed_left[node],
                    sets,
                )
                node = left[node] if at else right[node]
            out[i, output[tree]] += value[node]
