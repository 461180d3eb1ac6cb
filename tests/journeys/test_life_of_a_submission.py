"""One submission after another, from the folder to the permit and to its end."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.approvals import StandsInTheWay, Verdict
from governance.permits import MayNotRun
from governance.stages import IllegalMove, Stage
from policies.errors import Conflict, Refused
from policies.roles import Role
from tests.governance.factories import (
    COMMITTEE,
    ENGINEER,
    L4,
    OFFICER,
    PLANT,
    PURPOSE,
    House,
    a_directory,
    an_examination,
    someone,
)


class TestLifeOfASubmission:
    def test_is_returned_improved_approved_suspended_replaced_and_vetoed(self, house: House) -> None:
        service = house.service

        # It comes in whole: every check runs, nothing runs yet.
        first = service.submit(a_directory(house.folder / "first"), by=ENGINEER)
        assert {finding["check"] for finding in first.findings} >= {"performance", "leakage", "purpose"}
        assert service.store.version(first.model, first.version).status == "examined"
        assert set(service.store.documents(first.model, first.version)) >= {
            "findings.json",
            "transparency-report.zh.pdf",
            "transparency-report.en.pdf",
        }
        with pytest.raises(MayNotRun, match="no version of it holds a permit"):
            house.decide()

        # It is returned with a reason, and stays so.
        service.give_verdict(first.id, Verdict.RETURN, by=OFFICER, reason="say which sensors these are")
        with pytest.raises(IllegalMove):
            house.approve(first)

        # The next one is approved for a while, and decides.
        second = house.submitted(seed=1)
        ruling = service.give_verdict(
            second.id, Verdict.APPROVE, by=OFFICER, reason="better than the rule", until=house.clock() + timedelta(30)
        )
        assert ruling.stage is Stage.APPROVED
        assert house.decide().decisions[0] is not None

        # A drill fails: it is suspended at once, and resumed by the officer.
        service.suspensions.suspend("gas-leak", by=OFFICER, reason="missed the drill's leak")
        with pytest.raises(MayNotRun, match="suspended"):
            house.decide()
        service.suspensions.resume("gas-leak", by=OFFICER, reason="the drill had a wrong valve")
        house.decide()

        # A third version takes its place; the second is retired.
        third = house.approved(seed=2)
        assert service.book.get(second.id).stage is Stage.RETIRED
        assert service.log.entry(house.decide().decisions[0].id).version == third.version

        # It turns out to be unsound: vetoed for good, under whatever name.
        service.give_verdict(third.id, Verdict.VETO, by=OFFICER, reason="it learnt the plant's calendar")
        with pytest.raises(MayNotRun, match="was vetoed"):
            house.decide()
        with pytest.raises(Conflict, match="a veto is final for an artifact"):
            house.submitted(name="gas-leak-again", seed=2)
        assert service.store.version(third.model, third.version).status == "vetoed"

        # Every step is in the log, in order, and the log holds.
        acts = [kind for kind in house.kinds() if kind not in ("decision", "submit", "examine", "refuse")]
        assert acts == ["return", "approve", "suspend", "resume", "approve", "retire", "veto"]
        assert service.log.recheck().faults == []

    def test_at_l4_needs_two_and_nothing_left_open(self, house: House) -> None:
        unclear = house.submitted(impact=L4)
        with pytest.raises(StandsInTheWay):
            house.approve(unclear)
        house.verdict(unclear, Verdict.RETURN, OFFICER)
        clear = house.submitted(impact=L4, seed=1, only_holding=True)
        assert house.approve(clear).still_needed == ("committee",)
        with pytest.raises(MayNotRun):
            house.decide()
        assert house.approve(clear, COMMITTEE).still_needed == ()
        house.decide()

    def test_ends_on_its_day(self, house: House) -> None:
        record = house.submitted()
        house.approve(record, until=house.clock() + timedelta(days=10))
        house.clock.go(days=10, hours=1)
        flags = {flag for decision in house.decide().decisions if decision for flag in decision.flags}
        assert flags == {"permit_lapsed"}
        house.clock.go(days=1)
        with pytest.raises(MayNotRun, match="the permit of version 1 ended on"):
            house.decide()


class TestRaces:
    def test_of_many_approvals_one_binds(self, house: House) -> None:
        record = house.submitted()
        outcomes = _together([lambda i=i: house.approve(record, someone(Role.DSO, f"dso-{i}")) for i in range(5)])
        assert sum(not isinstance(outcome, Conflict) for outcome in outcomes) == 1
        assert len(house.service.book.get(record.id).verdicts) == 1

    def test_of_many_submissions_of_one_name_one_comes_in(self, house: House) -> None:
        examinations = [an_examination(house.folder / f"racing-{seed}", seed=seed) for seed in range(4)]
        take_in = house.service.intake.take_in
        outcomes = _together([lambda e=e: take_in(e, by=ENGINEER) for e in examinations])
        assert sum(not isinstance(outcome, Conflict) for outcome in outcomes) == 1
        assert len(house.service.store.versions()) == 1

    def test_a_veto_is_never_lost_to_an_approval(self, house: House) -> None:
        record = house.submitted()
        _together([lambda: house.approve(record, someone(Role.DSO, "one")), lambda: house.veto(record, OFFICER)])
        assert house.service.book.get(record.id).stage is Stage.VETOED
        with pytest.raises(MayNotRun):
            house.decide()


def _together(acts: list[Any]) -> list[Any]:
    start = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        start.wait()
        try:
            outcomes[place] = acts[place]()
        except (Conflict, Refused) as lost:  # a veto that was seen in time refuses, one that was not collides
            outcomes[place] = lost

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


class TestWhatStays:
    def test_a_house_closed_and_opened_again_is_the_same(self, tmp_path: Path) -> None:
        from api.settings import Settings
        from api.wiring import open_service
        from tests.governance.factories import a_house

        with a_house(tmp_path / "house") as house:
            record = house.approved()
            decided = house.decide().decisions
            again = open_service(
                Settings(data=house.folder / "data"),
                clock=house.clock,
                monotonic=house.clock.seconds,
                store=house.service.store,
            )
            try:
                assert again.book.get(record.id) == house.service.book.get(record.id)
                assert again.telling.decision(decided[0].id) == house.service.telling.decision(decided[0].id)
                same = again.serving.decide("gas-leak", _asked(), purpose=PURPOSE, by=PLANT)
                assert [d.score for d in same.decisions if d] == [d.score for d in house.decide().decisions if d]
            finally:
                again.close()


def _asked() -> object:
    from tests.governance.factories import SENSORS, rows

    return rows(6, seed=9)[list(SENSORS)]
