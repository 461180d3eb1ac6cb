"""What the path-dependent kernels know before they see a row: for every split, its factors at every quadrature node.

In a tree, let a leaf's path constrain m distinct features; o_i in {0, 1} says whether the row meets the splits
on feature i, r_i is the product of their cover ratios. Then

    phi_i = sum over leaves  v (o_i - r_i) * integral over t in [0, 1] of  prod over j != i of (t o_j + (1 - t) r_j)

because |S|! (m-|S|-1)! / m! is the integral of t^|S| (1-t)^(m-1-|S|). The integrand is a polynomial of degree
m - 1 in t, so Gauss-Legendre with ceil(m / 2) nodes is exact. Leaves below one edge share its factor. Walking
down, P[t] is the product of the factors so far; walking up, H[t] is the sum of v P[t] over the leaves below;
dividing feature i's own factor out again is one constant per state of the edge:

    o = 1:  (1 - r) / (t + (1 - t) r)      o = 0:  -r / ((1 - t) r) = -1 / (1 - t)

The common 1 / (1 - t) is folded into the weights. A feature that splits again further down replaces its factor,
so such an edge has three states, o_above + o_here, and its constants are differences to the edge above.
Leaves need no walk at all: what the leaves right below a split give to its feature and to the sum above is P of
the split times one constant per state of the split.
(Lundberg 2018; the sharing along edges follows Linear TreeSHAP, Yu 2022.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import Nodes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Splits of all trees in the order the kernels walk them (each tree in pre-order).

    The first ten arrays have one entry per split. States are numbered 0: the row left this feature's splits
    further up; 1: it takes the other side here; 2: it takes this side. For the leaves below a split, 1 and 2 are
    right and left. Each state owns `width` quadrature nodes, a multiple of four, those not used being zero.

    Parameters
    ----------
    feature, threshold, rule, default_left, node
        The split itself, and its number in the ensemble.
    depth : int
        0 for the root.
    above : int
        Depth of the split below the nearest edge further up with the same feature as the edge into this split;
        0 for none. `leaf_above` is the same for the edges out of this split.
    exits : int
        How many edges end after this split on the way up.
    from_left : bool
        Whether this split is the left child of the one above.
    has_leaf : bool
        Whether a leaf hangs right below.
    grow, give : float32 arrays of shape (n_splits, 3, width)
        For the edge into the split: the factor of P, and the coefficient of H in the contribution.
    leaf_give, leaf_sum : float32 arrays of shape (n_splits, 3, width)
        For the leaves below: what P contributes to the split's feature, and to H.
    tree_start : int array of shape (n_trees + 1,)
        Where the splits of each tree begin.
    tree_width : int array of shape (n_trees,)
        Quadrature nodes in use in each tree.
    weights : float32 array of shape (n_trees, width)
        Weights of the tree's quadrature rule, divided by 1 - t.
    """

    feature: Ints
    threshold: Floats
    rule: npt.NDArray[np.uint8]
    default_left: npt.NDArray[np.bool_]
    node: Ints
    depth: Ints
    above: Ints
    leaf_above: Ints
    exits: Ints
    from_left: npt.NDArray[np.bool_]
    has_leaf: npt.NDArray[np.bool_]
    grow: Singles
    give: Singles
    leaf_give: Singles
    leaf_sum: Singles
    tree_start: npt.NDArray[np.int64]
    tree_width: Ints
    weights: Singles
    deepest: int
    n_features: int

    @property
    def nbytes(self) -> int:
        """Bytes held by the preparation."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))


def make_prepared(nodes: Nodes, n_features: int) -> Prepared:
    """Return the splits of all trees with their constants."""
    n_trees = len(nodes.roots)
    tree_start = np.zeros(n_trees + 1, dtype=np.int64)
    distinct = np.zeros(n_trees, dtype=np.int32)
    deepest = int(_measure(nodes.roots, nodes.left, nodes.right, nodes.feature, tree_start, distinct))
    n = int(tree_start[-1])
    tree_width = np.maximum((distinct + 1) // 2, 1).astype(np.int32)
    width = 4 * -(-int(tree_width.max(initial=1)) // 4)
    points, weights = _quadrature(tree_width, width)
    ints: dict[str, Ints] = {k: np.zeros(n, np.int32) for k in ("node", "depth", "above", "leaf_above", "exits")}
    flags = {k: np.zeros(n, np.bool_) for k in ("from_left", "has_leaf")}
    constants = {k: np.zeros((n, 3, width), np.float32) for k in ("grow", "give", "leaf_give", "leaf_sum")}
    _lay_splits(
        nodes.roots,
        nodes.left,
        nodes.right,
        nodes.feature,
        nodes.cover,
        nodes.value,
        tree_start,
        tree_width,
        points,
        deepest,
        *ints.values(),
        *flags.values(),
        *constants.values(),
    )
    at = ints["node"]
    return Prepared(
        feature=nodes.feature[at],
        threshold=nodes.threshold[at],
        rule=nodes.rule[at],
        default_left=nodes.default_left[at],
        tree_start=tree_start,
        tree_width=tree_width,
        weights=weights,
        deepest=deepest,
        n_features=n_features,
        node=at,
        depth=ints["depth"],
        above=ints["above"],
        leaf_above=ints["leaf_above"],
        exits=ints["exits"],
        from_left=flags["from_left"],
        has_leaf=flags["has_leaf"],
        grow=constants["grow"],
        give=constants["give"],
        leaf_give=constants["leaf_give"],
        leaf_sum=constants["leaf_sum"],
    )


def cover_mean(nodes: Nodes, offset: Floats) -> Floats:
    """Return offset plus the cover-weighted mean of every tree, shape (n_outputs,): the base of its contributions."""
    base = offset.copy()
    _add_means(nodes.roots, nodes.output, nodes.left, nodes.right, nodes.cover, nodes.value, base)
    return base


@compiled()
def _add_means(roots: Any, output: Any, left: Any, right: Any, cover: Any, value: Any, base: Any) -> None:
    stack = np.empty(2048, dtype=np.int64)
    reach = np.empty(2048, dtype=np.float64)
    for tree in range(len(roots)):
        stack[0], reach[0], top = roots[tree], 1.0, 1
        while top:
            top -= 1
            node, share = stack[top], reach[top]
            if left[node] < 0:
                base[output[tree]] += value[node] * share
                continue
            known = cover[node] > 0
            stack[top], reach[top] = right[node], share * (cover[right[node]] / cover[node] if known else 0.5)
            stack[top + 1], reach[top + 1] = left[node], share * (cover[left[node]] / cover[node] if known else 0.5)
            top += 2


def _quadrature(tree_width: Ints, width: int) -> tuple[Floats, Singles]:
    """Return every tree's points in [0, 1] and weights / (1 - t), padded to one width."""
    points = np.zeros((len(tree_width), width))
    weights = np.zeros((len(tree_width), width), dtype=np.float32)
    for q in np.unique(tree_width).tolist():
        x, w = np.polynomial.legendre.leggauss(q)
        t = (x + 1) / 2
        mine = tree_width == q
        points[mine, :q] = t
        weights[mine, :q] = w / 2 / (1 - t)
    return points, weights


