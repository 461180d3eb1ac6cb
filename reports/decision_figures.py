"""Everything a letter says about one decision: one value, and how much of it each reader may see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from policies.errors import Sentence
from reports.facts import EntryFacts, LogFacts, OutcomeFacts, ReviewFacts
from reports.plain_json import plain
from reports.readings import Reading, in_band

View: TypeAlias = Literal["employee", "reviewer", "regulator"]
FORMAT = 1
"""Format of `DecisionFigures.as_json`. Raise it when a key changes its meaning or goes; added keys keep it."""


@dataclass(frozen=True, kw_only=True)
class ContributionFigure:
    """One feature of a decision: its reading, and how much it moved the score and where to."""

    feature: str
    label: Sentence
    unit: str
    range: tuple[float, float] | None
    value: Reading | None
    text: str
    contribution: Reading | None
    share: Reading
    towards_alarm: bool
    capped: bool


@dataclass(frozen=True, kw_only=True)
class FlipFigure:
    """Where the verdict next flips along one feature.

    `value` is None where it was missing, `flips_at` when the verdict holds over the whole range.
    """

    feature: str
    label: Sentence
    unit: str
    low: float
    high: float
    value: Reading | None
    flips_at: Reading | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaneFigure:
    """Scores over two features around the case; `scores[i, j]` at (x[j], y[i]), `supported` where data lie.

    `boundary` are the lines at which the score crosses the threshold, next to data.
    """

    label_x: Sentence
    label_y: Sentence
    unit_x: str
    unit_y: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    supported: npt.NDArray[np.bool_]
    threshold: float
    case_x: Reading | None
    case_y: Reading | None
    boundary: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, kw_only=True)
class ChangeFigure:
    """One part of the smallest change that would have flipped the verdict."""

    feature: str
    label: Sentence
    unit: str
    before: Reading | None
    after: Reading | None
    rises: bool


@dataclass(frozen=True, kw_only=True)
class CapShare:
    """How much a capped feature carried before it was clipped, and its cap; None when the rulebook has moved on."""

    feature: str
    label: Sentence
    share: Reading
    cap: float | None = None
    above: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class DecisionFigures:
    """All figures of one decision. `for_view` returns what a reader may see; letters show nothing beyond it.

    `alarmed` is the answer that was given; `model_alarms` is what the score says before any cap was enforced,
    and that is what flips and plane are about.
    """

    entry: EntryFacts
    model: str
    version: str
    site: str
    purpose_says: Sentence
    description: str
    artifact_digest: str
    rulebook_digest: str
    prepared: datetime
    alarmed: bool
    alarms_above: bool
    protective: str
    score: Reading | None
    threshold: float
    unit: str
    method: str
    base: Reading | None
    margin: Reading | None
    threshold_margin: float | None
    contributions: tuple[ContributionFigure, ...]
    clipped: bool
    score_before_clip: Reading | None
    cap_shares: tuple[CapShare, ...]
    model_alarms: bool
    flips: tuple[FlipFigure, ...]
    plane: PlaneFigure | None
    changes: tuple[ChangeFigure, ...]
    searched: bool
    flags: tuple[str, ...]
    reviews: tuple[ReviewFacts, ...]
    outcome: OutcomeFacts | None
    contest_by: date
    answer_appeal_days: int
    explain_within_days: int
    log: LogFacts | None
    caller: str
    subject: str | None
    view: View = "regulator"
    format: int = field(default=FORMAT)

    def as_json(self) -> dict[str, object]:
        """Return every figure as plain JSON values."""
        return cast(dict[str, object], plain(self))

    @property
    def explained(self) -> bool:
        """Whether contributions are there; an alarm may pass before its explanation is ready."""
        return bool(self.contributions)

    def for_view(self, view: View) -> DecisionFigures:
        """Return the figures as `view` may see them.

        An employee sees bands instead of exact inputs, shares and scores, and no names of people or callers:
        exact contributions let a patient reader rebuild a model, and a reviewer decides for the company.
        A reviewer sees all but the pseudonym; a regulator sees all.
        """
        if view == "regulator":
            return replace(self, view=view)
        if view == "reviewer":
            return replace(self, view=view, subject=None)
        return _banded(self)


def _banded(figures: DecisionFigures) -> DecisionFigures:
    """Return what an employee may see."""
    ranges = {each.feature: each.range for each in figures.contributions}
    return replace(
        figures,
        view="employee",
        score=_score_band(figures.score),
        base=None,
        margin=None,
        threshold_margin=None,
        score_before_clip=_score_band(figures.score_before_clip),
        contributions=tuple(
            replace(
                each,
                value=in_band(each.value, each.range, least=_least(each.value, each.range)),
                contribution=None,
                share=in_band(each.share, (0.0, 1.0)) or each.share,
            )
            for each in figures.contributions
        ),
        cap_shares=tuple(
            replace(each, share=in_band(each.share, (0.0, 1.0)) or each.share) for each in figures.cap_shares
        ),
        flips=tuple(
            replace(
                each,
                value=in_band(each.value, (each.low, each.high), least=_least(each.value, (each.low, each.high))),
                flips_at=in_band(each.flips_at, (each.low, each.high)),
            )
            for each in figures.flips
        ),
        plane=None if figures.plane is None else _banded_plane(figures.plane),
        changes=tuple(
            replace(
                each,
                before=in_band(each.before, ranges.get(each.feature)),
                after=in_band(each.after, ranges.get(each.feature)),
            )
            for each in figures.changes
        ),
        reviews=tuple(replace(each, actor="") for each in figures.reviews),
        outcome=None if figures.outcome is None else replace(figures.outcome, source=""),
        caller="",
        subject=None,
    )


def _least(value: Reading | None, limits: tuple[float, float] | None) -> float:
    """Return 1 for counts and codes, where a part of one would mean nothing; 0 for measurements."""
    if value is None or limits is None:
        return 0.0
    return 1.0 if all(float(end).is_integer() for end in (*value.ends, *limits)) else 0.0


def _score_band(score: Reading | None) -> Reading | None:
    """Return the tenth a probability lies in; a score on another scale gets a band of its own size."""
    if score is not None and 0.0 <= score.low <= score.high <= 1.0:
        return in_band(score, (0.0, 1.0))
    return in_band(score)


def _banded_plane(plane: PlaneFigure) -> PlaneFigure:
    """Return the plane with the case as a box and scores kept only as the side of the threshold they lie on."""
    limits_x = float(plane.x[0]), float(plane.x[-1])
    limits_y = float(plane.y[0]), float(plane.y[-1])
    return replace(
        plane,
        scores=np.where(np.isfinite(plane.scores), (plane.scores >= plane.threshold).astype(np.float64), np.nan),
        threshold=0.5,
        case_x=in_band(plane.case_x, limits_x),
        case_y=in_band(plane.case_y, limits_y),
    )
