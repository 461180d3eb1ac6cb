"""How fast traces become durable, against the bare fsync of the same disk in the same run.

    python -m benchmarks.log_append [--folder DIR] [--url postgresql://...] [--rounds 400] [--batches 10]

A trace has 60 float32 features and 60 float32 contributions, a subject out of 1,000, and the shared fields of a
real decision; payloads are encrypted, committed to, hashed into the tree and indexed as in service. Latencies of
the log and of the bare disk are taken in turns. On a shared machine read the ratios, not the times.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from api.migrations import upgrade
from audit.database import Database, open_database
from audit.entries import Draft
from audit.trace import DecisionTrace, encode_trace
from audit.trace_log import TraceLog, open_log

FEATURES = 60
NAMES = tuple(f"feature_{number:02d}" for number in range(FEATURES))


def a_draft(number: int) -> Draft:
    """A decision of the size that is promised."""
    values = np.random.default_rng(number).random(FEATURES, dtype=np.float32)
    trace = DecisionTrace(
        model="chemical-release-harm",
        version="3",
        artifact_digest="ab" * 32,
        rulebook_digest="cd" * 32,
        purpose="risk_intervention",
        site="plant-07",
        subject=f"p-{number % 1000:016x}",
        caller="scada",
        feature_names=NAMES,
        inputs=values,
        unit="log-odds",
        method="tree_path_dependent",
        base=0.1,
        contributions=values,
        margin=0.3,
        score=float(values[0]),
        threshold=0.5,
        verdict=bool(values[0] > 0.5),
        protective="at_or_above",
    )
    return Draft(
        kind="decision",
        payload=encode_trace(trace),
        model=trace.model,
        version=trace.version,
        artifact_digest=trace.artifact_digest,
        rulebook_digest=trace.rulebook_digest,
        subject=trace.subject,
        actor=trace.caller,
        site=trace.site,
        score=trace.score,
        verdict=trace.verdict,
    )


@contextmanager
def a_log(folder: Path, url: str | None) -> Iterator[tuple[Database, TraceLog]]:
    """A fresh log in a folder, or in the database at `url`."""
    url = url or f"sqlite:///{folder / 'log.db'}"
    upgrade(url)
    database = open_database(url)
    log = open_log(folder / "data", database, system_clock, "bench", tend=False)
    yield database, log
    log.close()
    database.close()


def system_clock() -> datetime:
    """The machine's own clock: a benchmark measures real time."""
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC)


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Bare:
    """Appends so many bytes to a file of its own and waits for the disk: nothing durable costs less."""

    def __init__(self, file: Path, size: int) -> None:
        self._handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._block = os.urandom(size)
        self()

    def __call__(self) -> None:
        os.write(self._handle, self._block)
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)


def settled(database: Database, log: TraceLog) -> None:
    """Bring the log to where a running service is: keys made, a write-ahead file that no longer grows, and what was
    loaded at the start out of the collector's sight (`api.server` does the same)."""
    log.append([a_draft(number) for number in range(10_000)] * 3)  # more pages than the file ever holds in service
    database.settle()
    gc.collect()
    gc.freeze()


def written_for_one(database: Database, log: TraceLog) -> int:
    """Bytes that the database hands to the disk to keep one trace."""
    if database.dialect == "sqlite":
        database.settle()  # the next append begins the write-ahead file anew
        for number in range(10):
            log.append([a_draft(number)])
        return int(database.rows("PRAGMA wal_checkpoint(PASSIVE)")[0][1]) * (4096 + 24) // 10
    before = database.rows("SELECT pg_current_wal_lsn()")[0][0]
    for number in range(10):
        log.append([a_draft(number)])
    return int(database.rows("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), ?)", before)[0][0]) // 10


def single_caller(log: TraceLog, folder: Path, rounds: int, size: int) -> tuple[list[float], list[float], list[float]]:
    """Latencies of one trace, and of a bare append of 1 KB and one of `size` bytes, each with fdatasync, in turns."""
    drafts = [a_draft(number) for number in range(rounds)]
    small, large = Bare(folder / "bare-small", 1024), Bare(folder / "bare-large", size)
    ours, disk, same = [], [], []
    for draft in drafts:
        ours.append(timed(lambda draft=draft: log.append([draft])))  # type: ignore[misc]
        disk.append(timed(small))
        same.append(timed(large))
    small.close()
    large.close()
    return ours, disk, same


def many_callers(log: TraceLog, callers: int, each: int) -> float:
    """Traces per second of so many concurrent callers, one trace per call."""
    drafts = [[a_draft(number) for number in range(each)] for _ in range(callers)]
    threads = [threading.Thread(target=lambda mine=mine: [log.append([one]) for one in mine]) for mine in drafts]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return callers * each / timed(run)


