"""Measured figures as bars, each with the limit it is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.axes import Scale
from reports.charts.measure import width_of
from reports.charts.rows import rows_of
from reports.charts.scene import ALARM, FAINT, INK, QUIET, SOFT, Drawing, Label, Line, Rect, Shape, paragraph
from reports.wording import Language, say


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One bar: what was measured, at least 0; the limit where there is one; and the figure as it is written."""

    name: str
    value: float
    written: str
    limit: float | None = None
    beyond: bool = False


def measured_bars(
    rows: Sequence[Measured], *, title: str, language: Language, mark: str = "", width: float = 480.0
) -> Drawing:
    """Return one bar per row, a mark at its limit; rows beyond theirs stand out. `mark` says what the mark means."""
    heading = paragraph(title, x=0, y=9, room=width, size=8.5, bold=True)
    top = heading[-1].y + 10
    named = rows_of([row.name for row in rows], top=top, most_room=0.45 * width)
    room = max((width_of(row.written, 8) for row in rows), default=0.0) + 8
    left, right = named.room + 10, width - room
    longest = max((max(row.value, row.limit or 0.0) for row in rows), default=0.0) or 1.0
    scale = Scale(low=0.0, high=longest, start=left, end=right)
    shapes: list[Shape] = [*heading, *named.hairlines(0, width), *named.names(0)]
    for place, row in zip(named.rows, rows, strict=True):
        end = scale(row.value)
        fill = ALARM if row.beyond else QUIET
        shapes.append(Rect(x=left, y=place.middle - 5, width=end - left, height=10, fill=fill))
        if row.limit is not None:
            x = scale(row.limit)
            shapes.append(Line(points=((x, place.middle - 7.5), (x, place.middle + 7.5)), stroke=INK, width=1.3))
        shapes.append(Label(x=width, y=place.middle + 2.8, text=row.written, size=8, fill=INK, anchor="end"))
    bottom = named.bottom if rows else top + 14
    if not rows:
        shapes.append(Label(x=0, y=top + 8, text=say(language, "chart.no_data"), size=8, fill=SOFT))
    shapes.append(Line(points=((left, top), (left, bottom)), stroke=FAINT, width=0.8))
    if mark:
        shapes += paragraph(mark, x=0, y=bottom + 10, room=width, size=7, fill=SOFT)
        bottom = shapes[-1].y if isinstance(shapes[-1], Label) else bottom
    beyond = sum(row.beyond for row in rows)
    return Drawing(
        width=width,
        height=bottom + 6,
        shapes=tuple(shapes),
        title=title,
        says=say(language, "chart.bars_says", title=title, n=len(rows), beyond=beyond),
    )
