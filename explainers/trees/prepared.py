"""What the path-dependent kernel knows before it sees a row: for every edge, its factors at every quadrature node.

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
(Lundberg 2018; the sharing along edges follows Linear TreeSHAP, Yu 2022.)
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from explainers.trees.compiled import compiled
from explainers.trees.nodes import Nodes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

REMEMBERED = 8
"""How many prepared models are kept in memory."""


class HasNodes(Protocol):
    """What preparation needs of an ensemble."""

    @property
    def nodes(self) -> Nodes: ...
    @property
    def offset(self) -> Floats: ...
    @property
    def digest(self) -> str: ...
    @property
    def feature_names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Edges of all trees in the order the kernel walks them (each tree in pre-order, roots left out).

    Parameters
    ----------
    base : float array of shape (n_outputs,)
        Cover-weighted mean of the model.
    tree_edges : int array of shape (n_trees + 1,)
        Where the edges of each tree begin.
    tree_nodes : int array of shape (n_trees,)
        Quadrature nodes of each tree.
    rule_at : int array of shape (n_trees,)
        Where the weights of a tree's quadrature rule begin in `weights`.
    edge_split, edge_depth, edge_above, edge_exit : int arrays of shape (n_edges,)
        The node above; the depth of the node below; the depth of the nearest edge above with the same feature
        (0 for none); how many edges end here on the way up.
    edge_left : bool array of shape (n_edges,)
    edge_value : float32 array of shape (n_edges,)
        The leaf below, 0 where there is none.
    edge_leaf : bool array of shape (n_edges,)
    edge_at : int array of shape (n_edges,)
        Where the constants of the edge begin in `grow` and `give`.
    grow, give : float32 arrays
        Per edge, state and quadrature node: the factor of P, and the coefficient of H in the contribution.
    """

    nodes: Nodes
    n_features: int
    n_outputs: int
    deepest: int
    most_nodes: int
    base: Floats
    tree_edges: npt.NDArray[np.int64]
    tree_nodes: Ints
    rule_at: Ints
    weights: npt.NDArray[np.float32]
    edge_split: Ints
    edge_depth: Ints
    edge_above: Ints
    edge_exit: Ints
    edge_left: npt.NDArray[np.bool_]
    edge_leaf: npt.NDArray[np.bool_]
    edge_value: npt.NDArray[np.float32]
    edge_at: npt.NDArray[np.int64]
    grow: npt.NDArray[np.float32]
    give: npt.NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes held by the preparation itself."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))


_MEMORY: OrderedDict[str, Prepared] = OrderedDict()


def prepare(ensemble: HasNodes) -> Prepared:
    """Return the preparation of an ensemble, remembered by the digest of its artifact."""
    key = f"{ensemble.digest}:{len(ensemble.feature_names)}"
    found = _MEMORY.get(key)
    if found is None:
        found = _MEMORY[key] = _prepare(ensemble.nodes, ensemble.offset, len(ensemble.feature_names))
        while len(_MEMORY) > REMEMBERED:
            _MEMORY.popitem(last=False)
    return found


