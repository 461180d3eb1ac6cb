"""Contributions looked up instead of computed: a table per small group of splits, one line per pattern of answers.

What a leaf contributes depends only on which of the features on its path the row meets. A group is a subtree of
at most three splits; its pattern is one bit per feature on the path to it (met so far or not) and one bit per
split inside. For every pattern the contributions of all leaves of the group are summed beforehand. A row then
costs one look-up per group, whatever stands behind the table: the trees' own covers, or a background of any size.
Tables grow with 2 ** bits, so they serve small models; larger ones are computed (`path_dependent`, `background`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import Nodes
from explainers.trees.routes import goes_left

Floats = npt.NDArray[np.float64]

SPLITS = 3
"""Most splits in a group."""

MOST_BITS = 14
"""Most bits of a pattern; beyond it a model has no tables."""

MOST_BYTES = 48 << 20
"""Largest tables kept for one model."""

BLOCK = 128
"""Rows that are looked up in step at most."""

FEW = 8
"""Up to so many rows are looked up one by one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """How the trees fall into upper splits and groups.

    An item is an upper split or a group; both hang below an upper split (or below place 0, a stand-in that
    every row meets). Places count the upper splits of one tree from 1.

    Parameters
    ----------
    upper_start, group_start : int arrays of shape (n_trees + 1,)
    upper_node : int array of shape (n_upper,)
    upper_hang, group_hang : int32 arrays of shape (n, 3)
        Place hung from; whether on the left; bit of the feature of that split.
    group_root : int array of shape (n_groups,)
    group_node : int32 array of shape (n_groups, 3)
        Splits inside, in pre-order; those not there are -1.
    group_path : int32 array of shape (n_groups,)
        Bits that belong to the path.
    group_splits : int32 array of shape (n_groups,)
    group_features : int32 array of shape (n_groups, MOST_BITS)
        Column behind each column of the table: those of the path in the order of their bits, then new ones.
    group_columns : int32 array of shape (n_groups,)
    table_start : int64 array of shape (n_groups + 1,)
        Where each table begins.
    """

    upper_start: npt.NDArray[np.int64]
    group_start: npt.NDArray[np.int64]
    upper_node: npt.NDArray[np.int32]
    upper_hang: npt.NDArray[np.int32]
    group_root: npt.NDArray[np.int32]
    group_hang: npt.NDArray[np.int32]
    group_node: npt.NDArray[np.int32]
    group_path: npt.NDArray[np.int32]
    group_splits: npt.NDArray[np.int32]
    group_features: npt.NDArray[np.int32]
    group_columns: npt.NDArray[np.int32]
    table_start: npt.NDArray[np.int64]


def group_trees(nodes: Nodes) -> Groups | None:
    """Return the groups of an ensemble; None when its tables would be too large."""
    n_trees = len(nodes.roots)
    upper_start = np.zeros(n_trees + 1, dtype=np.int64)
    group_start = np.zeros(n_trees + 1, dtype=np.int64)
    below = np.zeros(len(nodes), dtype=np.int64)
    size = int(_count(nodes.roots, nodes.left, nodes.right, nodes.feature, below, upper_start, group_start))
    if size * 4 > MOST_BYTES or size < 0:
        return None
    n, g = int(upper_start[-1]), int(group_start[-1])
    ints = np.int32
    made = Groups(
        upper_start=upper_start,
        group_start=group_start,
        upper_node=np.zeros(n, ints),
        upper_hang=np.zeros((n, 3), ints),
        group_root=np.zeros(g, ints),
        group_hang=np.zeros((g, 3), ints),
        group_node=np.full((g, SPLITS), -1, ints),
        group_path=np.zeros(g, ints),
        group_splits=np.zeros(g, ints),
        group_features=np.zeros((g, MOST_BITS), ints),
        group_columns=np.zeros(g, ints),
        table_start=np.zeros(g + 1, np.int64),
    )
    _lay_groups(nodes.roots, nodes.left, nodes.right, nodes.feature, below, *vars(made).values())
    return made


