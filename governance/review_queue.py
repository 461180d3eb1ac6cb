"""Decisions that ask for a person and got none yet: gravest tier first, then whoever has waited longest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.decided import HANDED_OVER, REVIEW
from audit.entries import Clock, Entry
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from governance.permits import PermitBook
from governance.reviews import SAID
from policies.roles import Action, Person, require
from policies.rulebook import Rulebook
from policies.tiers import Tier

ASKS_FOR_A_PERSON = (REVIEW, HANDED_OVER)
"""Flags of decisions that a person has to look at."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A decision that waits for a person until `due`."""

    decision: Entry
    tier: Tier
    due: datetime
    overdue: bool

    def as_json(self) -> dict[str, object]:
        """Return the line as lists show it."""
        return {
            "id": self.decision.id,
            "model": self.decision.model,
            "version": self.decision.version,
            "site": self.decision.site,
            "time": self.decision.time.isoformat(),
            "verdict": self.decision.verdict,
            "flags": list(self.decision.flags),
            "tier": str(self.tier),
            "due": self.due.isoformat(),
            "overdue": self.overdue,
        }


class ReviewQueue:
    """Finds what waits for a person. Nothing is kept here: the log alone says what was looked at."""

    def __init__(self, log: TraceLog, permits: PermitBook, rulebook: Callable[[], Rulebook], clock: Clock) -> None:
        self._log = log
        self._permits = permits
        self._rulebook = rulebook
        self._clock = clock

    def waiting(self, by: Person, *, model: str | None = None, limit: int = 200) -> tuple[Waiting, ...]:
        """Return what waits in this person's scope, most urgent first.

        Tiers come first, within a tier the earliest deadline; `limit` cuts after that, so nothing grave is left out.

        Raises
        ------
        NotAllowed
        """
        require(by, Action.REVIEW)
        wanted = Wanted(kind="decision", model=model, any_flag=ASKS_FOR_A_PERSON, without=SAID).seen_by(by)
        tiers = {(permit.model, permit.version): permit.tier for permit in self._permits.permits()}
        found = [self._line(entry, tiers) for entry in self._log.each(wanted)]
        return tuple(sorted(found, key=lambda line: (-line.tier, line.due, line.decision.index))[:limit])

    def _line(self, entry: Entry, tiers: dict[tuple[str, str], Tier]) -> Waiting:
        # A decision whose permit nobody knows any more is as urgent as one can be.
        tier = tiers.get((entry.model or "", entry.version or ""), Tier.L4)
        due = entry.time + timedelta(hours=self._rulebook().reviews.review_within_hours[tier])
        return Waiting(decision=entry, tier=tier, due=due, overdue=self._clock() > due)
