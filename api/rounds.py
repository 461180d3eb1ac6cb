"""What a serving process does on its own: catch up, watch clock and disk, recheck, expire, and have the log dated."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from importlib.metadata import version

from api.wiring import Service
from audit.anchors import WitnessRefused, anchor_with_timestamp, anchor_with_witness
from audit.cosignatures import NamedKey
from audit.entries import Draft
from audit.environment import EnvironmentWatch
from audit.expiry import expire
from audit.findings import LogTampered
from audit.kept_counts import bring_up_to_date, differences, start_over
from audit.timestamps import TimeStampRefused
from governance.late_explanations import explain_pending
from policies.errors import Sentence, Unavailable

logger = logging.getLogger("mingjing.rounds")

LOOK_EVERY = 60.0
HOUR = 3600.0
DAY = 24 * HOUR

FAULTS_TOLD = 20
"""Differences of one kind that an incident names at most."""


class Rounds:
    """A thread that makes its rounds until it is stopped. What fails is logged and tried again next time."""

    def __init__(
        self,
        service: Service,
        monotonic: Callable[[], float],
        keep_running: Callable[[], None] = lambda: None,
        *,
        keeper: bool = True,
    ) -> None:
        self._keeper = keeper
        self._service = service
        self._monotonic = monotonic
        self._keep_running = keep_running
        self._watch = EnvironmentWatch(service.log, service.clock, monotonic, service.settings.data)
        self._told: Sentence | None = None
        self._stop = threading.Event()
        self._daily = self._hourly = float("-inf")
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
        """Make one round now. What one of several processes has to do is left to the one that keeps house."""
        self._service.serving.catch_up()
        self._service.standing.publish(self._service.monitors.judge())
        if not self._keeper:
            return
        self._keep_running()
        bring_up_to_date(self._service.log.database)
        self._watch.look()
        self._raise_alarm()
        self._service.intake.finish_unfinished()
        self._service.erasures.finish_unfinished()
        explain_pending(self._service.log, self._service.book, self._service.models)
        self._service.outside.once()
        if self._monotonic() - self._daily >= DAY:
            self._daily = self._monotonic()
            self._recheck()
            self._compare_sums()
            self._service.people.forget_expired()
            self._service.outside.forget_old()
            self._service.repeats.expire()
            self._service.drafts.expire()
            expire(self._service.log, by_model=self._service.retention_by_model())
            self._service.keys.let_go(self._service.log, self._service.clock())
            self._date()
        if self._monotonic() - self._hourly >= HOUR:
            self._hourly = self._monotonic()
            self._service.disclosing.prepare_when_due()
            self._ask_witnesses()
            try:
                self._service.registry_watch.look()
            except Unavailable as away:
                logger.warning("the registry could not be compared: %s", away)

    def _raise_alarm(self) -> None:
        """Say once that the log no longer signs because something in it was changed or left out."""
        trouble = self._service.log.trouble
        if not isinstance(trouble, LogTampered):
            self._told = None
        elif trouble.says != self._told:
            self._told = trouble.says
            logger.critical("the log signs nothing any more: %s", trouble)
            self._incident({"what": "log tampered", "faults": [fault.as_json() for fault in trouble.faults]})

    def _ask_witnesses(self) -> None:
        """Have the log's head cosigned. A witness that saw another history is an incident; one that is away is not."""
        for line in self._service.settings.witnesses:
            url, _, key = line.partition(" ")
            try:
                anchor_with_witness(self._service.log, url, NamedKey.of_text(key))
            except WitnessRefused as refused:
                self._incident({"what": "witness refused", "says": refused.says.as_json()})
            except Unavailable as away:
                logger.warning("%s", away)

    def _date(self) -> None:
        settings = self._service.settings
        if settings.timestamp_url is None or settings.timestamp_authority is None:
            return
        try:
            anchor_with_timestamp(self._service.log, settings.timestamp_url, settings.timestamp_authority.read_bytes())
        except TimeStampRefused as refused:
            self._incident({"what": "time stamp refused", "says": refused.says.as_json()})
        except Unavailable as away:
            logger.warning("%s", away)

    def _incident(self, said: dict[str, object]) -> None:
        payload = json.dumps({"format": 1, **said}, ensure_ascii=False, sort_keys=True).encode()
        self._service.log.append([Draft(kind="incident", payload=payload, actor="mingjing")])

    def _recheck(self) -> None:
        found = self._service.log.recheck()
        if found.faults:
            self._incident({"what": "recheck", "faults": [fault.as_json() for fault in found.faults]})

    def _compare_sums(self) -> None:
        """Say so when kept sums are not what the entries give, and have them made anew."""
        if found := differences(self._service.log.database):
            self._incident({"what": "kept sums", "faults": [fault.as_json() for fault in found[:FAULTS_TOLD]]})
            start_over(self._service.log.database)
            bring_up_to_date(self._service.log.database)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.once()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                logger.error("a round failed: %s", type(error).__name__)
            self._stop.wait(LOOK_EVERY)
