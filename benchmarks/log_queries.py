"""How fast a long log answers: look-up by id, a page of one model's day, a quarter's count and mean, evidence.

    python -m benchmarks.log_queries [--traces 1000000] [--folder DIR] [--keep] [--again KEPT]

Three models decide 11,100 times a day in all; the log is filled in batches of 10,000 with times spread over the
days, then questions are asked at random places, each from a fresh connection of the pool, as the service does.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit.entries import Draft, identifier_text
from audit.kept_counts import bring_up_to_date
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from audit.verify import verify_bundle
from benchmarks.log_append import a_draft, a_log

PER_DAY = 11_100
PEOPLE = 5000
START = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ("chemical-release-harm", "gas-leak", "seismic-bump")


def fill(log: TraceLog, traces: int) -> list[str]:
    """Append so many traces; return the ids of one in a thousand."""
    draws = random.Random(1)
    samples = [a_draft(number) for number in range(1000)]
    known: list[str] = []
    for first in range(0, traces, 10_000):
        batch = [_at(draws.choice(samples), number, draws) for number in range(first, min(first + 10_000, traces))]
        known += [receipt.id for receipt in log.append(batch)][::1000]
    return known


def some_of(log: TraceLog) -> list[str]:
    """Return the ids of one in a thousand."""
    rows = log.database.rows("SELECT id FROM log_entries WHERE number % 1000 = 0")
    return [identifier_text(bytes(id)) for (id,) in rows]


def _at(draft: Draft, number: int, draws: random.Random) -> Draft:
    moment = START + timedelta(days=number / PER_DAY)
    return replace(draft, model=MODELS[number % 3], time=moment, subject=f"p-{draws.randrange(PEOPLE):016x}")


def asked(times: int, question: Callable[[], object]) -> str:
    """Median and 99th percentile of a question asked so often, in milliseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        question()
        taken.append((time.perf_counter() - start) * 1e3)
    taken.sort()
    return f"p50 {statistics.median(taken):8.2f} ms   p99 {taken[min(len(taken) - 1, int(times * 0.99))]:8.2f} ms"


def main() -> None:
    """Fill, ask, print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--traces", type=int, default=1_000_000)
    words.add_argument("--folder", type=Path)
    words.add_argument("--keep", action="store_true")
    words.add_argument("--again", type=Path, help="ask a log that an earlier run filled and kept")
    wanted = words.parse_args()
    folder = wanted.again or Path(tempfile.mkdtemp(prefix="log-queries-", dir=wanted.folder))
    print(f"python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, {folder}")
    with a_log(folder, None) as (_, log):
        start = time.perf_counter()
        known = fill(log, wanted.traces) if wanted.again is None else some_of(log)
        print(f"{log.size()} traces appended in {time.perf_counter() - start:.0f} s, drafts included")
        start = time.perf_counter()
        log.checkpoint()
        print(f"first checkpoint, all leaves recomputed: {time.perf_counter() - start:.1f} s")
        ask(log, known, log.size())
    if not wanted.keep and wanted.again is None:
        shutil.rmtree(folder)


def ask(log: TraceLog, known: list[str], traces: int) -> None:
    """Ask every question and print how long it took."""
    draws = random.Random(2)
    days = max(1, traces // PER_DAY)

    def day() -> object:
        since = START + timedelta(days=draws.randrange(days))
        return log.search(model=draws.choice(MODELS), since=since, until=since + timedelta(days=1), limit=50)

    def quarter() -> object:
        since = START + timedelta(days=draws.randrange(max(1, days - 90)))
        return log.tally(Wanted(model=draws.choice(MODELS), since=since, until=since + timedelta(days=90)))

    def person() -> object:
        return log.search(subject=f"p-{draws.randrange(PEOPLE):016x}", limit=50)

    bundle = log.evidence(known[0])
    print(f"look-up by id             {asked(2000, lambda: log.entry(draws.choice(known)))}   (p99 at most 10)")
    print(f"payload of one decision   {asked(500, lambda: log.trace(draws.choice(known)))}")
    print(f"page of one model's day   {asked(300, day)}   (at most 20)")
    print(f"page of one person        {asked(300, person)}")
    print(f"count and mean, quarter   {asked(10, quarter)}   (at most 1000)")
    start = time.perf_counter()
    bring_up_to_date(log.database)
    print(f"sums kept for the first time in {time.perf_counter() - start:.0f} s")
    print(f"the same, sums kept       {asked(100, quarter)}   (at most 1000)")
    print(f"statements about one      {asked(500, lambda: log.statements_about(draws.choice(known)))}")
    print(f"evidence bundle           {asked(300, lambda: log.evidence(draws.choice(known)))}")
    print(f"verify a bundle           {asked(100, lambda: verify_bundle(bundle))}   (at most 50)")


if __name__ == "__main__":
    main()