@compiled()
def _measure(roots: Any, left: Any, right: Any, feature: Any, tree_start: Any, distinct: Any) -> int:
    """Count every tree's splits and the distinct features on its richest path; return the greatest depth."""
    deepest = 0
    stack = np.empty(2048, dtype=np.int64)
    depths = np.empty(2048, dtype=np.int64)
    path = np.empty(1024, dtype=np.int64)
    count = np.zeros(1024, dtype=np.int64)
    for tree in range(len(roots)):
        stack[0], depths[0], top, splits = roots[tree], 0, 1, 0
        while top:
            top -= 1
            node, depth = stack[top], depths[top]
            deepest = max(deepest, depth)
            if left[node] < 0:
                distinct[tree] = max(distinct[tree], count[depth])
                continue
            splits += 1
            path[depth] = feature[node]
            new = 1
            for further_up in range(depth):
                if path[further_up] == feature[node]:
                    new = 0
            count[depth + 1] = count[depth] + new
            stack[top], depths[top] = right[node], depth + 1
            stack[top + 1], depths[top + 1] = left[node], depth + 1
            top += 2
        tree_start[tree + 1] = tree_start[tree] + splits
    return deepest


@compiled()
def _factors(t: float, r: float, before: float, repeated: bool) -> tuple[float, float, float, float, float]:
    """Return the factors of an edge in states 0, 1 and 2, and its contribution in states 1 and 2.

    `r` is the product of the cover ratios of the feature down to here, `before` down to the edge above.
    """
    met = t + (1 - t) * r
    own = (1 - r) * (1 - t) / met
    if not repeated:
        return 0.0, (1 - t) * r, met, -1.0, own
    met_before = t + (1 - t) * before
    own_before = (1 - before) * (1 - t) / met_before
    outside = r / before if before > 0 else 0.0
    return outside, (1 - t) * r / met_before, met / met_before, -1.0 - own_before, own - own_before


