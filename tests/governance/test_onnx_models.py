"""A model that runs in a process of its own: when it falls, one call is refused and no alarm of another model waits."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from explainers.predictor import ModelAway
from governance.intake import BreaksDown, examine_directory
from governance.serving import NoTime
from model_registry.lasting_worker import LastingWorker, WorkerFell, WorkerHangs
from model_registry.onnx_model import Asked
from policies.rulebook import read_rulebook
from tests.governance.factories import ENGINEER, PLANT, SENSORS, House, a_directory, rows
from tests.model_registry.onnx_makers import exported

FRAME = rows(12, seed=9)[list(SENSORS)]


def a_network() -> bytes:
    """A logistic regression of the two sensors, as ONNX."""
    from sklearn.linear_model import LogisticRegression

    training = rows(600, seed=1000)
    return exported(LogisticRegression().fit(training[list(SENSORS)].to_numpy(np.float32), training["harmed"]), 2)


def handed(house: House, **changes: Any) -> Any:
    """A submission directory with an ONNX model."""
    house.made += 1
    lines = {'artifact = "model.ubj"\nflavour = "xgboost"': 'artifact = "model.onnx"\nflavour = "onnx"'}
    folder = a_directory(house.folder / f"onnx-{house.made}", lines=lines, **changes)
    (folder / "model.ubj").unlink()
    (folder / "model.onnx").write_bytes(a_network())
    return folder


@pytest.fixture
def served(house: House) -> Any:
    """An ONNX model with a permit."""
    record = house.service.submit(handed(house), by=ENGINEER)
    house.approve(record)
    return record


def worker_of(house: House, record: Any) -> LastingWorker:
    """The worker of a served model."""
    function = house.service.models.predictor(record).function  # type: ignore[attr-defined]
    assert isinstance(function, Asked)
    return function.worker


class Falls:
    """Stands before a worker's question and makes it fall on rows too warm, after some calls went well."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        raises: ModelAway | None = None,
        *,
        above: float = -1e9,
        after: int = 0,
    ) -> None:
        self.calls, self.raises, self.above = 0, raises or WorkerFell("gas-leak", "SIGSEGV"), above
        whole = Asked.__call__

        def asked(asked: Asked, X: Any) -> Any:
            self.calls += 1
            if self.calls > after and (X[:, 0] > self.above).any():
                raise self.raises
            return whole(asked, X)

        monkeypatch.setattr(Asked, "__call__", asked)


class TestServed:
    def test_is_explained_with_its_error_bar(self, house: House, served: Any) -> None:
        decided = house.decide(X=FRAME)
        assert decided.explained.all()
        trace = house.service.telling.trace_of(decided.ids[0])[1]
        assert trace.method == "permutation"
        assert trace.standard_error is not None

    def test_is_known_to_take_long(self, house: House, served: Any) -> None:
        serving = house.service.serving
        assert not serving.takes_long(served.model)
        serving.served(served.model, PLANT)
        assert serving.takes_long(served.model)

    def test_replays_alike_and_survives_a_new_process(self, house: House, served: Any) -> None:
        decided = house.decide(X=FRAME)
        worker_of(house, served).close()
        assert [house.service.telling.replay(id)["same"] for id in decided.ids] == [True] * len(FRAME)

    def test_one_process_serves_one_version(self, house: House, served: Any) -> None:
        house.decide(X=FRAME)
        first = worker_of(house, served).pid
        house.decide(X=FRAME)
        assert worker_of(house, served).pid == first is not None


class TestFalls:
    def test_a_hang_is_one_refused_call_without_trying_row_by_row(
        self, house: House, served: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as breaking:
            falls = Falls(breaking, WorkerHangs("gas-leak", 5.0))
            decided = house.decide(X=FRAME)
            assert falls.calls == 1
        assert not decided.answered.any()
        assert {problem.says.en for problem in decided.problems} == {
            "gas-leak gave no answer within 5 s and was stopped; fall back to manual control for this call"
        }
        assert "refuse" in house.kinds()
        assert house.decide(X=FRAME).answered.all()

    def test_a_row_that_brings_it_down_is_told_from_the_others(
        self, house: House, served: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frame = FRAME.copy()
        frame.loc[frame.index[5], "temperature"] = 900.0
        Falls(monkeypatch, above=500.0)
        decided = house.decide(X=frame)
        assert [problem.row for problem in decided.problems] == [5]
        assert "gave no answer (SIGSEGV)" in decided.problems[0].says.en

    def test_an_alarm_leaves_while_only_the_explanation_brings_it_down(
        self, house: House, served: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> Any:
            raise WorkerFell("gas-leak", "SIGKILL")

        monkeypatch.setattr(type(house.service.models.predictor(served)), "explain", broken)
        decided = house.decide(X=FRAME)
        alarms = decided.verdicts & decided.answered
        assert alarms.any()
        assert all("explanation_pending" in decided.flags[row] for row in np.flatnonzero(alarms))

    def test_the_lane_of_alarms_asks_a_dead_model_once(
        self, house: House, served: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        falls = Falls(monkeypatch, WorkerHangs("gas-leak", 5.0))
        with pytest.raises(NoTime):
            house.service.serving.alarms_only("gas-leak", FRAME, purpose="risk_intervention", by=PLANT)
        assert falls.calls == 1

    def test_other_models_decide_meanwhile(self, house: House, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        house.approved(name="other", site="plant-07")
        Falls(monkeypatch)
        assert not house.decide(X=FRAME).answered.any()
        assert house.decide("other", FRAME).answered.all()

    def test_a_model_that_is_away_is_not_watched_and_stops_no_watching(
        self, house: House, served: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.decide(X=FRAME)
        Falls(monkeypatch)
        with caplog.at_level(logging.WARNING, logger="mingjing.monitors"):
            house.service.serving._monitors.judge()
        assert "gas-leak" not in house.service.serving._monitors._windows


class TestIntake:
    def test_one_that_breaks_down_while_it_is_examined_is_refused(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = handed(house)
        Falls(monkeypatch, after=1)  # the evaluation rows alone were scored
        with pytest.raises(BreaksDown) as refused:
            examine_directory(folder, read_rulebook())
        assert refused.value.says.en.startswith("gas-leak crashed or hung while the checks asked it")
