"""Which explainer fits a model: exact where exactness exists, sampled with its error bar elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from explainers.explanation import Explanation
from explainers.matrix import as_matrix
from explainers.predictor import Predictor
from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]

BACKGROUND_ROWS = 100
"""Rows drawn, with the seed, from a larger background for models that can only be asked."""


def explain(
    model: object,
    X: object,
    background: object | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Explanation:
    """Return why `model` scores the rows of `X` as it does.

    Parameters
    ----------
    model : object
        An XGBoost or LightGBM booster or estimator, a fitted scikit-learn estimator, a `Predictor`, or any
        function from rows to scores.
    X : DataFrame or array of shape (n_rows, n_features)
        The rows. A DataFrame is read by column name.
    background : DataFrame or array, optional
        What "average" means. Trees answer without it from their own covers; with it they answer exactly
        against these rows. A function needs it; without one the rows of `X` themselves serve.
    feature_names : sequence of str, optional
        Names for the columns where the model does not know them.
    seed : int
        For what is sampled: orders and background rows. The same seed gives the same bits.

    Returns
    -------
    Explanation
        `method` says how: "tree_path_dependent", "tree_interventional", "linear", "permutation", ...

    Raises
    ------
    Malformed
        When rows and model do not fit: every missing, unknown, non-numeric or infinite column at once.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), np.array([1.0, 1.0, 3.0, 3.0])
    >>> why = explain(DecisionTreeRegressor().fit(X, y), X[:1], feature_names=["gas", "age"])
    >>> why.contributions.tolist(), float(why.base), why.method
    ([[-1.0, 0.0]], 2.0, 'tree_path_dependent')
    """
    try:
        predictor = predictor_of(model, X if background is None else background, feature_names=feature_names, seed=seed)
    except Malformed as refusal:
        found = _last_resort(model, X)
        if found is None:
            raise refusal
        return found
    predictor = _named(predictor, X, feature_names)
    categories = getattr(predictor, "categories", ())
    matrix = as_matrix(X, predictor.feature_names, categories)
    if background is not None and hasattr(predictor, "against"):
        predictor = predictor.against(as_matrix(background, predictor.feature_names, categories))
    return predictor.explain(matrix)


def _last_resort(model: Any, X: object) -> Explanation | None:
    """Return what shap says about a booster whose form is not read here; None when it cannot say anything sound."""
    if type(model).__module__.partition(".")[0] not in ("xgboost", "lightgbm"):
        return None
    from explainers.shap_fallback import explain_with_shap

    names = [str(name) for name in _names_of(model)]
    try:
        return explain_with_shap(model, as_matrix(X, names), tuple(names))
    except Exception:  # noqa: BLE001  # whatever shap stumbles over, the first refusal says it better
        return None


def _names_of(model: Any) -> Sequence[object]:
    booster = model.get_booster() if hasattr(model, "get_booster") else getattr(model, "booster_", model)
    if hasattr(booster, "feature_name"):
        names: Sequence[object] = booster.feature_name()
        return names
    return booster.feature_names or [f"f{i}" for i in range(booster.num_features())]


def predictor_of(
    model: object,
    background: object | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Predictor:
    """Return the `Predictor` inside a model; reads and checks it, explains nothing yet.

    Parameters and errors are those of `explain`; `background` may be None for trees and linear models.
    """
    if _is_predictor(model):
        return model  # type: ignore[return-value]
    home = type(model).__module__.partition(".")[0]
    if home == "xgboost":
        return _xgboost(model)
    if home == "lightgbm":
        return _lightgbm(model)
    if home == "sklearn" and (found := _sklearn(model, background)) is not None:
        return found
    return _black_box(model, background, feature_names, seed)


def _is_predictor(model: object) -> bool:
    return all(hasattr(model, name) for name in ("margins", "scores", "margin_of", "score_of", "explain"))


def _xgboost(model: Any) -> Predictor:
    from explainers.trees.xgboost_reader import read_xgboost

    booster = model
    if hasattr(model, "get_booster"):
        booster = model.get_booster()
        best = getattr(booster, "best_iteration", None) if "best_iteration" in booster.attributes() else None
        if best is not None:
            booster = booster[: best + 1]  # what the estimator itself predicts with after early stopping
    return read_xgboost(bytes(booster.save_raw("ubj")))


def _lightgbm(model: Any) -> Predictor:
    from explainers.trees.lightgbm_reader import read_lightgbm

    booster = getattr(model, "booster_", model)
    return read_lightgbm(booster.model_to_string().encode("utf-8"))


def _sklearn(model: Any, background: object | None) -> Predictor | None:
    from explainers.linear import LOG_LINK, LOGISTIC, PLAIN, SCALERS, read_linear
    from explainers.trees.sklearn_reader import can_read, read_sklearn

    steps = [type(step).__name__ for _, step in model.steps] if type(model).__name__ == "Pipeline" else []
    *before, last = steps or [type(model).__name__]
    if last in (*LOGISTIC, *LOG_LINK, *PLAIN) and all(name in SCALERS for name in before):
        plain = None if background is None else np.asarray(as_numbers(background, model))
        return read_linear(model, plain)
    if can_read(model):
        return read_sklearn(model)
    return None


def as_numbers(rows: object, model: Any) -> Floats:
    """Return rows as the matrix a fitted estimator was trained on, by column name where it knows names."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        plain: Any = rows.to_numpy() if isinstance(rows, pd.DataFrame) else rows
        return as_matrix(plain, [f"f{i}" for i in range(int(model.n_features_in_))])
    return as_matrix(rows, [str(name) for name in names])


