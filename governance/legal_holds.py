"""Legal holds, placed and lifted within the scope of who asks; what is on every model is for the whole house to say."""

from __future__ import annotations

from datetime import datetime

from audit.entries import Receipt
from audit.holds import Hold, holds, lift_hold, place_hold
from audit.trace_log import TraceLog
from governance.compliance import require_whole_house
from governance.permits import PermitBook
from governance.submissions import SubmissionBook
from policies.errors import Malformed, Sentence
from policies.roles import Action, Person, require, require_in_scope


class LegalHolds:
    """Asks who may, then writes into the log."""

    def __init__(self, log: TraceLog, permits: PermitBook, book: SubmissionBook) -> None:
        self._log = log
        self._permits = permits
        self._book = book

    def place(
        self,
        *,
        by: Person,
        since: datetime,
        until: datetime,
        reason: str,
        model: str | None = None,
        subject: str | None = None,
    ) -> Hold:
        """Keep what was decided from `since` up to but without `until` from going, of a model, a pseudonym or everyone.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, Malformed
        """
        require(by, Action.HOLD)
        self._require_reach(by, model)
        return place_hold(
            self._log, since=since, until=until, reason=reason, actor=by.name, model=model, subject=subject
        )

    def lift(self, hold: str, *, by: Person, reason: str) -> Receipt:
        """Let what a hold kept go on its day again.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, Malformed, HoldLifted
        """
        require(by, Action.HOLD)
        if not reason.strip():
            raise Malformed(Sentence(en="lifting a hold needs a reason", zh="解除法定保全须写明理由"))
        for known in holds(self._log.database, lifted=True):
            if known.id == hold:
                self._require_reach(by, known.model)
        return lift_hold(self._log, hold, reason=reason, actor=by.name)

    def standing(self, by: Person) -> tuple[Hold, ...]:
        """Return the holds that stand in this person's scope, those on every model among them, oldest first."""
        sites = self.sites()
        return tuple(
            hold
            for hold in holds(self._log.database)
            if hold.model is None or by.sees(sites.get(hold.model), hold.model)
        )

    def sites(self) -> dict[str, str | None]:
        """Return where each model with a permit works; None where that is nowhere in particular."""
        return {permit.model: self._book.get(permit.submission).site or None for permit in self._permits.permits()}

    def _require_reach(self, by: Person, model: str | None) -> None:
        if model is None:
            require_whole_house(by)
        elif by.places or by.only_models is not None:
            require_in_scope(by, self.sites().get(model), model, "model", model)
