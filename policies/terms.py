"""How long permits run, traces are kept and people wait for an answer, who decides at which tier, what is admitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.tiers import Tier


@dataclass(frozen=True, kw_only=True)
class PermitRules:
    """How long a permit may run by tier, who decides, which findings stand in the way of any approval, and
    what a check without a conclusion means: "note", "reason" or "blocks". An officer's delegation ends after
    `longest_delegation_days` at the latest. `edge_hours` is how long
    the package of an edge box is valid."""

    longest_days: Mapping[Tier, int]
    grace_hours: float
    deciders: Mapping[Tier, tuple[str, ...]]
    inconclusive: Mapping[Tier, str]
    blocking: tuple[str, ...]
    longest_delegation_days: int = 180
    edge_hours: float = 24.0


@dataclass(frozen=True, kw_only=True)
class CodeRules:
    """Whether models that are code (pickles, MLflow's Python functions) are opened at all, in a box, and up to which
    tier. A rulebook that says nothing admits none; none admits them at L4."""

    allow_code: bool = False
    highest_tier: Tier = Tier.L2

    def admits(self, tier: Tier) -> bool:
        """Return whether a model that is code may be opened for a use of this tier."""
        return self.allow_code and tier <= self.highest_tier


@dataclass(frozen=True, kw_only=True)
class RetentionRules:
    """Days a trace is kept: default, floor (days and calendar months, the longer holds), ceiling by tier."""

    default_days: int
    floor_days: int
    floor_months: int
    ceiling_days: Mapping[Tier, int]


REVIEW_WITHIN_HOURS: Mapping[Tier, int] = {Tier.L1: 168, Tier.L2: 72, Tier.L3: 24, Tier.L4: 4}


@dataclass(frozen=True, kw_only=True)
class DisclosureRules:
    """What a published report may say: the smallest count besides 0, days on which nobody works ("MM-DD"), and from
    which population stability index on scores count as having moved."""

    least_cell: int
    days_off: tuple[str, ...]
    moved_psi: float


@dataclass(frozen=True, kw_only=True)
class ReviewRules:
    """Deadlines for appeals, explanations and reviews, and from when on people lean on a model too much.

    Rulebooks that were written before a figure existed take the one below. `review_within_hours` is how long a
    decision that asks for a person may wait. Signs of over-reliance are told only about `least_reviewers` people or
    more together, about those who reviewed `least_reviews` decisions or more; a review takes at least
    `hurried_seconds`, or it was hurried.
    """

    appeal_within_days: int
    answer_appeal_days: int
    explain_within_days: int
    decide_by_person_days: int = 5
    review_within_hours: Mapping[Tier, int] = field(default_factory=lambda: dict(REVIEW_WITHIN_HOURS))
    least_reviewers: int = 3
    least_reviews: int = 20
    hurried_seconds: int = 10


MONITORS = ("input_psi", "score_psi", "alarm_shift", "override_rate", "capped_share", "latency_seconds")
"""What is watched while a model decides: drift of its inputs and scores (population stability index against the rows
it was examined with), how far its rate of alarms moved, the share of reviewed decisions that people overrode, the
share of decisions in which a cap clipped, and the 99th percentile of the time of a call."""


@dataclass(frozen=True, kw_only=True)
class MonitorRules:
    """Limits of what is watched, over the latest `window_rows` rows once there are `least_rows` of them, and for
    overrides once there are `least_reviews`. A monitor named in `suspends` ends the permit's life by itself until an
    officer lets it run again. A rulebook that says nothing watches and suspends nothing."""

    window_rows: int = 2000
    least_rows: int = 500
    least_reviews: int = 30
    most: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(MONITORS, float("inf")))
    suspends: tuple[str, ...] = ()
