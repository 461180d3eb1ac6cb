"""Exact interventional Shapley values: what a feature adds when absent ones are taken from background rows.

Small models are served from pattern tables, so the size of the background does not matter any more. Larger ones
keep, for every leaf, the distinct ways in which background rows meet the features on its path. A leaf counts for
a row and a background row only if every feature is met by one of the two; with a features met by the row alone
and b by the background row alone, the row's share of the orders is (a-1)! b! / (a+b)!, the other's a! (b-1)! / (a+b)!.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import ModelRefused, Nodes
from explainers.trees.patterns import PatternTables, explain_by_tables
from explainers.trees.routes import goes_left, sum_leaves
from explainers.trees.tables import background_tables
from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]

REMEMBERED = 8
"""How many pairs of model and background are kept in memory."""

MOST_DISTINCT = 63
"""Features on one path that fit into a word."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeafLists:
    """For every node, how background rows meet the features on the path to it, as bits.

    `bit` is the bit of a split's feature, `distinct` how many bits a node's path has, `anyone` the bits that at
    least one background row meets. Leaf n owns entries `start[n]` to `start[n + 1]` of `pattern` and `share`.
    """

    bit: npt.NDArray[np.uint64]
    distinct: npt.NDArray[np.uint64]
    anyone: npt.NDArray[np.uint64]
    start: npt.NDArray[np.int64]
    pattern: npt.NDArray[np.uint64]
    share: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """A model prepared against background rows: their mean margin, and tables or lists."""

    base: Floats
    how: PatternTables | LeafLists

    def explain(self, nodes: Nodes, X: Floats, offset: Floats) -> tuple[Floats, Floats]:
        """Return contributions of shape (n_rows, n_features, n_outputs), and margins of shape (n_rows, n_outputs)."""
        if isinstance(self.how, PatternTables):
            return explain_by_tables(nodes, self.how, X, offset)
        return _explain_by_lists(nodes, self.how, X, len(self.base)), sum_leaves(nodes, X, offset)

    @property
    def nbytes(self) -> int:
        """Bytes held by the preparation."""
        if isinstance(self.how, PatternTables):
            return self.how.nbytes
        return sum(a.nbytes for a in vars(self.how).values())


_MEMORY: OrderedDict[str, Background] = OrderedDict()


def against_rows(nodes: Nodes, offset: Floats, digest: str, rows: Floats) -> Background:
    """Return the preparation of a model against background rows, remembered by both digests.

    Raises
    ------
    Malformed
        When there are no rows.
    ModelRefused
        When a path constrains more than 63 features.
    """
    if not len(rows):
        raise Malformed(
            Sentence(
                en="the background has no rows; hand over some rows the model usually sees",
                zh="背景数据为空，请提供模型日常所见的若干行数据",
            )
        )
    key = f"{digest}:{hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()}"
    found = _MEMORY.get(key)
    if found is None:
        found = _MEMORY[key] = _prepared(nodes, offset, rows)
        while len(_MEMORY) > REMEMBERED:
            _MEMORY.popitem(last=False)
    return found


def _prepared(nodes: Nodes, offset: Floats, rows: Floats) -> Background:
    goes = np.zeros((len(nodes), len(rows)), dtype=np.bool_)
    _ask_all(
        rows, nodes.left, nodes.feature, nodes.threshold, nodes.rule, nodes.default_left,
        nodes.set_start, nodes.set_words, nodes.listed_left, nodes.sets, goes,
    )  # fmt: skip
    base = sum_leaves(nodes, rows, offset).mean(axis=0)
    tables = background_tables(nodes, goes)
    return Background(base=base, how=_lists(nodes, goes) if tables is None else tables)


def _explain_by_lists(nodes: Nodes, how: LeafLists, X: Floats, n_outputs: int) -> Floats:
    out = np.zeros((len(X), X.shape[1], n_outputs))
    orders = _orders(int(how.distinct.max(initial=0)) + 1)
    _walk_lists(
        X, nodes.roots, nodes.output, nodes.left, nodes.right, nodes.feature, nodes.threshold, nodes.value,
        nodes.rule, nodes.default_left, nodes.set_start, nodes.set_words, nodes.listed_left, nodes.sets,
        how.bit, how.distinct, how.anyone, how.start, how.pattern, how.share, orders, out,
    )  # fmt: skip
    return out


def _orders(most: int) -> Floats:
    """Return a! b! / (a + b + 1)!: the share of orders in which a given features come first and b last."""
    made = np.ones((most + 1, most + 1))
    for a in range(most + 1):
        for b in range(most + 1):
            value = 1.0
            for k in range(1, b + 1):
                value *= k / (a + k)
            made[a, b] = value / (a + b + 1)
    return made


@compiled()
def _ask_all(
    rows: Any,
    left: Any,
    feature: Any,
    threshold: Any,
    rule: Any,
    default_left: Any,
    set_start: Any,
    set_words: Any,
    listed_left: Any,
    sets: Any,
    goes: Any,
) -> None:
    for n in range(len(left)):
        if left[n] >= 0:
            for z in range(len(rows)):
                goes[n, z] = goes_left(
                    rows[z, feature[n]], threshold[n], rule[n], default_left[n],
                    set_start[n], set_words[n], listed_left[n], sets,
                )  # fmt: skip


