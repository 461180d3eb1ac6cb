"""Shapley values by their definition: every subset of features, one after the other. Slow and plain on purpose."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

from explainers.links import Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.gathering import Gathering, OneTree, bit_words
from explainers.trees.nodes import CATEGORIES, NAN_BY_DEFAULT, ZERO, ZERO_IS_MISSING, Nodes

Floats = npt.NDArray[np.float64]


def shapley(worth: Callable[[frozenset[int]], float], n: int) -> Floats:
    """Return the Shapley values of a game of n players."""
    known = {frozenset(s): worth(frozenset(s)) for k in range(n + 1) for s in combinations(range(n), k)}
    phi = np.zeros(n)
    for i in range(n):
        for without, value in known.items():
            if i not in without:
                share = factorial(len(without)) * factorial(n - len(without) - 1) / factorial(n)
                phi[i] += share * (known[without | {i}] - value)
    return phi


def goes_left(nodes: Nodes, node: int, x: float) -> bool:
    """Answer a split as the docstring of `Nodes` says, in plain Python."""
    rule, default = nodes.rule[node], bool(nodes.default_left[node])
    if rule == CATEGORIES:
        if np.isnan(x):
            return default
        start, words = nodes.set_start[node], nodes.set_words[node]
        members = {32 * w + b for w in range(words) for b in range(32) if int(nodes.sets[start + w]) >> b & 1}
        return (x >= 0 and int(x) in members) == bool(nodes.listed_left[node])
    if rule == NAN_BY_DEFAULT and np.isnan(x):
        return default
    x = 0.0 if np.isnan(x) else x
    if rule == ZERO_IS_MISSING and abs(x) <= ZERO:
        return default
    return bool(x <= nodes.threshold[node])


def expected(nodes: Nodes, node: int, row: Floats, known: frozenset[int]) -> float:
    """Return what a tree says when only `known` features are: elsewhere both sides by their cover."""
    if nodes.left[node] < 0:
        return float(nodes.value[node])
    sides = (int(nodes.left[node]), int(nodes.right[node]))
    if int(nodes.feature[node]) in known:
        at = sides[0] if goes_left(nodes, node, row[nodes.feature[node]]) else sides[1]
        return expected(nodes, at, row, known)
    cover = float(nodes.cover[node])
    shares = [float(nodes.cover[s]) / cover if cover > 0 else 0.5 for s in sides]
    return sum(share * expected(nodes, s, row, known) for share, s in zip(shares, sides, strict=True))


def by_paths(ensemble: TreeEnsemble, row: Floats) -> Floats:
    """Return path-dependent Shapley values of one row, shape (n_features, n_outputs)."""
    n = len(ensemble.feature_names)
    nodes = ensemble.nodes
    return np.stack(
        [
            shapley(
                lambda known, k=k: sum(
                    expected(nodes, int(r), row, known)
                    for r, o in zip(nodes.roots, nodes.output, strict=True)
                    if o == k
                ),
                n,
            )
            for k in range(ensemble.n_outputs)
        ],
        axis=1,
    )


def against(ensemble: TreeEnsemble, row: Floats, background: Floats) -> Floats:
    """Return interventional Shapley values of one row, shape (n_features, n_outputs)."""
    n = len(ensemble.feature_names)

    def worth(known: frozenset[int], k: int) -> float:
        mixed = background.copy()
        columns = sorted(known)
        mixed[:, columns] = row[columns]
        return float(np.mean(ensemble.margins(mixed).reshape(len(mixed), -1)[:, k]))

    return np.stack([shapley(lambda s, k=k: worth(s, k), n) for k in range(ensemble.n_outputs)], axis=1)


def random_tree(
    random: np.random.Generator, n_features: int, depth: int, *, rules: tuple[int, ...] = (NAN_BY_DEFAULT,)
) -> OneTree:
    """Return a tree with few thresholds (so rows hit them), repeated features and some covers of zero."""
    columns: dict[str, list[float]] = {k: [] for k in ("left", "right", "feature", "threshold", "value", "cover")}
    more: dict[str, list[int]] = {k: [] for k in ("default_left", "rule", "set_start", "set_words", "listed_left")}
    words: list[npt.NDArray[np.uint32]] = []

    def grow(level: int, cover: float) -> int:
        at = len(columns["left"])
        for name in (*columns, *more):
            (columns if name in columns else more)[name].append(0)
        columns["left"][at] = columns["right"][at] = columns["feature"][at] = -1
        columns["cover"][at] = cover
        if level == depth or random.random() < 0.15:
            columns["value"][at] = random.normal()
            return at
        columns["feature"][at] = int(random.integers(n_features))
        columns["threshold"][at] = float(random.integers(-2, 3)) / 2
        more["default_left"][at] = int(random.integers(2))
        more["rule"][at] = int(random.choice(rules))
        if more["rule"][at] == CATEGORIES:
            bits = bit_words(random.choice(40, size=5, replace=False))
            more["set_start"][at], more["set_words"][at] = sum(len(w) for w in words), len(bits)
            more["listed_left"][at] = int(random.integers(2))
            words.append(bits)
        share = float(random.choice([0.0, 1.0, 0.5, random.random()], p=[0.08, 0.07, 0.25, 0.6]))
        columns["left"][at] = grow(level + 1, cover * share)
        columns["right"][at] = grow(level + 1, cover * (1 - share))
        return at

    grow(0, 64.0)
    made = {name: np.array(values) for name, values in (columns | more).items()}
    return OneTree(**made, sets=np.concatenate(words) if words else np.zeros(0, np.uint32))


def random_chain(random: np.random.Generator, n_features: int, depth: int) -> OneTree:
    """Return a tree that is one long path with a leaf at every step."""
    n = 2 * depth + 1
    left, right, feature = np.full(n, -1), np.full(n, -1), np.full(n, -1)
    cover, value = np.zeros(n), np.zeros(n)
    threshold = np.zeros(n)
    node, cover[0] = 0, 100.0
    for level in range(depth):
        on, off = 2 * level + 1, 2 * level + 2
        left[node], right[node] = (on, off) if random.random() < 0.5 else (off, on)
        feature[node], threshold[node] = random.integers(n_features), random.normal()
        share = random.random() * 0.5
        cover[off], cover[on] = cover[node] * share, cover[node] * (1 - share)
        value[off] = random.normal()
        node = on
    value[node] = random.normal()
    none = np.zeros(n, dtype=bool)
    return OneTree(
        left=left, right=right, feature=feature, threshold=threshold, value=value, cover=cover, default_left=none
    )


ALL_RULES = (NAN_BY_DEFAULT, ZERO_IS_MISSING, CATEGORIES)


def ensemble_of(trees: list[OneTree], n_features: int, n_outputs: int = 1, link: str = "identity") -> TreeEnsemble:
    """Return an ensemble of these trees; outputs take turns."""
    gathering = Gathering()
    for i, tree in enumerate(trees):
        tree.output = i % n_outputs
        gathering.add(tree)
    nodes = gathering.nodes()
    return TreeEnsemble(
        nodes=nodes,
        offset=np.linspace(0.25, 0.5, n_outputs),
        feature_names=tuple(f"x{i}" for i in range(n_features)),
        link=Link(link),
        digest=str(hash((nodes.value.tobytes(), nodes.cover.tobytes(), nodes.feature.tobytes(), n_features))),
        made_by="test",
    )


def random_rows(random: np.random.Generator, n: int, n_features: int) -> Floats:
    """Return rows of which many sit exactly on thresholds, some are zero and some are missing."""
    rows = random.choice(np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 17.0, 1e-36, np.nan]), size=(n, n_features))
    other = random.normal(size=(n, n_features))
    return np.where(random.random((n, n_features)) < 0.4, other, rows)
