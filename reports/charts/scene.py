"""A drawing as a list of lines, rectangles, polygons and labels: the one form that page and PDF both draw.

Lengths are points, the origin is the upper left corner, y runs down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from reports.charts.measure import lines_of, width_of

Point: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["start", "middle", "end"]

# Blue against orange: apart for every common colour blindness. Solid, the alarm is the lighter of the two; as a
# tint it is the darker one; white is what nobody knows. So both readings survive a grey printer.
INK = "#1B2733"
SOFT = "#5B6875"
FAINT = "#C9D1D9"
GRID = "#E6EAEE"
PAPER = "#FFFFFF"
QUIET = "#1F4E79"
QUIET_TINT = "#DCE8F3"
ALARM = "#E08A00"
ALARM_TINT = "#F3BC66"
MARK = "#000000"


@dataclass(frozen=True, kw_only=True)
class Line:
    """An open line through its points."""

    points: tuple[Point, ...]
    stroke: str = INK
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rect:
    """A rectangle by its upper left corner; negative sizes are a mistake of the caller."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 0.75


@dataclass(frozen=True, kw_only=True)
class Polygon:
    """A closed shape."""

    points: tuple[Point, ...]
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 0.75


@dataclass(frozen=True, kw_only=True)
class Label:
    """One line of text; `y` is its baseline."""

    x: float
    y: float
    text: str
    size: float = 8.0
    bold: bool = False
    fill: str = INK
    anchor: Anchor = "start"

    @property
    def extent(self) -> tuple[float, float]:
        """Left and right end in points."""
        width = width_of(self.text, self.size, bold=self.bold)
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return left, left + width


@dataclass(frozen=True, kw_only=True)
class Spot:
    """An area that tells what lies under it to whoever points there. Paper shows nothing of it."""

    x: float
    y: float
    width: float
    height: float
    says: str


Shape: TypeAlias = Line | Rect | Polygon | Label | Spot


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A finished picture. `says` is what it shows in words, for those who cannot see it."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str
    says: str

    @property
    def labels(self) -> tuple[Label, ...]:
        """All text in the picture."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Label))


def diamond(x: float, y: float, radius: float, fill: str = MARK, stroke: str | None = PAPER) -> Polygon:
    """Return the mark of the case under discussion."""
    points = ((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y))
    return Polygon(points=points, fill=fill, stroke=stroke, stroke_width=1.0)


def paragraph(
    text: str,
    *,
    x: float,
    y: float,
    room: float,
    size: float = 8.0,
    bold: bool = False,
    fill: str = INK,
    anchor: Anchor = "start",
    leading: float = 1.28,
) -> tuple[Label, ...]:
    """Return `text` as labels below each other, none wider than `room`; `y` is the first baseline."""
    return tuple(
        Label(x=x, y=y + at * size * leading, text=line, size=size, bold=bold, fill=fill, anchor=anchor)
        for at, line in enumerate(lines_of(text, room, size, bold=bold))
    )
