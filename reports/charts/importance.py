"""Which features carry a model's decisions, and which of them are capped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.axes import Scale, legend, legend_lines
from reports.charts.measure import width_of
from reports.charts.rows import rows_of
from reports.charts.scene import ALARM, FAINT, INK, PAPER, QUIET, SOFT, Drawing, Label, Line, Polygon, Rect, Shape
from reports.wording import Language, say


@dataclass(frozen=True, kw_only=True)
class Importance:
    """One feature: its mean share of a decision in [0, 1], and its cap where it has one."""

    name: str
    share: float
    cap: float | None = None


def importance_bars(rows: Sequence[Importance], *, language: Language, width: float = 480.0) -> Drawing:
    """Return one bar per feature, as long as its mean share; caps are marked on the bars they limit."""
    entries = [(QUIET, say(language, "chart.free_feature")), (ALARM, say(language, "chart.capped_feature"))]
    top = 12.0 + 12.0 * legend_lines(tuple(entries), width)
    named = rows_of([row.name for row in rows], top=top, most_room=0.45 * width)
    figures = [_figure(row, language) for row in rows]
    room = max((width_of(figure, 8) for figure in figures), default=0.0) + 8
    left, right = named.room + 10, width - room
    longest = max((max(row.share, row.cap or 0.0) for row in rows), default=0.0) or 1.0
    scale = Scale(low=0.0, high=longest, start=left, end=right)
    shapes: list[Shape] = [*legend(tuple(entries), x=0, y=9, room=width), *named.hairlines(0, width), *named.names(0)]
    for place, row, figure in zip(named.rows, rows, figures, strict=True):
        colour = QUIET if row.cap is None else ALARM
        end = scale(row.share)
        shapes.append(Rect(x=left, y=place.middle - 5, width=end - left, height=10, fill=colour))
        if row.cap is not None:
            shapes.extend(_cap_mark(scale(row.cap), place.middle))
        shapes.append(Label(x=width, y=place.middle + 2.8, text=figure, size=8, fill=INK, anchor="end"))
    shapes += named.spots(figures, width, language)
    bottom = named.bottom if rows else top + 14
    if not rows:
        shapes.append(Label(x=0, y=top + 8, text=say(language, "chart.no_data"), size=8, fill=SOFT))
    shapes.append(Line(points=((left, top), (left, bottom)), stroke=FAINT, width=0.8))
    return Drawing(
        width=width,
        height=bottom + 4,
        shapes=tuple(shapes),
        title=say(language, "chart.importance_title"),
        says=say(language, "chart.importance_says", n=len(rows)),
    )


def _figure(row: Importance, language: Language) -> str:
    if row.cap is None:
        return say(language, "number.percent", value=row.share)
    return say(language, "chart.share_and_cap", share=row.share, cap=row.cap)


def _cap_mark(x: float, middle: float) -> tuple[Shape, ...]:
    """Return a line at the cap with a small flag, readable over a bar and beside it."""
    line = Line(points=((x, middle - 7.5), (x, middle + 7.5)), stroke=INK, width=1.3)
    flag = Polygon(
        points=((x, middle - 7.5), (x - 4, middle - 7.5), (x, middle - 3.5)), fill=INK, stroke=PAPER, stroke_width=0.3
    )
    return line, flag
