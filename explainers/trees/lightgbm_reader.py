"""Reads LightGBM text models without LightGBM."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from explainers.links import Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.gathering import Gathering, OneTree
from explainers.trees.nodes import CATEGORIES, NAN_BY_DEFAULT, ZERO_IS_MISSING, ModelRefused
from policies.errors import Sentence

LINKS = {
    "binary": "logistic",
    "cross_entropy": "logistic",
    "multiclass": "softmax",
    "multiclassova": "one_against_rest",
    "poisson": "exponential",
    "gamma": "exponential",
    "tweedie": "exponential",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "lambdarank": "identity",
    "rank_xendcg": "identity",
    "custom": "identity",
    "none": "identity",
}
"""Every objective that is read, with its link."""


def read_lightgbm(text: bytes) -> TreeEnsemble:
    """Return the ensemble kept in a LightGBM text model.

    Parameters
    ----------
    text : bytes
        What `Booster.save_model` or `Booster.model_to_string` wrote.

    Raises
    ------
    ModelRefused
        For another format, linear leaves, an unknown objective or a broken structure.
    """
    sections = _sections(text)
    head = sections[0]
    names = tuple(head.get("feature_names", "").split())
    n_features = _whole(head, "max_feature_idx") + 1
    n_outputs = _whole(head, "num_tree_per_iteration")
    if len(names) != n_features or len(set(names)) != n_features or not 1 <= n_outputs <= 100_000:
        raise ModelRefused(
            Sentence(
                en=f"{len(names)} feature names (all different?) for {n_features} features and {n_outputs} outputs",
                zh=f"特征名 {len(names)} 个（须互不相同），而特征数为 {n_features}、输出数为 {n_outputs}",
            )
        )
    link = _link(head.get("objective", "none"))
    trees = sections[1:]
    averaged = n_outputs / len(trees) if "average_output" in head and trees else 1.0
    gathering = Gathering()
    for i, section in enumerate(trees):
        gathering.add(_tree(section, i, i % n_outputs, averaged))
    return TreeEnsemble(
        nodes=gathering.nodes(),
        offset=np.zeros(n_outputs),
        feature_names=names,
        link=link,
        digest=hashlib.sha256(text).hexdigest(),
        made_by="lightgbm",
    )


def _sections(text: bytes) -> list[dict[str, str]]:
    """Split the file into its head and one mapping per tree; everything after the trees is not the model."""
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError as problem:
        raise ModelRefused(Sentence(en="the model is not UTF-8 text", zh="模型文件不是 UTF-8 文本")) from problem
    if not lines or lines[0].strip() != "tree":
        raise ModelRefused(
            Sentence(
                en="this is not a LightGBM text model; save it with Booster.save_model('model.txt')",
                zh="该文件不是 LightGBM 文本模型，请用 Booster.save_model('model.txt') 重新保存",
            )
        )
    sections: list[dict[str, str]] = [{}]
    ended = False
    for line in lines[1:]:
        if line.startswith("end of trees"):
            ended = True
            break
        if line.startswith("Tree="):
            sections.append({})
        elif line.strip():
            name, _, value = line.partition("=")
            sections[-1][name.strip()] = value.strip()
    if not ended:
        raise ModelRefused(Sentence(en="the model file ends before its last tree", zh="模型文件在最后一棵树之前中断"))
    announced = sections[0].get("tree_sizes", "").split()
    if len(announced) != len(sections) - 1:
        raise ModelRefused(
            Sentence(
                en=f"{len(announced)} trees are announced, {len(sections) - 1} are there",
                zh=f"文件声明 {len(announced)} 棵树，实际为 {len(sections) - 1} 棵",
            )
        )
    return sections


def _whole(section: Mapping[str, str], name: str) -> int:
    try:
        return int(section[name])
    except (KeyError, ValueError) as problem:
        raise ModelRefused(
            Sentence(
                en=f"'{name}' is {section.get(name)!r}, expected a whole number",
                zh=f"“{name}”的值为 {section.get(name)!r}，应为整数",
            )
        ) from problem


def _link(objective: str) -> Link:
    name, *options = objective.split() or ["none"]
    if name not in LINKS:
        raise ModelRefused(
            Sentence(
                en=f"the objective '{name}' is not one of those that can be read: {', '.join(sorted(LINKS))}",
                zh=f"目标函数“{name}”不在可读取范围内：{'、'.join(sorted(LINKS))}",
            )
        )
    if name.startswith("regression") and "sqrt" in options:
        return Link("square")
    slope = next((float(o.partition(":")[2]) for o in options if o.startswith("sigmoid:")), 1.0)
    return Link(LINKS[name], slope=slope)


def _tree(section: Mapping[str, str], number: int, output: int, averaged: float) -> OneTree:
    """Return one tree; LightGBM numbers splits from 0 and leaves from -1 down, here leaves follow the splits."""
    if section.get("is_linear", "0") != "0":
        raise ModelRefused(
            Sentence(
                en="trees with linear leaves have no exact attribution here; train with linear_tree=false",
                zh="叶节点为线性模型的树无法精确归因，请以 linear_tree=false 重新训练",
            )
        )
    n_leaves = _whole(section, "num_leaves")
    n_splits = n_leaves - 1
    if n_leaves < 1:
        raise ModelRefused(Sentence(en=f"tree {number} has no leaf", zh=f"第 {number} 棵树没有叶节点"))

    def column(name: str, count: int, fill: float | None = None) -> npt.NDArray[np.float64]:
        return _column(section, name, number, count, fill)

    decision = column("decision_type", n_splits).astype(np.int64)
    missing = (decision >> 2) & 3
    categorical = (decision & 1) == 1
    rule = np.select([categorical, missing == 1], [CATEGORIES, ZERO_IS_MISSING], NAN_BY_DEFAULT)
    # a split that knows no missing values reads NaN as 0, so its default side is the side of 0
    default_left = np.where(missing == 0, column("threshold", n_splits) >= 0, (decision & 2) != 0) & ~categorical
    leaves = np.full(n_leaves, -1)
    children = [np.concatenate([_child(column(n, n_splits), n_splits), leaves]) for n in ("left_child", "right_child")]
    made = OneTree(
        left=children[0],
        right=children[1],
        feature=np.concatenate([column("split_feature", n_splits).astype(np.int64), leaves]),
        threshold=np.concatenate([np.where(categorical, 0.0, column("threshold", n_splits)), np.zeros(n_leaves)]),
        value=np.concatenate([np.zeros(n_splits), column("leaf_value", n_leaves) * averaged]),
        # a tree without a split is written without its counts
        cover=np.concatenate(
            [column("internal_count", n_splits), column("leaf_count", n_leaves, 1.0 if n_splits == 0 else None)]
        ),
        default_left=np.concatenate([default_left, np.zeros(n_leaves, np.bool_)]),
        rule=np.concatenate([rule, np.zeros(n_leaves)]),
        output=output,
    )
    if categorical.any():
        _add_categories(made, section, number, categorical)
    return made


def _child(child: npt.NDArray[np.float64], n_splits: int) -> npt.NDArray[np.int64]:
    whole = child.astype(np.int64)
    return np.asarray(np.where(whole >= 0, np.where(whole < n_splits, whole, 1 << 30), n_splits + ~whole))


def _column(
    section: Mapping[str, str], name: str, number: int, count: int, fill: float | None
) -> npt.NDArray[np.float64]:
    parts = section.get(name, "").split()
    if fill is not None and not parts:
        return np.full(count, fill)
    try:
        column = np.array([float(part) for part in parts], dtype=np.float64)
    except ValueError as problem:
        raise ModelRefused(
            Sentence(en=f"tree {number}: '{name}' does not hold numbers", zh=f"第 {number} 棵树：“{name}”不是数字")
        ) from problem
    if len(column) != count or (name != "threshold" and not (np.abs(column) < 2.0**62).all()):
        raise ModelRefused(
            Sentence(
                en=f"tree {number}: '{name}' has {len(column)} values where {count} finite ones are expected",
                zh=f"第 {number} 棵树：“{name}”有 {len(column)} 个值，应为 {count} 个有限数",
            )
        )
    return column


def _add_categories(made: OneTree, section: Mapping[str, str], number: int, categorical: npt.NDArray[np.bool_]) -> None:
    """Give categorical splits their bit sets. LightGBM lists the categories that go left."""
    n_sets = _whole(section, "num_cat")
    bounds = _column(section, "cat_boundaries", number, n_sets + 1, None).astype(np.int64)
    words = _column(section, "cat_threshold", number, int(bounds[-1]), None)
    which = _column(section, "threshold", number, len(categorical), None)[categorical].astype(np.int64)
    fits = bool((np.diff(bounds) >= 0).all() and bounds[0] == 0 and ((which >= 0) & (which < n_sets)).all())
    if not (fits and ((words >= 0) & (words < 2.0**32)).all()):
        raise ModelRefused(
            Sentence(
                en=f"tree {number}: its sets of categories do not fit its splits",
                zh=f"第 {number} 棵树：类别集合与分裂节点不一致",
            )
        )
    n = len(made)
    start, size = np.zeros(n, np.int64), np.zeros(n, np.int64)
    at = np.flatnonzero(categorical)
    start[at], size[at] = bounds[which], bounds[which + 1] - bounds[which]
    made.set_start, made.set_words, made.sets = start, size, words.astype(np.uint32)
    made.listed_left = np.ones(n, dtype=np.bool_)
