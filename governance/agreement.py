"""How far people and model agree, and whether people have stopped looking: figures about many, never about one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import chain
from statistics import median
from typing import Any

from audit.checks.intervals import wilson
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from audit.words import Word, sealed_in, words
from governance.review_queue import ASKS_FOR_A_PERSON
from governance.reviews import SAID, TRACKS
from governance.statements import read_statement
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
    last = _last_words(log, scope, since, until)
    return _figures(log, scope, (since, until), last, _said(log, last))


def agreement_by_model(
    log: TraceLog, since: datetime, until: datetime, *, site: str | None = None, seen_by: Person | None = None
) -> tuple[Agreement, ...]:
    """Return the figures of every model about whose decisions somebody said something, by name."""
    scope = Wanted(kind="decision", site=site, since=since, until=until).seen_by(seen_by)
    last = _last_words(log, scope, since, until)
    said = _said(log, last)
    named = sorted({word.model for word in last if word.model is not None})
    return tuple(
        _figures(log, replace(scope, model=name), (since, until), [word for word in last if word.model == name], said)
        for name in named
    )


def _figures(
    log: TraceLog,
    scope: Wanted,
    span: tuple[datetime, datetime],
    last: Sequence[Word],
    said: Mapping[int, Mapping[str, Any]],
) -> Agreement:
    """Return the figures about the decisions of a scope, with the last word about each that was judged."""
    asked = replace(scope, any_flag=ASKS_FOR_A_PERSON)
    confirmed = sum(1 for word in last if word.kind == "review")
    overridden = [word for word in last if word.kind == "override"]
    labels = [labels for word in last if len(labels := _labels(said.get(word.index, {}))) == len(TRACKS)]
    estimate = wilson(confirmed, len(last)) if last else None
    return Agreement(
        model=scope.model,
        since=span[0],
        until=span[1],
        decisions=log.tally(scope).count,
        asked_for=log.tally(asked).count,
        unanswered=log.tally(replace(asked, without=SAID)).count,
        reviewed=len(last),
        confirmed=confirmed,
        overridden=len(overridden),
        alarms_overridden=sum(1 for word in overridden if word.verdict),
        clears_overridden=sum(1 for word in overridden if word.verdict is False),
        agreed=confirmed / len(last) if last else None,
        interval=estimate.interval if estimate is not None else None,
        median_hours=median((word.time - word.decided).total_seconds() / 3600 for word in last) if last else None,
        labelled=len(labels),
        labels_differ=sum(1 for found in labels if len(set(found)) > 1),
    )


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
    scope = Wanted(since=since, until=until).seen_by(by)
    said = [word for word in _words(log, scope) if word.actor is not None]
    total, overrides = Counter(word.actor for word in said), Counter(w.actor for w in said if w.kind == "override")
    if len(total) < rules.least_reviewers:
        return OverReliance(reviewers=len(total), least_reviewers=rules.least_reviewers)
    enough = [name for name, reviews in total.items() if reviews >= rules.least_reviews]
    seconds = [float(found) for one in _said(log, said).values() if (found := one.get("seconds")) is not None]
    return OverReliance(
        reviewers=len(total),
        least_reviewers=rules.least_reviewers,
        reviews=len(said),
        confirmed_share=1 - overrides.total() / len(said),
        with_enough_reviews=len(enough),
        always_confirming=sum(1 for name in enough if not overrides[name]),
        timed=len(seconds),
        median_seconds=median(seconds) if seconds else None,
        hurried_share=sum(1 for s in seconds if s < rules.hurried_seconds) / len(seconds) if seconds else None,
    )


def _words(log: TraceLog, scope: Wanted) -> list[Word]:
    """Return every judgement in a scope, by place in the log."""
    said = (words(log.database, replace(scope, kind=kind)) for kind in SAID)
    return sorted(chain.from_iterable(said), key=lambda word: word.index)


def _last_words(log: TraceLog, scope: Wanted, since: datetime, until: datetime) -> list[Word]:
    """Return the last word about each decision of a time that somebody judged, whenever it was said."""
    last = {word.decision: word for word in _words(log, replace(scope, until=None))}
    return [word for word in last.values() if since <= word.decided < until]


def _said(log: TraceLog, last: Sequence[Word]) -> dict[int, dict[str, Any]]:
    """Return what words say, by their place; nothing of those that are erased or only stored."""
    return {index: read_statement(raw) for index, raw in sealed_in(log, last).items()}


def _labels(said: Mapping[str, Any]) -> Sequence[str]:
    labels = said.get("labels")
    return [str(labels[track]) for track in TRACKS if track in labels] if isinstance(labels, dict) else []
