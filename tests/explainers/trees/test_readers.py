"""What is read scores and explains like the library that trained it; what is damaged is refused in a sentence."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from explainers import explain, predictor_of
from explainers.trees.lightgbm_reader import read_lightgbm
from explainers.trees.nodes import ModelRefused
from explainers.trees.sklearn_reader import read_sklearn
from explainers.trees.ubjson import NotUbjson, decode_ubjson
from explainers.trees.xgboost_reader import read_xgboost
from policies.errors import Malformed

with warnings.catch_warnings():
    warnings.simplefilter("ignore", PendingDeprecationWarning)  # of matplotlib, while shap is imported
    import shap


def some_data(n: int = 300, f: int = 8, missing: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, f))
    y = X[:, 0] + X[:, 1] * X[:, 2] + 0.3 * random.normal(size=n)
    X[random.random(X.shape) < missing] = np.nan
    return X, y


def with_categories(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    X, y = some_data(n)
    X[:, 3] = np.random.default_rng(1).integers(0, 40, n)
    return X, y + np.isin(X[:, 3], [1, 5, 9, 33, 37])


def near(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-5) -> bool:
    return bool(np.abs(found - expected).max() <= tolerance * max(1.0, np.abs(expected).max()))


XGBOOST: dict[str, dict[str, Any]] = {
    "logistic": {"objective": "binary:logistic"},
    "shallow": {"objective": "binary:logistic", "max_depth": 1},
    "deep": {"objective": "binary:logistic", "max_depth": 12, "min_child_weight": 0},
    "dart": {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3},
    "forest": {"objective": "binary:logistic", "num_parallel_tree": 5, "subsample": 0.5, "eta": 1},
    "base_score": {"objective": "binary:logistic", "base_score": 0.2},
    "squared": {"objective": "reg:squarederror"},
    "poisson": {"objective": "count:poisson"},
    "classes": {"objective": "multi:softprob", "num_class": 3},
    "leafwise": {"objective": "binary:logistic", "grow_policy": "lossguide", "max_leaves": 40, "max_depth": 0},
}


class TestReadXgboost:
    @pytest.mark.parametrize("kind", XGBOOST)
    def test_scores_and_contributions_are_those_of_xgboost(self, kind: str) -> None:
        X, y = some_data()
        label = np.digitize(y, [-0.5, 0.5]) if kind == "classes" else (y > 0.2).astype(float)
        booster = xgb.train({"nthread": 1, **XGBOOST[kind]}, xgb.DMatrix(X, label), 12)
        why, matrix = explain(booster, X), xgb.DMatrix(X)
        theirs = booster.predict(matrix, pred_contribs=True)
        theirs = theirs.transpose(0, 2, 1) if theirs.ndim == 3 else theirs
        assert near(why.contributions, theirs[:, :-1])
        assert near(np.broadcast_to(why.base, theirs[:, -1].shape), theirs[:, -1])
        assert near(why.scores, booster.predict(matrix, output_margin=True))
        assert near(predictor_of(booster).scores(X), booster.predict(matrix))

    @pytest.mark.parametrize("one_hot", [1, 100])
    def test_categories(self, one_hot: int) -> None:
        X, y = with_categories()
        types = ["c" if j == 3 else "q" for j in range(8)]
        matrix = xgb.DMatrix(X, y > 0.5, feature_types=types, enable_categorical=True)
        booster = xgb.train({"objective": "binary:logistic", "max_cat_to_onehot": one_hot}, matrix, 10)
        asked = X.copy()
        asked[:20, 3] = np.nan
        asked[20:40, 3] = 39 + np.arange(20)
        rows = xgb.DMatrix(asked, feature_types=types, enable_categorical=True)
        why = explain(booster, asked)
        assert near(why.scores, booster.predict(rows, output_margin=True))
        assert near(why.contributions, booster.predict(rows, pred_contribs=True)[:, :-1])

    def test_labels_of_a_dataframe_whatever_their_order(self) -> None:
        random = np.random.default_rng(0)
        frame = pd.DataFrame({"a": random.normal(size=200), "site": random.choice(["north", "south", "west"], 200)})
        frame["site"] = frame["site"].astype("category")
        model = xgb.XGBClassifier(n_estimators=5, enable_categorical=True, max_cat_to_onehot=1)
        model.fit(frame, (frame.a > 0) ^ (frame.site == "west"))
        turned = frame.assign(site=frame["site"].astype(str))[["site", "a"]]
        why = explain(model, turned)
        assert why.feature_names == ("a", "site")
        assert near(why.scores, model.predict(frame, output_margin=True))

    def test_a_label_never_seen_counts_as_missing(self) -> None:
        random = np.random.default_rng(0)
        frame = pd.DataFrame({"site": pd.Categorical(random.choice(["a", "b", "c"], 100))})
        model = xgb.XGBClassifier(n_estimators=3, enable_categorical=True, max_cat_to_onehot=1)
        model.fit(frame, frame.site == "b")
        new, missing = pd.DataFrame({"site": ["never"]}), pd.DataFrame({"site": [None]})
        assert explain(model, new).scores == explain(model, missing).scores

    @given(st.integers(0, 10_000))
    @settings(max_examples=15, deadline=None)
    def test_values_equal_to_thresholds(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        X = (random.integers(0, 12, size=(120, 4)) / 10).astype(np.float32).astype(np.float64)
        booster = xgb.train({"max_depth": 4, "nthread": 1}, xgb.DMatrix(X, X[:, 0] > X[:, 1]), 4)
        dump = booster.trees_to_dataframe()
        marks = dump["Split"].dropna().to_numpy(dtype=np.float32)
        asked = random.choice(np.concatenate([marks, np.nextafter(marks, np.float32(9))]), size=(50, 4)).astype(float)
        asked[:25] += random.choice([-1e-9, 0, 1e-9], size=(25, 4))
        theirs = booster.predict(xgb.DMatrix(asked), output_margin=True)
        assert near(explain(booster, asked).scores, theirs, 1e-6)

    def test_json_and_ubj_give_the_same(self) -> None:
        X, y = some_data()
        booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X, y > 0), 5)
        ours = [read_xgboost(bytes(booster.save_raw(form))) for form in ("ubj", "json")]
        assert (ours[0].margins(X) == ours[1].margins(X)).all()

    def test_early_stopping_is_kept_to(self) -> None:
        X, y = some_data()
        model = xgb.XGBClassifier(n_estimators=60, early_stopping_rounds=2, eta=1.0)
        model.fit(X[:150], y[:150] > 0, eval_set=[(X[150:], y[150:] > 0)], verbose=False)
        assert near(predictor_of(model).scores(X), model.predict_proba(X)[:, 1])

    def test_no_trees(self) -> None:
        X, y = some_data()
        booster = xgb.train({"objective": "binary:logistic", "base_score": 0.25}, xgb.DMatrix(X, y > 0), 0)
        why = explain(booster, X[:3])
        assert (why.contributions == 0).all()
        assert why.scores == pytest.approx(np.log(1 / 3), abs=1e-6)

    def test_a_linear_booster_is_refused(self) -> None:
        X, y = some_data(missing=0)
        booster = xgb.train({"booster": "gblinear"}, xgb.DMatrix(X, y), 3)
        with pytest.raises(ModelRefused, match="the booster 'gblinear' has no trees"):
            explain(booster, X)

    def test_something_else_is_refused(self) -> None:
        with pytest.raises(ModelRefused, match="this is neither UBJ nor JSON as XGBoost writes it"):
            read_xgboost(b"\x80\x04pickle")

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("left_children", 10_000, "a child index points outside the tree"),
            ("right_children", -7, "a child index points outside the tree"),
            ("left_children", 0, "a node is reached twice: not a tree"),
            ("split_indices", 99, r"node 0: splits on a feature that does not exist \(the model has 8\)"),
            ("split_conditions", "x", "tree 0: 'split_conditions' does not hold numbers"),
            ("sum_hessian", -1.0, "node 0: the cover is negative or not finite"),
            ("split_type", 1, "tree 0: its sets of categories do not fit its splits"),
        ],
    )
    def test_one_changed_number_is_refused(self, name: str, value: object, sentence: str) -> None:
        X, y = some_data()
        booster = xgb.train({"objective": "binary:logistic", "max_depth": 3}, xgb.DMatrix(X, y > 0), 2)
        model = json.loads(booster.save_raw("json"))
        model["learner"]["gradient_booster"]["model"]["trees"][0][name][0] = value
        with pytest.raises(ModelRefused, match=sentence):
            read_xgboost(json.dumps(model).encode())

    @given(st.integers(0, 2**31), st.integers(0, 255))
    @settings(max_examples=150, deadline=None)
    def test_any_changed_byte_is_read_or_refused(self, place: int, value: int) -> None:
        raw = bytearray(SMALL_MODEL)
        raw[place % len(raw)] = value
        with contextlib.suppress(Malformed):
            ensemble = read_xgboost(bytes(raw))
            ensemble.explain(np.zeros((1, len(ensemble.feature_names))))

    @given(st.integers(1, 10_000))
    @settings(max_examples=60, deadline=None)
    def test_any_cut_is_refused(self, kept: int) -> None:
        with pytest.raises((ModelRefused, NotUbjson)):
            read_xgboost(SMALL_MODEL[: kept % len(SMALL_MODEL)])


def _small_model() -> bytes:
    X, y = some_data(60, 3)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 2}, xgb.DMatrix(X, y > 0), 2)
    return bytes(booster.save_raw("ubj"))


SMALL_MODEL = _small_model()


class TestDecodeUbjson:
    def test_scalars_and_containers(self) -> None:
        raw = b"{i\x01ad\x3f\x80\x00\x00i\x01bSU\x02okU\x01c[$l#U\x02\x00\x00\x00\x01\xff\xff\xff\xffU\x01d[TFZ]}"
        found = decode_ubjson(raw)
        assert isinstance(found, dict)
        assert found["c"].tolist() == [1, -1]
        assert (found["a"], found["b"], found["d"]) == (1.0, "ok", [True, False, None])

    @pytest.mark.parametrize(
        ("raw", "sentence"),
        [
            (b"{U\x01aQ}", "an unknown marker b'Q'"),
            (b"[$d#L\x00\x00\x00\x7f\x00\x00\x00\x00", "bytes are announced, 0 are there"),
            (b"[#l\x7f\x00\x00\x00", "an array of 2130706432 values in a file of 7 bytes"),
            (b"[" * 100, "more than 64 containers inside each other"),
            (b"{}x", "1 bytes are left over"),
            (b"[$dU\x01]", "a typed container without a count"),
            (b"{U\x01\xffT}", "a name that is not UTF-8"),
        ],
    )
    def test_damage_is_named(self, raw: bytes, sentence: str) -> None:
        with pytest.raises(NotUbjson, match=sentence):
            decode_ubjson(raw)


LIGHTGBM: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary"},
    "sigmoid": {"objective": "binary", "sigmoid": 2.0},
    "zero_as_missing": {"objective": "binary", "zero_as_missing": True},
    "no_missing": {"objective": "binary", "use_missing": False},
    "dart": {"objective": "binary", "boosting": "dart"},
    "forest": {"objective": "binary", "boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    "regression": {"objective": "regression"},
    "poisson": {"objective": "poisson"},
    "classes": {"objective": "multiclass", "num_class": 3},
    "one_against_rest": {"objective": "multiclassova", "num_class": 3},
}


class TestReadLightgbm:
    @pytest.mark.parametrize("kind", LIGHTGBM)
    def test_scores_and_contributions_are_those_of_lightgbm(self, kind: str) -> None:
        X, y = with_categories()
        X[:, 4] = np.round(X[:, 4])
        label = np.digitize(y, [-0.5, 0.5]) if "num_class" in LIGHTGBM[kind] else (y > 0.2).astype(float)
        data = lgb.Dataset(X, label, categorical_feature=[3], free_raw_data=False)
        options = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "min_data_per_group": 2, "cat_smooth": 1.0}
        booster = lgb.train({**options, **LIGHTGBM[kind]}, data, 8)
        asked = X.copy()
        asked[:9, 3] = [np.nan, -1, 41, 1000, 0, 1, 33, 37, 5.0]
        theirs = np.asarray(booster.predict(asked, pred_contrib=True))
        n_outputs = theirs.shape[1] // 9
        theirs = theirs.reshape(len(X), n_outputs, 9).transpose(0, 2, 1)
        if kind == "forest":  # LightGBM averages its forests' scores but not their contributions
            theirs = theirs / 8
        why = explain(booster, asked)
        assert near(why.contributions.reshape(len(X), 8, -1), theirs[:, :-1])
        assert near(predictor_of(booster).scores(asked), np.asarray(booster.predict(asked)), 1e-12)

    def test_one_leaf(self) -> None:
        X, y = some_data()
        booster = lgb.train({"objective": "regression", "verbose": -1, "min_data_in_leaf": 400}, lgb.Dataset(X, y), 2)
        why = explain(booster, X[:2])
        assert (why.contributions == 0).all()
        assert near(why.scores, np.asarray(booster.predict(X[:2])), 1e-12)

    def test_linear_leaves_are_refused(self) -> None:
        X, y = some_data(missing=0)
        booster = lgb.train({"linear_tree": True, "verbose": -1}, lgb.Dataset(X, y), 2)
        with pytest.raises(ModelRefused, match="trees with linear leaves have no exact attribution here"):
            read_lightgbm(booster.model_to_string().encode())

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ("left_child=-?[0-9]+", "left_child=99999", "a child index points outside the tree"),
            ("split_feature=", "split_feature=77 ", "where 6 finite ones are expected"),
            ("leaf_value=", "leaf_value=x", "'leaf_value' does not hold numbers"),
            ("end of trees", "", "the model file ends before its last tree"),
            ("objective=regression", "objective=guess", "the objective 'guess' is not one of those that can be read"),
        ],
    )
    def test_damage_is_named(self, old: str, new: str, sentence: str) -> None:
        X, y = some_data()
        booster = lgb.train({"verbose": -1, "num_leaves": 7, "num_threads": 1}, lgb.Dataset(X, y), 1)
        text = booster.model_to_string()
        damaged, times = re.subn(old, new, text, count=1)
        assert times == 1
        with pytest.raises(ModelRefused, match=sentence):
            read_lightgbm(damaged.encode())

    def test_something_else_is_refused(self) -> None:
        with pytest.raises(ModelRefused, match="this is not a LightGBM text model"):
            read_lightgbm(b"hello")


SKLEARN: list[Any] = [
    DecisionTreeClassifier(max_depth=6),
    DecisionTreeRegressor(max_depth=6),
    RandomForestClassifier(8, random_state=0),
    ExtraTreesClassifier(8, random_state=0, max_depth=6),
    RandomForestRegressor(8, random_state=0, max_depth=6),
    GradientBoostingClassifier(n_estimators=10),
    GradientBoostingRegressor(n_estimators=10),
    HistGradientBoostingClassifier(max_iter=10),
    HistGradientBoostingRegressor(max_iter=10),
]


class TestReadSklearn:
    @pytest.mark.parametrize("model", SKLEARN, ids=lambda m: type(m).__name__)
    def test_scores_and_contributions_are_those_of_shap(self, model: Any) -> None:
        X, y = some_data(missing=0)
        model.fit(X, y > 0 if hasattr(model, "predict_proba") else y)
        theirs = shap.TreeExplainer(model).shap_values(X[:40])
        why = explain(model, X[:40])
        assert near(why.contributions, theirs[:, :, 1] if theirs.ndim == 3 else theirs)
        scores = model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)
        assert near(predictor_of(model).scores(X), scores, 1e-12)

    @pytest.mark.parametrize(
        "model",
        [
            RandomForestClassifier(5, random_state=0),
            GradientBoostingClassifier(n_estimators=5, max_depth=2),
            HistGradientBoostingClassifier(max_iter=5),
        ],
        ids=lambda m: type(m).__name__,
    )
    def test_several_classes(self, model: Any) -> None:
        X, y = some_data(missing=0)
        model.fit(X, np.digitize(y, [-0.5, 0.5]))
        predictor = predictor_of(model)
        assert near(predictor.scores(X), model.predict_proba(X), 1e-12)
        assert explain(model, X[:5]).contributions.shape == (5, 8, 3)

    @pytest.mark.parametrize("model", [RandomForestClassifier(5), HistGradientBoostingClassifier(max_iter=10)])
    def test_missing_values(self, model: Any) -> None:
        X, y = some_data(missing=0.2)
        model.fit(X, y > 0)
        assert near(predictor_of(model).scores(X), model.predict_proba(X)[:, 1], 1e-12)

    def test_thresholds_in_float32(self) -> None:
        X = np.repeat(np.array([[0.1], [0.3]]), 4, axis=0)
        model = DecisionTreeRegressor().fit(X, [0] * 4 + [1] * 4)
        edge = float(model.tree_.threshold[0])
        asked = np.array([[edge], [np.nextafter(edge, 1)], [edge + 1e-9], [edge - 1e-9], [edge + 1e-7]])
        assert (predictor_of(model).scores(asked) == model.predict(asked)).all()

    def test_numeric_categories(self) -> None:
        X, y = with_categories()
        model = HistGradientBoostingClassifier(categorical_features=[3], max_iter=10).fit(X, y > 0.5)
        asked = X.copy()
        asked[:4, 3] = [np.nan, 41, 3, 39]
        assert near(explain(model, asked).scores, model.decision_function(asked), 1e-12)

    def test_text_categories(self) -> None:
        random = np.random.default_rng(0)
        frame = pd.DataFrame({"a": random.normal(size=300), "site": random.choice(["x", "y", "z", "w"], 300)})
        frame["site"] = frame["site"].astype("category")
        model = HistGradientBoostingClassifier(max_iter=10).fit(frame, (frame.a > 0) ^ (frame.site == "z"))
        assert near(explain(model, frame).scores, model.decision_function(frame), 1e-12)

    def test_isolation_forest_is_the_log_of_its_score(self) -> None:
        X, _ = some_data(missing=0)
        model = IsolationForest(n_estimators=20, max_features=5, random_state=0).fit(X)
        predictor = predictor_of(model)
        assert near(predictor.scores(X), -model.score_samples(X), 1e-12)
        assert near(np.exp2(explain(model, X).scores), -model.score_samples(X), 1e-12)

    def test_one_class_is_refused(self) -> None:
        with pytest.raises(ModelRefused, match="the model knows one class only"):
            read_sklearn(RandomForestClassifier(2).fit([[0.0], [1.0]], [1, 1]))

    def test_not_fitted_is_refused(self) -> None:
        with pytest.raises(ModelRefused, match="this RandomForestClassifier is not fitted yet"):
            read_sklearn(RandomForestClassifier())

    def test_several_questions_are_refused(self) -> None:
        model = RandomForestClassifier(2).fit([[0.0], [1.0]], [[0, 1], [1, 0]])
        with pytest.raises(ModelRefused, match="this classifier answers 2 questions at once"):
            read_sklearn(model)
