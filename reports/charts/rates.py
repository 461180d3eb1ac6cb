"""A rate per group with its interval: how far groups are apart, and how far the data carry the claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.axes import Scale, shares_written, x_axis
from reports.charts.measure import width_of
from reports.charts.rows import rows_of
from reports.charts.scene import (
    ALARM,
    INK,
    PAPER,
    QUIET,
    SOFT,
    Drawing,
    Label,
    Line,
    Polygon,
    Shape,
    diamond,
    paragraph,
)
from reports.wording import Language, as_percent, say


@dataclass(frozen=True, kw_only=True)
class GroupRate:
    """One group: how many cases, its rate with interval (None: too few to say), and whether it stands out."""

    name: str
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None
    stands_out: bool = False


def group_rates(
    rows: Sequence[GroupRate],
    *,
    title: str,
    language: Language,
    overall: float | None = None,
    width: float = 480.0,
) -> Drawing:
    """Return one row per group: a mark at the rate, a line over its interval, and how many cases it rests on."""
    heading = paragraph(title, x=0, y=9, room=width, size=8.5, bold=True)
    top = heading[-1].y + 9
    named = rows_of([row.name for row in rows], top=top + 4, most_room=0.36 * width)
    counts = [say(language, "chart.n", n=row.n) for row in rows]
    room = max((width_of(count, 7.5) for count in counts), default=0.0) + 12
    left, right = named.room + 14, width - room
    highest = max([*(row.high or row.value or 0.0 for row in rows), overall or 0.0], default=0.0)
    scale = Scale(low=0.0, high=min(1.0, 1.08 * highest) or 1.0, start=left, end=right)
    bottom = named.bottom if rows else top + 18
    shapes: list[Shape] = [*heading]
    shapes += x_axis(scale, top=top, bottom=bottom, written=shares_written(scale, language))
    shapes += [*named.hairlines(0, width), *named.names(0)]
    if overall is not None:
        shapes.append(
            Line(points=((scale(overall), top - 2), (scale(overall), bottom)), stroke=SOFT, width=0.9, dash=(3, 2))
        )
    for place, row, count in zip(named.rows, rows, counts, strict=True):
        shapes += _mark(row, scale, place.middle, language)
        shapes.append(Label(x=width, y=place.middle + 2.7, text=count, size=7.5, fill=SOFT, anchor="end"))
    told = [_told(row, count, language) for row, count in zip(rows, counts, strict=True)]
    shapes += named.spots(told, width, language)
    if not rows:
        shapes.append(Label(x=0, y=top + 12, text=say(language, "chart.no_data"), size=8, fill=SOFT))
    if overall is not None:
        words = say(language, "chart.overall_at", value=overall)
        shapes.append(Label(x=left, y=bottom + 23, text=words, size=7, fill=SOFT))
    return Drawing(
        width=width,
        height=bottom + (28 if overall is not None else 16),
        shapes=tuple(shapes),
        title=title,
        says=say(language, "chart.rates_says", title=title, n=len(rows)),
    )


def _told(row: GroupRate, count: str, language: Language) -> str:
    """Return a group's rate with interval and count, as told to whoever points at it."""
    if row.value is None:
        return f"{say(language, 'chart.too_few')}, {count}"
    if row.low is None or row.high is None:
        return f"{as_percent(row.value)}, {count}"
    return f"{as_percent(row.value)} ({as_percent(row.low)}–{as_percent(row.high)}), {count}"


def _mark(row: GroupRate, scale: Scale, y: float, language: Language) -> tuple[Shape, ...]:
    if row.value is None:
        return (Label(x=scale.start + 4, y=y + 2.6, text=say(language, "chart.too_few"), size=7, fill=SOFT),)
    colour = ALARM if row.stands_out else QUIET
    shapes: list[Shape] = []
    if row.low is not None and row.high is not None:
        a, b = scale(row.low), scale(row.high)
        shapes.append(Line(points=((a, y), (b, y)), stroke=colour, width=1.6))
        shapes += [Line(points=((end, y - 3), (end, y + 3)), stroke=colour, width=1.2) for end in (a, b)]
    x = scale(row.value)
    shapes.append(diamond(x, y, 4.6, fill=ALARM, stroke=INK) if row.stands_out else _square(x, y, 3.2))
    return tuple(shapes)


def _square(x: float, y: float, radius: float) -> Polygon:
    points = ((x - radius, y - radius), (x + radius, y - radius), (x + radius, y + radius), (x - radius, y + radius))
    return Polygon(points=points, fill=QUIET, stroke=PAPER, stroke_width=0.6)