def _prepare(nodes: Nodes, offset: Floats, n_features: int) -> Prepared:
    n_trees = len(nodes.roots)
    tree_edges = np.zeros(n_trees + 1, dtype=np.int64)
    distinct = np.zeros(n_trees, dtype=np.int32)
    deepest = int(_measure(nodes.roots, nodes.left, nodes.right, nodes.feature, tree_edges, distinct))
    n_edges = int(tree_edges[-1])
    tree_nodes = np.maximum((distinct + 1) // 2, 1).astype(np.int32)
    rules, rule_at, weights, points = _quadrature(tree_nodes)
    whole: dict[str, Any] = {
        "edge_split": np.zeros(n_edges, dtype=np.int32),
        "edge_depth": np.zeros(n_edges, dtype=np.int32),
        "edge_above": np.zeros(n_edges, dtype=np.int32),
        "edge_exit": np.zeros(n_edges, dtype=np.int32),
        "edge_left": np.zeros(n_edges, dtype=np.bool_),
        "edge_leaf": np.zeros(n_edges, dtype=np.bool_),
        "edge_value": np.zeros(n_edges, dtype=np.float32),
        "edge_at": np.zeros(n_edges + 1, dtype=np.int64),
    }
    ratio = np.zeros((2, n_edges), dtype=np.float64)  # of the edge, and of the edge above on the same feature
    base = offset.copy()
    _lay_edges(
        nodes.roots,
        nodes.output,
        nodes.left,
        nodes.right,
        nodes.feature,
        nodes.cover,
        nodes.value,
        tree_edges,
        tree_nodes,
        deepest,
        ratio,
        base,
        *whole.values(),
    )
    grow = np.empty(int(whole["edge_at"][-1]), dtype=np.float32)
    give = np.empty_like(grow)
    _constants(tree_edges, tree_nodes, rule_at, points, whole["edge_above"], whole["edge_at"], ratio, grow, give)
    return Prepared(
        nodes=nodes,
        n_features=n_features,
        n_outputs=len(offset),
        deepest=deepest,
        most_nodes=max(rules, default=1),
        base=base,
        tree_edges=tree_edges,
        tree_nodes=tree_nodes,
        rule_at=rule_at,
        weights=weights.astype(np.float32),
        grow=grow,
        give=give,
        **{name: array for name, array in whole.items() if name != "edge_at"},
        edge_at=whole["edge_at"],
    )


def _quadrature(tree_nodes: Ints) -> tuple[list[int], Ints, Floats, Floats]:
    """Return the sizes of the rules in use, where each tree's begins, the weights / (1 - t) and the points."""
    sizes = sorted({int(q) for q in tree_nodes})
    at, weights, points = {}, [], []
    start = 0
    for q in sizes:
        x, w = np.polynomial.legendre.leggauss(q)
        t = (x + 1) / 2
        at[q] = start
        points.append(t)
        weights.append(w / 2 / (1 - t))
        start += q
    flat = np.concatenate([*weights, np.zeros(0)]), np.concatenate([*points, np.zeros(0)])
    return sizes, np.array([at[int(q)] for q in tree_nodes], dtype=np.int32), *flat


@compiled()
def _measure(roots: Any, left: Any, right: Any, feature: Any, tree_edges: Any, distinct: Any) -> int:
    """Count every tree's edges and the distinct features on its richest path; return the greatest depth."""
    deepest = 0
    stack = np.empty(2048, dtype=np.int64)
    depths = np.empty(2048, dtype=np.int64)
    path = np.empty(1024, dtype=np.int64)
    count = np.zeros(1024, dtype=np.int64)
    for tree in range(len(roots)):
        stack[0], depths[0], top, edges = roots[tree], 0, 1, 0
        while top:
            top -= 1
            node, depth = stack[top], depths[top]
            deepest = max(deepest, depth)
            edges += depth > 0
            if left[node] < 0:
                distinct[tree] = max(distinct[tree], count[depth])
                continue
            path[depth] = feature[node]
            new = 1
            for above in range(depth):
                if path[above] == feature[node]:
                    new = 0
            count[depth + 1] = count[depth] + new
            stack[top], depths[top] = right[node], depth + 1
            stack[top + 1], depths[top + 1] = left[node], depth + 1
            top += 2
        tree_edges[tree + 1] = tree_edges[tree] + edges
    return deepest


@compiled()
def _lay_edges(
    roots: Any,
    output: Any,
    left: Any,
    right: Any,
    feature: Any,
    cover: Any,
    value: Any,
    tree_edges: Any,
    tree_nodes: Any,
    deepest: int,
    ratio: Any,
    base: Any,
    edge_split: Any,
    edge_depth: Any,
    edge_above: Any,
    edge_exit: Any,
    edge_left: Any,
    edge_leaf: Any,
    edge_value: Any,
    edge_at: Any,
) -> None:
    """Write the edges of every tree in pre-order, with their cover ratios and the cover-weighted mean."""
    stack = np.empty(2 * deepest + 4, dtype=np.int64)
    parents = np.empty(2 * deepest + 4, dtype=np.int64)
    depths = np.empty(2 * deepest + 4, dtype=np.int64)
    path = np.empty(deepest + 2, dtype=np.int64)  # feature of the edge into each depth
    kept = np.empty(deepest + 2, dtype=np.float64)  # product of the ratios of that feature down to here
    reach = np.empty(deepest + 2, dtype=np.float64)  # share of the cover that arrives at each depth
    for tree in range(len(roots)):
        e = tree_edges[tree]
        q = tree_nodes[tree]
        stack[0], parents[0], depths[0], top = roots[tree], -1, 0, 1
        reach[0] = 1.0
        while top:
            top -= 1
            node, parent, depth = stack[top], parents[top], depths[top]
            leaf = left[node] < 0
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
                reach[depth] = reach[depth - 1] * share
                edge_split[e], edge_depth[e], edge_above[e] = parent, depth, above
                edge_left[e] = left[parent] == node
                edge_leaf[e] = leaf
                edge_value[e] = value[node] if leaf else 0.0
                edge_at[e + 1] = edge_at[e] + (3 * q if above else 2 * q)
                ratio[0, e], ratio[1, e] = kept[depth], before
                if leaf:
                    edge_exit[e] = depth - (depths[top - 1] if top else 1) + 1
                e += 1
            if leaf:
                base[output[tree]] += value[node] * reach[depth]
            else:
                stack[top], parents[top], depths[top] = right[node], node, depth + 1
                stack[top + 1], parents[top + 1], depths[top + 1] = left[node], node, depth + 1
                top += 2


@compiled()
def _constants(
    tree_edges: Any,
    tree_nodes: Any,
    rule_at: Any,
    points: Any,
    edge_above: Any,
    edge_at: Any,
    ratio: Any,
    grow: Any,
    give: Any,
) -> None:
    """Write the constants of every edge: state 1 first, then state 2, then state 0 where there is one."""
    for tree in range(len(tree_nodes)):
        q = tree_nodes[tree]
        for e in range(tree_edges[tree], tree_edges[tree + 1]):
            r, before = ratio[0, e], ratio[1, e]
            for k in range(q):
                t = points[rule_at[tree] + k]
                at = edge_at[e] + k
                met, met_before = t + (1 - t) * r, t + (1 - t) * before
                own = (1 - r) * (1 - t) / met
                if edge_above[e]:
                    own_before = (1 - before) * (1 - t) / met_before
                    grow[at], give[at] = (1 - t) * r / met_before, -1 - own_before
                    grow[at + q], give[at + q] = met / met_before, own - own_before
                    grow[at + 2 * q], give[at + 2 * q] = r / before if before > 0 else 0.0, 0.0
                else:
                    grow[at], give[at] = (1 - t) * r, -1.0
                    grow[at + q], give[at + q] = met, own
