"""One caller's share of a queue: beyond it his alarms still leave, and nobody else is kept waiting by him."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.patience import Patience
from api.shares import Shares
from policies.roles import Role
from tests.api.test_overload import FORMS, FRAME, ORDINARY, flags_of, verdicts
from tests.governance.factories import House


class TestShares:
    def test_are_counted_for_every_caller_alone(self) -> None:
        shares = Shares(2)
        assert [shares.take("a"), shares.take("a"), shares.take("a"), shares.take("b")] == [True, True, False, True]

    def test_come_back(self) -> None:
        shares = Shares(1)
        assert shares.take("a")
        shares.give_back("a")
        assert shares.take("a")
        assert shares._under_way == {"a": 1}


@pytest.fixture
def held(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, TestClient]]:
    """Two callers of one house, the first of whom has used his share up with calls that do not end."""
    house.approved()
    service = house.service
    first, second = (service.people.add(name, Role.SERVICE).token for name in ("first", "second"))
    app = create_app(service, patience=Patience(patience=60.0, waiting=4))
    monkeypatch.setattr(app.lean_road._shares, "_most", 2)
    begun, over = threading.Semaphore(0), threading.Event()
    decide = service.serving.decide_with

    def held_up(*words: Any, **more: Any) -> Any:
        if more["by"].name == "first":
            begun.release()
            over.wait()
        return decide(*words, **more)

    monkeypatch.setattr(service.serving, "decide_with", held_up)
    clients = [TestClient(app, headers={"Authorization": f"Bearer {token}"}) for token in (first, second)]
    held = [
        threading.Thread(target=clients[0].post, args=FORMS["ordinary"][:1], kwargs={"json": FORMS["ordinary"][1]})
        for _ in range(2)
    ]
    for one in held:
        one.start()
    for _ in held:
        assert begun.acquire(timeout=60)
    yield clients[0], clients[1]
    over.set()
    for one in held:
        one.join()
    app.state.batches.close()
    app.state.patience.close()


class TestBeyondAShare:
    def test_alarms_leave_flagged(self, house: House, held: tuple[TestClient, TestClient]) -> None:
        url, body = FORMS["ordinary"]
        answer = held[0].post(url, json=body)
        assert answer.status_code == 200
        assert "overload" in flags_of(answer)

    def test_without_an_alarm_the_caller_is_told_429(self, house: House, held: tuple[TestClient, TestClient]) -> None:
        quiet = FRAME.to_numpy()[[not alarm for alarm in verdicts(house)]].tolist()
        answer = held[0].post(FORMS["ordinary"][0], json={"instances": quiet, **ORDINARY})
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        said = answer.json()
        assert (said["error_code"], said["fallback"], said["reason"]) == (
            "REQUEST_LIMIT_EXCEEDED",
            "manual_control",
            "share",
        )

    def test_others_are_decided(self, held: tuple[TestClient, TestClient]) -> None:
        url, body = FORMS["ordinary"]
        answer = held[1].post(url, json=body)
        assert answer.status_code == 200
        assert flags_of(answer) == set()


class TestLeanRoad:
    def test_holds_callers_to_a_share_too(self, house: House, held: tuple[TestClient, TestClient]) -> None:
        shares = held[0].app.lean_road._shares  # type: ignore[attr-defined]
        assert shares.take("first")
        assert shares.take("first")
        quiet = FRAME[[not alarm for alarm in verdicts(house)]]
        body = {"dataframe_split": {"columns": list(quiet.columns), "data": quiet.to_numpy().tolist()}}
        assert held[0].post(FORMS["lean"][0], json=body).status_code == 429
        assert flags_of(held[0].post(*FORMS["lean"][:1], json=FORMS["lean"][1])) >= {"overload"}
        shares.give_back("first")
        shares.give_back("first")
        assert held[1].post(FORMS["lean"][0], json=body).status_code == 200
        assert shares._under_way == {}
