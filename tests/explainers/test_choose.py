"""Any model, any table: three lines give an answer, or one clear sentence says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from explainers import explain, predictor_of
from policies.errors import Malformed


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(random.normal(size=(200, 4)), columns=["gas", "dust", "age", "speed"])


@pytest.fixture(scope="module")
def truth(frame: pd.DataFrame) -> pd.Series:
    return frame.gas + frame.dust * frame.age > 0


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame, truth: pd.Series) -> Any:
    return xgb.XGBClassifier(n_estimators=8, max_depth=3).fit(frame, truth)


class TestExplain:
    def test_three_lines_with_a_dataframe(self, model: Any, frame: pd.DataFrame) -> None:
        why = explain(model, frame)
        assert why.contributions.shape == (200, 4)
        assert why.feature_names == ("gas", "dust", "age", "speed")
        assert (why.unit, why.method) == ("log-odds", "tree_path_dependent")

    def test_an_array_is_read_by_position(self, model: Any, frame: pd.DataFrame) -> None:
        assert (explain(model, frame.to_numpy()).contributions == explain(model, frame).contributions).all()

    def test_one_series_is_one_row(self, model: Any, frame: pd.DataFrame) -> None:
        assert (explain(model, frame.iloc[3]).scores == explain(model, frame).scores[3:4]).all()

    def test_another_order_of_columns(self, model: Any, frame: pd.DataFrame) -> None:
        turned = frame[["speed", "age", "gas", "dust"]]
        assert (explain(model, turned).contributions == explain(model, frame).contributions).all()

    def test_a_background(self, model: Any, frame: pd.DataFrame) -> None:
        why = explain(model, frame, background=frame[:50])
        assert why.method == "tree_interventional"
        assert float(why.base) == pytest.approx(explain(model, frame[:50]).scores.mean())

    def test_renaming_a_column_renames_one_line(self, frame: pd.DataFrame, truth: pd.Series) -> None:
        renamed = frame.rename(columns={"age": "years"})
        whys = [explain(RandomForestClassifier(5, random_state=0).fit(X, truth), X.iloc[:9]) for X in (frame, renamed)]
        assert whys[1].feature_names == ("gas", "dust", "years", "speed")
        assert (whys[0].contributions == whys[1].contributions).all()

    def test_names_where_the_model_knows_none(self, frame: pd.DataFrame, truth: pd.Series) -> None:
        forest = RandomForestClassifier(5, random_state=0).fit(frame.to_numpy(), truth)
        assert explain(forest, frame).feature_names == ("gas", "dust", "age", "speed")
        assert explain(forest, frame.to_numpy(), feature_names=list("abcd")).feature_names == tuple("abcd")

    @pytest.mark.parametrize(
        "one",
        [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression()), LinearRegression()],
        ids=["logistic", "scaled", "linear"],
    )
    def test_linear_models(self, one: Any, frame: pd.DataFrame, truth: pd.Series) -> None:
        one.fit(frame, truth)
        assert explain(one, frame).method == "linear"

    def test_other_estimators_are_asked(self, frame: pd.DataFrame, truth: pd.Series) -> None:
        other = AdaBoostClassifier(n_estimators=5, random_state=0).fit(frame, truth)
        why = explain(other, frame.iloc[:3], background=frame)
        assert (why.method, why.unit) == ("permutation", "probability")
        assert why.standard_error is not None
        assert why.scores == pytest.approx(other.predict_proba(frame.iloc[:3])[:, 1])

    def test_any_function(self, frame: pd.DataFrame) -> None:
        why = explain(lambda X: X[:, 0] * 2 - X[:, 3], frame.iloc[:3], background=frame)
        assert why.contributions[:, [1, 2]] == pytest.approx(0)
        centred = frame.gas[:3] - why_mean(frame.gas)
        assert why.contributions[:, 0] == pytest.approx(2 * centred.to_numpy(), abs=0.5)

    def test_a_predictor_is_taken_as_it_is(self, model: Any, frame: pd.DataFrame) -> None:
        predictor = predictor_of(model)
        assert predictor_of(predictor) is predictor
        assert (explain(predictor, frame).scores == explain(model, frame).scores).all()

    def test_the_same_seed_gives_the_same_bits(self, frame: pd.DataFrame) -> None:
        def product(X: np.ndarray) -> np.ndarray:
            return np.asarray(X[:, 0] * X[:, 1])

        one, two = (explain(product, frame.iloc[:2], background=frame, seed=7) for _ in range(2))
        assert (one.contributions == two.contributions).all()
        assert (explain(product, frame.iloc[:2], background=frame, seed=8).contributions != one.contributions).any()

    def test_every_wrong_column_at_once(self, model: Any, frame: pd.DataFrame) -> None:
        wrong = frame.drop(columns=["dust"]).assign(colour="red")
        with pytest.raises(Malformed) as refused:
            explain(model, wrong)
        assert [fault.en for fault in refused.value.faults] == [
            "column 'dust' is missing; the model was trained with it",
            "column 'colour' is unknown to the model; leave it out",
        ]

    def test_text_in_a_number_column(self, model: Any, frame: pd.DataFrame) -> None:
        with pytest.raises(Malformed, match=r"'gas' holds 'high' .*; expected numbers"):
            explain(model, frame.assign(gas="high"))

    def test_times_are_not_numbers(self, model: Any, frame: pd.DataFrame) -> None:
        with pytest.raises(Malformed, match="'gas' holds Timestamp"):
            explain(model, frame.assign(gas=pd.Timestamp("2026-01-01")))

    def test_infinite_values(self, model: Any, frame: pd.DataFrame) -> None:
        with pytest.raises(Malformed, match="'dust' is infinite in 1 rows; expected a number or missing"):
            explain(model, frame.assign(dust=[np.inf, *frame.dust[1:]]))

    def test_a_column_twice(self, model: Any, frame: pd.DataFrame) -> None:
        twice = pd.concat([frame, frame[["gas"]]], axis=1)
        with pytest.raises(Malformed, match="column 'gas' appears 2 times"):
            explain(model, twice)

    def test_another_width(self, model: Any, frame: pd.DataFrame) -> None:
        with pytest.raises(Malformed, match=r"expected rows of 4 features, found an array of shape \(200, 3\)"):
            explain(model, frame.to_numpy()[:, :3])

    def test_not_numbers_at_all(self, model: Any) -> None:
        with pytest.raises(Malformed, match="the rows cannot be read as numbers"):
            explain(model, [["a", "b", "c", "d"]])

    def test_no_rows(self, model: Any, frame: pd.DataFrame) -> None:
        assert explain(model, frame[:0]).contributions.shape == (0, 4)

    def test_neither_model_nor_function(self, frame: pd.DataFrame) -> None:
        with pytest.raises(Malformed, match="a str is neither a known model nor a function of rows"):
            explain("model", frame)

    def test_nothing_to_compare_with(self) -> None:
        with pytest.raises(Malformed, match="a model that can only be asked needs a background"):
            predictor_of(lambda X: X[:, 0])

    def test_wrong_number_of_names(self, frame: pd.DataFrame, truth: pd.Series) -> None:
        forest = RandomForestClassifier(2, random_state=0).fit(frame.to_numpy(), truth)
        with pytest.raises(Malformed, match=r"2 feature names \(all different\?\) for a model of 4 features"):
            explain(forest, frame.to_numpy(), feature_names=["a", "b"])

    def test_ten_thousand_features(self) -> None:
        random = np.random.default_rng(0)
        X = random.normal(size=(60, 10_000))
        booster = xgb.train({"nthread": 1, "max_depth": 3}, xgb.DMatrix(X, X[:, 9_999] > 0), 3)
        why = explain(booster, X)
        assert why.contributions.shape == (60, 10_000)
        assert np.abs(why.contributions[:, 9_999]).mean() > 0.1


def why_mean(values: pd.Series) -> float:
    return float(values.mean())


class TestLastResort:
    def test_an_objective_we_do_not_read_goes_to_shap(self, frame: pd.DataFrame, truth: pd.Series) -> None:
        import lightgbm as lgb

        options = {"objective": "cross_entropy_lambda", "verbose": -1, "num_threads": 1}
        booster = lgb.train(options, lgb.Dataset(frame, truth.astype(float)), 5)
        why = explain(booster, frame)
        assert why.method == "shap_fallback:TreeExplainer"
        assert why.scores == pytest.approx(np.asarray(booster.predict(frame, raw_score=True)))

    def test_what_shap_cannot_do_is_refused_in_our_sentence(self, frame: pd.DataFrame, truth: pd.Series) -> None:
        booster = xgb.train({"booster": "gblinear"}, xgb.DMatrix(frame, truth), 2)
        with pytest.raises(Malformed, match="the booster 'gblinear' has no trees"):
            explain(booster, frame)
