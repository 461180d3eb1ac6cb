"""The tree ensembles of ai.onnx.ml, checked index by index: the runtime follows them without looking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_registry.onnx_graph import Node, Tensor
from policies.errors import Sentence

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

BRANCHES = (b"BRANCH_LEQ", b"BRANCH_LT", b"BRANCH_GTE", b"BRANCH_GT", b"BRANCH_EQ", b"BRANCH_NEQ")
LEAF = b"LEAF"
MOST_NODES = 2_000_000
DEEPEST = 1_000
LARGEST_ID = 1 << 31
TRANSFORMS = {b"", b"NONE", b"SOFTMAX", b"LOGISTIC", b"SOFTMAX_ZERO", b"PROBIT"}
TOTALS = {b"", b"SUM", b"AVERAGE", b"MIN", b"MAX"}
OF_NODES = ("featureids", "nodeids", "treeids", "truenodeids", "falsenodeids")
MOST_TARGETS = 100


@dataclass(frozen=True)
class _Trees:
    """The nodes of all trees as arrays; children as places in them, -1 in leaves."""

    treeids: Ints
    nodeids: Ints
    leaf: npt.NDArray[np.bool_]
    children: Ints


def tree_faults(node: Node, columns: int | None) -> Iterator[Sentence]:
    """Say what is wrong with a TreeEnsembleClassifier or TreeEnsembleRegressor that sees `columns` columns."""
    said = node.attributes
    count = len(_ints(said, "nodes_treeids"))
    if columns is None:
        yield _fault(
            node,
            "how many columns it sees cannot be told; put trees right behind the input, a scaler or a choice of "
            "columns",
            "无法确定其输入列数，请将树模型直接置于输入、缩放或选列之后",
        )
        return
    faults = [*_length_faults(node, count), *_word_faults(node)]
    yield from faults
    if faults:
        return
    yield from _number_faults(node, columns)
    trees = yield from _linked(node)
    if trees is not None:
        yield from _shape_faults(node, trees)
        yield from _weight_faults(node, trees)


def _length_faults(node: Node, count: int) -> Iterator[Sentence]:
    said = node.attributes
    if not 0 < count <= MOST_NODES:
        yield _fault(
            node,
            f"it has {count:,} tree nodes; expected 1 to {MOST_NODES:,}",
            f"树节点数为 {count:,}，应为 1 到 {MOST_NODES:,}",
        )
    lengths = {name: len(_ints(said, f"nodes_{name}")) for name in OF_NODES}
    lengths |= {"modes": len(_texts(said, "nodes_modes")), "values": len(_floats(said, "nodes_values"))}
    for name in ("hitrates", "missing_value_tracks_true"):
        values = _floats(said, f"nodes_{name}") if name == "hitrates" else _ints(said, f"nodes_{name}")
        lengths |= {name: len(values)} if len(values) else {}
    wrong = {name: length for name, length in lengths.items() if length != count}
    if wrong:
        shown = ", ".join(f"nodes_{name} {length:,}" for name, length in wrong.items())
        yield _fault(node, f"it has {count:,} tree nodes, but {shown}", f"树节点为 {count:,} 个，但 {shown}")
    of = _leaf_lists(node)
    if (
        len(
            {len(_ints(said, f"{of}_{name}")) for name in ("treeids", "nodeids", "ids")}
            | {len(_floats(said, f"{of}_weights"))}
        )
        > 1
    ):
        yield _fault(node, f"its lists of {of} weights have different lengths", f"{of} 权重各列表长度不一致")


def _word_faults(node: Node) -> Iterator[Sentence]:
    said = node.attributes
    strange = sorted(set(_texts(said, "nodes_modes")) - {*BRANCHES, LEAF})
    if strange:
        yield _fault(
            node,
            f"it decides by {_shown(strange[0])}, which is not known",
            f"使用了未知的判断方式 {_shown(strange[0])}",
        )
    for name, known in (("post_transform", TRANSFORMS), ("aggregate_function", TOTALS)):
        word = said.get(name, b"")
        if not isinstance(word, bytes) or word not in known:
            yield _fault(node, f"its {name} {_shown(word)} is not known", f"其 {name} {_shown(word)} 未知")


def _number_faults(node: Node, columns: int) -> Iterator[Sentence]:
    said = node.attributes
    branch = np.array([mode != LEAF for mode in _texts(said, "nodes_modes")], dtype=bool)
    broken = int(np.isnan(_floats(said, "nodes_values")[branch]).sum())
    if broken:
        yield _fault(node, f"{broken:,} thresholds are not numbers (NaN)", f"有 {broken:,} 个阈值不是数值（NaN）")
    features = _ints(said, "nodes_featureids")[branch]
    outside = features[(features < 0) | (features >= columns)]
    if len(outside):
        yield _fault(
            node,
            f"a branch looks at column {int(outside[0])}, and there are {columns}",
            f"有分支引用第 {int(outside[0])} 列，而仅有 {columns} 列",
        )
    weights = _floats(said, f"{_leaf_lists(node)}_weights")
    bases = _floats(said, "base_values")
    infinite = int((~np.isfinite(weights)).sum() + (~np.isfinite(bases)).sum())
    if infinite:
        yield _fault(node, f"{infinite:,} leaf weights are not finite", f"有 {infinite:,} 个叶权重不是有限数值")
    outputs = _outputs(node)
    if len(bases) not in (0, 1, outputs):
        yield _fault(
            node,
            f"it has {len(bases)} base values for {outputs} outputs",
            f"有 {len(bases)} 个基准值，输出为 {outputs} 个",
        )
    ids = _ints(said, f"{_leaf_lists(node)}_ids")
    if not 0 < outputs <= MOST_TARGETS or len(ids[(ids < 0) | (ids >= outputs)]):
        yield _fault(
            node, f"a leaf adds to an output that is not among its {outputs}", f"有叶节点指向 {outputs} 个输出之外"
        )


def _linked(node: Node) -> Any:
    """Yield faults of the names of nodes; return the trees, or None where children cannot be found."""
    said = node.attributes
    treeids, nodeids = _ints(said, "nodes_treeids"), _ints(said, "nodes_nodeids")
    if not _are_ids(treeids) or not _are_ids(nodeids):
        yield _fault(node, "its trees or nodes have impossible numbers", "树或节点编号不合法")
        return None
    keys = treeids * LARGEST_ID + nodeids
    order = np.argsort(keys, kind="stable")
    if (np.diff(keys[order]) == 0).any():
        yield _fault(node, "two nodes of one tree have the same number", "同一棵树中有两个节点编号相同")
        return None
    leaf = np.array([mode == LEAF for mode in _texts(said, "nodes_modes")], dtype=bool)
    children = np.full((2, len(keys)), -1, np.int64)
    for side, name in enumerate(("nodes_truenodeids", "nodes_falsenodeids")):
        wanted = _ints(said, name)[~leaf]
        found = _places(keys, order, treeids[~leaf], wanted)
        if (found < 0).any():
            lost = int(wanted[np.argmin(found)])
            yield _fault(
                node,
                f"a branch leads to node {lost}, which its tree does not have",
                f"有分支指向节点 {lost}，其所在树中没有该节点",
            )
            return None
        children[side, ~leaf] = found
    return _Trees(treeids, nodeids, leaf, children)


def _places(keys: Ints, order: Ints, treeids: Ints, nodeids: Ints) -> Ints:
    """Return where nodes stand in the lists, -1 where there is none of that name."""
    sound = (nodeids >= 0) & (nodeids < LARGEST_ID) & (treeids >= 0) & (treeids < LARGEST_ID)
    wanted = np.where(sound, treeids, 0) * LARGEST_ID + np.where(sound, nodeids, 0)
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[at]
    return np.where(sound & (keys[found] == wanted), found, -1)


def _shape_faults(node: Node, trees: _Trees) -> Iterator[Sentence]:
    # Sound trees: (1) the nodes of one follow each other, its root first, (2) nobody has two parents and no root has
    # one, (3) everybody is reached from a root, so nothing goes in circles, (4) within a bounded depth.
    first = np.flatnonzero(np.diff(trees.treeids, prepend=-1) != 0)
    if len(first) != len(np.unique(trees.treeids)):  # (1)
        yield _fault(node, "the nodes of a tree do not follow each other", "同一棵树的节点没有连续排列")
        return
    parents = np.bincount(trees.children[trees.children >= 0], minlength=len(trees.leaf))
    if (parents > 1).any() or parents[first].any():  # (2)
        yield _fault(
            node,
            "branches lead back to a node that another branch leads to (a cycle)",
            "分支指回已被其他分支指向的节点（成环）",
        )
        return
    here, reached, depth = first, len(first), 0
    while len(here) and depth <= DEEPEST:
        below = trees.children[:, here].ravel()
        here = below[below >= 0]
        reached, depth = reached + len(here), depth + 1
    if len(here):  # (4)
        yield _fault(node, f"a tree is more than {DEEPEST:,} nodes deep", f"树的深度超过 {DEEPEST:,}")
    elif reached < len(trees.leaf):  # (3)
        lost = len(trees.leaf) - reached
        yield _fault(
            node, f"{lost:,} nodes are not reached from a root (a cycle)", f"有 {lost:,} 个节点无法从根到达（成环）"
        )


def _weight_faults(node: Node, trees: _Trees) -> Iterator[Sentence]:
    said, of = node.attributes, _leaf_lists(node)
    keys = trees.treeids * LARGEST_ID + trees.nodeids
    order = np.argsort(keys, kind="stable")
    found = _places(keys, order, _ints(said, f"{of}_treeids"), _ints(said, f"{of}_nodeids"))
    if (found < 0).any() or not trees.leaf[found].all():
        yield _fault(node, "a weight belongs to a node that is no leaf of its trees", "有权重所属的节点不是叶节点")


def _leaf_lists(node: Node) -> str:
    return "class" if node.op == "TreeEnsembleClassifier" else "target"


def _outputs(node: Node) -> int:
    if node.op == "TreeEnsembleRegressor":
        value = node.attributes.get("n_targets", 0)
        return value if isinstance(value, int) else 0
    return len(_ints(node.attributes, "classlabels_int64s"))


def _are_ids(values: Ints) -> bool:
    return bool(((values >= 0) & (values < LARGEST_ID)).all())


def _ints(said: Mapping[str, Any], name: str) -> Ints:
    value = said.get(name)
    return value if isinstance(value, np.ndarray) and value.dtype == np.int64 else np.zeros(0, np.int64)


def _floats(said: Mapping[str, Any], name: str) -> Array:
    """Return a list of numbers, which may also be kept as a tensor beside it."""
    tensor = said.get(f"{name}_as_tensor")
    if isinstance(tensor, Tensor):
        return np.zeros(0) if tensor.values is None or name in said else tensor.values.ravel()
    value = said.get(name)
    return value if isinstance(value, np.ndarray) and value.dtype.kind == "f" else np.zeros(0)


def _texts(said: Mapping[str, Any], name: str) -> list[bytes]:
    value = said.get(name)
    return value if isinstance(value, list) else []


def _shown(word: object) -> str:
    return repr(word.decode("utf-8", "replace")[:40]) if isinstance(word, bytes) else "that is no text"


def _fault(node: Node, en: str, zh: str) -> Sentence:
    return Sentence(en=f"{node.called}: {en}", zh=f"{node.called}：{zh}")
