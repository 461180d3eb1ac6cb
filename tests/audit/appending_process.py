"""A process that appends to a log until it is killed, and tells what was acknowledged, one line each."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from audit.database import open_database
from audit.trace_log import open_log
from tests.audit.logs import a_decision


def main(url: str, data: str, source: str, callers: str, each: str) -> None:
    """Append from several threads; print the id of every acknowledged entry, flushed at once."""
    log = open_log(Path(data), open_database(url), lambda: datetime(2026, 3, 1, tzinfo=UTC), source)
    telling = threading.Lock()

    def work() -> None:
        for _ in range(int(each)):
            receipts = log.append([a_decision(), a_decision()])
            with telling:
                sys.stdout.write("".join(f"{receipt.id}\n" for receipt in receipts))
                sys.stdout.flush()

    threads = [threading.Thread(target=work) for _ in range(int(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
