"""Linear models: weight times distance from the mean, the same margin as scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

from explainers.black_box import BlackBox
from explainers.linear import LinearModel, read_linear
from explainers.links import Link
from policies.errors import Malformed
from tests.explainers.oracle import shapley

X = np.random.default_rng(0).normal(2, 3, size=(120, 4))
Y = X[:, 0] - 2 * X[:, 1] + 0.1 * X[:, 2] ** 2


class TestReadLinear:
    @pytest.mark.parametrize(
        "model",
        [
            LinearRegression(),
            Ridge(),
            make_pipeline(StandardScaler(), Ridge()),
            make_pipeline(MinMaxScaler(), MaxAbsScaler(), RobustScaler(), LinearRegression()),
            make_pipeline(StandardScaler(with_mean=False), "passthrough", LinearRegression()),
        ],
        ids=str,
    )
    def test_scores_are_the_model_s(self, model: Any) -> None:
        model.fit(X, Y)
        assert read_linear(model).scores(X) == pytest.approx(model.predict(X))

    def test_log_odds_and_probability(self) -> None:
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y > 0)
        read = read_linear(model)
        assert read.margins(X) == pytest.approx(model.decision_function(X))
        assert read.scores(X) == pytest.approx(model.predict_proba(X)[:, 1])
        assert read.margin_of(read.scores(X)) == pytest.approx(read.margins(X))
        assert read.unit == "log-odds"

    def test_several_classes(self) -> None:
        model = LogisticRegression(max_iter=500).fit(X, np.digitize(Y, [-4, 1]))
        read = read_linear(model)
        assert read.scores(X) == pytest.approx(model.predict_proba(X))
        assert read.explain(X).contributions.shape == (120, 4, 3)

    def test_log_link(self) -> None:
        model = PoissonRegressor().fit(X, np.abs(Y))
        assert read_linear(model).scores(X) == pytest.approx(model.predict(X))

    def test_the_reference_is_the_mean_seen_in_training(self) -> None:
        model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y)
        why = read_linear(model).explain(X)
        assert float(why.base) == pytest.approx(Y.mean())
        assert why.contributions.mean(axis=0) == pytest.approx(0, abs=1e-9)

    def test_contributions_are_the_definition(self) -> None:
        model = read_linear(LinearRegression().fit(X, Y), X)
        row = X[5]

        def worth(known: frozenset[int]) -> float:
            mixed = X.copy()
            mixed[:, sorted(known)] = row[sorted(known)]
            return float(model.margins(mixed).mean())

        assert model.explain(row[None]).contributions[0] == pytest.approx(shapley(worth, 4))

    def test_same_bits_alone_and_among_others(self) -> None:
        model = read_linear(LinearRegression().fit(X, Y))
        assert all((model.margins(X[i : i + 1]) == model.margins(X)[i]).all() for i in range(20))

    @pytest.mark.parametrize(
        ("model", "sentence"),
        [
            (make_pipeline(PolynomialFeatures(), Ridge()), "PolynomialFeatures -> Ridge is not a linear model"),
            (LinearRegression(), "this LinearRegression is not fitted yet"),
        ],
    )
    def test_others_are_refused(self, model: Any, sentence: str) -> None:
        with pytest.raises(Malformed, match=sentence):
            read_linear(model)

    def test_a_clipping_scaler_is_refused(self) -> None:
        with pytest.raises(Malformed, match="a MinMaxScaler that clips is not linear"):
            read_linear(make_pipeline(MinMaxScaler(clip=True), Ridge()).fit(X, Y))


class TestLinearModel:
    def test_missing_values_are_named(self) -> None:
        model = read_linear(LinearRegression().fit(X, Y))
        with pytest.raises(Malformed, match="'f1' is missing in 1 rows; a linear model has no answer"):
            model.explain(np.array([[1.0, np.nan, 1.0, 1.0]]))

    def test_weights_that_are_not_finite(self) -> None:
        with pytest.raises(Malformed, match="the weights of the linear model are not finite"):
            LinearModel(
                weights=np.array([np.nan]), intercept=np.array(0.0), reference=np.zeros(1),
                feature_names=("a",), link=Link("identity"),
            )  # fmt: skip


class TestBlackBox:
    def test_contributions_of_a_sum_are_exact_up_to_the_background(self) -> None:
        box = BlackBox(
            function=lambda A: A @ [1.0, 2.0, 0.0, -1.0], feature_names=tuple("abcd"), background=X[:16], pairs=16
        )
        why = box.explain(X[:3])
        assert why.contributions == pytest.approx((X[:3] - X[:16].mean(axis=0)) * [1.0, 2.0, 0.0, -1.0])

    def test_the_error_bar_covers_the_truth(self) -> None:
        def function(A: np.ndarray) -> np.ndarray:
            return np.asarray(np.tanh(A[:, 0] * A[:, 1]) + A[:, 2])

        background = X[20:60]
        hits = []
        for i in range(20):

            def worth(known: frozenset[int], row: np.ndarray = X[i]) -> float:
                mixed = background.copy()
                mixed[:, sorted(known)] = row[sorted(known)]
                return float(function(mixed).mean())

            box = BlackBox(function=function, feature_names=tuple("abcd"), background=background, seed=i, pairs=40)
            why = box.explain(X[i : i + 1])
            assert why.standard_error is not None
            off = np.abs(why.contributions[0] - shapley(worth, 4))
            hits += (off <= 3 * why.standard_error[0] + 1e-9).tolist()
        assert np.mean(hits) > 0.95

    def test_an_evenly_used_background_has_a_tight_error_bar(self) -> None:
        def function(A: np.ndarray) -> np.ndarray:
            return np.asarray(A[:, 0] * A[:, 1] + A[:, 2] * A[:, 3] * A[:, 0])

        background, names = X[20:50], tuple("abcd")
        off, told = [], []
        for i in range(15):
            box = BlackBox(function=function, feature_names=names, background=background, seed=i)
            far = BlackBox(function=function, feature_names=names, background=background, seed=99, pairs=3_000)
            why = box.explain(X[i : i + 1])
            assert why.standard_error is not None
            off += np.abs(why.contributions - far.explain(X[i : i + 1]).contributions).ravel().tolist()
            told += why.standard_error.ravel().tolist()
        assert np.mean(np.array(off) <= 3 * np.array(told) + 1e-9) >= 0.9
        assert np.mean(told) < 3 * np.mean(off)

    def test_pairs_use_the_background_evenly(self) -> None:
        counts = {
            rows: BlackBox(function=np.sum, feature_names=tuple("abcd"), background=X[:rows]).pairs for rows in (5, 100)
        }
        assert counts == {5: 35, 100: 200}

    def test_adds_up_exactly(self) -> None:
        box = BlackBox(
            function=lambda A: np.sin(A).sum(axis=1) ** 2, feature_names=tuple("abcd"), background=X, pairs=4
        )
        assert box.explain(X[:5]).residual < 1e-12

    def test_a_row_is_explained_alike_alone(self) -> None:
        box = BlackBox(function=lambda A: A[:, 0] * A[:, 1], feature_names=tuple("abcd"), background=X)
        assert (box.explain(X[:4]).contributions[3] == box.explain(X[3:4]).contributions[0]).all()

    def test_several_outputs(self) -> None:
        box = BlackBox(function=lambda A: A[:, :2] ** 2, feature_names=tuple("abcd"), background=X)
        assert box.explain(X[:2]).contributions.shape == (2, 4, 2)

    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            ({"background": np.zeros((0, 4))}, "the background has no rows"),
            ({"pairs": 1}, "1 pairs of orders give no standard error"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changed: dict[str, Any], sentence: str) -> None:
        with pytest.raises(Malformed, match=sentence):
            BlackBox(**({"function": np.sum, "feature_names": tuple("abcd"), "background": X} | changed))

    @pytest.mark.parametrize(
        ("function", "sentence"),
        [
            (lambda A: A.sum(), "expected one score per row"),
            (lambda A: A[:, 0] * np.nan, "scores that are not finite"),
        ],
    )
    def test_answers_that_make_no_sense(self, function: Any, sentence: str) -> None:
        with pytest.raises(Malformed, match=sentence):
            BlackBox(function=function, feature_names=tuple("abcd"), background=X).explain(X[:2])
