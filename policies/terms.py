"""How long permits run, traces are kept and people wait for an answer, and who decides at which tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.tiers import Tier


@dataclass(frozen=True, kw_only=True)
class PermitRules:
    """How long a permit may run by tier, who decides, which findings stand in the way of any approval, and
    what a check without a conclusion means: "note", "reason" or "blocks"."""

    longest_days: Mapping[Tier, int]
    grace_hours: float
    deciders: Mapping[Tier, tuple[str, ...]]
    inconclusive: Mapping[Tier, str]
    blocking: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RetentionRules:
    """Days a trace is kept: default, floor (days and calendar months, the longer holds), ceiling by tier."""

    default_days: int
    floor_days: int
    floor_months: int
    ceiling_days: Mapping[Tier, int]


@dataclass(frozen=True, kw_only=True)
class DisclosureRules:
    """What a published report may say: the smallest count besides 0, days on which nobody works ("MM-DD"), and from
    which population stability index on scores count as having moved."""

    least_cell: int
    days_off: tuple[str, ...]
    moved_psi: float


@dataclass(frozen=True, kw_only=True)
class ReviewRules:
    """Deadlines, in days, for appeals and explanations."""

    appeal_within_days: int
    answer_appeal_days: int
    explain_within_days: int
