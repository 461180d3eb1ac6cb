"""A process that appends to a log for as long as it lives, and notes each acknowledgement outside of it.

Run as `python -m tests.proofs.writing FOLDER ACKNOWLEDGED full|normal`. What stands in ACKNOWLEDGED was promised.
"""

from __future__ import annotations

import os
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from api.migrations import upgrade_database
from audit import database
from audit.entries import Draft
from audit.trace_log import TraceLog, open_log

LARGE, SHARE_LARGE = 2500, 0.003
"""A batch that goes to the database in several parts, and how often one comes: it is kept whole or not at all."""


def clock() -> datetime:
    """The present moment."""
    return datetime.now(UTC)  # noqa: TID251 - a process of its own, with nobody to hand it a clock


def opened(folder: Path) -> TraceLog:
    """The log in `folder`, made on first use."""
    at = database.open_database(f"sqlite:///{folder / 'log.db'}")
    upgrade_database(at)
    return open_log(folder, at, clock, f"writer-{os.getpid()}", tend=False)


def main(folder: Path, acknowledged: Path, synchronous: str) -> None:
    """Append until killed."""
    if synchronous == "normal":  # the control: what the house must never do
        weaker = tuple(p.replace("synchronous = FULL", "synchronous = NORMAL") for p in database._PRAGMAS)
        assert weaker != database._PRAGMAS
        database._PRAGMAS = weaker
    log = opened(folder)
    out = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = 0
    while True:
        many = LARGE if random.random() < SHARE_LARGE else 1 + number % 3
        drafts = [Draft(kind="decision", payload=os.urandom(400), model="m", score=0.5) for _ in range(many)]
        receipts = log.append(drafts)
        os.write(out, b"".join(f"{receipt.id}\n".encode() for receipt in receipts))
        number += 1
        time.sleep(0.001)  # so that a log without synchronisation does not fill the disk of the test


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
