"""What moved one decision: from the average to this score, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.axes import Scale, legend, legend_lines
from reports.charts.measure import width_of
from reports.charts.rows import rows_of
from reports.charts.scene import (
    ALARM,
    FAINT,
    INK,
    MARK,
    PAPER,
    QUIET,
    SOFT,
    Drawing,
    Label,
    Line,
    Rect,
    Shape,
    paragraph,
)
from reports.wording import Language, say


@dataclass(frozen=True, kw_only=True)
class Step:
    """One feature of a waterfall: its name as people read it, and its signed contribution."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class ShareStep:
    """One feature by how much of the decision it carries; `share` in [0, 1].

    `written` is the share as it may be shown to this reader, such as "30% to 40%".
    """

    name: str
    share: float
    towards_alarm: bool
    written: str


def waterfall(
    steps: Sequence[Step],
    *,
    base: float,
    score: float,
    unit: str,
    language: Language,
    threshold: float | None = None,
    alarms_above: bool = True,
    width: float = 480.0,
) -> Drawing:
    """Return the way from `base` to `score` through `steps`, all in `unit`.

    What the steps leave over is drawn as one more row, so that the bars always end at the score.
    `threshold`, in the same unit, is drawn as a dashed line; `alarms_above` says on which side of it an alarm lies.
    """
    rest = score - base - sum(step.value for step in steps)
    scale_of = max(abs(base), abs(score), *(abs(step.value) for step in steps), 1e-12)
    shown = list(steps)
    if abs(rest) > 1e-9 * scale_of:
        shown.append(Step(name=say(language, "chart.all_others"), value=rest))
    names = [say(language, "chart.base"), *(step.name for step in shown), say(language, "chart.score")]
    figures = [_figure(language, "number", base)]
    figures += [_figure(language, "signed", step.value) for step in shown]
    figures.append(_figure(language, "number", score))

    entries = ((ALARM, say(language, "chart.raises")), (QUIET, say(language, "chart.lowers")))
    top = 12.0 + 12.0 * legend_lines(entries, width)
    rows = rows_of(names, top=top, most_room=0.42 * width)
    figure_room = max(width_of(figure, 8, bold=True) for figure in figures) + 8
    left, right = rows.room + 10, width - figure_room
    at, ends = base, [base]
    for step in shown:
        at += step.value
        ends.append(at)
    limits = [*ends, score, *([] if threshold is None else [threshold])]
    margin = 0.04 * ((max(limits) - min(limits)) or 1.0)
    scale = Scale(low=min(limits) - margin, high=max(limits) + margin, start=left, end=right)

    shapes: list[Shape] = [*legend(entries, x=0, y=9, room=width), *rows.hairlines(0, width), *rows.names(0)]
    if threshold is not None:
        x = scale(threshold)
        shapes.append(Line(points=((x, top), (x, rows.bottom)), stroke=SOFT, width=1.0, dash=(3, 2)))
    for place, (row, figure) in enumerate(zip(rows.rows, figures, strict=True)):
        ending = place in (0, len(rows.rows) - 1)
        if ending:
            value = base if place == 0 else score
            shapes.append(Rect(x=scale(value) - 2, y=row.middle - 5.5, width=4, height=11, fill=INK))
        else:
            shapes.extend(_step(scale, row.middle, ends[place - 1], ends[place], alarms_above))
        if place < len(rows.rows) - 1:
            x = scale(ends[min(place, len(ends) - 1)])
            shapes.append(
                Line(points=((x, row.middle + 5.5), (x, rows.rows[place + 1].middle - 5.5)), stroke=FAINT, width=0.7)
            )
        shapes.append(Label(x=width, y=row.middle + 2.8, text=figure, size=8, bold=ending, anchor="end"))
    shapes += rows.spots(figures, width, language)
    bottom = rows.bottom + 4
    if threshold is not None:
        words = say(language, "chart.threshold_at", threshold=threshold)
        shapes.append(_inside(scale(threshold), bottom + 8, words, 7.5, left=0, right=width))
        bottom += 12
    told = paragraph(say(language, "chart.unit", unit=unit), x=0, y=bottom + 9, room=width, size=7.5, fill=SOFT)
    shapes += told
    return Drawing(
        width=width,
        height=told[-1].y + 4,
        shapes=tuple(shapes),
        title=say(language, "chart.waterfall_title"),
        says=say(language, "chart.waterfall_says", base=base, score=score, unit=unit),
    )


def share_bars(steps: Sequence[ShareStep], *, language: Language, width: float = 480.0) -> Drawing:
    """Return how much of a decision each feature carries, without the score: what an employee is shown."""
    entries = ((ALARM, say(language, "chart.raises")), (QUIET, say(language, "chart.lowers")))
    top = 12.0 + 12.0 * legend_lines(entries, width)
    rows = rows_of([step.name for step in steps], top=top, most_room=0.42 * width)
    room = max((width_of(step.written, 8) for step in steps), default=0.0) + 8
    left, right = rows.room + 10, width - room
    scale = Scale(low=0.0, high=max((step.share for step in steps), default=1.0) or 1.0, start=left, end=right)
    shapes: list[Shape] = [*legend(entries, x=0, y=9, room=width), *rows.hairlines(0, width), *rows.names(0)]
    for row, step in zip(rows.rows, steps, strict=True):
        colour = ALARM if step.towards_alarm else QUIET
        shapes.append(Rect(x=left, y=row.middle - 5, width=scale(step.share) - left, height=10, fill=colour))
        shapes.append(Label(x=width, y=row.middle + 2.8, text=step.written, size=8, anchor="end"))
    shapes += rows.spots([step.written for step in steps], width, language)
    shapes.append(Line(points=((left, top), (left, rows.bottom or top + 10)), stroke=FAINT, width=0.8))
    bottom = rows.bottom
    if not steps:
        told = paragraph(say(language, "chart.nothing_moved"), x=0, y=top + 10, room=width, fill=SOFT)
        shapes += told
        bottom = told[-1].y + 4
    return Drawing(
        width=width,
        height=bottom + 4,
        shapes=tuple(shapes),
        title=say(language, "chart.shares_title"),
        says=say(language, "chart.shares_says", n=len(steps)),
    )


def _figure(language: Language, kind: str, value: float) -> str:
    return say(language, f"number.{kind}", value=value)


def _step(scale: Scale, middle: float, before: float, after: float, alarms_above: bool) -> tuple[Shape, ...]:
    """Return a bar from one running total to the next, with a notch that says its direction without colour."""
    low, high = sorted((scale(before), scale(after)))
    raises = after >= before
    bar = Rect(
        x=low, y=middle - 5.5, width=max(high - low, 0.8), height=11, fill=ALARM if raises == alarms_above else QUIET
    )
    if high - low < 9:
        return (bar,)
    tip = high - 2.5 if raises else low + 2.5
    back = -3.0 if raises else 3.0
    arrow = Line(
        points=((tip + back, middle - 2.6), (tip, middle), (tip + back, middle + 2.6)),
        stroke=MARK if bar.fill == ALARM else PAPER,
        width=1.0,
    )
    return bar, arrow


def _inside(x: float, y: float, text: str, size: float, *, left: float, right: float) -> Label:
    """Return a label centred at `x`, moved inwards where it would run over an edge."""
    half = width_of(text, size) / 2
    return Label(x=min(max(x, left + half), right - half), y=y, text=text, size=size, fill=SOFT, anchor="middle")
