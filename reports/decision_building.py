"""Puts the figures of one decision together from its trace, its boundary and what people said about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from audit.trace import DecisionTrace
from explainers.boundary import DecisionMap, FlipPoint
from explainers.counterfactual import Counterfactual
from policies.declaration import Declaration, Protective
from policies.errors import Sentence
from policies.feature_caps import caps_for
from policies.rulebook import Rulebook
from reports.charts.contours import contour
from reports.decision_figures import (
    CapShare,
    ChangeFigure,
    ContributionFigure,
    DecisionFigures,
    FlipFigure,
    PlaneFigure,
)
from reports.facts import EntryFacts, LogFacts, OutcomeFacts, ReviewFacts
from reports.readings import Reading, exactly


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
    outcome: OutcomeFacts | None = None,
    log: LogFacts | None = None,
) -> DecisionFigures:
    """Put the figures of one decision together.

    Parameters
    ----------
    threshold_margin : float, optional
        The threshold in the unit in which contributions add up, so that it can be drawn beside them.
    plane : DecisionMap, optional
        Scores over two leading features, in the unit of the threshold. Left out where data cover less than a
        quarter of either axis: a yes-or-no feature has two places and nothing between them.
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
        cap_shares=_cap_shares(trace, declaration, rulebook),
        model_alarms=(trace.score >= trace.threshold) == alarms_above,
        flips=tuple(_flip(point, declaration) for point in flips),
        plane=None if plane is None or not _fills_a_plane(plane) else _plane(plane, declaration),
        changes=() if change is None else _changes(change, declaration),
        searched=searched,
        flags=trace.flags,
        reviews=tuple(reviews),
        outcome=outcome,
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


def _cap_shares(trace: DecisionTrace, declaration: Declaration, rulebook: Rulebook) -> tuple[CapShare, ...]:
    """Return the shares of capped features; their caps only where the rulebook is the one that was in force."""
    in_force = trace.rulebook_digest == rulebook.digest
    caps = caps_for(trace.feature_names, rulebook.caps, declaration).caps if in_force else {}
    return tuple(
        CapShare(
            feature=name,
            label=_label(declaration, name),
            share=Reading(low=share, high=share),
            cap=caps.get(name),
            above=share > caps.get(name, 1.0),
        )
        for name, share in trace.cap_shares.items()
    )


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


LEAST_COVER = 0.25


def _fills_a_plane(found: DecisionMap) -> bool:
    """Whether data lie on enough of both axes for a plane to mean something."""
    supported = np.asarray(found.supported, dtype=np.bool_)
    return all(supported.any(axis=axis).mean() >= LEAST_COVER for axis in (0, 1))


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