def _black_box(model: Any, background: object | None, feature_names: Sequence[str] | None, seed: int) -> Predictor:
    from explainers.black_box import BlackBox

    function, unit = _function_of(model)
    if background is None:
        raise Malformed(
            Sentence(
                en="a model that can only be asked needs a background: rows it usually sees",
                zh="只能调用、无法读取结构的模型需要背景数据：请提供模型日常所见的若干行",
            )
        )
    known = getattr(model, "feature_names_in_", None)
    if isinstance(background, pd.DataFrame):
        names = [str(c) for c in (known if known is not None else background.columns)]
    else:
        width = np.asarray(background).shape[-1]
        names = [str(c) for c in (feature_names or [f"f{i}" for i in range(width)])]
    rows = as_matrix(background, names)
    if len(rows) > BACKGROUND_ROWS:
        chosen = np.random.default_rng(seed).choice(len(rows), BACKGROUND_ROWS, replace=False)
        rows = rows[np.sort(chosen)]
    if known is not None:
        function = _with_columns(function, [str(name) for name in known])
    return BlackBox(function=function, feature_names=tuple(names), background=rows, seed=seed, unit=unit)


def _function_of(model: Any) -> tuple[Callable[[Any], Any], str]:
    if hasattr(model, "predict_proba"):

        def probability(X: Any) -> Any:
            found = np.asarray(model.predict_proba(X))
            return found[:, 1] if found.shape[1] == 2 else found

        return probability, "probability"
    for name in ("score_samples", "predict"):
        if hasattr(model, name) and not (name == "score_samples" and not hasattr(model, "decision_function")):
            return getattr(model, name), "value"
    if callable(model):
        return model, "value"
    raise Malformed(
        Sentence(
            en=f"a {type(model).__name__} is neither a known model nor a function of rows",
            zh=f"{type(model).__name__} 既不是已知模型，也不是以数据行为输入的函数",
        )
    )


def _with_columns(function: Callable[[Any], Any], names: list[str]) -> Callable[[Any], Any]:
    return lambda X: function(pd.DataFrame(X, columns=names))


def _named(predictor: Predictor, X: object, feature_names: Sequence[str] | None) -> Predictor:
    """Give columns their names where the model knows only positions."""
    n = len(predictor.feature_names)
    if predictor.feature_names != tuple(f"f{i}" for i in range(n)) or not hasattr(predictor, "__dataclass_fields__"):
        return predictor
    if feature_names is None and isinstance(X, pd.DataFrame) and X.shape[1] == n:
        feature_names = [str(name) for name in X.columns]
    if feature_names is None:
        return predictor
    if len(feature_names) != n or len(set(feature_names)) != n:
        raise Malformed(
            Sentence(
                en=f"{len(feature_names)} feature names (all different?) for a model of {n} features",
                zh=f"给出特征名 {len(feature_names)} 个（须互不相同），而模型特征数为 {n}",
            )
        )
    renamed: Predictor = replace(predictor, feature_names=tuple(str(name) for name in feature_names))  # type: ignore[type-var]
    return renamed
