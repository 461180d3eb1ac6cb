"""What is decided in one process binds in the others: they ask without a pause and are refused, each by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.governance.factories import COMMITTEE, OFFICER, House

ASKING = """
import sys, time
from datetime import datetime, timedelta
from audit.database import open_database
from governance.permits import MayNotRun, PermitBook

url, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
book = PermitBook(open_database(url), lambda: now, time.monotonic)
book.live("gas-leak", timedelta(0))
print("asking", flush=True)
while True:
    try:
        book.live("gas-leak", timedelta(0))
    except MayNotRun as refused:
        print(refused.reason, flush=True)
        break
"""


def veto(house: House) -> None:
    """The officer vetoes what runs."""
    house.veto(house.service.book.of_version("gas-leak", "1"))


def suspend(house: House) -> None:
    """The officer suspends it."""
    house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")


def forbid(house: House) -> None:
    """The committee adopts a rulebook under which it no longer holds."""
    toml = house.service.rulebook.source.replace(b'"full_name"', b'"full_name", "pressure"')
    made = house.service.rule_changes.propose(toml, by=OFFICER, reason="readings name people here")
    house.service.rule_changes.adopt(made.id, by=COMMITTEE, reason="discussed")


@pytest.mark.parametrize(
    ("act", "reason"),
    [(veto, "vetoed"), (suspend, "suspended"), (forbid, "suspended")],
    ids=["veto", "suspend", "rules"],
)
def test_two_other_processes_refuse(house: House, act: Callable[[House], None], reason: str) -> None:
    house.approved()
    command = [sys.executable, "-c", ASKING, house.service.settings.database, house.clock().isoformat()]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for process in asking:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "asking", "it was answered until now"
        act(house)
        assert [process.communicate(timeout=120)[0].strip() for process in asking] == [reason, reason]
    finally:
        for process in asking:
            process.kill()
            process.wait()