def _lists(nodes: Nodes, goes: npt.NDArray[np.bool_]) -> LeafLists:
    n = len(nodes)
    bit, distinct, anyone = (np.zeros(n, dtype=np.uint64) for _ in range(3))
    start = np.zeros(n + 1, dtype=np.int64)
    found = (np.zeros(0, dtype=np.uint64), np.zeros(0))
    for _ in range(2):  # first to count, then to write
        good = _fill_lists(
            nodes.roots, nodes.left, nodes.right, nodes.feature, goes, bit, distinct, anyone, start, *found
        )
        if not good:
            raise ModelRefused(
                Sentence(
                    en=f"a path constrains more than {MOST_DISTINCT} features; explain this model without a background",
                    zh=f"某条路径涉及超过 {MOST_DISTINCT} 个特征，请不带背景数据解释该模型",
                )
            )
        if not len(found[0]):
            np.cumsum(start, out=start)
            found = (np.zeros(int(start[-1]), dtype=np.uint64), np.zeros(int(start[-1])))
    return LeafLists(bit=bit, distinct=distinct, anyone=anyone, start=start, pattern=found[0], share=found[1])


@compiled()
def _fill_lists(
    roots: Any,
    left: Any,
    right: Any,
    feature: Any,
    goes: Any,
    bit: Any,
    distinct: Any,
    anyone: Any,
    start: Any,
    pattern: Any,
    share: Any,
) -> bool:
    """Write bits and lists of all nodes; with an empty `pattern` only count, into `start` shifted by one."""
    rows = goes.shape[1]
    stack = np.empty(2048, dtype=np.int64)
    parents = np.empty(2048, dtype=np.int64)
    depths = np.empty(2048, dtype=np.int64)
    names = np.zeros((1024, 64), dtype=np.int64)
    count = np.zeros(1024, dtype=np.int64)
    met = np.zeros((1024, rows), dtype=np.uint64)
    one = np.uint64(1)
    for tree in range(len(roots)):
        stack[0], parents[0], depths[0], top = roots[tree], -1, 0, 1
        met[0, :] = np.uint64(0xFFFFFFFFFFFFFFFF)
        while top:
            top -= 1
            node, parent, depth = stack[top], parents[top], depths[top]
            if depth:
                n, place = count[depth - 1], -1
                for k in range(n):
                    names[depth, k] = names[depth - 1, k]
                    if names[depth - 1, k] == feature[parent]:
                        place = k
                if place < 0:
                    if n >= 63:
                        return False
                    place = n
                    names[depth, n] = feature[parent]
                    n += 1
                count[depth] = n
                bit[parent] = place
                to_left = left[parent] == node
                for z in range(rows):
                    kept = met[depth - 1, z]
                    met[depth, z] = kept if goes[parent, z] == to_left else kept & ~(one << np.uint64(place))
            full = (one << np.uint64(count[depth])) - one
            distinct[node] = count[depth]
            every = np.uint64(0)
            for z in range(rows):
                every |= met[depth, z] & full
            anyone[node] = every
            if left[node] >= 0:
                stack[top], parents[top], depths[top] = right[node], node, depth + 1
                stack[top + 1], parents[top + 1], depths[top + 1] = left[node], node, depth + 1
                top += 2
                continue
            kinds = np.sort(met[depth] & full)
            if len(pattern) == 0:
                start[node + 1] = 1
                for z in range(1, rows):
                    start[node + 1] += kinds[z] != kinds[z - 1]
                continue
            at = start[node] - 1
            for z in range(rows):
                if z == 0 or kinds[z] != kinds[z - 1]:
                    at += 1
                    pattern[at] = kinds[z]
                share[at] += 1.0 / rows
    return True


@compiled()
def _walk_lists(
    X: Any,
    roots: Any,
    output: Any,
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
    bit: Any,
    distinct: Any,
    anyone: Any,
    start: Any,
    pattern: Any,
    share: Any,
    orders: Any,
    out: Any,
) -> None:
    stack = np.empty(2048, dtype=np.int64)
    masks = np.empty(2048, dtype=np.uint64)
    depths = np.empty(2048, dtype=np.int64)
    path = np.empty(1024, dtype=np.int64)  # feature behind each bit
    one = np.uint64(1)
    gained = np.zeros(64, dtype=np.float64)
    for i in range(X.shape[0]):
        x = X[i]
        for tree in range(len(roots)):
            to = out[i, :, output[tree]]
            stack[0], masks[0], depths[0], top = roots[tree], np.uint64(0xFFFFFFFFFFFFFFFF), 0, 1
            while top:
                top -= 1
                node, own = stack[top], masks[top]
                bits = distinct[node]
                full = (one << bits) - one
                missing = full & ~own
                if missing & ~anyone[node]:
                    continue  # a feature that neither the row nor any background row meets
                if left[node] >= 0:
                    f, b = feature[node], bit[node]
                    path[b] = f
                    at = goes_left(
                        x[f], threshold[node], rule[node], default_left[node],
                        set_start[node], set_words[node], listed_left[node], sets,
                    )  # fmt: skip
                    lost = own & ~(one << b)
                    stack[top], masks[top] = right[node], lost if at else own
                    stack[top + 1], masks[top + 1] = left[node], own if at else lost
                    top += 2
                    continue
                b = 0
                rest = missing
                while rest:
                    b += 1
                    rest &= rest - one
                less = 0.0
                m = np.int64(bits)
                gained[:m] = 0.0
                for k in range(start[node], start[node + 1]):
                    z = pattern[k]
                    if missing & ~z:
                        continue
                    alone = own & full & ~z
                    a = 0
                    rest = alone
                    while rest:
                        a += 1
                        rest &= rest - one
                    if b:
                        less += share[k] * orders[a, b - 1]
                    if a:
                        plus = share[k] * orders[a - 1, b]
                        for j in range(m):
                            if alone >> np.uint64(j) & one:
                                gained[j] += plus
                for j in range(m):
                    change = gained[j] - (less if missing >> np.uint64(j) & one else 0.0)
                    to[path[j]] += value[node] * change
