"""Reads fitted scikit-learn tree models from the arrays they hold; runs none of their code on data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.links import Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.gathering import Gathering, OneTree, bit_words
from explainers.trees.nodes import CATEGORIES, MOST_CATEGORIES, NAN_BY_DEFAULT, ModelRefused
from explainers.trees.thresholds import at_most_float64
from policies.errors import Sentence

Floats = npt.NDArray[np.float64]
Labels = tuple[tuple[int, tuple[object, ...]], ...]


def read_sklearn(model: object) -> TreeEnsemble:
    """Return the ensemble inside a fitted scikit-learn tree model.

    Decision trees, random forests and extra trees add up in probability (classifiers) or value (regressors);
    gradient boosting and HistGradientBoosting in log-odds or value. An isolation forest adds up in the log2 of
    its anomaly score, so a larger margin is more unusual: score = 2 ** margin = -model.score_samples(X).

    Parameters
    ----------
    model : fitted estimator
        One of those named above. For two classes the output is that of `classes_[1]`.

    Raises
    ------
    ModelRefused
        When the model is not fitted, knows one class only, or is of another kind.
    """
    readers: dict[str, Callable[[Any], TreeEnsemble]] = {
        "DecisionTreeClassifier": _forest,
        "DecisionTreeRegressor": _forest,
        "ExtraTreeClassifier": _forest,
        "ExtraTreeRegressor": _forest,
        "RandomForestClassifier": _forest,
        "RandomForestRegressor": _forest,
        "ExtraTreesClassifier": _forest,
        "ExtraTreesRegressor": _forest,
        "GradientBoostingClassifier": _boosting,
        "GradientBoostingRegressor": _boosting,
        "HistGradientBoostingClassifier": _histogram,
        "HistGradientBoostingRegressor": _histogram,
        "IsolationForest": _isolation,
    }
    kind = type(model).__name__
    if kind not in readers:
        raise ModelRefused(
            Sentence(
                en=f"{kind} is not one of the tree models that can be read: {', '.join(readers)}",
                zh=f"{kind} 不在可读取的树模型之列：{'、'.join(readers)}",
            )
        )
    if not hasattr(model, "n_features_in_"):
        raise ModelRefused(Sentence(en=f"this {kind} is not fitted yet", zh=f"该 {kind} 尚未训练"))
    return readers[kind](model)


def can_read(model: object) -> bool:
    """Say whether `read_sklearn` knows this kind of model."""
    try:
        read_sklearn(model)
    except ModelRefused:
        return False
    return True


def _finish(model: Any, gathering: Gathering, offset: Floats, link: Link, categories: Labels = ()) -> TreeEnsemble:
    names = getattr(model, "feature_names_in_", None)
    names = tuple(f"f{i}" for i in range(model.n_features_in_)) if names is None else tuple(str(n) for n in names)
    nodes = gathering.nodes()
    digest = hashlib.sha256()
    for array in vars(nodes).values():
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.ascontiguousarray(offset).tobytes())
    return TreeEnsemble(
        nodes=nodes,
        offset=np.asarray(offset, dtype=np.float64),
        feature_names=names,
        link=link,
        digest=digest.hexdigest(),
        made_by="scikit-learn",
        categories=categories,
    )


def _one_class(model: Any) -> None:
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) < 2:
        raise ModelRefused(
            Sentence(
                en=f"the model knows one class only ({classes[0]!r}), so nothing moves its score; "
                "train it on both outcomes",
                zh=f"该模型只见过一个类别（{classes[0]!r}），没有任何特征能影响其输出；请用包含两类结果的数据重新训练",
            )
        )


def _sklearn_tree(tree: Any, value: Floats, output: int, columns: npt.NDArray[np.int64] | None = None) -> OneTree:
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    leaf = left < 0
    feature = np.where(leaf, -1, np.asarray(tree.feature))
    if columns is not None:
        feature = np.where(leaf, -1, columns[np.maximum(feature, 0)])
    missing = getattr(tree, "missing_go_to_left", np.zeros(len(left), np.uint8))
    return OneTree(
        left=left,
        right=right,
        feature=feature,
        threshold=np.where(leaf, 0.0, at_most_float64(np.asarray(tree.threshold))),
        value=np.where(leaf, value, 0.0),
        cover=np.asarray(tree.weighted_n_node_samples),
        default_left=np.asarray(missing) != 0,
        output=output,
    )


def _forest(model: Any) -> TreeEnsemble:
    trees = [each.tree_ for each in getattr(model, "estimators_", [model])]
    classifier = hasattr(model, "classes_")
    if classifier and model.n_outputs_ > 1:
        raise ModelRefused(
            Sentence(
                en=f"this classifier answers {model.n_outputs_} questions at once; train one model per question",
                zh=f"该分类器同时回答 {model.n_outputs_} 个问题，请为每个问题单独训练模型",
            )
        )
    _one_class(model)
    # two classes mirror each other, so the positive one says everything
    columns = ([1] if len(model.classes_) == 2 else list(range(len(model.classes_)))) if classifier else None
    gathering = Gathering()
    for tree in trees:
        value = tree.value[:, 0, :] if classifier else tree.value[:, :, 0]
        if classifier:
            value = value / value.sum(axis=1, keepdims=True)
        for output, column in enumerate(columns if columns is not None else range(value.shape[1])):
            gathering.add(_sklearn_tree(tree, value[:, column] / len(trees), output))
    n_outputs = len(columns) if columns is not None else trees[0].value.shape[1]
    return _finish(model, gathering, np.zeros(n_outputs), Link("probability" if classifier else "identity"))


def _boosting(model: Any) -> TreeEnsemble:
    _one_class(model)
    stages = model.estimators_
    if not (isinstance(model.init_, str) or type(model.init_).__name__ in ("DummyClassifier", "DummyRegressor")):
        raise ModelRefused(
            Sentence(
                en=f"the boosting starts from a {type(model.init_).__name__}, which has no attribution here; "
                "train with init='zero' or without init",
                zh=f"该提升模型以 {type(model.init_).__name__} 作为初始模型，无法归因；"
                "请以 init='zero' 或默认 init 训练",
            )
        )
    offset = np.asarray(model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32)))[0]
    gathering = Gathering()
    for stage in stages:
        for output, each in enumerate(stage):
            value = each.tree_.value[:, 0, 0] * model.learning_rate
            gathering.add(_sklearn_tree(each.tree_, value, output))
    if not hasattr(model, "classes_"):
        link = Link("identity")
    elif len(model.classes_) > 2:
        link = Link("softmax")
    else:
        link = Link("logistic", slope=2.0 if model.loss == "exponential" else 1.0)
    return _finish(model, gathering, offset.astype(np.float64), link)


def _isolation(model: Any) -> TreeEnsemble:
    from sklearn.ensemble._iforest import _average_path_length

    scale = len(model.estimators_) * float(_average_path_length([model._max_samples])[0])
    if scale == 0:
        raise ModelRefused(
            Sentence(
                en="the isolation forest was trained on one row per tree, so every score is alike",
                zh="该孤立森林每棵树仅用一行数据训练，所有分数都相同",
            )
        )
    gathering = Gathering()
    for each, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = each.tree_
        length = _depths(tree) + _average_path_length(tree.n_node_samples)
        gathering.add(_sklearn_tree(tree, -length / scale, 0, np.asarray(columns, dtype=np.int64)))
    return _finish(model, gathering, np.zeros(1), Link("power_of_two"))


def _depths(tree: Any) -> Floats:
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # scikit-learn numbers parents before children
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                depth[child] = depth[node] + 1
    return depth


def _histogram(model: Any) -> TreeEnsemble:
    _one_class(model)
    order, labels, raw_values = _columns_of(model)
    gathering = Gathering()
    for stage in model._predictors:
        for output, predictor in enumerate(stage):
            gathering.add(_histogram_tree(predictor, output, order, raw_values))
    if hasattr(model, "classes_"):
        link = Link("softmax" if len(model.classes_) > 2 else "logistic")
    else:
        link = Link("exponential" if model.loss in ("poisson", "gamma") else "identity")
    offset = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    return _finish(model, gathering, offset, link, labels)


def _columns_of(model: Any) -> tuple[npt.NDArray[np.int64], Labels, dict[int, npt.NDArray[np.int64]]]:
    """Return the original column of each column the trees see, the labels of text columns, the codes of the others.

    HistGradientBoosting puts its categorical columns first and numbers their categories in sorted order.
    """
    if model._preprocessor is None:
        return np.arange(model.n_features_in_), (), {}
    is_category = np.asarray(model.is_categorical_)
    order = np.concatenate([np.flatnonzero(is_category), np.flatnonzero(~is_category)])
    labels: list[tuple[int, tuple[object, ...]]] = []
    codes: dict[int, npt.NDArray[np.int64]] = {}
    encoder = model._preprocessor.named_transformers_["encoder"]
    for column, known in zip(np.flatnonzero(is_category), encoder.categories_, strict=True):
        named = [label for label in known.tolist() if label is not None and label == label]
        if all(isinstance(v, (int, float)) and v == int(v) and 0 <= v < MOST_CATEGORIES for v in named):
            codes[int(column)] = np.array(named, dtype=np.int64)
        elif any(isinstance(v, (int, float)) for v in named):
            raise ModelRefused(
                Sentence(
                    en=f"column {int(column)} has categories such as {named[0]!r}; "
                    "expected whole numbers from 0, or text",
                    zh=f"第 {int(column)} 列的类别取值（如 {named[0]!r}）应为从 0 起的整数或文本",
                )
            )
        else:
            labels.append((int(column), tuple(named)))
            codes[int(column)] = np.arange(len(named))
    return order, tuple(labels), codes


def _histogram_tree(
    predictor: Any, output: int, order: npt.NDArray[np.int64], codes: dict[int, npt.NDArray[np.int64]]
) -> OneTree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    categorical = nodes["is_categorical"].astype(bool) & ~leaf
    missing_left = nodes["missing_go_to_left"].astype(bool)
    feature = np.where(leaf, -1, order[np.where(leaf, 0, nodes["feature_idx"])])
    made = OneTree(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=feature,
        threshold=np.where(leaf | categorical, 0.0, nodes["num_threshold"]),
        value=np.where(leaf, nodes["value"], 0.0),
        cover=nodes["count"],
        default_left=missing_left,
        output=output,
    )
    if categorical.any():
        n = len(nodes)
        start, size = np.zeros(n, np.int64), np.zeros(n, np.int64)
        sets: list[npt.NDArray[np.uint32]] = []
        filled = 0
        for node in np.flatnonzero(categorical):
            known = codes[int(feature[node])]
            words = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
            at = np.arange(len(known))
            goes_left = ((words[at >> 5] >> (at & 31).astype(np.uint32)) & 1) == 1
            # a category never seen goes where missing values go: list the known ones of the other side
            listed = bit_words(known[~goes_left] if missing_left[node] else known[goes_left])
            start[node], size[node] = filled, len(listed)
            filled += len(listed)
            sets.append(listed)
        made.rule = np.where(categorical, CATEGORIES, NAN_BY_DEFAULT)
        made.set_start, made.set_words, made.sets = start, size, np.concatenate(sets)
        made.listed_left = ~missing_left
    return made