def batches(log: TraceLog, count: int) -> tuple[list[float], float, float]:
    """Traces per second of each batch of 10,000, how much the process grew after the second, in MiB, and the least
    processor time of a trace over the batches, in microseconds: that alone does not depend on who else is at work."""
    rates, peaks, taken = [], [], list[float]()
    for number in range(count):
        drafts = [a_draft(10_000 * number + place) for place in range(10_000)]
        before = time.process_time()
        rates.append(10_000 / timed(lambda drafts=drafts: log.append(drafts)))  # type: ignore[misc]
        taken.append((time.process_time() - before) * 100)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return rates, peaks[-1] - peaks[min(1, count - 1)], min(taken)


class HeadWatch:
    """Notes every tenth of a second how old the last signed head is, as long as entries wait for one."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ages: list[float] = []
        self.behind: list[int] = []

    def __enter__(self) -> HeadWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            head, size = self._log.latest_checkpoint(), self._log.size()
            if head is not None and head.time is not None:
                waiting = size - head.size
                self.behind.append(waiting)
                self.ages.append((system_clock() - head.time).total_seconds() if waiting else 0.0)


def signed_batches(log: TraceLog, count: int) -> tuple[list[float], HeadWatch]:
    """The same while heads are signed in the background, each after its new entries were computed again."""
    log.checkpoint()
    log.tend()
    with HeadWatch(log) as watch:
        rates, _, _ = batches(log, count)
    return rates, watch


def bare_batches(folder: Path, count: int) -> list[float]:
    """Rows per second of SQLite alone: one table, key and 1 KB, the same durability, no hashing, no encryption."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, id BLOB UNIQUE, body BLOB)")
    rates = []
    for number in range(count):
        rows = [(10_000 * number + place, os.urandom(16), os.urandom(1024)) for place in range(10_000)]

        def run(rows: list[tuple[int, bytes, bytes]] = rows) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")

        rates.append(10_000 / timed(run))
    connection.close()
    return rates


def bytes_per_trace(database: Database, folder: Path, size: int) -> float:
    """Bytes on disk per trace, indexes, tree and keys included."""
    if database.dialect == "sqlite":
        database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return (folder / "log.db").stat().st_size / size
    rows = database.rows(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE ?", "log_%"
    )
    return float(rows[0][0]) / size


def micro(values: list[float]) -> str:
    """Median and 99th percentile in microseconds."""
    ordered = sorted(values)
    return f"p50 {statistics.median(ordered) * 1e6:8.0f} us   p99 {ordered[int(len(ordered) * 0.99)] * 1e6:8.0f} us"


def main() -> None:
    """Measure and print both sides."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--folder", type=Path)
    words.add_argument("--url")
    words.add_argument("--rounds", type=int, default=400)
    words.add_argument("--batches", type=int, default=10)
    asked = words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="log-append-", dir=asked.folder))
    print(f"python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, {folder}")
    with a_log(folder, asked.url) as (database, log):
        settled(database, log)
        size = written_for_one(database, log)
        ours, disk, same = single_caller(log, folder, asked.rounds, size)
        ratios = [statistics.median(ours) / statistics.median(bare) for bare in (disk, same)]
        print(f"bare append + fdatasync   {micro(disk)}   1,024 bytes")
        print(f"the same                  {micro(same)}   {size:,} bytes, what the log writes for one trace")
        print(
            f"one caller, one trace     {micro(ours)}   ratios of medians {ratios[0]:.2f} (at most 2), {ratios[1]:.2f}"
        )
        single = 1 / statistics.mean(ours)
        crowd = many_callers(log, 64, 100)
        print(f"one caller                {single:8.0f} traces/s")
        print(f"64 callers                {crowd:8.0f} traces/s   {crowd / single:.1f} times one caller (at least 4)")
        before = log.size()
        rates, grown, taken = batches(log, asked.batches)
        spread = f"from {min(rates):.0f} to {max(rates):.0f}"
        print(
            f"batches of 10,000         {statistics.median(rates):8.0f} traces/s   {spread};"
            f" {taken:.1f} us of processor time each; grown by {grown:.1f} MiB"
        )
        signed, watch = signed_batches(log, asked.batches)
        ages = sorted(watch.ages)
        print(
            f"the same, heads signed    {statistics.median(signed):8.0f} traces/s   age of the head: 99.5 % of the time"
            f" under {ages[int(len(ages) * 0.995)]:.1f} s (at most 60), at most {max(watch.behind)} entries wait"
        )
        bare = statistics.median(bare_batches(folder, asked.batches))
        share = statistics.median(rates) / bare
        print(f"bare SQLite rows of 1 KB  {bare:8.0f} rows/s     the log reaches {share:.0%} of it")
        print(f"bytes per trace           {bytes_per_trace(database, folder, log.size()):8.0f}   (at most 1200)")
        print(f"entries {before} + {log.size() - before}; the whole log rechecked: {log.recheck().faults or 'holds'}")


if __name__ == "__main__":
    main()
