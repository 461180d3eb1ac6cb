"""Signs the log's heads in a process of its own, which `mingjing serve` starts: `python -m api.signing DATA`.

Before a head is signed, every new entry is computed again from what is stored. That keeps a core busy under load, and
in the process that decides it would be the core that decides: see docs/decisions/0032-signed-beside.md. So that it
stays small, it opens the log and nothing else of the house.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from api.beside import end_of_input
from api.clock import system_clock
from api.logs import log_as_json
from api.settings import read_settings
from audit.database import Database, open_database
from audit.trace_log import TraceLog, open_log

logger = logging.getLogger("mingjing.signing")

LOOK_SECONDS = 0.1
"""How often it is looked whether a head is due."""

REST_SECONDS = 5.0
"""How long nothing is tried after something went wrong."""

LATE = 5.0
"""Seconds for which a head may be due before a serving process signs it itself."""


def sign_until(stop: threading.Event, log: TraceLog, database: Database) -> None:
    """Sign heads as they fall due, until told to stop; what waits then is for whoever closes the log."""
    while not stop.is_set():
        stop.wait(LOOK_SECONDS if _signed(log, database) else REST_SECONDS)


def _signed(log: TraceLog, database: Database) -> bool:
    """Sign what is due; return False when that failed, which the serving processes then find out for themselves."""
    try:
        if log.checkpoint_when_due() is not None:
            database.settle()
    except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
        logger.warning("no head could be signed: %s", type(error).__name__)
        return False
    return True


def main(data: Path) -> None:
    """Sign for the log of a data folder until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the process that serves, which ends this one
    settings = read_settings(data)
    if settings.log_format == "json":
        log_as_json()
    database = open_database(settings.database)
    log = open_log(settings.data, database, system_clock, "sign", tend=False)
    sign_until(end_of_input(), log, database)
    log.close()
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
