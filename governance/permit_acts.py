"""What every act that moves a permit stands on: submissions, permits, rules, and the log it is written into."""

from __future__ import annotations

from dataclasses import dataclass

from audit.database import Database
from audit.entries import Clock, TraceSink
from governance.permits import PermitBook
from governance.publishing import Publish
from governance.rulebooks import Rulebooks
from governance.submissions import SubmissionBook


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What such an act reads and writes. `publish` tells the registry of a model's new stage."""

    database: Database
    log: TraceSink
    book: SubmissionBook
    permits: PermitBook
    rulebooks: Rulebooks
    clock: Clock
    publish: Publish


class PermitActs:
    """Acts of people or rules that move a permit, each kind in a file of its own."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._log = ground.log
        self._book = ground.book
        self._permits = ground.permits
        self._rulebooks = ground.rulebooks
        self._clock = ground.clock
        self._publish = ground.publish
