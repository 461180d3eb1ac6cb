"""What a serving process does on its own: watch clock and disk, recheck the log, let records expire."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from importlib.metadata import version

from api.wiring import Service
from audit.entries import Draft
from audit.environment import EnvironmentWatch
from audit.expiry import expire

logger = logging.getLogger("mingjing.rounds")

LOOK_EVERY = 60.0
DAY = 24 * 3600.0


class Rounds:
    """A thread that makes its rounds until it is stopped. What fails is logged and tried again next time."""

    def __init__(self, service: Service, monotonic: Callable[[], float]) -> None:
        self._service = service
        self._monotonic = monotonic
        self._watch = EnvironmentWatch(service.log, service.clock, monotonic, service.settings.data)
        self._stop = threading.Event()
        self._daily = float("-inf")
        self._thread = threading.Thread(target=self._run, name="mingjing-rounds", daemon=True)

    def start(self) -> None:
        """Record the start and begin."""
        self._watch.started({name: version(name) for name in ("mingjing", "numpy", "sqlalchemy", "cryptography")})
        self._thread.start()

    def stop(self) -> None:
        """End the rounds and record an orderly stop."""
        self._stop.set()
        self._thread.join(timeout=10)
        self._watch.stopped()

    def once(self) -> None:
        """Make one round now."""
        self._watch.look()
        if self._monotonic() - self._daily >= DAY:
            self._daily = self._monotonic()
            self._recheck()
            expire(self._service.log, by_model=self._service.retention_by_model())

    def _recheck(self) -> None:
        found = self._service.log.recheck()
        if found.faults:
            said = {"format": 1, "what": "recheck", "faults": [fault.en for fault in found.faults]}
            self._service.log.append([Draft(kind="incident", payload=json.dumps(said).encode(), actor="mingjing")])

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.once()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                logger.error("a round failed: %s", type(error).__name__)
            self._stop.wait(LOOK_EVERY)
