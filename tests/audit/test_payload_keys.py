"""Data keys and the key that wraps them: lost, foreign, or left half renewed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit.database import Database
from audit.erasure import renew_wrapping
from audit.payload_keys import PayloadUnreadable, Wrapping
from audit.trace_log import TraceLog
from tests.audit.conftest import OpensLog
from tests.audit.logs import a_decision


class TestRenewal:
    def test_payloads_stay_readable_under_the_new_key(self, log: TraceLog, tmp_path: Path) -> None:
        kept = log.append([a_decision(subject=f"p-{number}") for number in range(3)])
        before = (tmp_path / "data" / "keys" / "payload.key").read_bytes()
        renew_wrapping(log.database, log.wrapping)
        assert (tmp_path / "data" / "keys" / "payload.key").read_bytes() != before
        assert [log.payload(receipt.id) for receipt in kept] == [a_decision().payload] * 3
        assert log.append([a_decision()])[0].index == 3
        assert log.recheck().faults == []

    def test_a_process_that_died_before_the_files_were_exchanged_is_healed(
        self, database: Database, opens_log: OpensLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        log = opens_log(database)
        kept = log.append([a_decision()])[0]
        exchange = os.replace

        def die(source: object, target: object) -> None:
            if str(target).endswith("payload.key"):
                raise KeyboardInterrupt
            exchange(str(source), str(target))

        monkeypatch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            renew_wrapping(database, log.wrapping)
        monkeypatch.undo()
        again = opens_log(database, "serve-2")
        assert again.payload(kept.id) == a_decision().payload
        again.append([a_decision(subject="p-new")])
        assert again.recheck().faults == []
        assert not (tmp_path / "data" / "keys" / "payload.key.next").exists()


class TestForeignKey:
    def test_a_payload_stays_closed_without_its_key_and_says_so(
        self, database: Database, opens_log: OpensLog, tmp_path: Path
    ) -> None:
        kept = opens_log(database).append([a_decision()])[0]
        (tmp_path / "data" / "keys" / "payload.key").write_text("22" * 32)
        with pytest.raises(PayloadUnreadable, match="the payload stays closed until the right key file is back"):
            opens_log(database, "serve-2").payload(kept.id)

    def test_a_data_key_is_bound_to_its_number_and_quarter(self, tmp_path: Path) -> None:
        wrapping = Wrapping(tmp_path / "payload.key")
        wrapped = wrapping.wrap(b"k" * 32, 7, "2026Q1")
        assert wrapping.unwrap(wrapped, 7, "2026Q1") == b"k" * 32
        for number, quarter in ((8, "2026Q1"), (7, "2026Q2")):
            with pytest.raises(PayloadUnreadable):
                wrapping.unwrap(wrapped, number, quarter)
