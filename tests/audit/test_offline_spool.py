"""Traces that wait while the log is away: durable, in order, complete or known to be incomplete."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from audit.offline_spool import WAITING, OfflineSpool, SpoolStopped
from audit.trace_log import TraceLog
from audit.verify import verify_bundle
from tests.audit.conftest import StandingClock
from tests.audit.logs import a_decision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path, clock: StandingClock) -> OfflineSpool:
    return OfflineSpool(folder, clock, "edge-7")


def a_numbered(number: int) -> object:
    return a_decision(payload=f"trace {number}".encode(), layout=None)


def payloads_of(log: TraceLog) -> list[bytes | None]:
    return [log.payload(entry.id) for entry in reversed(log.search(kind="decision").entries)]


class TestSpool:
    def test_what_waited_comes_in_order_with_its_time_and_a_flag(
        self, spool: OfflineSpool, log: TraceLog, clock: StandingClock
    ) -> None:
        kept = [spool.append([a_numbered(number)])[0] for number in range(3)]
        assert [receipt.index for receipt in kept] == [WAITING] * 3
        then = clock.now
        clock.go(hours=5)
        assert spool.hand_in(log).traces == 3
        assert payloads_of(log) == [b"trace 0", b"trace 1", b"trace 2"]
        entry = log.entry(kept[0].id)
        assert (entry.time, entry.flags, entry.source, entry.counter) == (then, ("spooled",), "edge-7", 1)

    def test_a_real_trace_is_readable_afterwards(self, spool: OfflineSpool, log: TraceLog) -> None:
        kept = spool.append([a_decision()])[0]
        spool.hand_in(log)
        trace = log.trace(kept.id)
        assert trace is not None and trace.score == 0.798
        assert verify_bundle(json.loads(json.dumps(log.evidence(kept.id)))).holds

    def test_nothing_is_left_of_what_was_handed_in(self, spool: OfflineSpool, log: TraceLog, folder: Path) -> None:
        spool.append([a_numbered(1)])
        assert not any(b"trace 1" in file.read_bytes() for file in folder.iterdir())
        spool.hand_in(log)
        assert [file.name for file in folder.iterdir()] == ["count"]
        assert spool.waiting() == 0

    def test_the_count_goes_on_after_hand_in_and_restart(
        self, spool: OfflineSpool, log: TraceLog, folder: Path, clock: StandingClock
    ) -> None:
        spool.append([a_numbered(1), a_numbered(2)])
        spool.hand_in(log)
        again = OfflineSpool(folder, clock, "edge-7")
        again.append([a_numbered(3)])
        once_more = OfflineSpool(folder, clock, "edge-7")
        once_more.append([a_numbered(4)])
        assert once_more.waiting() == 2
        assert once_more.hand_in(log).gaps == ()
        assert payloads_of(log) == [b"trace 1", b"trace 2", b"trace 3", b"trace 4"]
        assert log.recheck().faults == []

    def test_handing_in_again_after_a_crash_repeats_nothing(
        self, spool: OfflineSpool, log: TraceLog, folder: Path, clock: StandingClock, tmp_path: Path
    ) -> None:
        spool.append([a_numbered(1), a_numbered(2)])
        spool.close()
        shutil.copytree(folder, tmp_path / "as it was")
        spool.hand_in(log)
        OfflineSpool(tmp_path / "as it was", clock, "edge-7").hand_in(log)
        assert payloads_of(log) == [b"trace 1", b"trace 2"]
        assert log.recheck().faults == []

    def test_a_record_cut_short_was_never_acknowledged(
        self, spool: OfflineSpool, log: TraceLog, folder: Path, clock: StandingClock
    ) -> None:
        spool.append([a_numbered(1)])
        spool.append([a_numbered(2)])
        spool.close()
        file = next(folder.glob("*.spool"))
        file.write_bytes(file.read_bytes()[:-5])
        again = OfflineSpool(folder, clock, "edge-7")
        again.append([a_numbered(3)])
        assert again.hand_in(log).gaps == ()
        assert payloads_of(log) == [b"trace 1", b"trace 3"]

    def test_a_file_that_ends_in_its_first_record_is_no_obstacle(
        self, spool: OfflineSpool, log: TraceLog, folder: Path, clock: StandingClock
    ) -> None:
        spool.append([a_numbered(1)])
        spool.close()
        file = next(folder.glob("*.spool"))
        file.write_bytes(file.read_bytes()[:7])
        again = OfflineSpool(folder, clock, "edge-7")
        again.append([a_numbered(2)])
        assert again.hand_in(log).traces == 1

    def test_a_changed_record_is_a_gap_that_the_log_admits(
        self, spool: OfflineSpool, log: TraceLog, folder: Path
    ) -> None:
        for number in range(1, 5):
            spool.append([a_numbered(number)])
        spool.close()
        file = next(folder.glob("*.spool"))
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2 - 40] ^= 1
        file.write_bytes(bytes(raw))
        outcome = spool.hand_in(log)
        assert outcome.traces == 3
        assert [gap.missing for gap in outcome.gaps] == [1]
        incident = log.search(kind="incident").entries[0]
        assert "1 traces of edge-7 are missing" in json.loads(log.payload(incident.id) or b"")["en"]
        assert log.recheck().faults == []
        assert log.checkpoint().size == log.size()

    def test_a_trace_the_log_has_already_stays_twice_and_says_so(self, spool: OfflineSpool, log: TraceLog) -> None:
        id = log.append([a_decision()])[0].id
        spool.append([a_decision(id=id)])
        spool.hand_in(log)
        repeated = log.search(flag="repeated").entries
        assert [entry.about for entry in repeated] == [id]

    def test_handing_in_while_others_append(
        self, spool: OfflineSpool, sqlite_log: TraceLog, folder: Path, clock: StandingClock
    ) -> None:
        def work(first: int) -> None:
            for number in range(first, first + 40):
                spool.append([a_numbered(number)])

        threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200)]
        for thread in threads:
            thread.start()
        outcomes = [spool.hand_in(sqlite_log) for _ in range(6)]
        for thread in threads:
            thread.join()
        outcomes.append(spool.hand_in(sqlite_log))
        assert sum(outcome.traces for outcome in outcomes) == 120
        assert [outcome.gaps for outcome in outcomes] == [()] * 7
        assert sqlite_log.recheck().faults == []

    def test_a_disk_that_fails_stops_it(self, spool: OfflineSpool, monkeypatch: pytest.MonkeyPatch) -> None:
        spool.append([a_numbered(1)])

        def fail(handle: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(SpoolStopped, match="only alarms may leave"):
            spool.append([a_numbered(2)])
        monkeypatch.undo()
        with pytest.raises(SpoolStopped):
            spool.append([a_numbered(3)])
