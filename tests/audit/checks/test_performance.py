from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_score

from audit.checks.performance import Performance
from explainers.predictor import Predictor
from policies.declaration import Protective
from policies.tiers import Tier
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run


class TestRealModels:
    def test_epa_model_holds_at_l3(self, epa: Split, epa_model: Predictor) -> None:
        examined = of_model(epa[1], epa_model, tier=Tier.L3)
        found = run(Performance(), examined)
        assert [one.holds for one in found] == [True, True, True]
        rates = found[0].as_json()["evidence"]["rates"]
        assert 0.73 < rates["roc_auc"]["value"] < 0.80
        assert rates["balanced_accuracy"]["value"] == pytest.approx(
            balanced_accuracy_score(examined.truth, examined.verdicts)
        )
        assert rates["precision"]["value"] == pytest.approx(precision_score(examined.truth, examined.verdicts))

    def test_always_safe_fails_on_the_seismic_shifts_in_spite_of_its_accuracy(self, seismic: Split) -> None:
        truth = seismic[1]["class"].to_numpy()
        found = run(Performance(), of_predictions(truth, np.zeros(len(truth))))
        assert found[0].holds is False and found[2].holds is False
        assert found[0].as_json()["evidence"]["rates"]["accuracy"]["value"] > 0.92
        harmful = int(truth.sum())
        share = f"{(1 - harmful / len(truth)) * 100:.1f} %"
        assert found[0].says.en == (
            f"the model never alarms: it misses all {harmful} harmful cases; its accuracy of {share} is that of always "
            "saying 'safe'; lower the threshold or train for the rare case"
        )

    def test_always_alarm_fails_by_its_false_alarms(self, seismic: Split) -> None:
        truth = seismic[1]["class"].to_numpy()
        found = run(Performance(), of_predictions(truth, np.ones(len(truth))))
        assert [one.holds for one in found] == [True, False, False]

    def test_guessing_does_not_pass(self, injury: Split) -> None:
        guesses = np.random.default_rng(3).random(len(injury[1]))
        found = run(Performance(), of_predictions(injury[1]["off_long"], guesses))
        assert found[2].holds is False


class TestConclusions:
    def test_a_limit_inside_the_interval_is_left_open(self) -> None:
        truth = np.arange(100) < 40
        scores = np.where(np.arange(100) < 13, 0.9, 0.1)
        found = run(Performance(), of_predictions(truth, scores))
        assert found[0].holds is None
        assert "the limit lies inside the interval" in found[0].says.en
        assert "限值落在区间之内" in found[0].says.zh

    def test_all_labels_equal_cannot_conclude(self) -> None:
        found = run(Performance(), of_predictions(np.zeros(200), np.linspace(0, 1, 200)))
        assert len(found) == 1 and found[0].holds is None
        assert found[0].says.en.startswith("cannot conclude: 200 rows, of them 0 with harm and 200 without")
        assert found[0].as_json()["evidence"]["curve"] == []

    def test_few_rows_cannot_conclude(self) -> None:
        assert run(Performance(), of_predictions([0, 1, 1], [0.1, 0.9, 0.8]))[0].holds is None

    def test_a_permit_model_is_judged_on_what_it_lets_through(self) -> None:
        safe = np.arange(200) < 150
        scores = np.where(safe, 0.9, 0.2)
        found = run(Performance(), of_predictions(safe, scores, protective=Protective.BELOW))
        assert found[0].as_json()["evidence"]["confusion"] == {"tp": 50, "fp": 0, "fn": 0, "tn": 150}
        assert found[0].as_json()["evidence"]["rates"]["roc_auc"]["value"] == 1.0


class TestTimes:
    def test_releases_follow_by_year(self, epa: Split, epa_model: Predictor) -> None:
        found = run(Performance(), of_model(epa[1], epa_model, time="occurred_at"))[0].as_json()["evidence"]
        years = [line["period"] for line in found["periods"]]
        assert years == sorted(years) and years[0] == "2015" and "2024" in years
        assert sum(line["n"] for line in found["periods"]) == len(epa[1])

    def test_persistence_knows_a_run(self) -> None:
        truth = np.repeat([0, 1, 0, 1], 50)
        at = pd.date_range("2024-01-01", periods=200, freq="h")
        examined = of_predictions(truth, np.full(200, 0.5), {"at": at[::-1]}, time="at")
        told = run(Performance(), examined)[0].as_json()["evidence"]["persistence"]
        assert told["detection_rate"] == pytest.approx(98 / 99) and told["false_alarm_rate"] == pytest.approx(2 / 100)

    def test_without_times_nothing_is_said_of_them(self) -> None:
        evidence = run(Performance(), of_predictions([0, 1] * 50, [0.2, 0.8] * 50))[0].as_json()["evidence"]
        assert evidence["periods"] == [] and evidence["persistence"] is None


class TestCurve:
    def test_runs_from_all_alarms_to_few(self, epa: Split, epa_model: Predictor) -> None:
        curve = run(Performance(), of_model(epa[1], epa_model))[0].as_json()["evidence"]["curve"]
        assert 2 <= len(curve) <= 41
        assert curve[0]["detection_rate"] == 1.0
        assert all(a["detection_rate"] >= b["detection_rate"] for a, b in itertools.pairwise(curve))

    def test_a_point_of_the_curve_is_what_the_threshold_gives(self, epa: Split, epa_model: Predictor) -> None:
        examined = of_model(epa[1], epa_model)
        point = run(Performance(), examined)[0].as_json()["evidence"]["curve"][20]
        alarmed = examined.scores >= point["threshold"]
        assert point["detection_rate"] == pytest.approx(alarmed[examined.truth].mean())
        assert point["false_alarm_rate"] == pytest.approx(alarmed[~examined.truth].mean())
