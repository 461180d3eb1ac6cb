"""Models beyond trees and lines, on real data: regression, anomaly, clusters, ONNX, and the second opinion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingRegressor, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from explainers import explain
from explainers.black_box import BlackBox
from explainers.clusters import explain_clusters
from explainers.lime_tabular import second_opinion
from explainers.onnx_model import read_onnx
from explainers.trees.nodes import ModelRefused
from policies.errors import Malformed

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def skab(shared_data: Path) -> pd.DataFrame:
    """One labelled run of a water-circulation test bed, eight sensors."""
    return pd.read_csv(shared_data / "skab" / "data" / "valve1" / "1.csv", sep=";", index_col="datetime")


@pytest.fixture(scope="module")
def sensors(skab: pd.DataFrame) -> pd.DataFrame:
    return skab.drop(columns=["anomaly", "changepoint"])


class TestRegression:
    def test_pressure_from_the_other_sensors_adds_up(self, sensors: pd.DataFrame) -> None:
        X, y = sensors.drop(columns="Temperature"), sensors["Temperature"]
        model = GradientBoostingRegressor(n_estimators=30, random_state=0).fit(X, y)
        why = explain(model, X.iloc[:40])
        assert why.unit == "value"
        np.testing.assert_allclose(why.base + why.contributions.sum(axis=1), model.predict(X.iloc[:40]), rtol=1e-6)


class TestAnomaly:
    def test_an_isolation_forest_is_explained_and_looks_at_what_was_disturbed(self, sensors: pd.DataFrame) -> None:
        forest = IsolationForest(n_estimators=60, random_state=0).fit(sensors)
        disturbed = sensors.iloc[:20].copy()
        disturbed["Pressure"] += 40 * sensors["Pressure"].std()
        calm, odd = explain(forest, sensors.iloc[:20]), explain(forest, disturbed)
        np.testing.assert_allclose(odd.base + odd.contributions.sum(axis=1), odd.scores, rtol=1e-6)
        pressure = odd.feature_names.index("Pressure")
        moved = np.abs(odd.contributions - calm.contributions).mean(axis=0)
        assert int(np.argmax(moved)) == pressure


class TestClusters:
    def test_contributions_say_how_much_nearer_the_chosen_centre_is(self, sensors: pd.DataFrame) -> None:
        scaled = (sensors - sensors.mean()) / sensors.std()
        fitted = KMeans(n_clusters=4, n_init=3, random_state=0).fit(scaled)
        clusters, why = explain_clusters(fitted, scaled)
        assert (clusters == fitted.predict(scaled)).all()
        distances = np.sort(fitted.transform(scaled) ** 2, axis=1)
        np.testing.assert_allclose(why.scores, distances[:, 1] - distances[:, 0], rtol=1e-6, atol=1e-9)
        assert (why.scores >= -1e-9).all()

    def test_one_centre_has_no_next_best(self) -> None:
        with pytest.raises(Malformed, match="needs another one to compare with, found 1 centre"):
            explain_clusters([[0.0]], [[1.0]])

    def test_a_missing_reading_has_no_distance(self) -> None:
        with pytest.raises(Malformed, match="missing values in gas"):
            explain_clusters([[0.0], [1.0]], [[np.nan]], feature_names=("gas",))

    def test_renaming_a_column_renames_one_line(self, sensors: pd.DataFrame) -> None:
        centres = sensors.to_numpy()[[0, 300, 700]]
        renamed = sensors.rename(columns={"Current": "I"})
        _, before = explain_clusters(centres, sensors)
        _, after = explain_clusters(centres, renamed)
        assert [*before.feature_names].index("Current") == [*after.feature_names].index("I")
        np.testing.assert_array_equal(before.contributions, after.contributions)


def as_onnx(model: object, width: int) -> bytes:
    """A fitted scikit-learn model as ONNX bytes."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    made = to_onnx(model, initial_types=[("X", FloatTensorType([None, width]))], options={"zipmap": False})
    raw: bytes = made.SerializeToString()
    return raw


@pytest.fixture(scope="module")
def network(skab: pd.DataFrame, sensors: pd.DataFrame) -> bytes:
    """A small neural network that tells anomalies, as ONNX."""
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=400, random_state=0, tol=1e-2))
    model.fit(sensors.to_numpy(), skab["anomaly"].astype(int))
    return as_onnx(model, sensors.shape[1])


