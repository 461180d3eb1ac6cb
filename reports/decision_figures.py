"""Everything a letter says about one decision, and how much of it each reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from audit.trace import DecisionTrace
from explainers.boundary import DecisionMap, FlipPoint
from explainers.counterfactual import Counterfactual
from policies.declaration import Declaration, Protective
from policies.errors import Sentence
from policies.rulebook import Rulebook
from reports.charts.contours import contour
from reports.facts import EntryFacts, LogFacts, ReviewFacts
from reports.plain_json import plain
from reports.readings import Reading, exactly, in_band

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
    """How much a capped feature carried before it was clipped."""

    feature: str
    label: Sentence
    share: Reading


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


def decision_figures(
    *,
    trace: DecisionTrace,
    entry: EntryFacts,
    declaration: Declaration,
    rulebook: Rulebook,
    prepared: datetime,
    flips: Sequence[FlipPoint] = (),
    plane: DecisionMap | None = None,
    change: Counterfactual | None = None,
    searched: bool = True,
    threshold_margin: float | None = None,
    reviews: Sequence[ReviewFacts] = (),
    log: LogFacts | None = None,
) -> DecisionFigures:
    """Put the figures of one decision together.

    Parameters
    ----------
    threshold_margin : float, optional
        The threshold in the unit in which contributions add up, so that it can be drawn beside them.
    plane : DecisionMap, optional
        Scores over two leading features, in the unit of the threshold.
    change : Counterfactual, optional
        The smallest change that flips the verdict; None when there is none within the ranges.
    searched : bool
        Whether a change was looked for, so that "none" is not said of what nobody looked for.
    """
    alarms_above = declaration.model.protective is Protective.AT_OR_ABOVE
    clipped = trace.capped_contributions is not None
    return DecisionFigures(
        entry=entry,
        model=trace.model,
        version=trace.version,
        site=trace.site,
        purpose_says=rulebook.purposes.allowed.get(trace.purpose, Sentence(en=trace.purpose, zh=trace.purpose)),
        description=declaration.use.description,
        artifact_digest=trace.artifact_digest,
        rulebook_digest=trace.rulebook_digest,
        prepared=prepared,
        alarmed=trace.verdict,
        alarms_above=alarms_above,
        protective=declaration.model.protective.value,
        score=exactly(trace.capped_score if clipped and trace.capped_score is not None else trace.score),
        threshold=trace.threshold,
        unit=trace.unit,
        method=trace.method,
        base=exactly(trace.base),
        margin=exactly(_margin(trace)),
        threshold_margin=threshold_margin,
        contributions=_contributions(trace, declaration, alarms_above),
        clipped=clipped,
        score_before_clip=exactly(trace.score) if clipped else None,
        cap_shares=tuple(
            CapShare(feature=name, label=_label(declaration, name), share=Reading(low=share, high=share))
            for name, share in trace.cap_shares.items()
        ),
        model_alarms=(trace.score >= trace.threshold) == alarms_above,
        flips=tuple(_flip(point, declaration) for point in flips),
        plane=None if plane is None else _plane(plane, declaration),
        changes=() if change is None else _changes(change, declaration),
        searched=searched,
        flags=trace.flags,
        reviews=tuple(reviews),
        contest_by=(entry.time + timedelta(days=rulebook.reviews.appeal_within_days)).date(),
        answer_appeal_days=rulebook.reviews.answer_appeal_days,
        explain_within_days=rulebook.reviews.explain_within_days,
        log=log,
        caller=trace.caller,
        subject=trace.subject,
    )


def _margin(trace: DecisionTrace) -> float:
    """Return what base and the contributions in force add up to."""
    if trace.capped_contributions is None:
        return trace.margin
    return trace.base + float(np.sum(trace.capped_contributions, dtype=np.float64))


def _label(declaration: Declaration, name: str) -> Sentence:
    return declaration.feature(name).label or Sentence(en=name, zh=name)


def _contributions(
    trace: DecisionTrace, declaration: Declaration, alarms_above: bool
) -> tuple[ContributionFigure, ...]:
    """Return the contributions in force, largest first; none while the explanation is pending."""
    in_force = trace.contributions if trace.capped_contributions is None else trace.capped_contributions
    if not len(in_force):
        return ()
    values = np.asarray(in_force, dtype=np.float64)
    total = float(np.abs(values).sum()) or 1.0
    figures = []
    for place in np.argsort(-np.abs(values), kind="stable").tolist():
        name = trace.feature_names[place]
        declared = declaration.feature(name)
        share = abs(float(values[place])) / total
        figures.append(
            ContributionFigure(
                feature=name,
                label=_label(declaration, name),
                unit=declared.unit or "",
                range=declared.range,
                value=exactly(float(trace.inputs[place])),
                text=trace.texts.get(name, ""),
                contribution=exactly(float(values[place])),
                share=Reading(low=share, high=share),
                towards_alarm=(float(values[place]) > 0) == alarms_above,
                capped=name in trace.cap_shares,
            )
        )
    return tuple(figures)


def _flip(point: FlipPoint, declaration: Declaration) -> FlipFigure:
    return FlipFigure(
        feature=point.feature,
        label=_label(declaration, point.feature),
        unit=declaration.feature(point.feature).unit or "",
        low=point.range[0],
        high=point.range[1],
        value=exactly(point.value),
        flips_at=exactly(point.flips_at),
    )


def _plane(found: DecisionMap, declaration: Declaration) -> PlaneFigure:
    x, y = found.case
    scores = np.asarray(found.scores, dtype=np.float64)
    supported = np.asarray(found.supported, dtype=np.bool_)
    return PlaneFigure(
        label_x=_label(declaration, found.feature_x),
        label_y=_label(declaration, found.feature_y),
        unit_x=declaration.feature(found.feature_x).unit or "",
        unit_y=declaration.feature(found.feature_y).unit or "",
        x=np.asarray(found.x, dtype=np.float64),
        y=np.asarray(found.y, dtype=np.float64),
        scores=scores,
        supported=supported,
        threshold=found.threshold,
        case_x=exactly(x),
        case_y=exactly(y),
        boundary=contour(found.x, found.y, scores, found.threshold, supported),
    )


def _changes(change: Counterfactual, declaration: Declaration) -> tuple[ChangeFigure, ...]:
    return tuple(
        ChangeFigure(
            feature=part.feature,
            label=_label(declaration, part.feature),
            unit=declaration.feature(part.feature).unit or "",
            before=exactly(part.before),
            after=exactly(part.after),
            rises=part.after > part.before,
        )
        for part in change.changes
    )


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
