"""What registry, officer and log say, handed to the reports as plain values: reports look nothing up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from policies.errors import Sentence

Outcome = Literal["approve", "return", "veto"]


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """One registered model version. `registered` is None for a submission that was only checked."""

    name: str
    version: str
    artifact_digest: str
    status: str
    registered: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class VerdictFacts:
    """What was decided about a version, by whom (role and name, as they may be published) and until when.

    A condition is a sentence in both languages, or words as an officer wrote them.
    """

    outcome: Outcome
    reason: str
    decided_by: tuple[str, ...]
    decided: datetime
    until: date | datetime | None = None
    conditions: tuple[Sentence | str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """The head of the trace log at the time of writing. `root` is hex, `checkpoint` the text of the signed note."""

    root: str
    size: int
    time: datetime
    checkpoint: str = ""


@dataclass(frozen=True, kw_only=True)
class DecisionCounts:
    """How often the version answered in production, and what people did with its answers."""

    since: datetime
    until: datetime
    decisions: int
    alarms: int
    capped: int = 0
    handed_over: int = 0
    reviewed: int = 0
    overridden: int = 0
    appeals: int = 0
    appeals_upheld: int = 0


@dataclass(frozen=True, kw_only=True)
class EntryFacts:
    """Where a decision stands in the log. `leaf` is the leaf hash in hex."""

    id: str
    index: int
    time: datetime
    leaf: str


@dataclass(frozen=True, kw_only=True)
class ReviewFacts:
    """One statement of a person about a decision.

    `kind` is review, override, appeal, explanation, human_decision or answer; an answer has an `outcome`.
    """

    kind: str
    time: datetime
    actor: str
    says: str
    outcome: str = ""


@dataclass(frozen=True, kw_only=True)
class OutcomeFacts:
    """What really happened after a decision, as far as it is known, and who or what established it."""

    harmed: bool
    source: str
    time: datetime