class TestOnnx:
    def test_a_neural_network_is_explained_with_its_error_bar(self, network: bytes, sensors: pd.DataFrame) -> None:
        X = sensors.to_numpy()
        model = read_onnx(network, X[::20], feature_names=tuple(sensors.columns), pairs=16)
        why = explain(model, sensors.iloc[:5])
        assert (why.method, why.unit) == ("permutation", "probability")
        assert why.standard_error is not None
        np.testing.assert_allclose(why.base + why.contributions.sum(axis=1), model.scores(X[:5]), rtol=1e-6)

    def test_the_same_seed_gives_the_same_bits(self, network: bytes, sensors: pd.DataFrame) -> None:
        X = sensors.to_numpy()
        first, again = (read_onnx(network, X[::50], pairs=4).explain(X[:2]).contributions for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_a_linear_model_in_onnx_agrees_with_its_closed_form(
        self, skab: pd.DataFrame, sensors: pd.DataFrame
    ) -> None:
        X = ((sensors - sensors.mean()) / sensors.std()).to_numpy()
        line = LogisticRegression().fit(X, skab["anomaly"].astype(int))
        model = read_onnx(as_onnx(line, X.shape[1]), X[::10], pairs=8)
        np.testing.assert_allclose(model.scores(X[:50]), line.predict_proba(X[:50])[:, 1], atol=1e-5)

    @pytest.mark.parametrize("raw", [b"", b"not a model", b"\x08\x07\x12\x04test"])
    def test_other_bytes_are_refused_with_a_sentence(self, raw: bytes) -> None:
        with pytest.raises(ModelRefused, match="no ONNX model that can be run"):
            read_onnx(raw, np.zeros((2, 2)))

    def test_another_number_of_features_is_refused(self, network: bytes) -> None:
        with pytest.raises(ModelRefused, match="takes 8 features, 3 were named"):
            read_onnx(network, np.zeros((2, 3)))


class TestSecondOpinion:
    def test_a_line_is_found_again(self) -> None:
        rng = np.random.default_rng(0)
        background = rng.normal(size=(200, 3)) * [1.0, 5.0, 0.1]
        slope = np.array([2.0, -1.0, 30.0])
        case = np.array([1.0, 2.0, 0.3])
        said = second_opinion(lambda X: X @ slope, case, background, ("a", "b", "c"))
        np.testing.assert_allclose(said.effects, slope * (case - background.mean(axis=0)), rtol=2e-2)
        assert said.r2 > 0.999
        assert said.worth_showing

    def test_a_step_far_from_the_case_is_not_described_by_a_line(self) -> None:
        rng = np.random.default_rng(0)
        background = rng.normal(size=(200, 2))
        said = second_opinion(lambda X: np.sin(25 * X[:, 0]), np.zeros(2), background, ("a", "b"))
        assert said.r2 < 0.1
        assert not said.worth_showing

    def test_it_agrees_with_shap_on_the_leading_feature(self, skab: pd.DataFrame, sensors: pd.DataFrame) -> None:
        X = ((sensors - sensors.mean()) / sensors.std()).to_numpy()
        line = LogisticRegression().fit(X, skab["anomaly"].astype(int))
        why = explain(line, X[:10], X)
        names = why.feature_names
        for i in range(10):
            said = second_opinion(lambda rows: line.decision_function(rows), X[i], X, names)
            assert said.ranking()[0] == names[int(np.argmax(np.abs(why.contributions[i])))]

    def test_the_same_seed_gives_the_same_line(self) -> None:
        background = np.random.default_rng(1).normal(size=(50, 2))
        first, again = (second_opinion(np.cos, np.zeros(1), background[:, :1], ("a",), seed=3) for _ in range(2))
        np.testing.assert_array_equal(first.effects, again.effects)

    def test_a_missing_reading_sits_at_the_mean(self) -> None:
        background = np.random.default_rng(1).normal(size=(50, 2))
        said = second_opinion(lambda X: X.sum(axis=1), np.array([np.nan, 1.0]), background, ("a", "b"))
        assert said.effects[0] == 0.0

    def test_one_background_row_gives_no_scale(self) -> None:
        with pytest.raises(Malformed, match="at least 2 background rows, found 1"):
            second_opinion(lambda X: X.sum(axis=1), np.zeros(2), np.zeros((1, 2)), ("a", "b"))


class TestBudget:
    def box(self) -> BlackBox:
        background = np.random.default_rng(0).normal(size=(20, 3))
        return BlackBox(function=lambda X: X.sum(axis=1), feature_names=("a", "b", "c"), background=background)

    def test_half_the_time_buys_half_the_pairs(self) -> None:
        def timer() -> float:
            ticks.append(0.001)  # every walk takes a millisecond of this clock
            return sum(ticks)

        ticks: list[float] = []
        assert self.box().within(1.0, 10, timer).pairs == pytest.approx(100, abs=1)
        assert self.box().within(0.5, 10, timer).pairs == pytest.approx(50, abs=1)

    def test_the_smallest_budget_still_gives_an_error_bar(self) -> None:
        poor = self.box().within(1e-9, 1000)
        assert poor.pairs == 2
        assert poor.explain(np.ones((1, 3))).standard_error is not None

    @pytest.mark.parametrize(("seconds", "rows"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (1.0, 0)])
    def test_a_budget_that_buys_nothing_is_refused(self, seconds: float, rows: int) -> None:
        with pytest.raises(Malformed, match="buys nothing"):
            self.box().within(seconds, rows)


class TestSizes:
    def test_ten_thousand_features_are_explained(self) -> None:
        X = np.zeros((50, 10_000))
        X[:, 4_321] = np.arange(50)
        model = GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=0).fit(X, X[:, 4_321] ** 2)
        why = explain(model, X[:5])
        np.testing.assert_allclose(why.base + why.contributions.sum(axis=1), model.predict(X[:5]), rtol=1e-6)
        assert (np.abs(why.contributions).argmax(axis=1) == 4_321).all()

    def test_no_trees_leave_the_base(self) -> None:
        import xgboost

        X, y = np.arange(8.0).reshape(-1, 1), np.array([0, 1] * 4)
        empty = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, y), num_boost_round=0)
        assert (explain(empty, X, feature_names=["gas"]).contributions == 0).all()
