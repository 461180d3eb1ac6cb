"""What a page still says of a decision whose time was over: that it was taken, and the proof of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.routes.shared import SESSION
from audit.entries import Draft
from audit.expiry import expire, forget_subject
from audit.verify import verify_bundle
from policies.roles import Role
from tests.governance.factories import House, a_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path / "house") as made:
        made.approved()
        yield made


@pytest.fixture
def officer(house: House) -> Iterator[TestClient]:
    made = house.service.people.add("mei", Role.DSO)
    with TestClient(create_app(house.service)) as client:
        client.cookies.set(SESSION, house.service.people.sign_in("mei", made.password))
        yield client


def test_an_erased_decision_keeps_its_proof(house: House, officer: TestClient) -> None:
    identifier = house.decide().decisions[0].id
    for _ in range(40):  # a week at a time, with a checkpoint each, as a running service leaves them
        house.clock.go(days=7)
        house.service.log.append([Draft(kind="health", payload=b"{}")])
        house.service.log.checkpoint()
    session = house.service.people.once("mei")
    officer.cookies.set(SESSION, house.service.people.redeem(session))
    assert expire(house.service.log).erased > 0
    page = officer.get(f"/decisions/{identifier}")
    assert page.status_code == 200
    assert "This decision was erased" in page.text
    assert "proven just now" in page.text
    assert verify_bundle(house.service.telling.evidence(str(identifier))).holds
    assert "erased" in officer.get("/decisions").text


def test_a_restricted_decision_is_stored_and_not_shown(house: House, officer: TestClient) -> None:
    identifier = house.decide(subjects=[f"worker-{number}" for number in range(6)]).decisions[0].id
    subject = house.service.log.entry(str(identifier)).subject
    assert subject is not None
    forget_subject(house.service.log, subject, approvers=["mei", "zhao"], reason="asked for by the person concerned")
    page = officer.get(f"/decisions/{identifier}")
    assert page.status_code == 403
    assert "What mattered most" not in page.text
    assert "This was not done" in page.text
