"""Where the parts meet: what is opened, what is handed in, and what stays when something is away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.rounds import Rounds
from api.settings import Settings
from api.wiring import open_service
from audit.entries import Draft
from audit.findings import LogTampered
from audit.kept_counts import LEAST
from audit.log_reader import Wanted
from policies.errors import Malformed, Unavailable
from tests.governance.factories import SENSORS, House, rows

FRAME = rows(20, seed=9)[list(SENSORS)]


class Away:
    """A log whose disk is gone."""

    def append(self, drafts: Any) -> Any:
        raise OSError("Input/output error")


def log_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the log away from the predict path."""
    monkeypatch.setattr(house.service.serving._inference, "_sink", Away())


class TestSpool:
    def test_alarms_wait_there_and_are_in_the_log_at_the_next_decision(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.approved()
        verdicts = [decision.verdict for decision in house.decide(X=FRAME).decisions]
        log_away(house, monkeypatch)
        late = house.decide(X=FRAME).decisions
        assert [decision is not None for decision in late] == verdicts
        assert house.service.spool.waiting() == sum(verdicts)
        monkeypatch.undo()
        house.decide(X=FRAME[:1])
        assert house.service.spool.waiting() == 0
        for decision in late:
            if decision is not None:
                entry = house.service.log.entry(decision.id)
                assert "spooled" in entry.flags
                assert house.service.log.trace(decision.id) is not None
        assert house.service.log.recheck().faults == []

    def test_they_are_in_the_log_after_a_round_though_no_call_comes(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.approved()
        log_away(house, monkeypatch)
        late = [decision for decision in house.decide(X=FRAME).decisions if decision is not None]
        rounds = Rounds(house.service, house.clock.seconds)
        monkeypatch.undo()
        rounds.once()
        assert house.service.spool.waiting() == 0
        assert all("spooled" in house.service.log.entry(decision.id).flags for decision in late)

    def test_what_a_dead_process_left_is_handed_in_at_the_next_start(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.approved()
        log_away(house, monkeypatch)
        late = [decision for decision in house.decide(X=FRAME).decisions if decision is not None]
        house.service.spool.close()
        left = house.service.spool.folder
        left.rename(left.with_name("999999999-dead"))
        again = open_service(Settings(data=house.folder / "data"), clock=house.clock, store=house.service.store)
        try:
            assert all("spooled" in again.log.entry(decision.id).flags for decision in late)
            assert not left.with_name("999999999-dead").exists()
        finally:
            again.close()
            left.mkdir(exist_ok=True)


class TestOpenService:
    def test_makes_its_folder_for_its_owner_alone(self, house: House) -> None:
        for secret in (house.folder / "data" / "keys").iterdir():
            assert secret.stat().st_mode & 0o077 == 0, secret

    def test_a_rulebook_that_cannot_be_read_opens_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "rules.toml").write_text("version = 1")
        with pytest.raises(Malformed):
            open_service(Settings(data=tmp_path / "data", rulebook=tmp_path / "rules.toml"))

    def test_a_database_that_does_not_answer_is_unavailable_or_said_by_the_doors(self, tmp_path: Path) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        with pytest.raises((Unavailable, SQLAlchemyError)):
            open_service(Settings(data=tmp_path / "data", database_url="postgresql://127.0.0.1:1/none"))


class TestRounds:
    def test_a_log_that_no_longer_signs_raises_one_alarm(self, house: House) -> None:
        house.approved()
        house.decide(X=FRAME[:2])
        log = house.service.log
        with log.database.writing() as connection:
            connection.exec_driver_sql("DROP TRIGGER log_entries_as_written")
            connection.exec_driver_sql("UPDATE log_entries SET counter = counter + 5 WHERE number = 1")
        log.tend()
        with pytest.raises(LogTampered):
            log.checkpoint()
        tender = log._tender
        assert tender is not None
        tender._sign()
        rounds = Rounds(house.service, house.clock.seconds)
        rounds._raise_alarm()
        rounds._raise_alarm()
        said = [json.loads(log.payload(entry.id) or b"") for entry in log.search(kind="incident").entries]
        assert [one["what"] for one in said] == ["log tampered"]
        assert any("row does not give its leaf" in fault["en"] for fault in said[0]["faults"])

    def test_keeps_the_sums_of_the_log_and_notices_who_changed_them(self, house: House) -> None:
        log = house.service.log
        log.append([Draft(kind="decision", payload=b"{}", model="gas-leak", verdict=True) for _ in range(LEAST)])
        Rounds(house.service, house.clock.seconds).once()
        assert log.database.rows("SELECT sum(entries) FROM log_counts WHERE kind = 'decision'") == [(LEAST,)]
        with log.database.writing() as connection:
            connection.exec_driver_sql("UPDATE log_counts SET entries = entries - 7 WHERE kind = 'decision'")
        assert log.tally(Wanted(kind="decision")).count == LEAST - 7
        Rounds(house.service, house.clock.seconds).once()
        assert log.tally(Wanted(kind="decision")).count == LEAST
        said = [json.loads(log.payload(entry.id) or b"") for entry in log.search(kind="incident").entries]
        assert [one["what"] for one in said] == ["kept sums"]
        assert f"{LEAST - 7}/{LEAST}" in said[0]["faults"][0]["en"]