@compiled()
def _lay_splits(
    roots: Any,
    left: Any,
    right: Any,
    feature: Any,
    cover: Any,
    value: Any,
    tree_start: Any,
    tree_width: Any,
    points: Any,
    deepest: int,
    node_of: Any,
    depth_of: Any,
    above_of: Any,
    leaf_above: Any,
    exits: Any,
    from_left: Any,
    has_leaf: Any,
    grow: Any,
    give: Any,
    leaf_give: Any,
    leaf_sum: Any,
) -> None:
    """Write the splits of every tree in pre-order with their constants."""
    stack = np.empty(2 * deepest + 4, dtype=np.int64)
    parents = np.empty(2 * deepest + 4, dtype=np.int64)
    depths = np.empty(2 * deepest + 4, dtype=np.int64)
    path = np.empty(deepest + 2, dtype=np.int64)  # feature of the edge into each depth
    kept = np.empty(deepest + 2, dtype=np.float64)  # product of the ratios of that feature down to here
    for tree in range(len(roots)):
        s, q = tree_start[tree], tree_width[tree]
        if left[roots[tree]] < 0:
            continue
        stack[0], parents[0], depths[0], top = roots[tree], -1, 0, 1
        while top:
            top -= 1
            node, parent, depth = stack[top], parents[top], depths[top]
            if depth:
                # below a node that no training row reached nothing is known: both sides alike
                share = cover[node] / cover[parent] if cover[parent] > 0 else 0.5
                above = 0
                for d in range(1, depth):
                    if path[d] == feature[parent]:
                        above = d
                path[depth] = feature[parent]
                before = kept[above] if above else 1.0
                kept[depth] = before * share
                above_of[s], from_left[s] = above, left[parent] == node
                for k in range(q):
                    g0, g1, g2, c1, c2 = _factors(points[tree, k], kept[depth], before, above > 0)
                    grow[s, 0, k], grow[s, 1, k], grow[s, 2, k] = g0, g1, g2
                    give[s, 1, k], give[s, 2, k] = c1, c2
            node_of[s], depth_of[s] = node, depth
            above = 0
            for d in range(1, depth + 1):
                if path[d] == feature[node]:
                    above = d
            leaf_above[s] = above
            before = kept[above] if above else 1.0
            inner = 0
            for is_left in (False, True):
                child = left[node] if is_left else right[node]
                if left[child] >= 0:
                    stack[top], parents[top], depths[top] = child, node, depth + 1
                    top += 1
                    inner += 1
                    continue
                has_leaf[s] = True
                v = value[child]
                share = cover[child] / cover[node] if cover[node] > 0 else 0.5
                side, other = (2, 1) if is_left else (1, 2)
                for k in range(q):
                    g0, g1, g2, c1, c2 = _factors(points[tree, k], before * share, before, above > 0)
                    leaf_sum[s, side, k] += v * g2
                    leaf_give[s, side, k] += v * g2 * c2
                    leaf_sum[s, other, k] += v * g1
                    leaf_give[s, other, k] += v * g1 * c1
                    leaf_sum[s, 0, k] += v * g0
            if not inner:
                exits[s] = depth - (depths[top - 1] if top else 1) + 1
            s += 1
