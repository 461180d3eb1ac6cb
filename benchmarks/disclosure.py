"""How long a quarterly disclosure over a million decisions takes, how much memory, and how large the report is.

    python -m benchmarks.disclosure [--decisions 1000000] [--folder DIR]

Fills a fresh SQLite log with the decisions of a quarter at twelve sites, half as many of the quarter before, an outcome
for six in ten and a review for one in twenty, then prepares and releases the report in a process of its own. Payloads
are a few bytes: the report never opens one.
"""

from __future__ import annotations

import argparse
import platform
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.settings import Settings
from api.wiring import open_service
from audit.entries import Draft
from audit.trace_log import TraceLog
from model_registry.memory_store import MemoryStore
from policies.quarters import Quarter
from policies.roles import Person, Role

QUARTER = Quarter(2026, 3)
NOW = datetime(2026, 10, 8, 1, tzinfo=UTC)
SITES, MODELS, BATCH = 12, 3, 10_000


def decisions(log: TraceLog, quarter: Quarter, n: int, seed: int) -> list[tuple[str, Draft]]:
    """Append so many decisions of a quarter; return their ids with the drafts."""
    draws, made = random.Random(seed), []
    span = (quarter.end - quarter.start).total_seconds()
    for first in range(0, n, BATCH):
        drafts = []
        for number in range(first, min(first + BATCH, n)):
            score = draws.betavariate(2, 6)
            drafts.append(
                Draft(
                    kind="decision",
                    payload=b"{}",
                    model=f"model-{number % MODELS}",
                    version="1",
                    site=f"plant-{number % SITES:02d}",
                    score=score,
                    verdict=score > 0.45,
                    time=quarter.start + timedelta(seconds=span * number / n),
                    flags=("handed_over",) if number % 200 == 0 else (),
                )
            )
        made += [(receipt.id, draft) for receipt, draft in zip(log.append(drafts), drafts, strict=True)]
    return made


def statements(log: TraceLog, made: list[tuple[str, Draft]], kind: str, every: int, most: int) -> int:
    """Append a statement about `most` of `every` decisions; return how many that were."""
    draws, kept = random.Random(7), 0
    for first in range(0, len(made), BATCH):
        drafts = [
            Draft(
                kind=kind,
                payload=b"{}",
                about=id,
                model=draft.model,
                version=draft.version,
                site=draft.site,
                verdict=draws.random() < (0.7 if draft.verdict else 0.02),
                time=draft.time,
            )
            for at, (id, draft) in enumerate(made[first : first + BATCH])
            if at % every < most
        ]
        log.append(drafts)
        kept += len(drafts)
    return kept


def tell(folder: Path) -> None:
    """Prepare and release the report on a filled folder; print times, memory and sizes."""
    officer = Person(name="officer", role=Role.DSO)
    store = MemoryStore(folder / "models")
    service = open_service(Settings(data=folder / "data"), clock=lambda: NOW, store=store)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    draft = service.disclosing.prepare(QUARTER, by=officer)
    prepared = time.perf_counter()
    released = service.disclosing.release(QUARTER, by=officer, digest=draft.digest)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"prepare {prepared - start:.1f} s, release with four documents {done - prepared:.1f} s (together at most 30)"
    )
    print(f"peak memory of the process {peak / 1024:.0f} MB, of which {before / 1024:.0f} MB before (at most 1024)")
    for name in released.digests:
        print(f"{name:<20} {len(service.disclosing.document(QUARTER, name)):>10,} bytes")
    service.close()


def main() -> None:
    """Fill, then tell in a fresh process, so that its memory is its own."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--decisions", type=int, default=1_000_000)
    words.add_argument("--folder", type=Path)
    words.add_argument("--tell", type=Path, help=argparse.SUPPRESS)
    wanted = words.parse_args()
    if wanted.tell is not None:
        tell(wanted.tell)
        return
    folder = Path(tempfile.mkdtemp(prefix="disclosure-", dir=wanted.folder))
    service = open_service(Settings(data=folder / "data"), clock=lambda: NOW, store=MemoryStore(folder / "models"))
    print(f"python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    start = time.perf_counter()
    decisions(service.log, QUARTER.before, wanted.decisions // 2, 1)
    made = decisions(service.log, QUARTER, wanted.decisions, 2)
    outcomes = statements(service.log, made, "outcome", 10, 6)
    reviews = statements(service.log, made, "review", 20, 1)
    service.log.checkpoint()  # signed every minute in service; here all leaves wait for it
    service.close()
    print(f"{len(made):,} decisions, {outcomes:,} outcomes, {reviews:,} reviews in {time.perf_counter() - start:.0f} s")
    subprocess.run([sys.executable, "-m", "benchmarks.disclosure", "--tell", str(folder)], check=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
