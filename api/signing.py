"""Signs the log's heads in a process of its own.

Before a head is signed, every new entry is computed again from what is stored. That keeps a core busy under load, and
in the process that decides it would be the core that decides: see docs/decisions/0032-signed-beside.md.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
from multiprocessing.process import BaseProcess

from api.clock import system_clock
from api.logs import log_as_json
from api.settings import Settings
from audit.database import Database, open_database
from audit.trace_log import TraceLog, open_log

logger = logging.getLogger("mingjing.signing")

LOOK_SECONDS = 0.1
"""How often it is looked whether a head is due."""

REST_SECONDS = 5.0
"""How long nothing is tried after something went wrong."""

LATE = 5.0
"""Seconds for which a head may be due before a serving process signs it itself."""


class SigningProcess:
    """The process that signs beside those that serve. It ends when the process that started it does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")  # a fork would take threads and connections along
        self._process: BaseProcess | None = None

    def ensure(self) -> None:
        """Start it where it does not run."""
        if self._process is None or not self._process.is_alive():
            self._process = self._context.Process(
                target=sign_beside, args=(self._settings,), name="mingjing-sign", daemon=True
            )
            self._process.start()

    def stop(self) -> None:
        """End it; what waits for a signature then is for whoever closes the log."""
        if self._process is not None:
            self._process.kill()  # between two transactions or within one: either is whole or was never there
            self._process.join()


def sign_beside(settings: Settings) -> None:
    """Sign heads as they fall due, until the process that started this one ends."""
    if settings.log_format == "json":
        log_as_json()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for that process, which ends this one
    parent = multiprocessing.parent_process()
    assert parent is not None, "started by a process that serves"
    database = open_database(settings.database)
    log = open_log(settings.data, database, system_clock, "sign", tend=False)
    while parent.is_alive():
        parent.join(LOOK_SECONDS if _signed(log, database) else REST_SECONDS)


def _signed(log: TraceLog, database: Database) -> bool:
    """Sign what is due; return False when that failed, which the serving processes then find out for themselves."""
    try:
        if log.checkpoint_when_due() is not None:
            database.settle()
    except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
        logger.warning("no head could be signed: %s", type(error).__name__)
        return False
    return True
