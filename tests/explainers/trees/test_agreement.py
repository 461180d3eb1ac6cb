"""Random models of every kind that is read: our contributions are those of the library itself, or of the definition."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)

from explainers import explain
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.sklearn_reader import read_sklearn
from tests.explainers.oracle import Floats, against, by_paths

FEATURES, CLASSES = 6, 3
SEEDS = st.integers(0, 2**31 - 1)


def rows_of(random: np.random.Generator, n: int = 160) -> tuple[Floats, Floats]:
    """Rows with coarse values (so that they hit thresholds), gaps, and one column of categories."""
    fine, coarse = random.normal(size=(n, FEATURES)), random.integers(-3, 4, (n, FEATURES)) / 2
    X = np.where(random.random((n, FEATURES)) < 0.5, fine, coarse)
    X[:, 5] = random.integers(0, 25, n)
    y = X[:, 0] + X[:, 1] * X[:, 2] + np.isin(X[:, 5], (1, 5, 9)) + 0.2 * random.normal(size=n)
    X[random.random(X.shape) < 0.08] = np.nan
    return X, y


def near(found: Floats, expected: Floats) -> bool:
    return bool(np.abs(found - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max())))


def label_of(kind: str, y: Floats) -> Floats:
    if kind == "classes":
        return np.digitize(y, [-0.4, 0.6]).astype(float)
    return (y > 0.2).astype(float) if kind == "two" else y


class TestXgboost:
    @given(
        SEEDS, st.sampled_from(["gbtree", "dart"]), st.sampled_from(["two", "classes", "quantity"]),
        st.integers(1, 16), st.sampled_from([1, 4, 100]), st.sampled_from([None, 0.3]), st.sampled_from([1, 3]),
    )  # fmt: skip
    @settings(max_examples=15, deadline=None)
    def test_dart_categories_classes_depth_and_base_score_together(
        self, seed: int, booster: str, kind: str, depth: int, one_hot: int, base: float | None, forest: int
    ) -> None:
        random = np.random.default_rng(seed)
        X, y = rows_of(random)
        types = ["q"] * 5 + ["c"]
        data = xgb.DMatrix(X, label_of(kind, y), feature_types=types, enable_categorical=True)
        objective = {"two": "binary:logistic", "classes": "multi:softprob", "quantity": "reg:squarederror"}[kind]
        options: dict[str, Any] = {
            "objective": objective, "booster": booster, "max_depth": depth, "max_cat_to_onehot": one_hot, "nthread": 1,
            "min_child_weight": 0, "num_parallel_tree": forest, "seed": seed, "subsample": 0.8,
        }  # fmt: skip
        options |= {"num_class": CLASSES} if kind == "classes" else {}
        options |= {} if base is None or kind == "classes" else {"base_score": base}
        options |= {"rate_drop": 0.4} if booster == "dart" else {}
        model = xgb.train(options, data, 5)
        asked = X.copy()
        asked[:10, 5] = [np.nan, 24, 30, 99, 0, 1, 5, 9, 25, 26]
        rows = xgb.DMatrix(asked, feature_types=types, enable_categorical=True)
        theirs = model.predict(rows, pred_contribs=True)
        theirs = theirs.transpose(0, 2, 1) if theirs.ndim == 3 else theirs
        why = explain(model, asked)
        assert near(why.contributions, theirs[:, :-1])
        assert near(why.scores, model.predict(rows, output_margin=True))


class TestLightgbm:
    @given(
        SEEDS, st.sampled_from(["gbdt", "dart"]), st.sampled_from(["two", "classes", "quantity"]),
        st.integers(2, 80), st.booleans(), st.sampled_from([-1, 3, 16]),
    )  # fmt: skip
    @settings(max_examples=15, deadline=None)
    def test_categories_dart_and_classes_together(
        self, seed: int, boosting: str, kind: str, leaves: int, zero_is_missing: bool, depth: int
    ) -> None:
        random = np.random.default_rng(seed)
        X, y = rows_of(random)
        data = lgb.Dataset(X, label_of(kind, y), categorical_feature=[5], free_raw_data=False)
        objective = {"two": "binary", "classes": "multiclass", "quantity": "regression"}[kind]
        options: dict[str, Any] = {
            "objective": objective, "boosting": boosting, "num_leaves": leaves, "max_depth": depth, "verbose": -1,
            "zero_as_missing": zero_is_missing, "num_threads": 1, "min_data_in_leaf": 2, "min_data_per_group": 2,
            "cat_smooth": 1.0, "seed": seed % 1000, "drop_rate": 0.4,
        }  # fmt: skip
        options |= {"num_class": CLASSES} if kind == "classes" else {}
        model = lgb.train(options, data, 5)
        asked = X.copy()
        asked[:9, 5] = [np.nan, -1, 41, 1000, 0, 1, 5, 9, 24]
        theirs = np.asarray(model.predict(asked, pred_contrib=True))
        theirs = theirs.reshape(len(X), -1, FEATURES + 1).transpose(0, 2, 1)
        why = explain(model, asked)
        assert near(why.contributions.reshape(len(X), FEATURES, -1), theirs[:, :-1])


class TestScikitLearn:
    @pytest.mark.parametrize(
        "make",
        [
            lambda seed, depth: RandomForestClassifier(4, max_depth=depth, random_state=seed),
            lambda seed, depth: ExtraTreesRegressor(4, max_depth=depth, random_state=seed),
            lambda seed, depth: HistGradientBoostingClassifier(max_iter=4, max_depth=depth, min_samples_leaf=2),
            lambda seed, depth: HistGradientBoostingRegressor(max_iter=4, max_depth=depth, min_samples_leaf=2),
            lambda seed, depth: IsolationForest(n_estimators=5, max_samples=64, random_state=seed),
        ],
        ids=["forest", "extra trees", "hist classifier", "hist regressor", "isolation forest"],
    )
    @given(SEEDS, st.integers(1, 16))
    @settings(max_examples=4, deadline=None)
    def test_contributions_are_the_definition(self, make: Any, seed: int, depth: int) -> None:
        random = np.random.default_rng(seed)
        X, y = rows_of(random)
        model = make(seed, depth)
        if isinstance(model, IsolationForest | ExtraTreesRegressor):
            X = np.nan_to_num(X)
        model.fit(X, y > 0.2 if "Classifier" in type(model).__name__ else y)
        ensemble = read_sklearn(model)
        assert isinstance(ensemble, TreeEnsemble)
        why = explain(model, X[:2])
        exact = np.stack([by_paths(ensemble, row) for row in X[:2]])[:, :, 0]
        assert near(why.contributions, exact)
        compared = explain(model, X[:1], background=X[10:20])
        assert near(compared.contributions, against(ensemble, X[0], X[10:20])[None, :, 0])
