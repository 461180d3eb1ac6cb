"""Exact path-dependent Shapley values: blocks of rows in step, or one row with the quadrature nodes in step.

Both kernels do the same operations in the same order, so a row gets the same bits alone and among others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import Nodes
from explainers.trees.prepared import Prepared
from explainers.trees.routes import goes_left

Floats = npt.NDArray[np.float64]

BLOCK = 64
"""Rows that are walked in step; a multiple of every vector width."""

FEW = 8
"""Up to so many rows are walked one by one."""


def explain_by_paths(nodes: Nodes, prepared: Prepared, X: Floats, n_outputs: int) -> Floats:
    """Return contributions of shape (n_rows, n_features, n_outputs)."""
    p = prepared
    out = np.zeros((len(X), p.n_features, n_outputs))
    kernel = _one_by_one if len(X) <= FEW else _in_blocks
    kernel(
        X, nodes.output, nodes.set_start, nodes.set_words, nodes.listed_left, nodes.sets,
        p.feature, p.threshold, p.rule, p.default_left, p.node, p.depth, p.above, p.leaf_above, p.exits,
        p.from_left, p.has_leaf, p.grow, p.give, p.leaf_give, p.leaf_sum,
        p.tree_start, p.tree_width, p.weights, p.deepest, out,
    )  # fmt: skip
    return out


@compiled()
def _in_blocks(
    X: Any,
    output: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    feature: Any,
    threshold: Any,
    rule: Any,
    default_left: Any,
    node: Any,
    depth: Any,
    above: Any,
    leaf_above: Any,
    exits: Any,
    from_left: Any,
    has_leaf: Any,
    grow: Any,
    give: Any,
    leaf_give: Any,
    leaf_sum: Any,
    tree_start: Any,
    tree_width: Any,
    weights: Any,
    deepest: int,
    out: Any,
) -> None:
    n_rows, n_features = X.shape
    n_outputs, width = out.shape[2], weights.shape[1]
    XT = np.zeros((n_features, BLOCK), dtype=np.float64)
    phi = np.zeros((n_outputs, n_features, BLOCK), dtype=np.float64)
    left_side = np.zeros((deepest + 1, BLOCK), dtype=np.int32)
    met = np.ones((deepest + 1, BLOCK), dtype=np.int32)
    P = np.zeros((deepest + 1, width, BLOCK), dtype=np.float32)
    H = np.zeros((deepest + 1, width, BLOCK), dtype=np.float32)
    total = np.zeros(BLOCK, dtype=np.float32)
    entered = np.zeros(deepest + 1, dtype=np.int64)
    one, zero = np.int32(1), np.int32(0)
    for first in range(0, n_rows, BLOCK):
        rows = min(BLOCK, n_rows - first)
        for i in range(rows):
            for f in range(n_features):
                XT[f, i] = X[first + i, f]
        phi[:] = 0.0
        for tree in range(len(tree_width)):
            q = tree_width[tree]
            mine = phi[output[tree]]
            for k in range(q):
                P[0, k, :] = weights[tree, k]
            for s in range(tree_start[tree], tree_start[tree + 1]):
                d = depth[s]
                entered[d] = s
                if d:
                    up_side, here = left_side[d - 1], met[d]
                    if from_left[s]:
                        for b in range(BLOCK):
                            here[b] = up_side[b]
                    else:
                        for b in range(BLOCK):
                            here[b] = one - up_side[b]
                    if above[s]:
                        before = met[above[s]]
                        for b in range(BLOCK):
                            here[b] &= before[b]
                        for k in range(q):
                            g0, g1, g2 = grow[s, 0, k], grow[s, 1, k], grow[s, 2, k]
                            p, up = P[d, k], P[d - 1, k]
                            for b in range(BLOCK):
                                p[b] = up[b] * (g2 if here[b] else (g1 if before[b] else g0))
                    else:
                        for k in range(q):
                            g1, g2 = grow[s, 1, k], grow[s, 2, k]
                            p, up = P[d, k], P[d - 1, k]
                            for b in range(BLOCK):
                                p[b] = up[b] * (g2 if here[b] else g1)
                side, x, t = left_side[d], XT[feature[s]], threshold[s]
                default, kind = default_left[s], rule[s]
                if kind == 0:
                    for b in range(BLOCK):
                        side[b] = one if (x[b] <= t) | (default & (x[b] != x[b])) else zero
                else:
                    n = node[s]
                    for b in range(BLOCK):
                        side[b] = goes_left(x[b], t, kind, default, set_start[n], set_words[n], listed_left[n], sets)
                if not has_leaf[s]:
                    H[d, :q] = 0.0
                    continue
                total[:] = 0.0
                if leaf_above[s]:
                    before = met[leaf_above[s]]
                    for k in range(q):
                        a1, a2 = leaf_give[s, 1, k], leaf_give[s, 2, k]
                        b0, b1, b2 = leaf_sum[s, 0, k], leaf_sum[s, 1, k], leaf_sum[s, 2, k]
                        p, h = P[d, k], H[d, k]
                        for b in range(BLOCK):
                            total[b] += p[b] * ((a2 if side[b] else a1) if before[b] else np.float32(0.0))
                            h[b] = p[b] * ((b2 if side[b] else b1) if before[b] else b0)
                else:
                    for k in range(q):
                        a1, a2 = leaf_give[s, 1, k], leaf_give[s, 2, k]
                        b1, b2 = leaf_sum[s, 1, k], leaf_sum[s, 2, k]
                        p, h = P[d, k], H[d, k]
                        for b in range(BLOCK):
                            total[b] += p[b] * (a2 if side[b] else a1)
                            h[b] = p[b] * (b2 if side[b] else b1)
                to = mine[feature[s]]
                for b in range(BLOCK):
                    to[b] += total[b]
                for at in range(d, d - exits[s], -1):
                    done = entered[at]
                    here = met[at]
                    total[:] = 0.0
                    if above[done]:
                        before = met[above[done]]
                        for k in range(q):
                            c1, c2 = give[done, 1, k], give[done, 2, k]
                            h, up = H[at, k], H[at - 1, k]
                            for b in range(BLOCK):
                                total[b] += h[b] * (c2 if here[b] else (c1 if before[b] else np.float32(0.0)))
                                up[b] += h[b]
                    else:
                        for k in range(q):
                            c1, c2 = give[done, 1, k], give[done, 2, k]
                            h, up = H[at, k], H[at - 1, k]
                            for b in range(BLOCK):
                                total[b] += h[b] * (c2 if here[b] else c1)
                                up[b] += h[b]
                    to = mine[feature[entered[at - 1]]]
                    for b in range(BLOCK):
                        to[b] += total[b]
        for i in range(rows):
            for f in range(n_features):
                for o in range(n_outputs):
                    out[first + i, f, o] = phi[o, f, i]


@compiled()
def _one_by_one(
    X: Any,
    output: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    feature: Any,
    threshold: Any,
    rule: Any,
    default_left: Any,
    node: Any,
    depth: Any,
    above: Any,
    leaf_above: Any,
    exits: Any,
    from_left: Any,
    has_leaf: Any,
    grow: Any,
    give: Any,
    leaf_give: Any,
    leaf_sum: Any,
    tree_start: Any,
    tree_width: Any,
    weights: Any,
    deepest: int,
    out: Any,
) -> None:
    width = weights.shape[1]
    left_side = np.zeros(deepest + 1, dtype=np.int64)
    met = np.ones(deepest + 1, dtype=np.int64)
    P = np.zeros((deepest + 1, width), dtype=np.float32)
    H = np.zeros((deepest + 1, width), dtype=np.float32)
    entered = np.zeros(deepest + 1, dtype=np.int64)
    for i in range(X.shape[0]):
        x = X[i]
        for tree in range(len(tree_width)):
            o = output[tree]
            for k in range(width):
                P[0, k] = weights[tree, k]
            for s in range(tree_start[tree], tree_start[tree + 1]):
                d = depth[s]
                entered[d] = s
                if d:
                    before = met[above[s]]
                    here = left_side[d - 1] if from_left[s] else 1 - left_side[d - 1]
                    here &= before
                    met[d] = here
                    state = here + before
                    for k0 in range(0, width, 4):
                        for k in range(4):
                            P[d, k0 + k] = P[d - 1, k0 + k] * grow[s, state, k0 + k]
                value, t = x[feature[s]], threshold[s]
                if rule[s] == 0:
                    side = np.int64((value <= t) | (default_left[s] & (value != value)))
                else:
                    n = node[s]
                    side = np.int64(
                        goes_left(value, t, rule[s], default_left[s], set_start[n], set_words[n], listed_left[n], sets)
                    )
                left_side[d] = side
                if not has_leaf[s]:
                    H[d] = 0.0
                    continue
                state = met[leaf_above[s]] * (1 + side)
                total = np.float32(0.0)
                for k0 in range(0, width, 4):
                    for k in range(4):
                        total += P[d, k0 + k] * leaf_give[s, state, k0 + k]
                        H[d, k0 + k] = P[d, k0 + k] * leaf_sum[s, state, k0 + k]
                out[i, feature[s], o] += total
                for at in range(d, d - exits[s], -1):
                    done = entered[at]
                    state = met[at] + met[above[done]]
                    total = np.float32(0.0)
                    for k0 in range(0, width, 4):
                        for k in range(4):
                            total += H[at, k0 + k] * give[done, state, k0 + k]
                            H[at - 1, k0 + k] += H[at, k0 + k]
                    out[i, feature[entered[at - 1]], o] += total
