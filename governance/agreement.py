"""How far people and model agree, and whether people have stopped looking: figures about many, never about one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any

from audit.checks.intervals import wilson
from audit.entries import Entry
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from governance.review_queue import ASKS_FOR_A_PERSON
from governance.reviews import SAID, TRACKS
from governance.statements import words_of
from policies.errors import Sentence
from policies.roles import Action, Person, require
from policies.terms import ReviewRules


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What people said about the decisions of a time; `model` None is all of them together.

    The last word about a decision counts. `agreed` is the share of reviewed decisions that were confirmed, with its
    95 % interval; None where nothing was reviewed. Hours run from the decision to the word. `labelled` decisions
    have a label on both tracks, in `labels_differ` the two say different things.
    """

    model: str | None
    since: datetime
    until: datetime
    decisions: int
    asked_for: int
    unanswered: int
    reviewed: int
    confirmed: int
    overridden: int
    alarms_overridden: int
    clears_overridden: int
    agreed: float | None
    interval: tuple[float, float] | None
    median_hours: float | None
    labelled: int
    labels_differ: int

    def as_json(self) -> dict[str, object]:
        """Return the figures as JSON values."""
        return {**asdict(self), "since": self.since.isoformat(), "until": self.until.isoformat()}

    def says(self) -> Sentence:
        """Return the figures as one sentence."""
        if self.agreed is None:
            return Sentence(
                en=f"none of {self.decisions:,} decisions was reviewed",
                zh=f"{self.decisions:,} 次决策均未经人工复核",
            )
        return Sentence(
            en=f"{self.reviewed:,} of {self.decisions:,} decisions were reviewed, {self.agreed:.1%} of them confirmed; "
            f"{self.alarms_overridden:,} alarms and {self.clears_overridden:,} all-clears were overridden",
            zh=f"{self.decisions:,} 次决策中复核 {self.reviewed:,} 次，维持率 {self.agreed:.1%}；"
            f"改判报警 {self.alarms_overridden:,} 次、改判正常 {self.clears_overridden:,} 次",
        )


def agreement(
    log: TraceLog,
    since: datetime,
    until: datetime,
    *,
    model: str | None = None,
    site: str | None = None,
    seen_by: Person | None = None,
) -> Agreement:
    """Return how far people agreed with the decisions made from `since` up to but without `until`.

    A word counts for the time of the decision it is about, whenever it was said. Entries whose words were erased are
    counted; their labels are not.
    """
    scope = Wanted(kind="decision", model=model, site=site, since=since, until=until).seen_by(seen_by)
    asked = replace(scope, any_flag=ASKS_FOR_A_PERSON)
    open_still = replace(asked, without=SAID)
    last = _last_words(log, since, until, model, site, seen_by)
    confirmed = [pair for pair in last if pair[1].kind == "review"]
    overridden = [decision for decision, word in last if word.kind == "override"]
    labels = [labels for _, word in last if len(labels := _labels(log, word)) == len(TRACKS)]
    hours = [(word.time - decision.time).total_seconds() / 3600 for decision, word in last]
    estimate = wilson(len(confirmed), len(last)) if last else None
    return Agreement(
        model=model,
        since=since,
        until=until,
        decisions=log.tally(scope).count,
        asked_for=log.tally(asked).count,
        unanswered=log.tally(open_still).count,
        reviewed=len(last),
        confirmed=len(confirmed),
        overridden=len(overridden),
        alarms_overridden=sum(1 for decision in overridden if decision.verdict),
        clears_overridden=sum(1 for decision in overridden if decision.verdict is False),
        agreed=len(confirmed) / len(last) if last else None,
        interval=estimate.interval if estimate is not None else None,
        median_hours=median(hours) if hours else None,
        labelled=len(labels),
        labels_differ=sum(1 for found in labels if len(set(found)) > 1),
    )


def agreement_by_model(
    log: TraceLog, since: datetime, until: datetime, *, site: str | None = None, seen_by: Person | None = None
) -> tuple[Agreement, ...]:
    """Return the figures of every model about whose decisions somebody said something, by name."""
    named = {decision.model for decision, _ in _last_words(log, since, until, None, site, seen_by) if decision.model}
    return tuple(agreement(log, since, until, model=model, site=site, seen_by=seen_by) for model in sorted(named))


