"""Axes, ticks and legends that every chart shares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from reports.charts.measure import width_of
from reports.charts.scene import FAINT, GRID, INK, SOFT, Label, Line, Rect, Shape
from reports.wording import Language, say


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps values from `low` to `high` onto points from `start` to `end`; values outside stop at the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high <= self.low:
            return (self.start + self.end) / 2
        part = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return self.start + part * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Return round numbers between `low` and `high`, about as many as asked.

    Examples
    --------
    >>> ticks(0.0, 1.0)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return (low,) if math.isfinite(low) else ()
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * factor for factor in (1, 2, 5, 10)), key=lambda size: abs(size - rough))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(round(place * step, 12) + 0.0 for place in range(first, last + 1))


def shares_written(scale: Scale, language: Language) -> Callable[[float], str]:
    """Return how shares on an axis are written: in whole per cents where the ticks are whole, else with a decimal."""
    whole = all(abs(100 * tick - round(100 * tick)) < 1e-9 for tick in _places(scale))
    return lambda share: say(language, "number.whole" if whole else "number.percent", value=share)


def _places(scale: Scale) -> tuple[float, ...]:
    """Return ticks with at least 32 points of room each."""
    room = abs(scale.end - scale.start)
    return ticks(scale.low, scale.high, about=max(2, min(6, int(room / 32))))


def x_axis(
    scale: Scale, *, top: float, bottom: float, written: Callable[[float], str], name: str = "", size: float = 7.0
) -> tuple[Shape, ...]:
    """Return vertical grid lines with their figures below and the name of the axis under them."""
    shapes: list[Shape] = []
    for value in _places(scale):
        x = scale(value)
        shapes.append(Line(points=((x, top), (x, bottom)), stroke=GRID, width=0.6))
        shapes.append(Label(x=x, y=bottom + 1.5 * size, text=written(value), size=size, fill=SOFT, anchor="middle"))
    shapes.append(Line(points=((scale.start, bottom), (scale.end, bottom)), stroke=FAINT, width=0.8))
    if name:
        middle = (scale.start + scale.end) / 2
        shapes.append(Label(x=middle, y=bottom + 3.1 * size, text=name, size=size, fill=SOFT, anchor="middle"))
    return tuple(shapes)


def y_axis(
    scale: Scale, *, left: float, right: float, written: Callable[[float], str], name: str = "", size: float = 7.0
) -> tuple[Shape, ...]:
    """Return horizontal grid lines with their figures on the left; the name stands above the axis."""
    shapes: list[Shape] = []
    for value in ticks(min(scale.low, scale.high), max(scale.low, scale.high)):
        y = scale(value)
        shapes.append(Line(points=((left, y), (right, y)), stroke=GRID, width=0.6))
        shapes.append(Label(x=left - 4, y=y + 0.35 * size, text=written(value), size=size, fill=SOFT, anchor="end"))
    top, bottom = min(scale.start, scale.end), max(scale.start, scale.end)
    shapes.append(Line(points=((left, top), (left, bottom)), stroke=FAINT, width=0.8))
    if name:
        shapes.append(Label(x=left, y=top - 0.9 * size, text=name, size=size, fill=SOFT))
    return tuple(shapes)


def legend(
    entries: tuple[tuple[str, str], ...], *, x: float, y: float, room: float, size: float = 7.5
) -> tuple[Shape, ...]:
    """Return colour squares with their meaning, in a row that breaks when it is full; `y` is the first baseline."""
    shapes: list[Shape] = []
    at, line = x, 0
    for colour, text in entries:
        needs = 12 + width_of(text, size) + 14
        if at > x and at + needs - 14 > x + room:
            at, line = x, line + 1
        base = y + line * 1.6 * size
        shapes.append(Rect(x=at, y=base - 0.8 * size, width=8, height=8, fill=colour, stroke=SOFT, stroke_width=0.4))
        shapes.append(Label(x=at + 12, y=base, text=text, size=size, fill=INK))
        at += needs
    return tuple(shapes)


def legend_lines(entries: tuple[tuple[str, str], ...], room: float, size: float = 7.5) -> int:
    """Return how many lines `legend` will take."""
    at, lines = 0.0, 1
    for _, text in entries:
        needs = 12 + width_of(text, size) + 14
        if at > 0 and at + needs - 14 > room:
            at, lines = 0.0, lines + 1
        at += needs
    return lines
