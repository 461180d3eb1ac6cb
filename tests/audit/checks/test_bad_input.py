"""Every check on what nobody should hand in: it answers or declines, it never falls over, and nothing is made up."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audit.checks.check import Finding
from audit.examination import Examined, examine
from explainers.predictor import Predictor
from policies.declaration import Feature
from policies.errors import Malformed
from tests.audit.checks.factories import of_model, of_predictions, trained

SENSORS = (Feature(name="pressure", sensor=True, unit="bar", range=(-10.0, 10.0)), Feature(name="flow", sensor=True))
Change = Callable[[pd.DataFrame], pd.DataFrame]


def rows(n: int = 300, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    table = pd.DataFrame({"pressure": generator.normal(size=n), "flow": generator.random(n)})
    table["at"] = pd.date_range("2026-01-01", periods=n, freq="min").astype(str)
    return table.assign(
        shift=np.where(np.arange(n) % 2, "day", "night"),
        harmed=(table.pressure + generator.normal(0, 0.5, n) > 0.7).astype(int),
    )


@pytest.fixture(scope="module")
def model() -> Predictor:
    return trained(rows(2000, 1), ["pressure", "flow"], "harmed", n_estimators=20)


def answers(examined: Examined) -> dict[str, list[Finding]]:
    """Run every check; every figure must survive as JSON, every answer must have a sentence in both languages."""
    sorted_by: dict[str, list[Finding]] = {}
    for found in examine(examined):
        json.dumps(found.as_json(), allow_nan=False)
        assert found.says.en and found.says.zh
        sorted_by.setdefault(found.check, []).append(found)
    return sorted_by


CHANGES: dict[str, Change] = {
    "a group column of one value": lambda f: f.assign(shift="day"),
    "groups of size one": lambda f: f.assign(shift=[f"worker {i}" for i in range(len(f))]),
    "a group that is missing throughout": lambda f: f.assign(shift=np.nan),
    "a group that is missing now and then": lambda f: f.assign(shift=f["shift"].where(f.index % 3 > 0)),
    "no harm at all": lambda f: f.assign(harmed=0),
    "harm in every row": lambda f: f.assign(harmed=1),
    "one row": lambda f: f[:1],
    "two rows of either kind": lambda f: f.assign(harmed=np.arange(len(f)) % 2)[:2],
    "the same row a hundred times": lambda f: pd.concat([f[:1]] * 100, ignore_index=True),
    "a sensor that says nothing": lambda f: f.assign(flow=np.nan),
    "a sensor that never moves": lambda f: f.assign(pressure=0.25),
    "readings beyond all measure": lambda f: f.assign(flow=f.flow * 1e120),
    "times that are no times": lambda f: f.assign(at="yesterday"),
    "all rows at one moment": lambda f: f.assign(at="2026-01-01"),
    "times that run backwards": lambda f: f.assign(at=f["at"].to_numpy()[::-1]),
    "labels nobody gave in nine rows of ten": lambda f: f.assign(harmed=f.harmed.where(f.index % 10 == 0)),
}


@pytest.mark.parametrize("what", CHANGES)
class TestEveryCheckAnswers:
    def test_with_a_model_and_its_training_rows(self, what: str, model: Predictor) -> None:
        examined = of_model(
            CHANGES[what](rows()), model, training=rows(400, 2), features=SENSORS, groups=("shift",), time="at"
        )
        assert len(answers(examined)) == 14

    def test_with_predictions_alone(self, what: str) -> None:
        frame = CHANGES[what](rows()).reset_index(drop=True)
        beside = {name: frame[name] for name in ("pressure", "flow", "at", "shift")}
        scores = np.linspace(0, 1, len(frame))
        assert len(answers(of_predictions(frame.harmed, scores, beside, groups=("shift",), time="at"))) == 14

    def test_with_training_rows_that_are_no_better(self, what: str, model: Predictor) -> None:
        training = CHANGES[what](rows(400, 2)).reset_index(drop=True)
        examined = of_model(rows(), model, training=training, features=SENSORS, groups=("shift",), time="at")
        assert len(answers(examined)) == 14


class TestNothingIsMadeUp:
    def test_without_harm_nothing_is_said_of_missed_harm(self, model: Predictor) -> None:
        found = answers(of_model(rows().assign(harmed=0), model, groups=("shift",)))
        assert [one.holds for one in found["performance"]] == [None]
        assert found["group_bias"][0].holds is None and found["calibration"][0].holds is None

    def test_one_row_concludes_nothing_about_skill(self, model: Predictor) -> None:
        found = answers(of_model(rows()[:1], model, groups=("shift",)))
        for check in ("performance", "calibration", "group_bias", "explanation_fidelity", "coverage"):
            assert {one.holds for one in found[check]} == {None}, check

    @pytest.mark.parametrize("score", [-0.001, 1.001, np.inf, np.nan])
    def test_a_prediction_that_is_no_probability_is_refused(self, score: float) -> None:
        with pytest.raises(Malformed) as refused:
            of_predictions([0, 1, 1], [0.2, score, 0.9])
        assert "row 2" in refused.value.faults[0].en and "第 2 行" in refused.value.faults[0].zh
