"""Where a verdict flips: along each leading feature, and over the plane of two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from reports.charts.axes import Scale, legend, legend_lines, x_axis, y_axis
from reports.charts.contours import contour
from reports.charts.measure import lines_of, width_of
from reports.charts.rows import rows_of
from reports.charts.scene import (
    ALARM_TINT,
    FAINT,
    INK,
    MARK,
    PAPER,
    QUIET_TINT,
    SOFT,
    Drawing,
    Label,
    Line,
    Point,
    Rect,
    Shape,
    diamond,
    paragraph,
)
from reports.wording import Language, as_number, say

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One feature within its range: where the case stands and the nearest place at which the verdict flips.

    `value` and `flips_at` may be bands (low, high), for readers who see no exact figures; a band as wide as the
    range keeps the value back. `value` is None where it was missing; `flips_at` is None when the verdict holds
    over the whole range.
    """

    name: str
    unit: str
    low: float
    high: float
    value: tuple[float, float] | None
    flips_at: tuple[float, float] | None
    alarms_now: bool


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Scores over two features: `scores[i, j]` at (x[j], y[i]); `supported` where data lie; the case as bands.

    `boundary` are the lines at which the score crosses the threshold; None has them computed from the scores.
    """

    name_x: str
    name_y: str
    x: Floats
    y: Floats
    scores: Floats
    supported: Flags
    threshold: float
    alarms_at_or_above: bool
    case_x: tuple[float, float] | None
    case_y: tuple[float, float] | None
    boundary: tuple[tuple[Point, ...], ...] | None = None


def flip_lines(flips: Sequence[Flip], *, language: Language, width: float = 480.0) -> Drawing:
    """Return one line per feature over its physical range, tinted by verdict as far as the nearest flip tells.

    Up to the nearest flip the verdict is known on both sides of the case; just beyond it, it is the other one.
    Further out it may flip again, so nothing is tinted there.
    """
    entries = (*_sides(language), (PAPER, say(language, "chart.further_out")))
    top = 14.0 + 12.0 * legend_lines(entries, width)
    rows = rows_of([_with_unit(flip) for flip in flips], top=top, most_room=0.34 * width, least=40.0)
    left, right = rows.room + 14, width - 10
    shapes: list[Shape] = [*legend(entries, x=0, y=9, room=width), *rows.hairlines(0, width), *rows.names(0)]
    for row, flip in zip(rows.rows, flips, strict=True):
        scale = Scale(low=flip.low, high=flip.high, start=left, end=right)
        shapes += _band(flip, scale, row.middle, language)
    bottom = rows.bottom
    if not flips:
        told = paragraph(say(language, "chart.no_ranges"), x=0, y=top + 8, room=width, fill=SOFT)
        shapes += told
        bottom = told[-1].y + 4
    return Drawing(
        width=width,
        height=bottom + 4,
        shapes=tuple(shapes),
        title=say(language, "chart.flips_title"),
        says=say(language, "chart.flips_says", n=len(flips)),
    )


def decision_plane(plane: Plane, *, language: Language, width: float = 360.0, height: float = 270.0) -> Drawing:
    """Return the plane of two features: tinted by verdict where data lie, blank elsewhere, the case marked.

    The line between the sides is the threshold, drawn only next to data.
    """
    entries = (*_sides(language), (PAPER, say(language, "chart.no_data_here")))
    head = 12.0 * legend_lines(entries, width)
    name_lines = lines_of(plane.name_y, width - 40, 7.5)
    top = head + 14.0 + 10.0 * len(name_lines)
    x_lines = lines_of(plane.name_x, width - 60, 7.5)
    left, right, bottom = 46.0, width - 14.0, height - 16.0 - 10.0 * len(x_lines)
    across = Scale(low=float(plane.x[0]), high=float(plane.x[-1]), start=left, end=right)
    up = Scale(low=float(plane.y[0]), high=float(plane.y[-1]), start=bottom, end=top)
    shapes: list[Shape] = [
        *legend(entries, x=0, y=9, room=width),
        *paragraph(plane.name_y, x=0, y=head + 14, room=width - 40, size=7.5, fill=SOFT),
        *_tiles(plane, across, up),
        *x_axis(across, top=bottom, bottom=bottom, written=as_number),
        *y_axis(up, left=left, right=left, written=as_number),
        Rect(x=left, y=top, width=right - left, height=bottom - top, stroke=FAINT),
    ]
    lines = plane.boundary
    if lines is None:
        lines = contour(plane.x, plane.y, plane.scores, plane.threshold, plane.supported)
    for line in lines:
        shapes.append(Line(points=tuple((across(a), up(b)) for a, b in line), stroke=INK, width=1.6))
    shapes += _case(plane, across, up, language)
    shapes += paragraph(
        plane.name_x, x=(left + right) / 2, y=bottom + 23, room=width - 60, size=7.5, fill=SOFT, anchor="middle"
    )
    return Drawing(
        width=width,
        height=height,
        shapes=tuple(shapes),
        title=say(language, "chart.plane_title"),
        says=say(language, "chart.plane_says", x=plane.name_x, y=plane.name_y),
    )


def _sides(language: Language) -> tuple[tuple[str, str], ...]:
    return (ALARM_TINT, say(language, "chart.alarm_side")), (QUIET_TINT, say(language, "chart.quiet_side"))


def _with_unit(flip: Flip) -> str:
    return f"{flip.name} ({flip.unit})" if flip.unit else flip.name


def _band(flip: Flip, scale: Scale, y: float, language: Language) -> tuple[Shape, ...]:
    """Return the range of one feature with its tints, the case above the line and the flip below it."""
    shapes = [_piece(a, b, y, fill) for a, b, fill in _pieces(flip, scale)]
    shapes.append(Rect(x=scale.start, y=y - 5, width=scale.end - scale.start, height=10, stroke=SOFT, stroke_width=0.5))
    if flip.value is None:
        here, x = say(language, "chart.here_missing"), scale.start
    elif flip.value == (flip.low, flip.high):
        here, x = say(language, "chart.here_kept_back"), scale.start
    else:
        a, b = scale(flip.value[0]), scale(flip.value[1])
        here, x = say(language, "chart.here", value=_written(flip.value, language)), (a + b) / 2
        if b - a > 1:
            shapes.append(Rect(x=a, y=y - 5, width=b - a, height=10, stroke=MARK, stroke_width=1.4))
        shapes.append(diamond(x, y, 5.0))
    labels = [_inside(x, y - 8.5, here, scale)]
    if flip.flips_at is None:
        labels.append(_inside((scale.start + scale.end) / 2, y + 14, say(language, "chart.never_flips"), scale))
    else:
        at = (scale(flip.flips_at[0]) + scale(flip.flips_at[1])) / 2
        shapes.append(Line(points=((at, y - 6.5), (at, y + 6.5)), stroke=INK, width=1.6))
        labels.append(_inside(at, y + 14, _flip_words(flip.flips_at, language), scale))
    return (*shapes, *labels)


def _pieces(flip: Flip, scale: Scale) -> tuple[tuple[float, float, str], ...]:
    """Return the stretches of the range with their tint: known, the other side of the flip, and not told."""
    now, other = (ALARM_TINT, QUIET_TINT) if flip.alarms_now else (QUIET_TINT, ALARM_TINT)
    start, end = scale.start, scale.end
    if flip.flips_at is None:
        return ((start, end, now),)
    at = (scale(flip.flips_at[0]) + scale(flip.flips_at[1])) / 2
    if flip.value is None or flip.value == (flip.low, flip.high):
        return ((start, end, PAPER),)
    middle = (scale(flip.value[0]) + scale(flip.value[1])) / 2
    reach = abs(at - middle)
    stub = 0.06 * (end - start) * (1 if at >= middle else -1)
    beyond = sorted((at, min(max(at + stub, start), end)))
    return (
        (start, end, PAPER),
        (max(start, middle - reach), min(end, middle + reach), now),
        (beyond[0], beyond[1], other),
    )


def _piece(a: float, b: float, y: float, fill: str) -> Shape:
    return Rect(x=a, y=y - 5, width=max(b - a, 0.0), height=10, fill=fill)


def _flip_words(flips_at: tuple[float, float], language: Language) -> str:
    low, high = flips_at
    if low == high:
        return say(language, "chart.flips_at", value=low)
    return say(language, "chart.flips_in", low=low, high=high)


def _written(value: tuple[float, float], language: Language) -> str:
    low, high = value
    return as_number(low) if low == high else say(language, "number.band", low=low, high=high)


def _inside(x: float, y: float, text: str, scale: Scale) -> Label:
    half = width_of(text, 7.5) / 2
    middle = min(max(x, scale.start + half), scale.end - half)
    return Label(x=middle, y=y, text=text, size=7.5, fill=SOFT, anchor="middle")


def _tiles(plane: Plane, across: Scale, up: Scale) -> list[Shape]:
    """Return runs of equal tint along each row of the grid; nothing where there are no data."""
    x_edges, y_edges = _edges(plane.x), _edges(plane.y)
    alarms = plane.scores >= plane.threshold if plane.alarms_at_or_above else plane.scores < plane.threshold
    tint = np.where(plane.supported & np.isfinite(plane.scores), np.where(alarms, 2, 1), 0)
    shapes: list[Shape] = []
    for i, row in enumerate(tint):
        starts = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
        for a, b in pairwise(starts):
            if row[a]:
                low, high = up(y_edges[i + 1]), up(y_edges[i])
                shapes.append(
                    Rect(
                        x=across(x_edges[a]),
                        y=low,
                        width=across(x_edges[b]) - across(x_edges[a]),
                        height=high - low + 0.15,
                        fill=ALARM_TINT if row[a] == 2 else QUIET_TINT,
                    )
                )
    return shapes


def _edges(centres: Floats) -> list[float]:
    """Return the borders of cells around their centres; the outer ones lie on the outer centres."""
    between = (centres[:-1] + centres[1:]) / 2
    return [float(centres[0]), *between.tolist(), float(centres[-1])]


def _case(plane: Plane, across: Scale, up: Scale, language: Language) -> tuple[Shape, ...]:
    """Return the mark of the case; none where one of its two values is missing."""
    if plane.case_x is None or plane.case_y is None:
        return ()
    (a, b), (c, d) = plane.case_x, plane.case_y
    x, y = (across(a) + across(b)) / 2, (up(c) + up(d)) / 2
    shapes: list[Shape] = []
    apart = 9.0
    if a != b or c != d:
        size = max(across(b) - across(a), 6.0), max(up(c) - up(d), 6.0)
        shapes.append(
            Rect(x=x - size[0] / 2, y=y - size[1] / 2, width=size[0], height=size[1], stroke=MARK, stroke_width=1.4)
        )
        apart = size[0] / 2 + 4
    words = say(language, "chart.this_case")
    room = width_of(words, 8, bold=True)
    right_of = x + apart + room <= across.end
    shapes.append(diamond(x, y, 6.0))
    shapes.append(
        Label(
            x=x + apart if right_of else x - apart,
            y=y + 3,
            text=words,
            size=8,
            bold=True,
            anchor="start" if right_of else "end",
        )
    )
    return tuple(shapes)
