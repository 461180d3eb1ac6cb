"""Processes that are killed, and processes that share one log: nothing acknowledged is lost, nothing is torn.

A kill proves that our own order of steps is right; it proves nothing about a power cut, because what the kernel
already has survives a dead process. The long form (1,000 kills) is `pytest -m long`.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.migrations import upgrade_database
from audit.database import Database, open_database
from audit.trace_log import open_log
from tests.audit.conftest import StandingClock

ROOT = Path(__file__).resolve().parents[2]


def started(database: Database, data: Path, source: str, callers: int, each: int) -> subprocess.Popen[str]:
    url = database.engine.url.render_as_string(hide_password=False)
    words = ["-m", "tests.audit.appending_process", url, str(data), source, str(callers), str(each)]
    return subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def acknowledged_by(process: subprocess.Popen[str], seconds: float) -> list[str]:
    """Let it work for so long after its first word, kill it, and return every whole line it told."""
    assert process.stdout is not None
    told = [process.stdout.readline()]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return [line.strip() for line in told if line.endswith("\n")]


@pytest.mark.parametrize("kills", [pytest.param(4, id="short"), pytest.param(1000, id="long", marks=pytest.mark.long)])
def test_a_killed_process_loses_nothing_it_acknowledged(
    kills: int, database: Database, tmp_path: Path, clock: StandingClock
) -> None:
    draws = random.Random(7)
    acknowledged: list[str] = []
    for number in range(kills):
        process = started(database, tmp_path / "data", "serve-1", callers=4, each=100_000)
        acknowledged += acknowledged_by(process, draws.random() * 0.4)
        if number % 20 == 0 or number == kills - 1:
            log = open_log(tmp_path / "data", database, clock, "check", tend=False)
            known = log.known(acknowledged)
            assert [id for id in acknowledged if id not in known] == []
            assert log.recheck().faults == []
            log.checkpoint()
            log.close()
    assert len(acknowledged) > 8 * min(kills, 4)


def test_worker_processes_share_one_log(database: Database, tmp_path: Path, clock: StandingClock) -> None:
    open_log(tmp_path / "data", database, clock, "first", tend=False).close()
    workers = [started(database, tmp_path / "data", f"serve-{number}", callers=3, each=15) for number in range(3)]
    told = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [len(ids) for ids in told] == [90, 90, 90]
    log = open_log(tmp_path / "data", database, clock, "check", tend=False)
    assert log.size() == 270
    assert len(log.known([id for ids in told for id in ids])) == 270
    assert log.recheck().faults == []
    latest = log.latest_checkpoint()
    assert latest is not None and latest.size == 270
    log.close()


def test_two_processes_that_open_a_new_log_at_once_agree_on_its_key(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'log.db'}")
    upgrade_database(database)
    workers = [started(database, tmp_path / "data", f"serve-{number}", callers=1, each=1) for number in range(4)]
    told = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [len(ids) for ids in told] == [2, 2, 2, 2]
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0]
    assert len(database.rows("SELECT public FROM log_signing_keys")) == 1
    database.close()
