"""A person touched by a decision asks why, asks for a person, or contests it; someone else answers in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from audit.entries import Clock, Draft, Entry
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from governance.known_entries import entry_known_to
from governance.reviews import SAID, Reviews, require_words
from governance.statements import statement_about, words_of
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Action, Person, Role, require
from policies.rulebook import Rulebook
from policies.terms import ReviewRules


class Asks(StrEnum):
    """What a person asks for about a decision on himself."""

    EXPLANATION = "explanation"
    HUMAN_DECISION = "human_decision"
    APPEAL = "appeal"


class Outcome(StrEnum):
    """What came of it: it was explained, the decision stands, or a person decided the other way."""

    EXPLAINED = "explained"
    STANDS = "stands"
    CHANGED = "changed"


OUTCOMES: dict[Asks, tuple[Outcome, ...]] = {
    Asks.EXPLANATION: (Outcome.EXPLAINED,),
    Asks.HUMAN_DECISION: (Outcome.STANDS, Outcome.CHANGED),
    Asks.APPEAL: (Outcome.STANDS, Outcome.CHANGED),
}
"""Which answers fit which question."""

REMIND_BEFORE = timedelta(days=3)
"""An open request is called to mind from this long before its day."""


class TooLate(Refused):
    """The time in which a decision can be contested is over."""

    def __init__(self, decision: str, last: datetime) -> None:
        super().__init__(
            Sentence(
                en=f"decision {decision} could be contested until {last:%Y-%m-%d %H:%M} UTC; "
                "an explanation can still be asked for",
                zh=f"对决策 {decision} 的申诉期限已于 {last:%Y-%m-%d %H:%M} UTC 届满；仍可申请说明理由",
            )
        )


class AskedAlready(Conflict):
    """The same request about the same decision still waits for its answer."""

    def __init__(self, decision: str, asks: Asks) -> None:
        super().__init__(
            Sentence(
                en=f"the same request ({asks}) about decision {decision} still waits for its answer",
                zh=f"对决策 {decision} 的同类申请（{asks}）尚在处理中",
            )
        )


class AnsweredAlready(Conflict):
    """A request is answered once."""

    def __init__(self, request: str) -> None:
        super().__init__(Sentence(en=f"{request} has been answered already", zh=f"申请 {request} 已答复"))


class OwnReview(Refused):
    """Nobody answers an appeal against what he decided or reviewed himself."""

    def __init__(self, person: str, decision: str) -> None:
        super().__init__(
            Sentence(
                en=f"{person} reviewed decision {decision} or asks himself; another person must answer",
                zh=f"{person} 复核过决策 {decision} 或即为申请人，须由他人答复",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked about a decision on himself, until when it is to be answered, and the answer.

    `by` is the person's account; None for readers who need not know it, and once erased.
    """

    id: str
    decision: str
    asks: Asks
    reason: str
    by: str | None
    at: datetime
    due: datetime
    model: str | None
    site: str | None
    outcome: Outcome | None = None
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = None
    overdue: bool = False
    soon: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the request as lists show it."""
        said: dict[str, object] = {**asdict(self), "asks": self.asks.value}
        said["outcome"] = self.outcome.value if self.outcome is not None else None
        for name in ("at", "due", "answered_at"):
            moment = getattr(self, name)
            said[name] = moment.isoformat() if moment is not None else None
        return said


@dataclass(frozen=True, kw_only=True)
class AppealStatistics:
    """What is published about requests of one kind that came in within a time.

    `in_time` of the `answered` ones were answered by their day; `overdue` ones are open after it. Days run from the
    request to the answer.
    """

    asks: Asks
    received: int
    answered: int
    in_time: int
    open: int
    overdue: int
    stands: int
    changed: int
    median_days: float | None

    def as_json(self) -> dict[str, object]:
        """Return the figures as JSON values."""
        return {**asdict(self), "asks": self.asks.value}


class Appeals:
    """Takes requests about decisions and their answers into the log, sealed with the person's own records."""

    def __init__(self, log: TraceLog, reviews: Reviews, rulebook: Callable[[], Rulebook], clock: Clock) -> None:
        self._log = log
        self._reviews = reviews
        self._rulebook = rulebook
        self._clock = clock

    def ask(self, decision: str, asks: Asks, *, by: Person, reason: str) -> Request:
        """Ask for an explanation of a decision about oneself, for a decision by a person, or contest it.

        Raises
        ------
        NotAllowed, NotFound, Malformed
        TooLate
            When the rulebook's days for contesting are over; an explanation can be asked for at any time.
        AskedAlready
        """
        require(by, Action.APPEAL)
        entry = self._reviews.decision(decision, by)
        said = require_words(reason)
        last = entry.time + timedelta(days=self._rules.appeal_within_days)
        if asks is not Asks.EXPLANATION and self._clock() > last:
            raise TooLate(decision, last)
        for earlier in self._log.statements_about(decision):
            if earlier.kind == "appeal" and self._asked(earlier) is asks and not self._answers(earlier):
                raise AskedAlready(decision, asks)
        draft = statement_about(
            entry,
            "appeal",
            by=by.name,
            body={"asks": asks.value, "reason": said, "days": _days(self._rules, asks)},
            rulebook_digest=self._rulebook().digest,
            subject=entry.subject,
        )
        return self.get(self._log.append([draft])[0].id, by)

    def answer(self, request: str, outcome: Outcome, *, by: Person, reason: str) -> Request:
        """Answer a request with reasons. Who reviewed the decision, or asks himself, does not answer.

        Raises
        ------
        NotAllowed, NotFound, OwnReview, AnsweredAlready, Malformed
        """
        require(by, Action.REVIEW)
        entry = self._entry(request, by)
        asked = self.get(request, by)
        decision = self._log.entry(asked.decision)
        said = require_words(reason)
        if outcome not in OUTCOMES[asked.asks]:
            fitting = [fits.value for fits in OUTCOMES[asked.asks]]
            raise Malformed(
                Sentence(
                    en=f"{asked.asks} is answered by {' or '.join(fitting)}; found '{outcome}'",
                    zh=f"“{asked.asks}”的答复应为 {' 或 '.join(fitting)}，实际为“{outcome}”",
                )
            )
        judges = {word.actor for word in self._log.statements_about(decision.id) if word.kind in SAID}
        if by.name == entry.actor or by.name in judges:
            raise OwnReview(by.name, decision.id)
        if self._answers(entry):
            raise AnsweredAlready(request)
        self._log.append([_answer(entry, decision, outcome, by, said)])
        return self.get(request, by)

    def get(self, request: str, by: Person) -> Request:
        """Return one request if this person may know of it. Raises NotAllowed, NotFound."""
        return self._read(self._entry(request, by), by)

    def list(self, by: Person, *, only_open: bool = False, limit: int = 200) -> tuple[Request, ...]:
        """Return requests in this person's scope: an employee's own newest first, else those with the nearest day.

        Raises
        ------
        NotAllowed
        """
        own = not by.may(Action.READ_DECISIONS)
        if own:
            require(by, Action.READ_OWN_DECISIONS)
            if by.subject is None:
                return ()
        wanted = Wanted(
            kind="appeal", subject=by.pseudonyms if own else None, without=("answer",) if only_open else ()
        ).seen_by(by)
        found = [self._read(entry, by) for entry in self._log.each(wanted)]
        if not own:
            found.reverse()  # of two with the same day the older first
            found.sort(key=lambda request: (request.answered_at is not None, request.due))
        return tuple(found[:limit])

    def due(self, by: Person) -> tuple[Request, ...]:
        """Return the open requests whose day is past or near, nearest first: what has to be called to mind."""
        require(by, Action.REVIEW)
        return tuple(request for request in self.list(by, only_open=True, limit=10_000) if request.soon)

    def statistics(
        self,
        since: datetime,
        until: datetime,
        *,
        model: str | None = None,
        version: str | None = None,
        site: str | None = None,
        seen_by: Person | None = None,
    ) -> tuple[AppealStatistics, ...]:
        """Return what is published about the requests that came in from `since` up to but without `until`."""
        wanted = Wanted(kind="appeal", model=model, version=version, site=site, since=since, until=until)
        nobody = Person(name="mingjing", role=Role.REGULATOR)
        found = [self._read(entry, nobody) for entry in self._log.each(wanted.seen_by(seen_by))]
        return tuple(_statistics(asks, [request for request in found if request.asks is asks]) for asks in Asks)

    @property
    def _rules(self) -> ReviewRules:
        return self._rulebook().reviews

    def _entry(self, request: str, by: Person) -> Entry:
        return entry_known_to(by, self._log, request, "appeal", "request")

    def _asked(self, entry: Entry) -> Asks:
        return Asks(words_of(self._log, entry).get("asks", Asks.APPEAL))

    def _answers(self, entry: Entry) -> tuple[Entry, ...]:
        return tuple(one for one in self._log.statements_about(entry.id) if one.kind == "answer")

    def _read(self, entry: Entry, by: Person) -> Request:
        said, answers = words_of(self._log, entry), self._answers(entry)
        asks = Asks(said.get("asks", Asks.APPEAL))
        knows_who = by.role in (Role.DSO, Role.REGULATOR) or by.subject is not None
        due = entry.time + timedelta(days=int(said.get("days", _days(self._rules, asks))))
        request = Request(
            id=entry.id,
            decision=entry.about or "",
            asks=asks,
            reason=str(said.get("reason", "")),
            by=entry.actor if knows_who else None,
            at=entry.time,
            due=due,
            model=entry.model,
            site=entry.site,
        )
        if not answers:
            now = self._clock()
            return replace(request, overdue=now > due, soon=now > due - REMIND_BEFORE)
        told = words_of(self._log, answers[0])
        return replace(
            request,
            outcome=Outcome(told["outcome"]) if "outcome" in told else None,
            answer=str(told.get("reason", "")),
            answered_by=answers[0].actor,
            answered_at=answers[0].time,
        )


