"""Reads XGBoost models (UBJ and JSON, gbtree and DART) without XGBoost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.links import Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.gathering import Gathering, OneTree, bit_words
from explainers.trees.nodes import CATEGORIES, MOST_CATEGORIES, NAN_BY_DEFAULT, ModelRefused
from explainers.trees.thresholds import below_float32
from explainers.trees.ubjson import decode_ubjson
from policies.errors import Sentence

LINKS = {
    "binary:logistic": "logistic",
    "reg:logistic": "logistic",
    "binary:logitraw": "margin",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "count:poisson": "exponential",
    "reg:gamma": "exponential",
    "reg:tweedie": "exponential",
    "survival:cox": "exponential",
    "survival:aft": "exponential",
    "reg:squarederror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:absoluteerror": "identity",
    "reg:quantileerror": "identity",
    "rank:ndcg": "identity",
    "rank:map": "identity",
    "rank:pairwise": "identity",
    "binary:hinge": "identity",
}
"""Every objective that is read, with its link. Hinge models are scored by their margin: its sign is the class."""


def read_xgboost(raw: bytes) -> TreeEnsemble:
    """Return the ensemble kept in an XGBoost model file.

    Parameters
    ----------
    raw : bytes
        What `Booster.save_model` wrote, as UBJ or as JSON.

    Raises
    ------
    ModelRefused
        For another format, a linear booster, vector leaves, an unknown objective or a broken structure.
    """
    learner = _mapping(_decoded(raw), "learner")
    parameters = _mapping(learner, "learner_model_param")
    n_features = _whole(parameters.get("num_feature", 0), "num_feature")
    n_outputs = max(
        1, _whole(parameters.get("num_class", 0), "num_class"), _whole(parameters.get("num_target", 1), "num_target")
    )
    if n_features > 10_000_000 or n_outputs > 100_000:
        raise ModelRefused(
            Sentence(
                en=f"{n_features} features and {n_outputs} outputs are more than this program reads",
                zh=f"{n_features} 个特征、{n_outputs} 个输出超出本程序的读取上限",
            )
        )
    link = _link(_mapping(learner, "objective"))
    model, weights = _model(_mapping(learner, "gradient_booster"))
    trees, groups = _list(model, "trees"), np.asarray(model.get("tree_info", []), dtype=np.int64)
    given = len(trees) if weights is None else len(weights)
    if not len(trees) == len(groups) == given:
        raise ModelRefused(
            Sentence(
                en=f"{len(trees)} trees come with {len(groups)} outputs and {given} weights",
                zh=f"共有 {len(trees)} 棵树，但输出编号 {len(groups)} 个、权重 {given} 个，数量不符",
            )
        )
    gathering = Gathering()
    for i, tree in enumerate(trees):
        gathering.add(_tree(tree, i, int(groups[i]), 1.0 if weights is None else float(weights[i])))
    return TreeEnsemble(
        nodes=gathering.nodes(),
        offset=_offset(parameters.get("base_score", "0.5"), n_outputs, link),
        feature_names=_names(learner, n_features),
        link=link,
        digest=hashlib.sha256(raw).hexdigest(),
        made_by="xgboost",
        categories=_categories(model, n_features),
    )


def _decoded(raw: bytes) -> Mapping[str, Any]:
    if raw[:1] != b"{":
        raise ModelRefused(
            Sentence(
                en="this is neither UBJ nor JSON as XGBoost writes it; "
                "save the model with Booster.save_model('model.ubj')",
                zh="该文件既不是 XGBoost 的 UBJ 格式也不是 JSON 格式，请用 Booster.save_model('model.ubj') 重新保存",
            )
        )
    if raw[1:].lstrip()[:1] in (b'"', b"}"):
        try:
            value = json.loads(raw, parse_constant=_no_constant)
        except (ValueError, RecursionError) as problem:
            raise ModelRefused(
                Sentence(en=f"the model is not valid JSON: {problem}", zh=f"模型文件不是有效的 JSON：{problem}")
            ) from problem
    else:
        value = decode_ubjson(raw)
    if not isinstance(value, dict):
        raise ModelRefused(Sentence(en="the model file holds no model", zh="模型文件中没有模型内容"))
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


def _mapping(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    if not isinstance(found, dict):
        raise ModelRefused(Sentence(en=f"the model file has no '{name}'", zh=f"模型文件缺少“{name}”部分"))
    return found


def _list(of: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = of.get(name)
    if not isinstance(found, list):
        raise ModelRefused(Sentence(en=f"the model file has no list '{name}'", zh=f"模型文件缺少列表“{name}”"))
    return found


def _whole(text: object, name: str) -> int:
    try:
        value = int(str(text))
    except ValueError as problem:
        raise ModelRefused(
            Sentence(en=f"'{name}' is {text!r}, expected a whole number", zh=f"“{name}”的值为 {text!r}，应为整数")
        ) from problem
    if value < 0:
        raise ModelRefused(Sentence(en=f"'{name}' is {value}", zh=f"“{name}”的值为 {value}，不能为负"))
    return value


def _link(objective: Mapping[str, Any]) -> Link:
    name = str(objective.get("name"))
    if name not in LINKS:
        raise ModelRefused(
            Sentence(
                en=f"the objective '{name}' is not one of those that can be read: {', '.join(sorted(LINKS))}",
                zh=f"目标函数“{name}”不在可读取范围内：{'、'.join(sorted(LINKS))}",
            )
        )
    return Link(LINKS[name])


def _model(booster: Mapping[str, Any]) -> tuple[Mapping[str, Any], npt.NDArray[np.float64] | None]:
    name = booster.get("name")
    if name == "dart":
        weights = np.asarray(booster.get("weight_drop", []), dtype=np.float64)
        if not np.isfinite(weights).all():
            raise ModelRefused(Sentence(en="a tree weight is not finite", zh="存在非有限数的树权重"))
        return _mapping(_mapping(booster, "gbtree"), "model"), weights
    if name == "gbtree":
        return _mapping(booster, "model"), None
    raise ModelRefused(
        Sentence(
            en=f"the booster '{name}' has no trees; hand over a linear model as a scikit-learn estimator instead",
            zh=f"提升器“{name}”不含树结构；线性模型请以 scikit-learn 估计器形式提交",
        )
    )


def _tree(tree: object, number: int, output: int, weight: float) -> OneTree:
    if not isinstance(tree, dict):
        raise ModelRefused(Sentence(en=f"tree {number} is not an object", zh=f"第 {number} 棵树不是对象"))
    if _whole(_mapping(tree, "tree_param").get("size_leaf_vector", "1"), "size_leaf_vector") > 1:
        raise ModelRefused(
            Sentence(
                en="leaves that hold vectors (multi_strategy='multi_output_tree') are not read; "
                "train one tree per output",
                zh="暂不支持叶节点为向量的模型（multi_strategy='multi_output_tree'），请按每个输出单独建树训练",
            )
        )
    left = _column(tree, "left_children", number, np.int64)
    right = _column(tree, "right_children", number, np.int64)
    condition = _column(tree, "split_conditions", number, np.float32)
    kind = _column(tree, "split_type", number, np.int64) if "split_type" in tree else np.zeros(len(left), np.int64)
    leaf = left < 0
    made = OneTree(
        left=left,
        right=right,
        feature=np.where(leaf, -1, _column(tree, "split_indices", number, np.int64)),
        threshold=np.where(leaf | (kind == 1), 0.0, below_float32(condition)),
        value=np.where(leaf, condition.astype(np.float64) * weight, 0.0),
        cover=_column(tree, "sum_hessian", number, np.float64),
        default_left=_column(tree, "default_left", number, np.int64) != 0,
        output=output,
    )
    if not np.isfinite(condition[~leaf & (kind == 0)]).all():
        raise ModelRefused(
            Sentence(en=f"tree {number}: a threshold is not finite", zh=f"第 {number} 棵树：存在非有限数的阈值")
        )
    _add_categories(made, tree, number, kind)
    return made


def _column(tree: Mapping[str, Any], name: str, number: int, dtype: type) -> npt.NDArray[Any]:
    try:
        column: npt.NDArray[Any] = np.asarray(tree.get(name, ()), dtype=dtype)
    except (TypeError, ValueError, OverflowError) as problem:
        raise ModelRefused(
            Sentence(en=f"tree {number}: '{name}' does not hold numbers", zh=f"第 {number} 棵树：“{name}”不是数字")
        ) from problem
    length = len(tree.get("left_children", ()))
    if column.ndim != 1 or (len(column) != length and not name.startswith("categories")):
        raise ModelRefused(
            Sentence(
                en=f"tree {number}: '{name}' has {column.size} values for {length} nodes",
                zh=f"第 {number} 棵树：“{name}”有 {column.size} 个值，而节点数为 {length}",
            )
        )
    return column


def _add_categories(made: OneTree, tree: Mapping[str, Any], number: int, kind: npt.NDArray[np.int64]) -> None:
    """Give categorical splits their bit sets. XGBoost lists the categories that go right."""
    if not (kind == 1).any():
        return
    listed, at, start, size = (
        _column(tree, name, number, np.int64)
        for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes")
    )
    n = len(made)
    fits = len(at) == len(start) == len(size) and set(at.tolist()) >= set(np.flatnonzero(kind == 1).tolist())
    fits = fits and bool(((at >= 0) & (at < n) & (start >= 0) & (size >= 0) & (start + size <= len(listed))).all())
    fits = fits and bool(((listed >= 0) & (listed < MOST_CATEGORIES)).all())
    if not fits:
        raise ModelRefused(
            Sentence(
                en=f"tree {number}: its sets of categories do not fit its splits",
                zh=f"第 {number} 棵树：类别集合与分裂节点不一致",
            )
        )
    made.rule = np.where(kind == 1, CATEGORIES, NAN_BY_DEFAULT)
    starts, words = np.zeros(n, np.int64), np.zeros(n, np.int64)
    sets: list[npt.NDArray[np.uint32]] = []
    filled = 0
    for node, first, count in zip(at.tolist(), start.tolist(), size.tolist(), strict=True):
        bits = bit_words(listed[first : first + count])
        starts[node], words[node] = filled, len(bits)
        sets.append(bits)
        filled += len(bits)
    made.set_start, made.set_words, made.sets = starts, words, np.concatenate(sets)
    made.listed_left = np.zeros(n, dtype=np.bool_)


def _offset(text: object, n_outputs: int, link: Link) -> npt.NDArray[np.float64]:
    """Return the base score in margins: XGBoost keeps it as a score, since 3.1 as a list in brackets."""
    try:
        given = np.array([float(part) for part in str(text).strip("[] ").split(",") if part.strip()])
        given = np.broadcast_to(given if len(given) else np.zeros(1), (n_outputs,)).astype(np.float32)
    except ValueError as problem:
        raise ModelRefused(
            Sentence(
                en=f"base_score is {text!r}, expected one number or {n_outputs}",
                zh=f"base_score 的值为 {text!r}，应为 1 个或 {n_outputs} 个数字",
            )
        ) from problem
    margins = given.astype(np.float64)
    if link.name == "logistic" or link.name == "exponential":
        margins = link.margin_of(margins)
    if not np.isfinite(margins).all():
        raise ModelRefused(
            Sentence(
                en=f"base_score {text} lies outside what the objective allows",
                zh=f"base_score {text} 超出该目标函数允许的范围",
            )
        )
    return margins


def _names(learner: Mapping[str, Any], n_features: int) -> tuple[str, ...]:
    names = learner.get("feature_names")
    if isinstance(names, list) and names:
        if len(names) != n_features or len(set(names)) != len(names):
            raise ModelRefused(
                Sentence(
                    en=f"{len(names)} feature names (all different?) for {n_features} features",
                    zh=f"特征名 {len(names)} 个（须互不相同），而特征数为 {n_features}",
                )
            )
        return tuple(str(name) for name in names)
    return tuple(f"f{i}" for i in range(n_features))


def _categories(model: Mapping[str, Any], n_features: int) -> tuple[tuple[int, tuple[object, ...]], ...]:
    """Return the labels behind category codes, which XGBoost keeps since 3.1 when it was given labels."""
    cats = model.get("cats")
    if not isinstance(cats, dict) or len(cats.get("enc", ())) != n_features:
        return ()
    found: list[tuple[int, tuple[object, ...]]] = []
    for j, encoding in enumerate(cats["enc"]):
        values = np.asarray(encoding.get("values", ())).tolist()
        offsets = np.asarray(encoding.get("offsets", ()), dtype=np.int64).tolist()
        if not values:
            continue
        if offsets:
            raw = bytes(v & 0xFF for v in values)
            labels = tuple(raw[a:b].decode("utf-8", "replace") for a, b in pairwise(offsets))
            found.append((j, labels))
        else:
            found.append((j, tuple(values)))
    return tuple(found)
