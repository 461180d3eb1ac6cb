from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checks.coverage import Coverage, far_rows, psi, unseen, wasserstein
from explainers.predictor import Predictor
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run, trained


class TestRealModels:
    def test_later_releases_are_like_earlier_ones(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Coverage(), of_model(epa[1], epa_model, training=epa[0]))
        assert [one.holds for one in found] == [True, True, True]

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
        found = run(Coverage(), of_model(celsius, epa_model, training=epa[0]))[-1]
        assert "'temperature' (PSI" in found.says.en

    def test_aged_equipment_outside_the_training_range(self, epa: Split, epa_model: Predictor) -> None:
        hot = epa[1].assign(temperature=epa[1].temperature + 400)
        found = run(Coverage(), of_model(hot, epa_model, training=epa[0]))
        assert [one.holds for one in found[:2]] == [False, False]


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


def swirl(n: int, seed: int, between: bool = False) -> pd.DataFrame:
    """Two separate working states of a machine; `between` rows lie in the middle, inside the range of each sensor."""
    generator = np.random.default_rng(seed)
    at = np.full(n, 5.0) if between else generator.choice([0.0, 10.0], n)
    table = pd.DataFrame({"speed": at + generator.normal(0, 0.5, n), "load": at + generator.normal(0, 0.5, n)})
    return table.assign(mode="in between" if between else "usual", harmed=generator.random(n) < 0.4)


class TestFar:
    def test_a_state_between_the_known_ones_is_found(self) -> None:
        """No sensor leaves its range; together they show what training never saw."""
        training = swirl(2000, 0)
        evaluation = pd.concat([swirl(700, 1), swirl(300, 2, between=True)], ignore_index=True)
        examined = of_model(
            evaluation, trained(training, ["speed", "load"], "harmed"), training=training.assign(mode="usual"),
            groups=("mode",),
        )  # fmt: skip
        outside, far, _ = run(Coverage(), examined, most_unseen_rows=1.0)
        assert far.holds is False and far.measured is not None and far.measured == pytest.approx(0.3, abs=0.03)
        assert "most in 'mode: in between'" in far.says.en and "设备处于训练从未见过的状态" in far.says.zh
        states = {line["state"]: line["far"] for line in far.as_json()["evidence"]["states"]}
        assert states["mode: in between"] > 0.9 and states["mode: usual"] < 0.05
        assert {line["column"] for line in outside.groups if line["unseen"]} == {"mode"}

    @pytest.mark.parametrize("seed", range(8))
    def test_more_of_the_same_is_a_hundredth(self, seed: int) -> None:
        training, evaluation = swirl(2000, seed), swirl(1000, 100 + seed)
        examined = of_model(evaluation, trained(training, ["speed", "load"], "harmed"), training=training)
        far = far_rows(examined, training, ["speed", "load"])
        assert far.mean() < 0.03

    def test_units_do_not_matter(self) -> None:
        training, evaluation = swirl(1000, 0), swirl(500, 1)
        model = trained(training, ["speed", "load"], "harmed")
        one = far_rows(of_model(evaluation, model, training=training), training, ["speed", "load"])
        big = [frame.assign(load=frame.load * 1e6) for frame in (training, evaluation)]
        other = far_rows(of_model(big[1], model, training=big[0]), big[0], ["speed", "load"])
        assert (one == other).all()


class TestWasserstein:
    def test_a_shift_is_as_far_as_it_is(self) -> None:
        known = pd.Series(np.random.default_rng(0).normal(0, 2, 4000))
        assert wasserstein(known, known + 3.0) == pytest.approx(3.0 / float(known.to_numpy().std()))
        assert wasserstein(known, known) == 0.0

    def test_text_and_constants_have_none(self) -> None:
        assert wasserstein(pd.Series(["a"]), pd.Series(["b"])) is None
        assert wasserstein(pd.Series([1.0, 1.0]), pd.Series([2.0])) is None


class TestCodes:
    def test_a_common_code_of_many_that_training_never_held(self) -> None:
        generator = np.random.default_rng(0)
        known = pd.Series(generator.choice([k for k in range(60) if k != 30], 3000).astype(float))
        asked = pd.Series(np.where(generator.random(1000) < 0.2, 30.0, generator.choice(29, 1000)))
        assert unseen(known, asked).sum() == (asked == 30).sum() > 100

    def test_a_rare_new_number_among_many_is_chance(self) -> None:
        known = pd.Series(np.arange(0.0, 4000.0, 2.0))
        asked = pd.Series(np.arange(1.0, 2001.0))
        assert unseen(known, asked).sum() == 0