@dataclass(frozen=True, kw_only=True, eq=False)
class PatternTables:
    """Everything the look-up kernels read.

    The splits' own arrays are gathered per place so that a row touches memory in order; `table` holds one line
    of `group_columns` float32 contributions per pattern, `leaf_value` the leaf for the answers inside a group.
    """

    groups: Groups
    table: npt.NDArray[np.float32]
    upper_feature: npt.NDArray[np.int32]
    upper_threshold: Floats
    upper_default: npt.NDArray[np.bool_]
    node_feature: npt.NDArray[np.int32]
    node_threshold: Floats
    node_default: npt.NDArray[np.bool_]
    plain: bool
    leaf_value: Floats

    @property
    def nbytes(self) -> int:
        """Bytes held by the tables and all around them."""
        own = sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))
        return int(own + sum(a.nbytes for a in vars(self.groups).values()))


def with_table(nodes: Nodes, groups: Groups, table: npt.NDArray[np.float32]) -> PatternTables:
    """Return the tables in the form the kernels read."""
    inside = np.maximum(groups.group_node, 0)
    there = groups.group_node >= 0
    leaf_value = np.zeros((len(groups.group_root), 1 << SPLITS))
    _leaf_values(
        nodes.left, nodes.right, nodes.value, groups.group_root, groups.group_node, groups.group_splits, leaf_value
    )
    return PatternTables(
        groups=groups,
        table=table,
        upper_feature=nodes.feature[groups.upper_node],
        upper_threshold=nodes.threshold[groups.upper_node],
        upper_default=nodes.default_left[groups.upper_node],
        node_feature=np.where(there, nodes.feature[inside], 0).astype(np.int32),
        node_threshold=np.where(there, nodes.threshold[inside], 0.0),
        node_default=np.where(there, nodes.default_left[inside], False),
        plain=nodes.plain,
        leaf_value=leaf_value,
    )


