"""Too many requests, a log that hangs: alarms leave at once and flagged, everything else goes to a person."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.patience import Patience
from audit import database
from audit.alarms_only import OVERLOAD
from governance.callers_rows import NamedRows
from governance.micro_batches import LONGEST_QUEUE, Overloaded, Request
from policies.roles import Role
from tests.governance.factories import PURPOSE, SENSORS, House, rows, someone

URL = "/v1/models/gas-leak/invocations"
FRAME = rows(12, seed=9)[list(SENSORS)]
SPLIT = {"dataframe_split": {"columns": list(SENSORS), "data": FRAME.to_numpy().tolist()}}
ORDINARY = {"sent_by": "plc-7"}
"""What the ordinary reader passes over, and the lean road does not know."""

FORMS = {
    "lean": (URL, SPLIT),
    "ordinary": (URL, {"instances": FRAME.to_numpy().tolist(), **ORDINARY}),
    "tensors": (
        "/v2/models/gas-leak/infer",
        {"inputs": [{"name": "x", "shape": [12, 2], "datatype": "FP64", "data": FRAME.to_numpy().ravel().tolist()}]},
    ),
}


@pytest.fixture
def plant(house: House) -> Iterator[TestClient]:
    """The door of a house with an approved model, that waits a fifth of a second at most."""
    house.approved()
    token = house.service.people.add("plant", Role.SERVICE).token
    app = create_app(house.service, patience=Patience(patience=0.2, per_row=0.0))
    yield TestClient(app, headers={"Authorization": f"Bearer {token}"})
    app.state.batches.close()
    app.state.patience.close()


@contextmanager
def hanging_log(house: House) -> Iterator[None]:
    """Hold the database's only write lock: whoever appends to the log waits, whoever reads does not."""
    with closing(sqlite3.connect(house.folder / "data" / "mingjing.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def verdicts(house: House) -> list[bool]:
    """What the model says of the rows."""
    served = house.service.serving.served("gas-leak", someone(Role.SERVICE))
    return served.alarms(served.predictor.scores(FRAME.to_numpy())).tolist()


def flags_of(answer: Any) -> set[str]:
    """The flags of every row that was answered, in either protocol."""
    said = answer.json()
    if "flags" in said:
        return {flag for flags in said["flags"] for flag in flags}
    words = next(output["data"] for output in said["outputs"] if output["name"] == "flags")
    return {flag for flags in words for flag in flags.split()} - {"refused"}


class TestHangingLog:
    @pytest.mark.parametrize("form", FORMS)
    def test_alarms_leave_flagged_and_the_rest_goes_to_a_person(
        self, house: House, plant: TestClient, form: str
    ) -> None:
        alarms = verdicts(house)
        assert len(set(alarms)) == 2
        url, body = FORMS[form]
        with hanging_log(house):
            answer = plant.post(url, json=body)
            assert answer.status_code == 200, answer.text
            assert [problem["row"] for problem in answer.json()["problems"]] == np.flatnonzero(
                ~np.array(alarms)
            ).tolist()
            assert flags_of(answer) == {"overload", "explanation_pending", "spooled"}
        house.service.serving.catch_up()
        kept = house.service.log.search(flag=OVERLOAD, limit=100).entries
        assert len(kept) == sum(alarms)
        assert all(entry.verdict for entry in kept)

    @pytest.mark.parametrize("form", FORMS)
    def test_without_an_alarm_the_caller_is_told_to_come_back(self, house: House, plant: TestClient, form: str) -> None:
        quiet = FRAME.to_numpy()[~np.array(verdicts(house))]
        url, body = FORMS[form]
        body = {
            "lean": {"dataframe_split": {"columns": list(SENSORS), "data": quiet.tolist()}},
            "ordinary": {"instances": quiet.tolist(), **ORDINARY},
            "tensors": {
                "inputs": [
                    {"name": "x", "shape": list(quiet.shape), "datatype": "FP64", "data": quiet.ravel().tolist()}
                ]
            },
        }[form]
        with hanging_log(house):
            answer = plant.post(url, json=body)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert (answer.json()["fallback"], answer.json()["reason"]) == ("manual_control", "overload")

    def test_a_token_that_nobody_used_yet_waits_for_no_lock(
        self, house: House, plant: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When a token was used last is noted in the database now and then; an alarm must not wait for that."""
        monkeypatch.setattr(database, "WAIT_SECONDS", 3600)
        answers: list[int] = []
        calls = threading.Thread(target=lambda: answers.append(plant.post(URL, json=SPLIT).status_code))
        with hanging_log(house):
            calls.start()
            calls.join(timeout=60)
            assert answers == [200]
        calls.join()

    def test_the_log_says_afterwards_how_much_went_past_it(self, house: House, plant: TestClient) -> None:
        with hanging_log(house):
            plant.post(URL, json=SPLIT)
        house.service.serving.catch_up()
        entry = house.service.log.search(kind="overload", limit=2).entries
        alarms = verdicts(house)
        payload = house.service.log.payload(entry[0].id)
        assert payload is not None
        assert f'"alarms": {sum(alarms)}, "format": 1, "refused": {len(alarms) - sum(alarms)}'.encode() in payload
        assert len(entry) == 1

    def test_a_permit_is_asked_for_all_the_same(self, house: House, plant: TestClient) -> None:
        house.service.suspensions.suspend("gas-leak", by=someone(Role.DSO), reason="drift")
        with hanging_log(house):
            answer = plant.post(URL, json=SPLIT)
        assert (answer.status_code, answer.json()["reason"]) in [(403, "suspended"), (503, "unreachable")]


class TestFullQueue:
    def test_alarms_pass_it(self, house: House, plant: TestClient) -> None:
        batches = plant.app.state.batches  # type: ignore[attr-defined]
        caller = someone(Role.SERVICE, purpose=PURPOSE)
        waiting = Request("gas-leak", NamedRows(SENSORS, FRAME.to_numpy()[:1]), None, caller, None)
        with hanging_log(house):
            with suppress(Overloaded):
                for _ in range(2 * LONGEST_QUEUE + 8192):
                    batches.ask(waiting, lambda _: None)
            with pytest.raises(Overloaded, match="requests are waiting"):
                batches.ask(waiting, lambda _: None)
            answer = plant.post(URL, json=SPLIT)
        assert answer.status_code == 200
        assert "overload" in flags_of(answer)

    def test_of_tables_is_bounded_too(self, house: House) -> None:
        house.approved()
        token = house.service.people.add("plant", Role.SERVICE).token
        app = create_app(house.service, patience=Patience(patience=60.0, waiting=0))
        client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
        answer = client.post(URL, json=FORMS["ordinary"][1])
        app.state.batches.close()
        app.state.patience.close()
        assert "overload" in flags_of(answer)
