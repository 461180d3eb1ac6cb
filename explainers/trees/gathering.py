"""Collects the trees a reader finds into one set of flat nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.nodes import CATEGORIES, NAN_BY_DEFAULT, ModelRefused, Nodes
from policies.errors import Sentence

Array = npt.NDArray[Any]


@dataclass(kw_only=True, eq=False)
class OneTree:
    """The nodes of one tree, children numbered within it; what a library does not have stays None."""

    left: Array
    right: Array
    feature: Array
    threshold: Array
    value: Array
    cover: Array
    default_left: Array
    rule: Array | None = None
    set_start: Array | None = None
    set_words: Array | None = None
    listed_left: Array | None = None
    sets: Array | None = None
    output: int = 0
    root: int = 0

    def __len__(self) -> int:
        return len(self.left)


@dataclass(eq=False)
class Gathering:
    """Trees one after the other, in the order in which they are summed."""

    trees: list[OneTree] = field(default_factory=list)

    def add(self, tree: OneTree) -> None:
        """Add a tree; refuse one whose children leave it, before numbers are shifted."""
        n = len(tree)
        for child in (tree.left, tree.right):
            if n == 0 or (np.asarray(child) < -1).any() or (np.asarray(child) >= n).any():
                raise ModelRefused(
                    Sentence(
                        en=f"tree {len(self.trees)}: a child index points outside the tree",
                        zh=f"第 {len(self.trees)} 棵树：子节点编号超出该树范围",
                    )
                )
        self.trees.append(tree)

    def nodes(self) -> Nodes:
        """Return all trees as one set of nodes."""
        starts = np.concatenate([[0], np.cumsum([len(tree) for tree in self.trees])]).astype(np.int64)
        words = [np.zeros(0, np.uint32) if t.sets is None else np.asarray(t.sets, np.uint32) for t in self.trees]
        word_starts = np.concatenate([[0], np.cumsum([len(w) for w in words])]).astype(np.int64)
        if starts[-1] > np.iinfo(np.int32).max or word_starts[-1] > np.iinfo(np.int32).max:
            raise ModelRefused(Sentence(en="the model is too large to number its nodes", zh="模型过大，节点无法编号"))

        def joined(name: str, dtype: type, fill: float | bool = 0, shift: npt.NDArray[np.int64] | None = None) -> Array:
            parts: list[Array] = []
            for i, tree in enumerate(self.trees):
                part = getattr(tree, name)
                part = np.full(len(tree), fill) if part is None else np.asarray(part)
                if shift is not None:
                    part = np.where(part >= 0, part.astype(np.int64) + shift[i], -1)
                parts.append(part.astype(dtype))
            return np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)

        left = joined("left", np.int32, shift=starts)
        rule = joined("rule", np.uint8, NAN_BY_DEFAULT)
        return Nodes(
            roots=np.array([starts[i] + t.root for i, t in enumerate(self.trees)], dtype=np.int32),
            output=np.array([t.output for t in self.trees], dtype=np.int32),
            left=left.astype(np.int32),
            right=joined("right", np.int32, shift=starts).astype(np.int32),
            feature=joined("feature", np.int32, -1).astype(np.int32),
            threshold=joined("threshold", np.float64).astype(np.float64),
            rule=rule.astype(np.uint8),
            default_left=joined("default_left", np.bool_).astype(np.bool_),
            value=joined("value", np.float64).astype(np.float64),
            cover=joined("cover", np.float64).astype(np.float64),
            set_start=(
                np.where(rule == CATEGORIES, joined("set_start", np.int32, shift=word_starts), 0).astype(np.int32)
            ),
            set_words=joined("set_words", np.int32).astype(np.int32),
            listed_left=joined("listed_left", np.bool_).astype(np.bool_),
            sets=np.concatenate(words).astype(np.uint32) if words else np.zeros(0, dtype=np.uint32),
        )


def bit_words(categories: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Return the bit set of these categories as words of 32.

    Examples
    --------
    >>> bit_words(np.array([0, 33])).tolist()
    [1, 2]
    """
    size = int(categories.max()) // 32 + 1 if len(categories) else 0
    words = np.zeros(size, dtype=np.uint32)
    np.bitwise_or.at(words, categories >> 5, np.uint32(1) << (categories & 31).astype(np.uint32))
    return words