def explain_by_tables(nodes: Nodes, tables: PatternTables, X: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Return contributions of shape (n_rows, n_features, n_outputs), and margins with the bits of `sum_leaves`."""
    out = np.zeros((len(X), X.shape[1], len(offset)))
    margins = np.repeat(offset[None], len(X), axis=0)
    kernel = cast(Any, _look_up_one_by_one if len(X) <= FEW else _look_up_in_blocks)
    kernel(X, *_shared(nodes, tables), tables.leaf_value, margins, out)
    return out, margins


def _shared(nodes: Nodes, t: PatternTables) -> tuple[Any, ...]:
    """Return what both kernels read, in their order."""
    g = t.groups
    return (
        nodes.output, nodes.rule, nodes.set_start, nodes.set_words, nodes.listed_left, nodes.sets, t.plain,
        g.upper_start, g.group_start, g.upper_node, g.upper_hang, g.group_hang, g.group_node, g.group_path,
        g.group_splits, g.group_features, g.group_columns, g.table_start, t.table,
        t.upper_feature, t.upper_threshold, t.upper_default, t.node_feature, t.node_threshold, t.node_default,
    )  # fmt: skip


@compiled()
def _leaf_values(
    left: Any, right: Any, value: Any, group_root: Any, group_node: Any, group_splits: Any, out: Any
) -> None:
    """Write the leaf of every group for every pattern of answers inside it."""
    for g in range(len(group_root)):
        for bits in range(1 << group_splits[g]):
            node = group_root[g]
            while left[node] >= 0:
                k = 0
                while group_node[g, k] != node:
                    k += 1
                node = left[node] if bits >> k & 1 else right[node]
            out[g, bits] = value[node]


@compiled()
def _count(roots: Any, left: Any, right: Any, feature: Any, below: Any, upper_start: Any, group_start: Any) -> int:
    """Count splits below every node, upper splits and groups of every tree; return the size of all tables, or -1."""
    order = np.empty(len(left), dtype=np.int64)
    stack = np.empty(2048, dtype=np.int64)
    depths = np.empty(2048, dtype=np.int64)
    path = np.empty(1024, dtype=np.int64)
    names = np.empty(1024, dtype=np.int64)
    size = 0
    for tree in range(len(roots)):
        stack[0], top, n = roots[tree], 1, 0
        while top:
            top -= 1
            node = stack[top]
            order[n] = node
            n += 1
            if left[node] >= 0:
                stack[top], stack[top + 1] = right[node], left[node]
                top += 2
        for k in range(n - 1, -1, -1):
            node = order[k]
            below[node] = 1 + below[left[node]] + below[right[node]] if left[node] >= 0 else 0
        uppers, groups = 0, 0
        stack[0], depths[0], top = roots[tree], 0, 1
        while top:
            top -= 1
            node, depth = stack[top], depths[top]
            if below[node] > SPLITS:
                uppers += 1
                path[depth] = feature[node]
                stack[top], depths[top] = right[node], depth + 1
                stack[top + 1], depths[top + 1] = left[node], depth + 1
                top += 2
                continue
            groups += 1
            distinct = 0
            for d in range(depth):
                new = True
                for k in range(distinct):
                    new &= names[k] != path[d]
                if new:
                    names[distinct] = path[d]
                    distinct += 1
            if distinct + below[node] > MOST_BITS:
                return -1
            size += (1 << (distinct + below[node])) * (distinct + below[node])
        upper_start[tree + 1] = upper_start[tree] + uppers
        group_start[tree + 1] = group_start[tree] + groups
    return size


@compiled()
def _lay_groups(
    roots: Any,
    left: Any,
    right: Any,
    feature: Any,
    below: Any,
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
) -> None:
    """Write upper splits and groups of every tree in pre-order."""
    stack = np.empty(2048, dtype=np.int64)
    hangs = np.empty((2048, 3), dtype=np.int64)  # place, left, depth
    names = np.empty((1024, MOST_BITS + 1), dtype=np.int64)  # distinct features on the path to each depth
    count = np.zeros(1024, dtype=np.int64)
    bit = np.zeros(1024, dtype=np.int64)  # bit of the feature of the split at each depth
    inner = np.empty(2 * SPLITS + 2, dtype=np.int64)
    for tree in range(len(roots)):
        u, g = upper_start[tree], group_start[tree]
        stack[0], top = roots[tree], 1
        hangs[0, 0], hangs[0, 1], hangs[0, 2] = 0, 1, 0
        count[0] = 0
        while top:
            top -= 1
            node, place, is_left, depth = stack[top], hangs[top, 0], hangs[top, 1], hangs[top, 2]
            at_bit = bit[depth - 1] if depth else 0
            if below[node] > SPLITS:
                upper_node[u] = node
                upper_hang[u, 0], upper_hang[u, 1], upper_hang[u, 2] = place, is_left, at_bit
                u += 1
                n = count[depth]
                bit[depth] = n
                for k in range(n):
                    names[depth + 1, k] = names[depth, k]
                    if names[depth, k] == feature[node]:
                        bit[depth] = k
                if bit[depth] == n:
                    names[depth + 1, n] = feature[node]
                    count[depth + 1] = n + 1
                else:
                    count[depth + 1] = n
                for side in range(2):
                    stack[top] = left[node] if side else right[node]
                    hangs[top, 0], hangs[top, 1], hangs[top, 2] = u - upper_start[tree], side, depth + 1
                    top += 1
                continue
            group_root[g] = node
            group_hang[g, 0], group_hang[g, 1], group_hang[g, 2] = place, is_left, at_bit
            group_path[g] = group_columns[g] = count[depth]
            for k in range(count[depth]):
                group_features[g, k] = names[depth, k]
            inner[0], left_over = node, 1
            while left_over:
                left_over -= 1
                at = inner[left_over]
                if left[at] < 0:
                    continue
                group_node[g, group_splits[g]] = at
                group_splits[g] += 1
                new = True
                for k in range(group_columns[g]):
                    new &= group_features[g, k] != feature[at]
                if new:
                    group_features[g, group_columns[g]] = feature[at]
                    group_columns[g] += 1
                inner[left_over], inner[left_over + 1] = right[at], left[at]
                left_over += 2
            table_start[g + 1] = table_start[g] + (1 << (group_path[g] + group_splits[g])) * group_columns[g]
            g += 1


@compiled()
def _look_up_in_blocks(
    X: Any,
    output: Any,
    rule: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    plain: bool,
    upper_start: Any,
    group_start: Any,
    upper_node: Any,
    upper_hang: Any,
    group_hang: Any,
    group_node: Any,
    group_path: Any,
    group_splits: Any,
    group_features: Any,
    group_columns: Any,
    table_start: Any,
    table: Any,
    upper_feature: Any,
    upper_threshold: Any,
    upper_default: Any,
    node_feature: Any,
    node_threshold: Any,
    node_default: Any,
    leaf_value: Any,
    margins: Any,
    out: Any,
) -> None:
    n_rows, n_features = X.shape
    n_outputs = out.shape[2]
    most = 1
    for tree in range(len(output)):
        most = max(most, 1 + upper_start[tree + 1] - upper_start[tree])
    XT = np.zeros((n_features, BLOCK), dtype=np.float64)
    phi = np.zeros((n_outputs, n_features, BLOCK), dtype=np.float64)
    sums = np.zeros((n_outputs, BLOCK), dtype=np.float64)
    side = np.ones((most, BLOCK), dtype=np.int32)
    pattern = np.full((most, BLOCK), -1, dtype=np.int32)
    index = np.zeros(BLOCK, dtype=np.uint32)
    for first in range(0, n_rows, BLOCK):
        rows = min(BLOCK, n_rows - first)
        width = (rows + 15) // 16 * 16  # whole vectors, of which the last may hold rows that nobody asked for
        for i in range(rows):
            for f in range(n_features):
                XT[f, i] = X[first + i, f]
            for o in range(n_outputs):
                sums[o, i] = margins[first + i, o]
        phi[:] = 0.0
        for tree in range(len(output)):
            mine, total = phi[output[tree]], sums[output[tree]]
            for u in range(upper_start[tree], upper_start[tree + 1]):
                place = u - upper_start[tree] + 1
                hang, on_left, bit = upper_hang[u, 0], np.int32(upper_hang[u, 1]), np.int32(upper_hang[u, 2])
                up, up_side, here, mine_side = pattern[hang], side[hang], pattern[place], side[place]
                for b in range(width):
                    here[b] = up[b] & ~((up_side[b] ^ on_left) << bit)
                x, t, default, n = XT[upper_feature[u]], upper_threshold[u], upper_default[u], upper_node[u]
                if plain or rule[n] == 0:
                    for b in range(width):
                        mine_side[b] = (x[b] <= t) | (default & (x[b] != x[b]))
                else:
                    for b in range(width):
                        mine_side[b] = goes_left(
                            x[b], t, rule[n], default, set_start[n], set_words[n], listed_left[n], sets
                        )
            for g in range(group_start[tree], group_start[tree + 1]):
                hang, on_left, bit = group_hang[g, 0], np.int32(group_hang[g, 1]), np.int32(group_hang[g, 2])
                mask = np.int32((1 << group_path[g]) - 1)
                columns = np.uint32(group_columns[g])
                up, up_side = pattern[hang], side[hang]
                for b in range(width):
                    index[b] = np.uint32((up[b] & ~((up_side[b] ^ on_left) << bit)) & mask)
                for k in range(group_splits[g]):
                    x, t, default, n = (
                        XT[node_feature[g, k]],
                        node_threshold[g, k],
                        node_default[g, k],
                        group_node[g, k],
                    )
                    shift = np.uint32(group_path[g] + k)
                    if plain or rule[n] == 0:
                        for b in range(width):
                            index[b] |= np.uint32((x[b] <= t) | (default & (x[b] != x[b]))) << shift
                    else:
                        for b in range(width):
                            at = goes_left(x[b], t, rule[n], default, set_start[n], set_words[n], listed_left[n], sets)
                            index[b] |= np.uint32(at) << shift
                leaf, above, path = leaf_value[g], np.uint32(mask), np.uint32(group_path[g])
                for b in range(width):
                    # the row meets the whole path: its leaf is in this group
                    whole = total[b] + leaf[index[b] >> path]
                    total[b] = whole if index[b] & above == above else total[b]
                for b in range(width):
                    index[b] *= columns
                lines = table[table_start[g] : table_start[g + 1]]
                for c in range(columns):
                    to, column = mine[group_features[g, c]], lines[c:]
                    for b in range(width):
                        to[b] += column[index[b]]
        for i in range(rows):
            for o in range(n_outputs):
                margins[first + i, o] = sums[o, i]
            for f in range(n_features):
                for o in range(n_outputs):
                    out[first + i, f, o] = phi[o, f, i]


@compiled()
def _look_up_one_by_one(
    X: Any,
    output: Any,
    rule: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    plain: bool,
    upper_start: Any,
    group_start: Any,
    upper_node: Any,
    upper_hang: Any,
    group_hang: Any,
    group_node: Any,
    group_path: Any,
    group_splits: Any,
    group_features: Any,
    group_columns: Any,
    table_start: Any,
    table: Any,
    upper_feature: Any,
    upper_threshold: Any,
    upper_default: Any,
    node_feature: Any,
    node_threshold: Any,
    node_default: Any,
    leaf_value: Any,
    margins: Any,
    out: Any,
) -> None:
    most = 1
    for tree in range(len(output)):
        most = max(most, 1 + upper_start[tree + 1] - upper_start[tree])
    # unsigned throughout: numba then indexes without asking for negative numbers
    side = np.ones(most, dtype=np.uint64)
    pattern = np.full(most, 0xFFFFFFFF, dtype=np.uint64)
    one = np.uint64(1)
    for i in range(X.shape[0]):
        x = X[i]
        complete = plain
        for f in range(len(x)):
            complete &= x[f] == x[f]
        for tree in range(len(output)):
            to = out[i, :, output[tree]]
            for u in range(upper_start[tree], upper_start[tree + 1]):
                place = np.uint64(u - upper_start[tree] + 1)
                hang, on_left, bit = (
                    np.uint64(upper_hang[u, 0]),
                    np.uint64(upper_hang[u, 1]),
                    np.uint64(upper_hang[u, 2]),
                )
                pattern[place] = pattern[hang] & ~((side[hang] ^ on_left) << bit)
                value, t, default = x[np.uint64(upper_feature[u])], upper_threshold[u], upper_default[u]
                if complete:
                    side[place] = np.uint64(value <= t)
                elif plain:
                    side[place] = np.uint64((value <= t) | (default & (value != value)))
                else:
                    n = upper_node[u]
                    at = goes_left(value, t, rule[n], default, set_start[n], set_words[n], listed_left[n], sets)
                    side[place] = np.uint64(at)
            for g in range(group_start[tree], group_start[tree + 1]):
                hang, on_left, bit = (
                    np.uint64(group_hang[g, 0]),
                    np.uint64(group_hang[g, 1]),
                    np.uint64(group_hang[g, 2]),
                )
                path = np.uint64(group_path[g])
                index = (pattern[hang] & ~((side[hang] ^ on_left) << bit)) & ((one << path) - one)
                bits = np.uint64(0)
                if complete:
                    for k in range(SPLITS):
                        at = x[np.uint64(node_feature[g, k])] <= node_threshold[g, k]
                        bits |= np.uint64(at) << np.uint64(k)
                    bits &= (one << np.uint64(group_splits[g])) - one
                elif plain:
                    for k in range(SPLITS):
                        value, t = x[np.uint64(node_feature[g, k])], node_threshold[g, k]
                        bits |= np.uint64((value <= t) | (node_default[g, k] & (value != value))) << np.uint64(k)
                    bits &= (one << np.uint64(group_splits[g])) - one
                else:
                    for k in range(group_splits[g]):
                        n = group_node[g, k]
                        at = goes_left(
                            x[node_feature[g, k]], node_threshold[g, k], rule[n], node_default[g, k],
                            set_start[n], set_words[n], listed_left[n], sets,
                        )  # fmt: skip
                        bits |= np.uint64(at) << np.uint64(k)
                if index == (one << path) - one:  # the row meets the whole path: its leaf is in this group
                    margins[i, output[tree]] += leaf_value[g, bits]
                columns = np.uint64(group_columns[g])
                line = np.uint64(table_start[g]) + (index | (bits << path)) * columns
                for c in range(columns):
                    to[np.uint64(group_features[g, c])] += table[line + c]
