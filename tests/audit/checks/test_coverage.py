from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checks.coverage import Coverage, psi, unseen
from explainers.predictor import Predictor
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run, trained


class TestRealModels:
    def test_later_releases_are_like_earlier_ones(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Coverage(), of_model(epa[1], epa_model, training=epa[0]))
        assert [one.holds for one in found] == [True, True]

    def test_an_industry_that_training_never_saw(self, epa: Split) -> None:
        training, evaluation, features = epa
        common = evaluation.industry.value_counts().index[0]
        training = training[training.industry != common]
        evaluation = evaluation.assign(industry=evaluation.industry.astype("string"))
        kept = [name for name in features if name != "industry"]
        examined = of_model(
            evaluation,
            trained(training, kept, "harmed"),
            training=training.assign(industry=training.industry.astype("string")),
            groups=("industry",),
        )
        found = run(Coverage(), examined)[0]
        assert found.holds is False and "most by 'industry'" in found.says.en

    def test_another_unit_is_another_world(self, epa: Split, epa_model: Predictor) -> None:
        celsius = epa[1].assign(temperature=(epa[1].temperature - 32) / 1.8)
        found = run(Coverage(), of_model(celsius, epa_model, training=epa[0]))[1]
        assert "'temperature' (PSI" in found.says.en

    def test_aged_equipment_outside_the_training_range(self, epa: Split, epa_model: Predictor) -> None:
        hot = epa[1].assign(temperature=epa[1].temperature + 400)
        found = run(Coverage(), of_model(hot, epa_model, training=epa[0]))
        assert [one.holds for one in found] == [False, False] or found[0].holds is False


class TestAwkward:
    def test_without_training_data(self, epa: Split, epa_model: Predictor) -> None:
        assert run(Coverage(), of_model(epa[1], epa_model))[0].holds is None

    def test_predictions_alone_with_nothing_beside_them(self) -> None:
        assert run(Coverage(), of_predictions([0, 1] * 50, [0.3, 0.7] * 50))[0].holds is None

    def test_constant_and_empty_columns(self) -> None:
        table = pd.DataFrame({"a": 1.0, "b": np.nan, "harmed": np.arange(200) % 2})
        found = run(Coverage(), of_model(table, trained(table, ["a", "b"], "harmed", n_estimators=2), training=table))
        assert [one.holds for one in found] == [True, True]


class TestUnseen:
    def test_a_new_word(self) -> None:
        assert unseen(pd.Series(["甲", "乙"]), pd.Series(["乙", "丙"])).tolist() == [False, True]

    def test_a_new_code_between_known_ones(self) -> None:
        assert unseen(pd.Series([1, 2, 4]), pd.Series([3, 4])).tolist() == [True, False]

    def test_beyond_either_end(self) -> None:
        known = pd.Series(np.linspace(0, 10, 101))
        assert unseen(known, pd.Series([-0.05, -1.0, 5.0, 10.05, 11.0])).tolist() == [False, True, False, False, True]

    def test_missing_where_nothing_was_missing(self) -> None:
        assert unseen(pd.Series([0.5, 1.5]), pd.Series([np.nan, 1.0])).tolist() == [True, False]
        assert unseen(pd.Series([0.5, np.nan]), pd.Series([np.nan])).tolist() == [False]


class TestPsi:
    @given(st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=80))
    @settings(deadline=None)
    def test_never_negative_and_none_against_oneself(self, values: list[float]) -> None:
        column = pd.Series(values)
        assert psi(column, column) == pytest.approx(0.0, abs=1e-12)
        assert psi(column, column + 1.0) >= 0

    def test_a_shift_of_one_deviation_has_moved(self) -> None:
        generator = np.random.default_rng(0)
        one = pd.Series(generator.standard_normal(5000))
        assert psi(one, pd.Series(generator.standard_normal(5000))) < 0.02
        assert psi(one, pd.Series(generator.standard_normal(5000) + 1)) > 0.25
