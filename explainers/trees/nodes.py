"""The nodes of all trees in flat arrays, checked before anything runs over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

NAN_BY_DEFAULT, ZERO_IS_MISSING, CATEGORIES = 0, 1, 2
"""A threshold with a default side for missing values; the same with 0 counting as missing; a set of categories."""

ZERO = 1.0000000180025095e-35
"""What LightGBM still takes for 0: its 1e-35 in float32."""

MOST_NODES = 50_000_000
MOST_DEPTH = 512
MOST_CATEGORIES = 1 << 24


class ModelRefused(Malformed):
    """A model file whose structure is broken or of a kind that cannot be read exactly."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Nodes:
    """All nodes of all trees. Node arrays have shape (n_nodes,); indices run over all trees.

    Parameters
    ----------
    roots : int array of shape (n_trees,)
    output : int array of shape (n_trees,)
        Which output the tree adds to.
    left, right : int arrays
        Children; -1 in a leaf.
    feature : int array
        Column the split looks at; -1 in a leaf.
    threshold : float array
        `x <= threshold` goes left.
    rule : uint8 array
        One of the three rules above.
    default_left : bool array
        Where a missing value goes.
    value : float array
        What a leaf adds, with weights and averaging already folded in.
    cover : float array
        How much training weight passed through the node.
    set_start, set_words : int arrays
        Where in `sets` the categories of a split lie: `set_words` words of 32 from word `set_start`.
    listed_left : bool array
        Whether the categories in the set go left (and all others right), or the reverse.
    sets : uint32 array
        Bit sets of categories.
    """

    roots: Ints
    output: Ints
    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    rule: npt.NDArray[np.uint8]
    default_left: npt.NDArray[np.bool_]
    value: Floats
    cover: Floats
    set_start: Ints
    set_words: Ints
    listed_left: npt.NDArray[np.bool_]
    sets: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.left)

    @cached_property
    def plain(self) -> bool:
        """Whether every split is a threshold with a default side."""
        return bool((self.rule == NAN_BY_DEFAULT).all())

    @cached_property
    def steps_down(self) -> StepsDown:
        """The nodes in the form in which rows walk down; asked for only after the nodes were checked."""
        leaf = self.left < 0
        here = np.arange(len(self))
        level, depth = self.roots.astype(np.int64), np.zeros(len(self.roots), dtype=np.int32)
        tree = np.arange(len(self.roots))
        for step in range(MOST_DEPTH + 1):
            depth[tree] = step
            inner = ~leaf[level]
            level, tree = level[inner], tree[inner]
            level, tree = np.concatenate([self.left[level], self.right[level]]), np.concatenate([tree, tree])
            if not len(level):
                break
        kids = np.stack([np.where(leaf, here, self.right), np.where(leaf, here, self.left)], axis=1)
        return StepsDown(
            depth=depth,
            kids=kids.astype(np.uint32),
            feature=np.where(leaf, 0, self.feature).astype(np.uint32),
            threshold=self.threshold,
            default=self.default_left,
            value=self.value,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class StepsDown:
    """Nodes for walking: `kids[n]` is (right, left), a leaf being its own; `depth` has one entry per tree."""

    depth: Ints
    kids: npt.NDArray[np.uint32]
    feature: npt.NDArray[np.uint32]
    threshold: Floats
    default: npt.NDArray[np.bool_]
    value: Floats


def check_nodes(nodes: Nodes, n_features: int, n_outputs: int) -> None:
    """Refuse nodes that are not trees: every fault of the file at once.

    Raises
    ------
    ModelRefused
        For child, feature, output or category indices out of range, nodes reached twice (cycles among them),
        absurd depth or size, thresholds that are not numbers, leaves or covers that are not finite.
    """
    _check_arrays(nodes)
    n = len(nodes)
    split = nodes.left >= 0
    faults: list[Sentence] = []

    def need(good: npt.NDArray[np.bool_], en: str, zh: str) -> None:
        if not good.all():
            at = int(np.argmin(good))
            faults.append(Sentence(en=f"node {at}: {en}", zh=f"节点 {at}：{zh}"))

    inside = (
        (nodes.left < n) & (nodes.right < n) & ((nodes.right >= 0) == split) & (nodes.left >= -1) & (nodes.right >= -1)
    )
    need(inside, "a child index points outside the tree", "子节点编号超出该树范围")
    need(
        ~split | ((nodes.feature >= 0) & (nodes.feature < n_features)),
        f"splits on a feature that does not exist (the model has {n_features})",
        f"分裂所用特征不存在（模型共 {n_features} 个特征）",
    )
    need(~split | ~np.isnan(nodes.threshold), "the threshold is not a number", "分裂阈值不是数字")
    need(split | np.isfinite(nodes.value), "the leaf value is not finite", "叶节点取值不是有限数")
    need(
        np.isfinite(nodes.cover) & (nodes.cover >= 0), "the cover is negative or not finite", "覆盖权重为负或不是有限数"
    )
    need(nodes.rule <= CATEGORIES, "unknown kind of split", "未知的分裂类型")
    ends = nodes.set_start.astype(np.int64) + nodes.set_words
    need(
        (nodes.rule != CATEGORIES) | ((nodes.set_start >= 0) & (nodes.set_words >= 0) & (ends <= len(nodes.sets))),
        "its set of categories lies outside the file",
        "类别集合超出文件范围",
    )
    need((nodes.roots >= 0) & (nodes.roots < n), "a tree has no root", "存在没有根节点的树")
    need(
        (nodes.output >= 0) & (nodes.output < n_outputs),
        "a tree adds to an output that does not exist",
        "存在指向不存在输出的树",
    )
    if not faults:
        faults.extend(_walk_all(nodes))
    if faults:
        raise ModelRefused(*faults)


def _check_arrays(nodes: Nodes) -> None:
    n = len(nodes)
    per_node: tuple[npt.NDArray[Any], ...] = (
        nodes.right,
        nodes.feature,
        nodes.threshold,
        nodes.rule,
        nodes.default_left,
        nodes.value,
        nodes.cover,
    )
    per_node += (nodes.set_start, nodes.set_words, nodes.listed_left)
    if any(len(a) != n for a in per_node) or len(nodes.roots) != len(nodes.output):
        raise ModelRefused(
            Sentence(en="the arrays of a tree differ in length", zh="同一棵树的各数组长度不一致"),
        )
    if n > MOST_NODES:
        raise ModelRefused(
            Sentence(
                en=f"{n} nodes are more than the {MOST_NODES} this program reads",
                zh=f"节点数 {n} 超过本程序可读取的上限 {MOST_NODES}",
            )
        )


def _walk_all(nodes: Nodes) -> list[Sentence]:
    """Walk all trees level by level; a node met twice, in one tree or two, is a fault."""
    seen = np.zeros(len(nodes), dtype=bool)
    level = np.asarray(nodes.roots, dtype=np.int64)
    for _ in range(MOST_DEPTH + 1):
        if not len(level):
            return []
        if seen[level].any() or len(np.unique(level)) != len(level):
            return [Sentence(en="a node is reached twice: not a tree", zh="存在被重复到达的节点，不是树结构")]
        seen[level] = True
        level = np.concatenate([nodes.left[level], nodes.right[level]]).astype(np.int64)
        level = level[level >= 0]
    return [Sentence(en=f"a tree is deeper than {MOST_DEPTH} levels", zh=f"树深超过 {MOST_DEPTH} 层")]