def _days(rules: ReviewRules, asks: Asks) -> int:
    return {
        Asks.EXPLANATION: rules.explain_within_days,
        Asks.HUMAN_DECISION: rules.decide_by_person_days,
        Asks.APPEAL: rules.answer_appeal_days,
    }[asks]


def _answer(entry: Entry, decision: Entry, outcome: Outcome, by: Person, reason: str) -> Draft:
    decided = {Outcome.STANDS: decision.verdict, Outcome.CHANGED: not decision.verdict}.get(outcome)
    return statement_about(
        entry,
        "answer",
        by=by.name,
        body={"outcome": outcome.value, "reason": reason, "verdict": decided, "decision": decision.id},
        subject=entry.subject,
        verdict=decided,
    )


def _statistics(asks: Asks, requests: list[Request]) -> AppealStatistics:
    answered = [request for request in requests if request.answered_at is not None]
    days = [(r.answered_at - r.at).total_seconds() / 86_400 for r in answered if r.answered_at is not None]
    return AppealStatistics(
        asks=asks,
        received=len(requests),
        answered=len(answered),
        in_time=sum(1 for r in answered if r.answered_at is not None and r.answered_at <= r.due),
        open=len(requests) - len(answered),
        overdue=sum(1 for request in requests if request.overdue),
        stands=sum(1 for request in answered if request.outcome is Outcome.STANDS),
        changed=sum(1 for request in answered if request.outcome is Outcome.CHANGED),
        median_days=median(days) if days else None,
    )
