"""Fills the pattern tables: each leaf's contributions for every pattern of met features, summed over its group."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import Nodes
from explainers.trees.patterns import MOST_BITS, Groups, PatternTables, group_trees, with_table

Floats = npt.NDArray[np.float64]


def path_tables(nodes: Nodes) -> PatternTables | None:
    """Return tables of path-dependent contributions; None where they would be too large."""
    groups = group_trees(nodes)
    if groups is None:
        return None
    points, weights = _rules()
    table = _filled(nodes, groups, points, weights, np.zeros((0, 0), dtype=np.bool_), np.zeros(1))
    return with_table(nodes, groups, table)


def background_tables(nodes: Nodes, goes: npt.NDArray[np.bool_]) -> PatternTables | None:
    """Return tables of interventional contributions; None where they would be too large.

    Parameters
    ----------
    nodes : Nodes
    goes : bool array of shape (n_nodes, n_background)
        Whether each background row goes left at each split.
    """
    groups = group_trees(nodes)
    if groups is None:
        return None
    points, weights = _rules()
    table = _filled(nodes, groups, points, weights, goes, _orders())
    return with_table(nodes, groups, table)


def _filled(
    nodes: Nodes, groups: Groups, points: Floats, weights: Floats, goes: npt.NDArray[np.bool_], orders: Floats
) -> npt.NDArray[np.float32]:
    g = groups
    table = np.zeros(int(g.table_start[-1]), dtype=np.float32)
    _fill(
        nodes.roots, nodes.left, nodes.right, nodes.feature, nodes.cover, nodes.value,
        g.upper_start, g.group_start, g.upper_node, g.upper_hang, g.group_root, g.group_hang, g.group_node,
        g.group_path, g.group_splits, g.group_features, g.group_columns, g.table_start,
        points, weights, goes, orders, table,
    )  # fmt: skip
    return table


def _rules() -> tuple[Floats, Floats]:
    """Return Gauss-Legendre points and weights on [0, 1], one line per number of features."""
    most = MOST_BITS + 2
    points, weights = np.zeros((most, most)), np.zeros((most, most))
    for m in range(most):
        q = max(1, (m + 1) // 2)
        x, w = np.polynomial.legendre.leggauss(q)
        points[m, :q], weights[m, :q] = (x + 1) / 2, w / 2
    return points, weights


def _orders() -> Floats:
    """Return a! b! / (a + b + 1)! for a, b up to the most bits: the share of orders in which a come first."""
    most = MOST_BITS + 2
    made = np.ones((most, most))
    for a in range(most):
        for b in range(most):
            value = 1.0
            for k in range(1, b + 1):
                value *= k / (a + k)
            made[a, b] = value / (a + b + 1)
    return made.ravel()


@compiled()
def _fill(
    roots: Any,
    left: Any,
    right: Any,
    feature: Any,
    cover: Any,
    value: Any,
    upper_start: Any,
    group_start: Any,
    upper_node: Any,
    upper_hang: Any,
    group_root: Any,
    group_hang: Any,
    group_node: Any,
    group_path: Any,
    group_splits: Any,
    group_features: Any,
    group_columns: Any,
    table_start: Any,
    points: Any,
    weights: Any,
    goes: Any,
    orders: Any,
    table: Any,
) -> None:
    n_background = goes.shape[1]
    ratio = np.ones(MOST_BITS, dtype=np.float64)  # per column of the group, down to the leaf
    ones = np.ones(n_background, dtype=np.int64)
    chain = np.empty(1024, dtype=np.int64)
    chain_left = np.empty(1024, dtype=np.int64)
    stack = np.empty(8, dtype=np.int64)
    trail = np.empty((8, 8), dtype=np.int64)  # per node on the stack: (split number, side) codes from the group's root
    lengths = np.zeros(8, dtype=np.int64)
    column_of = np.zeros(8, dtype=np.int64)
    mine = np.zeros(MOST_BITS, dtype=np.int64)  # columns of one leaf
    count = np.zeros(1 << MOST_BITS, dtype=np.int64)
    contribution = np.zeros(((1 << MOST_BITS), MOST_BITS), dtype=np.float64)
    line = np.zeros((1 << MOST_BITS) * MOST_BITS, dtype=np.float64)
    times = np.zeros(1 << MOST_BITS, dtype=np.float64)
    present = np.zeros(1 << MOST_BITS, dtype=np.int64)
    for tree in range(len(roots)):
        for g in range(group_start[tree], group_start[tree + 1]):
            path, splits, columns = group_path[g], group_splits[g], group_columns[g]
            patterns = 1 << (path + splits)
            for k in range(patterns * columns):
                line[k] = 0.0
            # the splits above the group, from below: each with the side taken and the bit of its feature
            depth, hang, side = 0, group_hang[g, 0], group_hang[g, 1]
            while hang:
                u = upper_start[tree] + hang - 1
                chain[depth], chain_left[depth] = upper_node[u], side
                depth += 1
                hang, side = upper_hang[u, 0], upper_hang[u, 1]
            for k in range(splits):
                for c in range(columns):
                    if group_features[g, c] == feature[group_node[g, k]]:
                        column_of[k] = c
            stack[0], lengths[0], top = group_root[g], 0, 1
            while top:
                top -= 1
                node, length = stack[top], lengths[top]
                if left[node] >= 0:
                    number = 0
                    for k in range(splits):
                        if group_node[g, k] == node:
                            number = k
                    # right takes the place above, so its trail is written first
                    for k in range(length):
                        trail[top + 1, k] = trail[top, k]
                    trail[top, length], trail[top + 1, length] = 2 * number, 2 * number + 1
                    stack[top], stack[top + 1] = right[node], left[node]
                    lengths[top] = lengths[top + 1] = length + 1
                    top += 2
                    continue
                v = value[node]
                for k in range(columns):
                    ratio[k] = 1.0
                for z in range(n_background):
                    ones[z] = (1 << columns) - 1
                used = (1 << path) - 1
                for d in range(depth + length):
                    if d < depth:
                        split, to_left = chain[d], chain_left[d]
                        column = 0
                        for c in range(path):
                            if group_features[g, c] == feature[split]:
                                column = c
                    else:
                        code = trail[top, d - depth]
                        split, to_left = group_node[g, code >> 1], code & 1
                        column = column_of[code >> 1]
                        used |= 1 << column
                    child = left[split] if to_left else right[split]
                    ratio[column] *= cover[child] / cover[split] if cover[split] > 0 else 0.5
                    for z in range(n_background):
                        if goes[split, z] != (to_left == 1):
                            ones[z] &= ~(1 << column)
                m = np.int64(0)  # a plain 0 would be compiled twice, once as the constant
                for c in range(columns):
                    if used >> c & 1:
                        mine[m] = c
                        m += 1
                if n_background:
                    kinds = np.int64(0)
                    for z in range(n_background):
                        met = 0
                        for k in range(m):
                            met |= (ones[z] >> mine[k] & 1) << k
                        if count[met] == 0:
                            present[kinds] = met
                            kinds += 1
                        count[met] += 1
                    for k in range(kinds):
                        times[k] = count[present[k]] / n_background
                        count[present[k]] = 0
                    _against_background(m, v, present, times, kinds, orders, contribution)
                else:
                    for k in range(m):
                        ratio[k] = ratio[mine[k]]  # mine[k] >= k, so nothing is overwritten before it is read
                    _against_covers(m, v, ratio, points, weights, contribution)
                for pattern in range(patterns):
                    met = pattern & ((1 << path) - 1) | (((1 << columns) - 1) & ~((1 << path) - 1))
                    for k in range(length):
                        code = trail[top, k]
                        if (pattern >> (path + (code >> 1)) & 1) != (code & 1):
                            met &= ~(1 << column_of[code >> 1])
                    o = 0
                    for k in range(m):
                        o |= (met >> mine[k] & 1) << k
                    for k in range(m):
                        line[pattern * columns + mine[k]] += contribution[o, k]
            for k in range(patterns * columns):
                table[table_start[g] + k] = line[k]


@compiled()
def _against_covers(m: Any, v: float, ratio: Any, points: Any, weights: Any, contribution: Any) -> None:
    """Write the path-dependent contributions of one leaf for every pattern of its m features."""
    q = max(1, (m + 1) // 2)
    for o in range(1 << m):
        for k in range(m):
            contribution[o, k] = 0.0
        for n in range(q):
            t = points[m, n]
            product = v * weights[m, n]
            for k in range(m):
                product *= t + (1 - t) * ratio[k] if o >> k & 1 else (1 - t) * ratio[k]
            for k in range(m):
                if o >> k & 1:
                    contribution[o, k] += product * (1 - ratio[k]) / (t + (1 - t) * ratio[k])
                else:
                    contribution[o, k] -= product / (1 - t)


@compiled()
def _against_background(m: Any, v: float, present: Any, times: Any, kinds: Any, orders: Any, contribution: Any) -> None:
    """Write the interventional contributions of one leaf: row and background row each meet some features.

    A leaf counts only if every feature is met by one of the two. Those met by the row alone (a of them) must
    all come before those met by the background row alone (b of them).
    """
    everything = (1 << m) - 1
    most = int(np.sqrt(len(orders)))
    for o in range(1 << m):
        for k in range(m):
            contribution[o, k] = 0.0
        for kind in range(kinds):
            z = present[kind]
            if (o | z) != everything or o == z:
                continue
            a, b = 0, 0
            for k in range(m):
                a += (o & ~z) >> k & 1
                b += (z & ~o) >> k & 1
            plus = v * times[kind] * orders[(a - 1) * most + b] if a else 0.0
            minus = v * times[kind] * orders[a * most + b - 1] if b else 0.0
            for k in range(m):
                if (o & ~z) >> k & 1:
                    contribution[o, k] += plus
                elif (z & ~o) >> k & 1:
                    contribution[o, k] -= minus
