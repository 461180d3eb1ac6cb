"""Exact path-dependent Shapley values of many rows at once: one walk over the edges, blocks of rows in step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.prepared import Prepared
from explainers.trees.routes import goes_left

Floats = npt.NDArray[np.float64]

BLOCK = 64
"""Rows that are walked in step; a multiple of every vector width."""


def explain_by_paths(prepared: Prepared, X: Floats) -> Floats:
    """Return contributions of shape (n_rows, n_features, n_outputs)."""
    p, n = prepared, prepared.nodes
    out = np.zeros((len(X), p.n_features, p.n_outputs))
    _explain_blocks(
        X,
        n.output,
        n.feature,
        n.threshold,
        n.rule,
        n.default_left,
        n.set_start,
        n.set_words,
        n.listed_left,
        n.sets,
        p.deepest,
        p.most_nodes,
        p.tree_edges,
        p.tree_nodes,
        p.rule_at,
        p.weights,
        p.edge_split,
        p.edge_depth,
        p.edge_above,
        p.edge_exit,
        p.edge_left,
        p.edge_leaf,
        p.edge_value,
        p.edge_at,
        p.grow,
        p.give,
        out,
    )
    return out


@compiled()
def _explain_blocks(
    X: Any,
    output: Any,
    feature: Any,
    threshold: Any,
    rule: Any,
    default_left: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    deepest: int,
    most_nodes: int,
    tree_edges: Any,
    tree_nodes: Any,
    rule_at: Any,
    weights: Any,
    edge_split: Any,
    edge_depth: Any,
    edge_above: Any,
    edge_exit: Any,
    edge_left: Any,
    edge_leaf: Any,
    edge_value: Any,
    edge_at: Any,
    grow: Any,
    give: Any,
    out: Any,
) -> None:
    n_rows, n_features = X.shape
    n_outputs = out.shape[2]
    XT = np.zeros((n_features, BLOCK), dtype=np.float64)
    phi = np.zeros((n_outputs, n_features, BLOCK), dtype=np.float64)
    left_side = np.zeros((deepest + 1, BLOCK), dtype=np.int32)
    met = np.ones((deepest + 1, BLOCK), dtype=np.int32)
    P = np.zeros((deepest + 1, most_nodes, BLOCK), dtype=np.float32)
    H = np.zeros((deepest + 1, most_nodes, BLOCK), dtype=np.float32)
    total = np.zeros(BLOCK, dtype=np.float32)
    open_edge = np.zeros(deepest + 1, dtype=np.int64)
    one, zero = np.int32(1), np.int32(0)
    for first in range(0, n_rows, BLOCK):
        rows = min(BLOCK, n_rows - first)
        for i in range(rows):
            for f in range(n_features):
                XT[f, i] = X[first + i, f]
        phi[:] = 0.0
        for tree in range(len(tree_nodes)):
            q = tree_nodes[tree]
            mine = phi[output[tree]]
            for k in range(q):
                P[0, k, :] = weights[rule_at[tree] + k]
            for e in range(tree_edges[tree], tree_edges[tree + 1]):
                d, s, above, at = edge_depth[e], edge_split[e], edge_above[e], edge_at[e]
                open_edge[d] = e
                here = met[d]
                side = left_side[d - 1]
                if edge_left[e]:
                    x, t, kind, default = XT[feature[s]], threshold[s], rule[s], default_left[s]
                    if kind == 0:
                        for b in range(BLOCK):
                            side[b] = one if (x[b] <= t) | (default & (x[b] != x[b])) else zero
                    else:
                        for b in range(BLOCK):
                            side[b] = goes_left(
                                x[b], t, kind, default, set_start[s], set_words[s], listed_left[s], sets
                            )
                    for b in range(BLOCK):
                        here[b] = side[b]
                else:
                    for b in range(BLOCK):
                        here[b] = one - side[b]
                if above:
                    before = met[above]
                    for b in range(BLOCK):
                        here[b] &= before[b]
                    for k in range(q):
                        g1, g2, g0 = grow[at + k], grow[at + q + k], grow[at + 2 * q + k]
                        p, up = P[d, k], P[d - 1, k]
                        for b in range(BLOCK):
                            p[b] = up[b] * (g2 if here[b] else (g1 if before[b] else g0))
                else:
                    for k in range(q):
                        g1, g2 = grow[at + k], grow[at + q + k]
                        p, up = P[d, k], P[d - 1, k]
                        for b in range(BLOCK):
                            p[b] = up[b] * (g2 if here[b] else g1)
                if not edge_leaf[e]:
                    H[d, :q] = 0.0
                    continue
                v = edge_value[e]
                for k in range(q):
                    h, p = H[d, k], P[d, k]
                    for b in range(BLOCK):
                        h[b] = v * p[b]
                for depth in range(d, d - edge_exit[e], -1):
                    done = open_edge[depth]
                    at, above = edge_at[done], edge_above[done]
                    ended = met[depth]
                    total[:] = 0.0
                    for k in range(q):
                        g1, g2 = give[at + k], give[at + q + k]
                        h, up = H[depth, k], H[depth - 1, k]
                        if above:
                            before = met[above]
                            for b in range(BLOCK):
                                c = g2 if ended[b] else (g1 if before[b] else np.float32(0.0))
                                total[b] += h[b] * c
                                up[b] += h[b]
                        else:
                            for b in range(BLOCK):
                                total[b] += h[b] * (g2 if ended[b] else g1)
                                up[b] += h[b]
                    f = mine[feature[edge_split[done]]]
                    for b in range(BLOCK):
                        f[b] += total[b]
        for i in range(rows):
            for f in range(n_features):
                for o in range(n_outputs):
                    out[first + i, f, o] = phi[o, f, i]