@dataclass(frozen=True, kw_only=True)
class OverReliance:
    """Signs that people have stopped looking, over all reviewers together.

    Everything but the number of reviewers is None where they are too few: what is told about two, each knows of the
    other. `always_confirming` counts reviewers with enough reviews who never overrode. Seconds run from the last look
    at a decision to the word about it; `timed` reviews had such a look.
    """

    reviewers: int
    least_reviewers: int
    reviews: int | None = None
    confirmed_share: float | None = None
    with_enough_reviews: int | None = None
    always_confirming: int | None = None
    timed: int | None = None
    median_seconds: float | None = None
    hurried_share: float | None = None

    @property
    def withheld(self) -> bool:
        """Whether there are too few reviewers to say anything without speaking of a person."""
        return self.reviews is None

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values, with the sentence why they are withheld."""
        why = self.says().as_json() if self.withheld else None
        return {**asdict(self), "withheld": why}

    def says(self) -> Sentence:
        """Return what the figures mean, in one sentence."""
        if self.withheld:
            noun = "person" if self.reviewers == 1 else "people"
            return Sentence(
                en=f"{self.reviewers} {noun} reviewed; signs of over-reliance are told about "
                f"{self.least_reviewers} or more together, never about one",
                zh=f"复核人员共 {self.reviewers} 人；过度依赖迹象仅在 {self.least_reviewers} 人及以上时汇总展示，"
                "不针对个人",
            )
        return Sentence(
            en=f"{self.always_confirming} of {self.with_enough_reviews} people with enough reviews never overrode; "
            f"{self.confirmed_share or 0:.1%} of all reviews confirm",
            zh=f"复核次数足够的 {self.with_enough_reviews} 人中，{self.always_confirming} 人从未改判；"
            f"全部复核的维持率为 {self.confirmed_share or 0:.1%}",
        )


def over_reliance(log: TraceLog, rules: ReviewRules, since: datetime, until: datetime, *, by: Person) -> OverReliance:
    """Return the signs of over-reliance in the words said from `since` up to but without `until`, for the officer.

    Raises
    ------
    NotAllowed
    """
    require(by, Action.OVERSEE_REVIEWS)
    words = [
        word
        for kind in SAID
        for word in log.each(Wanted(kind=kind, since=since, until=until).seen_by(by))
        if word.actor is not None
    ]
    total, overrides = Counter(word.actor for word in words), Counter(w.actor for w in words if w.kind == "override")
    if len(total) < rules.least_reviewers:
        return OverReliance(reviewers=len(total), least_reviewers=rules.least_reviewers)
    enough = [name for name, reviews in total.items() if reviews >= rules.least_reviews]
    seconds = [float(found) for word in words if (found := words_of(log, word).get("seconds")) is not None]
    return OverReliance(
        reviewers=len(total),
        least_reviewers=rules.least_reviewers,
        reviews=len(words),
        confirmed_share=1 - overrides.total() / len(words),
        with_enough_reviews=len(enough),
        always_confirming=sum(1 for name in enough if not overrides[name]),
        timed=len(seconds),
        median_seconds=median(seconds) if seconds else None,
        hurried_share=sum(1 for s in seconds if s < rules.hurried_seconds) / len(seconds) if seconds else None,
    )


def _last_words(
    log: TraceLog, since: datetime, until: datetime, model: str | None, site: str | None, seen_by: Person | None
) -> list[tuple[Entry, Entry]]:
    """Return each decision of the time that somebody judged, with the last word about it."""
    last: dict[str, Entry] = {}
    for kind in SAID:
        for word in log.each(Wanted(kind=kind, model=model, site=site, since=since).seen_by(seen_by)):
            known = last.get(word.about or "")
            if word.about is not None and (known is None or word.index > known.index):
                last[word.about] = word
    decided = ((log.entry(decision), word) for decision, word in last.items())
    return [(decision, word) for decision, word in decided if since <= decision.time < until]


def _labels(log: TraceLog, word: Entry) -> Sequence[str]:
    labels = words_of(log, word).get("labels")
    return [str(labels[track]) for track in TRACKS if track in labels] if isinstance(labels, dict) else []
