"""Heads are signed beside the process that decides, and by that process itself when nobody else does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.beside import ProcessBeside
from api.clock import system_clock
from api.migrations import upgrade
from api.settings import Settings
from audit.database import open_database
from audit.entries import Draft
from audit.signed_heads import CHECKPOINT_ENTRIES
from audit.trace_log import TraceLog, open_log

ROOT = Path(__file__).parents[2]
STARTS = """
import sys, time
from api.beside import ProcessBeside
beside = ProcessBeside("api.signing", sys.argv[1])
beside.ensure()
print(beside._process.pid, flush=True)
time.sleep(600)
"""


def due(log: TraceLog) -> None:
    """Keep as many entries as make a head due."""
    log.append([Draft(kind="decision", payload=b"{}", model="gas-leak")] * CHECKPOINT_ENTRIES)


def signed(log: TraceLog) -> int:
    """How many entries the newest head covers."""
    head = log.latest_checkpoint()
    return 0 if head is None else head.size


def becomes(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with an empty database."""
    made = Settings(data=tmp_path)
    upgrade(made.database)
    return made


@pytest.fixture
def log(settings: Settings) -> Iterator[TraceLog]:
    """Its log, which this process writes and does not sign."""
    database = open_database(settings.database)
    opened = open_log(settings.data, database, system_clock, "serve-1", tend=False)
    yield opened
    opened.close()
    database.close()


@pytest.fixture
def beside(settings: Settings) -> Iterator[ProcessBeside]:
    """The process that signs, running."""
    started = ProcessBeside("api.signing", str(settings.data))
    started.ensure()
    yield started
    started.stop()


class TestBeside:
    def test_signs_what_another_process_keeps_and_ends_when_told(self, log: TraceLog, beside: ProcessBeside) -> None:
        for rounds in (1, 2):
            due(log)
            assert becomes(lambda rounds=rounds: signed(log) == rounds * CHECKPOINT_ENTRIES)  # type: ignore[misc]
        running = beside._process
        assert running is not None
        beside.ensure()
        assert beside._process is running
        beside.stop()
        assert running.returncode == 0
        assert not log.recheck().faults

    def test_is_started_again_where_it_died(self, log: TraceLog, beside: ProcessBeside) -> None:
        assert beside._process is not None
        beside._process.kill()
        beside._process.wait()
        beside.ensure()
        due(log)
        assert becomes(lambda: signed(log) == CHECKPOINT_ENTRIES)

    def test_goes_on_after_a_head_that_could_not_be_signed(self, log: TraceLog, beside: ProcessBeside) -> None:
        due(log)
        assert becomes(lambda: signed(log) == CHECKPOINT_ENTRIES)
        for old, new in (("log_checkpoints", "mislaid"), ("mislaid", "log_checkpoints")):
            with log.database.writing() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
            time.sleep(0.5)
        due(log)
        assert becomes(lambda: signed(log) == 2 * CHECKPOINT_ENTRIES)

    def test_ends_when_the_process_that_started_it_is_killed(self, settings: Settings) -> None:
        program = settings.data / "starts.py"
        program.write_text(STARTS, encoding="utf-8")
        words = [sys.executable, str(program), str(settings.data)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}) as starter:
            assert starter.stdout is not None
            number = int(starter.stdout.readline())
            assert lives(number)
            starter.kill()
        assert becomes(lambda: not lives(number))


class TestAServingProcess:
    def test_leaves_signing_to_the_other_and_steps_in_when_that_is_late(self, log: TraceLog) -> None:
        log.tend()
        log.leave_signing(1.0)
        due(log)
        time.sleep(0.5)
        assert signed(log) == 0
        assert becomes(lambda: signed(log) == CHECKPOINT_ENTRIES)

    def test_signs_what_waits_when_it_closes(self, log: TraceLog) -> None:
        log.tend()
        log.leave_signing(3600.0)
        log.append([Draft(kind="decision", payload=b"{}", model="gas-leak")])
        log.close()
        assert signed(log) == 1

    def test_does_not_count_the_time_in_which_nothing_was_due(self, log: TraceLog) -> None:
        log.tend()
        log.leave_signing(2.0)
        time.sleep(2.5)
        due(log)
        time.sleep(0.5)
        assert signed(log) == 0


def lives(number: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked about does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
