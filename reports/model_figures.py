"""Everything a transparency report shows about one model version: one value for page, PDF and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from policies.declaration import Source
from policies.errors import Sentence
from reports.evidence import Rate
from reports.facts import DecisionCounts, LogFacts, VerdictFacts, VersionFacts
from reports.plain_json import plain

FORMAT = 1
"""Format of `ModelFigures.as_json`. Raise it when a key changes its meaning or goes; added keys keep it."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How often the model was right on labelled cases it had not seen.

    Harm is the positive class, an alarm the protective side. The `of_100_*` figures are rounded to whole cases and
    None where there was nothing to count.
    """

    holds: bool | None
    says: tuple[Sentence, ...]
    n: int
    unlabelled: int
    tp: int
    fp: int
    fn: int
    tn: int
    of_100_alarms_false: int | None
    of_100_harms_missed: int | None
    of_100_harmless_alarmed: int | None
    rates: Mapping[str, Rate]
    baseline: Mapping[str, float]
    baseline_name: str
    limits: Mapping[str, float]
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What one threshold costs, as shares in [0, 1]."""

    threshold: float
    detection_rate: float
    false_alarm_rate: float


@dataclass(frozen=True, kw_only=True)
class GroupFigure:
    """One group of one column: sizes, rates with intervals, and what may be concluded."""

    column: str
    group: str
    n: int
    positives: int
    selection_rate: float | None
    impact_ratio: float | None
    false_alarm_rate: Rate | None
    miss_rate: Rate | None
    conclusion: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A gap between two groups, with its interval and the chance of seeing it without a real difference."""

    column: str
    metric: str
    low_group: str
    high_group: str
    gap: float | None
    lo: float | None
    hi: float | None
    p: float | None
    conclusion: str


@dataclass(frozen=True, kw_only=True)
class CapFigure:
    """One capped feature: its mean share of a decision before enforcement, its cap, its share after it.

    `proxies` are features that predict it so well that they count with it.
    """

    feature: str
    share: float
    lo: float | None
    hi: float | None
    cap: float
    after: float | None
    holds: bool | None
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FeatureFigure:
    """One feature as declared, and how much of the decisions it carries (None where that is not known)."""

    name: str
    label: Sentence
    unit: str
    range: tuple[float, float] | None
    sensor: bool
    immutable: bool
    cap: float | None
    share: float | None


@dataclass(frozen=True, kw_only=True)
class ProbeFigure:
    """What one disturbance did to the answers: shares in [0, 1], None where it does not apply."""

    probe: str
    feature: str
    verdicts_changed: float | None
    alarms_lost: float | None
    limit: float | None
    holds: bool | None


@dataclass(frozen=True, kw_only=True)
class KnownFailure:
    """One known failure of industrial AI that fits this model, and whether the model stood the probes of it."""

    scenario: str
    title: Sentence
    holds: bool | None
    says: tuple[Sentence, ...]
    happened: Sentence | None = None
    remedy: Sentence | None = None


@dataclass(frozen=True, kw_only=True)
class FindingFigure:
    """One finding of one check, as it was kept."""

    check: str
    holds: bool | None
    says: Sentence
    measured: float | None
    limit: float | None
    unit: str
    n: int | None
    details: tuple[Sentence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CellFigure:
    """One answer to the impact matrix, or one floor, and whether it decided the tier."""

    says: Sentence
    points: int
    decides: bool


@dataclass(frozen=True, kw_only=True)
class ModelFigures:
    """All figures of one model version. Nothing in a report is computed outside of this value.

    `known_failures_aside` is how many failures of the negative list do not fit the model; None: none was tried.
    """

    version: VersionFacts
    site: str
    owner: str
    purpose: str
    purpose_says: Sentence
    description: str
    flavour: str
    task: str
    threshold: float
    protective: str
    label: str
    prepared: datetime
    tier: str
    tier_points: int
    cells: tuple[CellFigure, ...]
    sources: tuple[Source, ...]
    labels_by: Mapping[str, str]
    group_columns: tuple[str, ...]
    features: tuple[FeatureFigure, ...]
    forbidden_columns: tuple[str, ...]
    bands: Mapping[str, float]
    performance: Performance | None
    groups: tuple[GroupFigure, ...]
    comparisons: tuple[Comparison, ...]
    unknown_groups: Mapping[str, int]
    caps: tuple[CapFigure, ...]
    caps_total: CapFigure | None
    decisions_over_cap: float | None
    on_exceed: str
    probes: tuple[ProbeFigure, ...]
    known_failures: tuple[KnownFailure, ...]
    known_failures_aside: int | None
    findings: tuple[FindingFigure, ...]
    holds: bool | None
    verdict: VerdictFacts | None
    counts: DecisionCounts | None
    log: LogFacts | None
    rulebook_version: str
    rulebook_digest: str
    appeal_within_days: int
    answer_appeal_days: int
    explain_within_days: int
    format: int = field(default=FORMAT)

    def as_json(self) -> dict[str, object]:
        """Return every figure as plain JSON values; the PDF shows these and no others."""
        return cast(dict[str, object], plain(self))

    def named(self, feature: str) -> Sentence:
        """Return what people call a feature: its declared label, or its name in both languages."""
        for known in self.features:
            if known.name == feature:
                return known.label
        return Sentence(en=feature, zh=feature)
