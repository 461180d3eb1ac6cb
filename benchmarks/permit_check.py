"""What the permit question costs at each prediction, and how soon a veto refuses in other processes.

    python -m benchmarks.permit_check [--models 500] [--processes 3]

The question is asked of a house with so many permitted models, by the clock of the machine, so that the looks at the
database (at most four a second) are in the figure. For the veto, so many processes ask without a pause; each says when
it was refused first, by the monotonic clock they all share.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from api.migrations import upgrade
from audit.database import Database, open_database
from audit.entries import microseconds_of
from governance.conditions import Conditions
from governance.permits import MayNotRun, Permit, PermitBook, PermitState, bump_epoch, give_permit
from governance.tables import submissions, vetoes
from policies.tiers import Tier

GRACE = timedelta(hours=24)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ASKED = 300_000


def a_house(url: str, models: int) -> Database:
    """A database with so many permitted models."""
    upgrade(url)
    database = open_database(url)
    with database.writing() as connection:
        for number in range(models):
            digest, name = f"{number:064x}", f"model-{number}"
            columns = {
                **dict.fromkeys(
                    ("owner", "submitted_by", "declaration", "assessment", "findings", "shares_after"), "x"
                ),
                "id": name,
                "model": name,
                "version": "1",
                "artifact_digest": digest,
                "rulebook_digest": digest,
                "tier": 3,
                "stage": "approved",
                "site": "plant-07",
                "submitted_at": microseconds_of(NOW),
            }
            connection.execute(insert(submissions).values(columns))
            give_permit(connection, _permit(name, digest))
    return database


def _permit(name: str, digest: str) -> Permit:
    return Permit(
        id=name,
        submission=name,
        model=name,
        version="1",
        artifact_digest=digest,
        rulebook_digest=digest,
        tier=Tier.L3,
        since=NOW,
        until=NOW + timedelta(days=365),
        conditions=Conditions(),
        state=PermitState.LIVE,
    )


def question(database: Database) -> None:
    """Print what one question costs."""
    book = PermitBook(database, lambda: NOW, time.monotonic)
    book.live("model-7", GRACE, "plant-07")
    taken = []
    for _ in range(ASKED // 1000):
        start = time.perf_counter()
        for _ in range(1000):
            book.live("model-7", GRACE, "plant-07")
        taken.append((time.perf_counter() - start) * 1e3)  # microseconds for each
    taken.sort()
    print(
        f"permit question, {ASKED:,} asked: mean {statistics.mean(taken):.2f} µs, "
        f"slowest thousand {taken[-1]:.2f} µs each (budget 20 µs)"
    )


def ask_until_refused(url: str) -> None:
    """Say when the database is open, then ask without a pause; print the moment of the first refusal."""
    book = PermitBook(open_database(url), lambda: NOW, time.monotonic)
    book.live("model-7", GRACE)
    print("asking", flush=True)
    while True:
        try:
            book.live("model-7", GRACE)
        except MayNotRun as refused:
            print(time.monotonic(), refused.reason, flush=True)
            return


def veto(url: str, database: Database, processes: int) -> None:
    """Print how soon other processes refuse a vetoed artifact."""
    command = [sys.executable, "-m", "benchmarks.permit_check", "--ask", url]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "asking"
    start = time.monotonic()
    with database.writing() as connection:
        connection.execute(
            insert(vetoes).values(
                artifact_digest=f"{7:064x}", submission="model-7", by="li", at=microseconds_of(NOW), reason="it failed"
            )
        )
        bump_epoch(connection)
    for process in asking:
        moment, reason = process.communicate(timeout=60)[0].split()
        print(f"veto to refusal ('{reason}') in process {process.pid}: {(float(moment) - start) * 1e3:.0f} ms")


def main() -> None:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ask:
        ask_until_refused(asked.ask)
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {asked.models} permitted models")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'permits.db'}"
        database = a_house(url, asked.models)
        question(database)
        veto(url, database, asked.processes)
        database.close()


if __name__ == "__main__":
    main()
