"""A model is watched while it decides: calm data leave it alone, drift ends its permit, and the rule is on record."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from governance.monitors import Monitors, Reading, reviewed_and_overridden
from governance.permits import MayNotRun
from governance.reviews import Judgement
from policies.terms import MONITORS, MonitorRules
from tests.governance.factories import OFFICER, PLANT, REVIEWER, SENSORS, House, rows

CALM = rows(700, seed=21)[list(SENSORS)]
HOT = CALM.assign(temperature=CALM.temperature + 25)


def readings(house: House) -> dict[str, Reading]:
    """What the monitors show now, by name."""
    return {reading.monitor: reading for reading in house.service.monitors.judge()}


class TestJudge:
    def test_calm_data_are_within_every_limit(self, house: House) -> None:
        house.approved()
        house.decide(X=CALM)
        found = readings(house)
        assert set(found) == set(MONITORS) - {"override_rate"}
        assert [reading.monitor for reading in found.values() if reading.breached] == []
        house.decide(X=CALM[:1])

    def test_few_rows_say_nothing(self, house: House) -> None:
        house.approved()
        house.decide(X=HOT[:499])
        assert readings(house) == {}

    def test_many_small_calls_are_one_window(self, house: House) -> None:
        house.approved()
        for start in range(0, 700, 50):
            house.decide(X=CALM[start : start + 50])
        assert readings(house)["input_psi"].rows == 700

    def test_drift_suspends_and_the_rule_is_the_actor(self, house: House) -> None:
        house.approved()
        house.decide(X=HOT)
        found = readings(house)
        assert found["input_psi"].worst == "temperature"
        assert found["input_psi"].breached
        with pytest.raises(MayNotRun) as refused:
            house.decide(X=CALM[:1])
        assert refused.value.reason == "suspended"
        entry = house.service.log.search(kind="suspend").entries[0]
        assert entry.actor == "rule:monitors.most.input_psi"
        payload = house.service.log.payload(entry.id)
        assert payload is not None
        assert b"input_psi (temperature) is" in payload
        assert house.service.telling.record_of("gas-leak").stage == "suspended"

    def test_who_lets_it_run_again_starts_with_a_fresh_window(self, house: House) -> None:
        house.approved()
        house.decide(X=HOT)
        readings(house)
        house.service.suspensions.resume("gas-leak", by=OFFICER, reason="the furnace was lit, this is expected")
        assert readings(house) == {}
        house.decide(X=CALM)
        assert not readings(house)["input_psi"].breached

    def test_only_the_latest_rows_count(self, house: House) -> None:
        house.approved()
        mild = CALM.assign(temperature=CALM.temperature + 3)
        house.decide(X=mild)
        before = readings(house)["input_psi"].value
        for _ in range(3):
            house.decide(X=CALM)
        after = readings(house)["input_psi"]
        assert after.value < before
        assert after.rows <= 2000 + 700

    def test_a_new_version_is_judged_by_its_own_rows(self, house: House) -> None:
        house.approved()
        house.decide(X=CALM)
        readings(house)
        house.approved(seed=5)
        house.decide(X=CALM[:600])
        assert readings(house)["input_psi"].rows == 600

    def test_overrides_are_counted_over_what_people_looked_at(self, house: House) -> None:
        house.approved()
        decisions = house.decide(X=CALM[:32]).decisions
        for place, decision in enumerate(decisions):
            judgement = Judgement.OVERRIDE if place % 2 else Judgement.CONFIRM
            house.service.reviews.review(str(decision.id), judgement, by=REVIEWER, reason="looked at it")
        house.clock.go(seconds=1)
        reading = readings(house)["override_rate"]
        assert (reading.value, reading.rows, reading.suspends) == (0.5, 32, False)
        assert reading.breached

    def test_what_does_not_suspend_is_only_shown(self, house: House) -> None:
        suspended: list[Any] = []
        house.approved()
        service = house.service
        rules = MonitorRules(least_rows=1, window_rows=10, most={**dict.fromkeys(MONITORS, 1e-12)}, suspends=())
        record = service.telling.record_of("gas-leak")
        monitors = Monitors(
            lambda: rules,
            lambda *_: service.models.background(record),
            lambda *span: reviewed_and_overridden(service.log, *span),
            suspended.append,
            house.clock,
        )
        served = service.serving.served("gas-leak", PLANT)
        monitors.saw(served, CALM.to_numpy(), house.decide(X=CALM), 0.5)
        found = monitors.judge()
        assert {reading.monitor for reading in found if reading.breached} >= {"input_psi", "latency_seconds"}
        assert suspended == []


class TestSuspendByRule:
    def test_of_a_model_without_a_live_permit_does_nothing(self, house: House) -> None:
        house.approved()
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="looked at")
        before = house.kinds()
        reading = Reading(
            model="gas-leak", version="1", monitor="input_psi", value=1.0, limit=0.5, rows=9, suspends=True
        )
        assert house.service.suspensions.suspend_by_rule("gas-leak", rule=reading.rule, reason=reading.says) is None
        assert house.kinds() == before


def test_an_index_says_nothing_about_the_order(house: House) -> None:
    house.approved()
    house.decide(X=pd.concat([CALM[350:], CALM[:350]]))
    first = readings(house)["input_psi"].value
    house.decide(X=CALM)
    assert readings(house)["input_psi"].value <= first + 1e-3
