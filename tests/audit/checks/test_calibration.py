from __future__ import annotations

import numpy as np
import pytest

from audit.checks.calibration import Calibration, bins_of_scores, calibration_error, expected_calibration_error
from explainers.predictor import Predictor
from policies.declaration import Protective, Task
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run


class TestRealModels:
    def test_releases_and_claims_are_calibrated(
        self, epa: Split, epa_model: Predictor, injury: Split, injury_model: Predictor
    ) -> None:
        for examined in (of_model(epa[1], epa_model), of_model(injury[1], injury_model, label="off_long")):
            found = run(Calibration(), examined)[0]
            assert found.holds is True and found.measured is not None and found.measured < 0.03

    def test_inflated_scores_are_found(self, epa: Split, epa_model: Predictor) -> None:
        examined = of_model(epa[1], epa_model)
        found = run(Calibration(), of_predictions(examined.truth, examined.scores**0.3))[0]
        assert found.holds is False and "on average the scores are too high" in found.says.en

    def test_overconfident_scores_are_found_though_their_mean_is_right(self, epa: Split, epa_model: Predictor) -> None:
        examined = of_model(epa[1], epa_model)
        sharp = 1 / (1 + np.exp(-6 * np.log(examined.scores / (1 - examined.scores))))
        assert run(Calibration(), of_predictions(examined.truth, sharp))[0].holds is False


class TestCalibrationError:
    def test_a_perfect_model_is_not_blamed_for_its_noise(self) -> None:
        blamed = 0
        for seed in range(100):
            generator = np.random.default_rng(seed)
            scores = generator.beta(2, 3, 300)
            outcome = generator.random(300) < scores
            error = calibration_error(outcome, scores, bins_of_scores(scores))
            blamed += error.lo > 0.02
            assert 0 <= error.lo <= error.value <= error.hi
        assert blamed <= 5

    def test_a_known_distance_is_measured_and_held_by_its_interval(self) -> None:
        values, held = [], 0
        for seed in range(100):
            generator = np.random.default_rng(seed)
            scores = generator.uniform(0.2, 0.8, 2000)
            outcome = generator.random(2000) < scores - 0.15
            error = calibration_error(outcome, scores, bins_of_scores(scores))
            values.append(error.value)
            held += error.lo <= 0.15 <= error.hi
        assert np.mean(values) == pytest.approx(0.15, abs=0.005) and held >= 90


class TestAwkward:
    def test_a_permit_is_calibrated_on_its_own_label(self) -> None:
        generator = np.random.default_rng(0)
        scores = generator.random(3000)
        safe = generator.random(3000) < scores
        assert run(Calibration(), of_predictions(safe, scores, protective=Protective.BELOW))[0].holds is True

    def test_all_labels_equal(self) -> None:
        assert run(Calibration(), of_predictions(np.zeros(500), np.full(500, 0.1)))[0].holds is None

    def test_one_score_for_everything(self) -> None:
        found = run(Calibration(), of_predictions(np.arange(1000) % 4 == 0, np.full(1000, 0.25)))[0]
        assert found.holds is True and len(found.groups) == 1

    def test_other_tasks_have_nothing_to_calibrate(self) -> None:
        examined = of_predictions(np.arange(200) % 2, np.arange(200.0), task=Task.ANOMALY, threshold=100.0)
        assert run(Calibration(), examined)[0].holds is True


class TestEceInterval:
    def test_holds_what_drawing_the_outcomes_again_gives(self) -> None:
        generator = np.random.default_rng(0)
        scores = generator.random(3000)
        chance = np.clip(scores + 0.1, 0, 1)  # a tenth too low
        found = run(Calibration(), of_predictions(generator.random(3000) < chance, scores))[0]
        low, high = found.as_json()["evidence"]["ece_interval"]
        bins = bins_of_scores(scores)
        again = [expected_calibration_error(generator.random(3000) < chance, scores, bins) for _ in range(200)]
        assert np.mean((np.array(again) >= low) & (np.array(again) <= high)) >= 0.9 and low < 0.1 < high

    def test_same_seed_same_interval(self) -> None:
        examined = of_predictions([0, 1, 1, 0] * 50, [0.2, 0.9, 0.6, 0.4] * 50)
        one, two = (run(Calibration(), examined)[0].as_json()["evidence"]["ece_interval"] for _ in range(2))
        assert one == two
