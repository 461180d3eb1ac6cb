"""The pictures of a page, each drawn twice by the reports' drawing code: for a wide window and for a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.charts import (
    Choice,
    Drawing,
    Flip,
    GroupRate,
    Importance,
    ShareStep,
    Step,
    confusion_picture,
    decision_plane,
    flip_lines,
    group_rates,
    importance_bars,
    share_bars,
    tradeoff_curve,
    waterfall,
)
from reports.decision_figures import ContributionFigure, DecisionFigures
from reports.decision_letter import flips_of, plane_of, share_words
from reports.evidence import Rate
from reports.finding_picture import picture_of
from reports.model_figures import GroupFigure, ModelFigures
from reports.wording import Language, name_of, say

WIDE, PAIRED, NARROW = 440.0, 270.0, 216.0
"""Widths in points: alone, beside another picture, on a phone.

A page shows them enlarged about one and a half times, so that 8 points read as 12 pixels.
"""

SHOWN = 8
"""How many features a picture names; the table beside it names all."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture in both widths."""

    wide: Drawing
    narrow: Drawing


def both(draw: Callable[[float], Drawing], *, wide: float = WIDE) -> Picture:
    """Return a picture from the function that draws it at a given width."""
    return Picture(wide=draw(wide), narrow=draw(NARROW))


# ── Decisions ─────────────────────────────────────────────────────────────────────────────────────────


def contributions(figures: DecisionFigures, language: Language) -> Picture | None:
    """Return what moved a decision: exact steps where this reader may see them, shares otherwise."""
    if not figures.explained:
        return None
    leading = figures.contributions[:SHOWN]
    base, margin = figures.base, figures.margin
    if base is None or margin is None:
        shares = [_share(each, language) for each in leading]
        return both(lambda width: share_bars(shares, language=language, width=width))
    steps = [
        Step(name=each.label.in_language(language), value=each.contribution.low)
        for each in leading
        if each.contribution is not None
    ]
    return both(
        lambda width: waterfall(
            steps,
            base=base.low,
            score=margin.low,
            unit=name_of(language, "unit", figures.unit),
            language=language,
            threshold=figures.threshold_margin,
            alarms_above=figures.alarms_above,
            width=width,
        )
    )


def flips(figures: DecisionFigures, language: Language) -> Picture | None:
    """Return where the verdict flips along single features."""
    lines: list[Flip] = flips_of(figures, language)
    return both(lambda width: flip_lines(lines, language=language, width=width)) if lines else None


def plane(figures: DecisionFigures, language: Language) -> Picture | None:
    """Return the two leading features around the case."""
    found = figures.plane
    if found is None:
        return None
    drawn = plane_of(found, figures.alarms_above, language)
    return both(lambda width: decision_plane(drawn, language=language, width=width, height=0.45 * width + 90))


# ── Models ────────────────────────────────────────────────────────────────────────────────────────────


def of_model(figures: ModelFigures, language: Language) -> dict[str, Any]:
    """Return every picture that stands with a model's figures, by the section it belongs to."""
    return {
        "importance": importance(figures, language),
        "confusion": confusion(figures, language),
        "tradeoff": tradeoff(figures, language),
        "groups": groups(figures, language),
    }


def importance(figures: ModelFigures, language: Language) -> Picture | None:
    """Return which features carry the decisions."""
    caps = {cap.feature: cap.cap for cap in figures.caps}
    bars = [
        Importance(name=feature.label.in_language(language), share=feature.share, cap=caps.get(feature.name))
        for feature in figures.features
        if feature.share is not None
    ]
    if not bars:
        return None
    return both(lambda width: importance_bars(bars[:12], language=language, width=width))


def confusion(figures: ModelFigures, language: Language) -> Picture | None:
    """Return right and wrong answers, counted."""
    found = figures.performance
    if found is None:
        return None
    return both(
        lambda width: confusion_picture(
            tp=found.tp, fp=found.fp, fn=found.fn, tn=found.tn, language=language, width=width
        ),
        wide=PAIRED,
    )


def tradeoff(figures: ModelFigures, language: Language) -> Picture | None:
    """Return missed harm against false alarms, with the threshold in force marked."""
    found = figures.performance
    if found is None or not found.curve:
        return None
    choices = [
        Choice(threshold=point.threshold, missed=1.0 - point.detection_rate, false_alarms=point.false_alarm_rate)
        for point in found.curve
    ]
    detected, false = found.rates.get("detection_rate"), found.rates.get("false_alarm_rate")
    chosen = None
    if detected is not None and false is not None:
        chosen = Choice(threshold=figures.threshold, missed=1.0 - detected.value, false_alarms=false.value)
    return both(
        lambda width: tradeoff_curve(choices, chosen=chosen, language=language, width=width, height=0.32 * width + 110),
        wide=PAIRED,
    )


def findings(kept: Sequence[Mapping[str, object]], language: Language) -> dict[int, Picture]:
    """Return the picture of every finding that has one, by its place among all findings of the submission."""
    drawn = {}
    for place, finding in enumerate(kept):
        wide, narrow = picture_of(finding, language, WIDE), picture_of(finding, language, NARROW)
        if wide is not None and narrow is not None:
            drawn[place] = Picture(wide=wide, narrow=narrow)
    return drawn


def groups(figures: ModelFigures, language: Language) -> tuple[Picture, ...]:
    """Return one picture per group column and error: missed harm, and false alarms."""
    drawn = []
    for column in dict.fromkeys(group.column for group in figures.groups):
        rows = [group for group in figures.groups if group.column == column][:12]
        for metric in ("miss_rate", "false_alarm_rate"):
            marked = {
                name
                for gap in figures.comparisons
                if gap.column == column and gap.metric == metric and gap.conclusion == "gap"
                for name in (gap.low_group, gap.high_group)
            }
            drawn.append(_group_picture(rows, column, metric, marked, language))
    return tuple(drawn)


def _group_picture(
    rows: Sequence[GroupFigure], column: str, metric: str, marked: set[str], language: Language
) -> Picture:
    lines = [_group_rate(row, metric, row.group in marked) for row in rows]
    title = say(language, f"groups.picture_{metric}", column=column)
    return Picture(
        wide=group_rates(lines, title=title, language=language, width=PAIRED),
        narrow=group_rates(lines, title=title, language=language, width=NARROW),
    )


def _group_rate(row: GroupFigure, metric: str, stands_out: bool) -> GroupRate:
    found: Rate | None = row.miss_rate if metric == "miss_rate" else row.false_alarm_rate
    if found is None:
        return GroupRate(name=row.group, n=row.n, value=None)
    return GroupRate(name=row.group, n=row.n, value=found.value, low=found.lo, high=found.hi, stands_out=stands_out)


def _share(each: ContributionFigure, language: Language) -> ShareStep:
    return ShareStep(
        name=each.label.in_language(language),
        share=(each.share.low + each.share.high) / 2,
        towards_alarm=each.towards_alarm,
        written=share_words(each.share, language),
    )
