"""The log changes its signing key, and everything before and after stays provable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit.checkpoints import chain_holds, signer_of
from audit.database import Database
from audit.key_chain import make_next_key
from audit.key_change import KeyHasNoFile, change_signing_key
from audit.payload_keys import Wrapping
from audit.signed_note import SigningKey
from audit.trace_log import TraceLog
from tests.audit.conftest import OpensLog, StandingClock
from tests.audit.logs import a_decision, some_history


class TestChangeSigningKey:
    def test_old_and_new_checkpoints_hold(self, log: TraceLog) -> None:
        some_history(log, seed=1, size=10)
        before = log.checkpoint()
        receipt = change_signing_key(log, "admin")
        after = log.checkpoint()
        chain = log.key_chain()
        assert len(chain) == 2 and chain_holds(chain)
        assert signer_of(before, chain) == chain[0].public
        assert signer_of(after, chain) == chain[1].public
        assert log.entry(receipt.id).kind == "key"
        assert log.recheck().faults == []

    def test_the_new_key_is_in_the_file_and_no_other_beside_it(self, log: TraceLog, tmp_path: Path) -> None:
        change_signing_key(log, "admin")
        keys = tmp_path / "data" / "keys"
        assert SigningKey.of_file(keys / "signing.key").public == log.key_chain()[-1].public
        assert sorted(file.name for file in keys.iterdir()) in (["signing.key"], ["payload.key", "signing.key"])

    def test_another_process_takes_the_new_key(self, database: Database, opens_log: OpensLog) -> None:
        one, other = opens_log(database, "serve-1"), opens_log(database, "serve-2")
        change_signing_key(one, "admin")
        other.append([a_decision()])
        assert signer_of(other.checkpoint(), other.key_chain()) == one.key_chain()[1].public

    def test_a_process_that_died_in_between_is_healed(self, database: Database, opens_log: OpensLog) -> None:
        log = opens_log(database)
        file = log.key_file
        assert file is not None
        log.change_key(make_next_key(file), "admin")
        again = opens_log(database)
        again.append([a_decision()])
        assert signer_of(again.checkpoint(), again.key_chain()) == again.key_chain()[1].public
        assert not os.path.exists(f"{file}.next")

    def test_a_key_without_a_file_cannot_be_changed(
        self, sqlite_database: Database, tmp_path: Path, clock: StandingClock
    ) -> None:
        log = TraceLog(
            sqlite_database,
            key=SigningKey(bytes(32)),
            wrapping=Wrapping(tmp_path / "payload.key"),
            clock=clock,
            source="s",
        )
        with pytest.raises(KeyHasNoFile, match="the log's signing key has no file"):
            change_signing_key(log, "admin")
        log.close()
