"""What is counted, who may read it, and that nothing about persons is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.standing import Standing
from governance.tallies import Tallies
from policies.roles import Role
from tests.api.doors import Doors, rows_of

pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")


def families(doors: Doors, **options: Any) -> dict[str, Any]:
    """The figures, as Prometheus' own reader understands them."""
    from prometheus_client.parser import text_string_to_metric_families

    answer = doors.ask("get", "/metrics", Role.ADMIN, **options)
    assert answer.status_code == 200, answer.text
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(family: Any, suffix: str = "", **labels: str) -> float:
    """One sample of a family."""
    (found,) = [
        sample.value
        for sample in family.samples
        if sample.name == family.name + suffix and labels.items() <= sample.labels.items()
    ]
    return float(found)


class TestFigures:
    def test_count_rows_and_calls(self, doors: Doors) -> None:
        doors.ask("post", "/v1/models/gas-leak/invocations", Role.SERVICE, json=rows_of(3))
        before = families(doors)
        doors.ask("post", "/v1/models/gas-leak/invocations", Role.SERVICE, json=rows_of(3))
        after = families(doors)

        def rows(found: dict[str, Any]) -> float:
            decisions = found["mingjing_decisions"]
            return sum(value(decisions, "_total", model="gas-leak", answer=answer) for answer in ("alarm", "clear"))

        assert rows(after) - rows(before) == 3
        calls = [value(found["mingjing_call_seconds"], "_count", model="gas-leak") for found in (before, after)]
        assert calls[1] - calls[0] == 1
        assert value(after["mingjing_log_entries"]) > value(before["mingjing_log_entries"])

    def test_count_refusals_by_reason_and_never_by_what_callers_say(self, doors: Doors) -> None:
        for number in range(3):
            doors.ask("post", f"/v1/models/made-up-{number}/invocations", Role.SERVICE, json=rows_of(1))
        assert value(families(doors)["mingjing_refusals"], "_total", reason="unknown") >= 3
        assert "made-up" not in doors.ask("get", "/metrics", Role.ADMIN).text

    def test_say_nothing_about_persons(self, doors: Doors) -> None:
        body = {**rows_of(1), "subjects": ["w-secret"]}
        id = doors.ask("post", "/v1/models/gas-leak/invocations", Role.SERVICE, json=body).json()["decision_ids"][0]
        text = doors.ask("get", "/metrics", Role.ADMIN).text
        pseudonym = doors.house.service.serving.pseudonym_of("w-secret")
        for secret in ("w-secret", pseudonym, id, "service-everywhere", "everywhere"):
            assert secret not in text


class TestWhoMayRead:
    def test_from_this_machine_nobody_has_to_say_who_he_is(self, doors: Doors) -> None:
        here = TestClient(doors.client.app, client=("127.0.0.1", 40000))
        assert here.get("/metrics").status_code == 200

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
    def test_what_a_proxy_on_it_hands_on_comes_from_elsewhere(self, doors: Doors, header: str) -> None:
        here = TestClient(doors.client.app, client=("127.0.0.1", 40000))
        assert here.get("/metrics", headers={header: "203.0.113.9"}).status_code == 401


class TestMonitors:
    def test_are_shown_as_they_were_read_last(self, own_doors: Doors) -> None:
        # judging may suspend a permit, so not in the house that other tests share
        address = "/v1/models/gas-leak/monitors"
        assert own_doors.ask("get", address, Role.DSO).json() == {"model": "gas-leak", "monitors": []}
        for _ in range(6):
            own_doors.house.decide(X=doors_rows(100))
        own_doors.house.service.standing.publish(own_doors.house.service.monitors.judge())
        shown = {said["monitor"]: said for said in own_doors.ask("get", address, Role.DSO).json()["monitors"]}
        assert shown["input_psi"]["rows"] >= 600
        assert set(shown["input_psi"]["says"]) == {"en", "zh"}
        assert value(families(own_doors)["mingjing_monitor_limit"], model="gas-leak", monitor="input_psi") == 0.5


def doors_rows(n: int) -> Any:
    """Rows like those the model was examined with."""
    from tests.governance.factories import SENSORS, rows

    return rows(n, seed=33)[list(SENSORS)]


class TestStanding:
    def test_adds_up_processes_and_shows_the_worst(self, tmp_path: Path) -> None:
        one, other = Tallies(), Tallies()
        for tallies in (one, one, other):
            tallies.refused("suspended")
        first, second = Standing(tmp_path, one), Standing(tmp_path, other)
        second._file = tmp_path / "2.json"
        first.publish()
        second.publish()
        assert first.counts()["counts"] == second.counts()["counts"] == [["refusals", "suspended", 3]]
        first.clear()
        assert list(tmp_path.glob("*.json")) == []
