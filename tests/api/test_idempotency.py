"""Idempotency-Key over HTTP, on both protocols: once decided, given again; never twice in the log."""

from __future__ import annotations

from typing import Any

import pytest

from policies.roles import Role
from tests.api.doors import Doors, rows_of
from tests.governance.factories import OFFICER

URL = "/v1/models/gas-leak/invocations"
TENSORS = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [31.0, 120.0]}]}


def ask(doors: Doors, body: Any, key: str, url: str = URL) -> Any:
    """Ask as the plant under a key."""
    return doors.ask("post", url, Role.SERVICE, json=body, headers={"Idempotency-Key": key})


class TestKey:
    def test_the_same_request_again_has_the_same_answer_and_no_second_trace(self, doors: Doors) -> None:
        first = ask(doors, rows_of(3), "same")
        size = doors.house.service.log.size()
        again = ask(doors, rows_of(3), "same")
        assert again.json() == first.json()
        assert doors.house.service.log.size() == size
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"

    def test_so_with_tensors(self, doors: Doors) -> None:
        url = "/v2/models/gas-leak/infer"
        first, again = (ask(doors, TENSORS, "tensors", url) for _ in range(2))
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"

    def test_another_body_is_a_conflict(self, doors: Doors) -> None:
        ask(doors, rows_of(3), "other")
        answer = ask(doors, rows_of(2), "other")
        assert answer.status_code == 409
        assert answer.json()["error_code"] == "RESOURCE_CONFLICT"
        assert "was used for another request" in answer.json()["detail"]

    def test_so_is_another_model(self, doors: Doors) -> None:
        ask(doors, rows_of(3), "model")
        assert ask(doors, rows_of(3), "model", "/v1/models/other/invocations").status_code == 409

    def test_without_a_key_every_request_is_its_own(self, doors: Doors) -> None:
        ids = [doors.ask("post", URL, Role.SERVICE, json=rows_of(1)).json()["decision_ids"][0] for _ in range(2)]
        assert len(set(ids)) == 2

    @pytest.mark.parametrize("form", ["suspended", "vetoed"])
    def test_what_was_decided_under_a_permit_is_not_given_again_without_one(self, own_doors: Doors, form: str) -> None:
        assert ask(own_doors, rows_of(3), "permit").status_code == 200
        house = own_doors.house
        if form == "suspended":
            house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="drift")
        else:
            house.veto(house.service.telling.record_of("gas-leak"))
        answer = ask(own_doors, rows_of(3), "permit")
        assert (answer.status_code, answer.json()["reason"]) == (403, form)
