"""No time to explain: what is an alarm leaves, flagged; what is not goes to a person; nothing is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.alarms_only import NO_TIME, AlarmsOnly
from audit.offline_spool import OfflineSpool
from audit.scored_rows import INFINITE, NOT_SCORED
from audit.served_model import Asked
from policies.permitted_use import PurposeRefused
from policies.rulebook import read_rulebook
from tests.governance.factories import PLANT, SENSORS, House, rows

X = rows(12, seed=9)[list(SENSORS)].to_numpy()
ASKED = Asked(purpose="risk_intervention", caller="plant")
PURPOSES = read_rulebook().purposes


@pytest.fixture
def spool(house: House, tmp_path: Path) -> OfflineSpool:
    """A spool on a real disk, in the house with an approved model."""
    house.approved()
    return OfflineSpool(tmp_path / "side", house.clock, "side-1")


def lane(house: House, spool: Any) -> AlarmsOnly:
    """The lane over a spool that is handed in to the log."""
    return AlarmsOnly(spool, lambda: PURPOSES, hand_in=lambda: spool.hand_in(house.service.log))


class TestDecide:
    def test_answers_the_alarms_and_nothing_else(self, house: House, spool: OfflineSpool) -> None:
        served = house.service.serving.served("gas-leak", PLANT)
        alarms = served.alarms(served.predictor.scores(X))
        decided = lane(house, spool).decide(served, X, ASKED)
        assert [decision is not None for decision in decided.decisions] == alarms.tolist()
        assert {problem.says for problem in decided.problems} == {NO_TIME}
        assert spool.waiting() == alarms.sum()

    def test_gives_the_scores_of_an_ordinary_decision(self, house: House, spool: OfflineSpool) -> None:
        served = house.service.serving.served("gas-leak", PLANT)
        hurried = lane(house, spool).decide(served, X, ASKED)
        for quick, slow in zip(hurried.decisions, house.decide(X=X).decisions, strict=True):
            assert quick is None or quick.score == slow.score

    def test_asks_for_the_purpose(self, house: House, spool: OfflineSpool) -> None:
        with pytest.raises(PurposeRefused):
            lane(house, spool).decide(
                house.service.serving.served("gas-leak", PLANT), X, Asked(purpose="reward", caller="plant")
            )

    def test_a_spool_that_fails_holds_no_alarm_back(self, house: House) -> None:
        house.approved()

        class Full:
            def append(self, drafts: Any) -> Any:
                raise OSError(28, "No space left on device")

        decided = AlarmsOnly(Full(), lambda: PURPOSES, hand_in=lambda: None).decide(
            house.service.serving.served("gas-leak", PLANT), X, ASKED
        )
        answered = [decision for decision in decided.decisions if decision is not None]
        assert answered
        assert all(decision.id is None and "unlogged" in decision.flags for decision in answered)

    def test_an_infinite_reading_is_named_and_holds_nobody_elses_alarm_back(
        self, house: House, spool: OfflineSpool
    ) -> None:
        served = house.service.serving.served("gas-leak", PLANT)
        bad = np.vstack([[np.inf, 100.0], X])
        decided = lane(house, spool).decide(served, bad, ASKED)
        assert decided.problems[0].says == INFINITE
        assert any(decided.decisions)

    def test_a_row_that_breaks_the_model_holds_nobody_elses_alarm_back(
        self, house: House, spool: OfflineSpool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served = house.service.serving.served("gas-leak", PLANT)
        whole = type(served.predictor).margins

        def breaks(self: Any, rows: Any) -> Any:
            if (rows[:, 0] == 77.0).any():
                raise RuntimeError("cannot")
            return whole(self, rows)

        monkeypatch.setattr(type(served.predictor), "margins", breaks)
        decided = lane(house, spool).decide(served, np.vstack([[77.0, 100.0], X]), ASKED)
        assert decided.problems[0].says == NOT_SCORED
        assert any(decided.decisions)


class TestCatchUp:
    def test_what_waited_is_in_the_log_and_can_be_replayed(self, house: House, spool: OfflineSpool) -> None:
        quick = lane(house, spool)
        decided = quick.decide(house.service.serving.served("gas-leak", PLANT), X, ASKED)
        quick.catch_up(house.service.log)
        for decision in decided.decisions:
            if decision is not None:
                entry = house.service.log.entry(str(decision.id))
                assert {"overload", "explanation_pending", "spooled"} <= set(entry.flags)
                trace = house.service.log.trace(entry.id)
                assert trace is not None and trace.score == decision.score
        assert house.service.log.recheck().faults == []

    def test_a_log_that_is_still_away_leaves_everything_for_the_next_time(
        self, house: House, spool: OfflineSpool
    ) -> None:
        class Away:
            def append(self, drafts: Any) -> Any:
                raise OSError("away")

        def fails() -> None:
            raise OSError("away")

        quick = lane(house, spool)
        quick.decide(house.service.serving.served("gas-leak", PLANT), X, ASKED)
        hand_in, quick._hand_in = quick._hand_in, fails
        with pytest.raises(OSError, match="away"):
            quick.catch_up(Away())
        quick._hand_in = hand_in
        quick.catch_up(house.service.log)
        assert spool.waiting() == 0
        assert house.kinds().count("overload") == 1

    def test_nothing_happened_is_nothing_said(self, house: House, spool: OfflineSpool) -> None:
        before = house.kinds()
        lane(house, spool).catch_up(house.service.log)
        assert house.kinds() == before
