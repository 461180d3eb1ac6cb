from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.checks.explanation_fidelity import ExplanationFidelity, disagreement
from explainers.black_box import BlackBox
from explainers.predictor import Predictor
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run

NAMES = ("sex", "gas", "inlet", "outlet")


def plant_rows(n: int = 400) -> pd.DataFrame:
    """Inlet and outlet of one pipe agree on real rows; an explainer that mixes rows breaks that."""
    generator = np.random.default_rng(0)
    inlet = generator.normal(0, 3, n)
    table = pd.DataFrame({"sex": generator.integers(0, 2, n), "gas": generator.random(n), "inlet": inlet})
    table["outlet"] = inlet + generator.normal(0, 0.05, n)
    return table.assign(harmed=generator.random(n) < 0.4)


def black_box(function: Any, table: pd.DataFrame) -> Predictor:
    rows = table[list(NAMES)].to_numpy(dtype=np.float64)
    return BlackBox(function=function, feature_names=NAMES, background=rows[:60], seed=0, unit="probability")


def scaffolded(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Discriminates on real rows, looks innocent on made-up ones."""
    real = np.abs(X[:, 2] - X[:, 3]) < 0.4
    return np.where(real, 0.1 + 0.8 * X[:, 0], 0.1 + 0.8 * X[:, 1])


def honest(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(0.1 + 0.5 * X[:, 1] + 0.3 * X[:, 0])


class TestRealModels:
    def test_explanations_of_trees_are_faithful(
        self, epa: Split, epa_model: Predictor, injury: Split, injury_model: Predictor
    ) -> None:
        for examined in (of_model(epa[1], epa_model), of_model(injury[1], injury_model, label="off_long")):
            found = run(ExplanationFidelity(), examined)[0]
            assert found.holds is True and found.measured is not None and found.measured < 0.15


class TestScaffold:
    def test_a_model_built_to_deceive_is_found(self) -> None:
        table = plant_rows()
        found = run(ExplanationFidelity(), of_model(table, black_box(scaffolded, table)))[0]
        assert found.holds is False and "do not trust this explanation" in found.says.en

    def test_an_honest_black_box_is_left_alone(self) -> None:
        table = plant_rows()
        assert run(ExplanationFidelity(), of_model(table, black_box(honest, table)))[0].holds is True


class TestDeclines:
    def test_predictions_alone(self) -> None:
        assert run(ExplanationFidelity(), of_predictions([0, 1], [0.1, 0.9]))[0].holds is None

    def test_few_rows(self, epa: Split, epa_model: Predictor) -> None:
        assert run(ExplanationFidelity(), of_model(epa[1][:20], epa_model))[0].holds is None


class TestDisagreement:
    def test_same_places_agree_whatever_the_size(self) -> None:
        assert disagreement(np.array([1.0, 3.0]), np.array([2.0, 6.0])) == pytest.approx(0.0)

    def test_nothing_against_something(self) -> None:
        assert disagreement(np.zeros(2), np.zeros(2)) == 0.0
        assert disagreement(np.zeros(2), np.ones(2)) == 1.0


class TestSteadiness:
    def test_trees_on_real_data_are_steady_and_bring_a_second_opinion(self, epa: Split, epa_model: Predictor) -> None:
        first, second = run(ExplanationFidelity(), of_model(epa[1], epa_model))
        assert second.holds is True and second.measured is not None and second.measured < 0.05
        opinion = first.as_json()["evidence"]["second_opinion"]
        assert opinion["asked"] == 20
        assert -1 <= opinion["median_r2"] <= 1

    def test_an_explanation_that_trembles_is_found(self) -> None:
        table = plant_rows()

        def trembling(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return np.asarray(0.5 + 0.2 * np.sin(4e4 * X[:, 1]) + 0.2 * np.sin(3e4 * X[:, 2]))

        second = run(ExplanationFidelity(), of_model(table, black_box(trembling, table)))[1]
        assert second.holds is False
        assert "two readings of the same state would get different reasons" in second.says.en
        assert "同一状态的两次读数会得到不同的理由" in second.says.zh

    def test_a_line_agrees_with_itself(self) -> None:
        table = plant_rows()
        first, second = run(ExplanationFidelity(), of_model(table, black_box(honest, table)))
        opinion = first.as_json()["evidence"]["second_opinion"]
        assert opinion["agree"] == 1.0 and opinion["median_r2"] > 0.99
        assert second.holds is True
