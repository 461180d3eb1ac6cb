"""The last resort for trees in a form we do not read: the shap library, named in `method`, never while serving."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation

Floats = npt.NDArray[np.float64]


def explain_with_shap(model: Any, X: Floats, feature_names: tuple[str, ...]) -> Explanation:
    """Return what `shap.TreeExplainer` says about a booster, if it adds up.

    Parameters
    ----------
    model : xgboost or lightgbm booster or estimator
    X : array of shape (n_rows, n_features)
    feature_names : tuple of str

    Raises
    ------
    DoesNotAddUp
        When shap's contributions do not give the booster's own margins.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what shap's own imports complain about is not ours to mend
        import shap

    explainer = shap.TreeExplainer(model)
    contributions = np.asarray(explainer.shap_values(X, check_additivity=False), dtype=np.float64)
    return Explanation(
        contributions=contributions,
        base=np.asarray(explainer.expected_value, dtype=np.float64).reshape(contributions.shape[2:] or ()),
        scores=_margins(model, X),
        feature_names=feature_names,
        unit="value",
        method="shap_fallback:TreeExplainer",
    )


def _margins(model: Any, X: Floats) -> Floats:
    if type(model).__module__.startswith("lightgbm"):
        return np.asarray(getattr(model, "booster_", model).predict(X, raw_score=True), dtype=np.float64)
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return np.asarray(booster.inplace_predict(X, predict_type="margin"), dtype=np.float64)
