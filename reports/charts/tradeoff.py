"""Missed harm against false alarms over all thresholds, with the chosen one marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.axes import Scale, x_axis, y_axis
from reports.charts.measure import lines_of, width_of
from reports.charts.scene import (
    ALARM,
    FAINT,
    PAPER,
    QUIET,
    SOFT,
    Drawing,
    Label,
    Line,
    Rect,
    Shape,
    Spot,
    diamond,
    paragraph,
)
from reports.wording import Language, say

SPOTS = 24
"""About how many points of the curve tell their figures to a pointer: closer ones could not be told apart."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one threshold costs: share of harm missed and share of harmless cases alarmed, both in [0, 1]."""

    threshold: float
    missed: float
    false_alarms: float


def tradeoff_curve(
    choices: Sequence[Choice], *, chosen: Choice | None, language: Language, width: float = 400.0, height: float = 186.0
) -> Drawing:
    """Return the curve. Down is fewer missed, left is fewer false alarms; chance is the dashed diagonal."""
    left, top, right, bottom = 40.0, 24.0, width - 12.0, height - 34.0
    across = Scale(low=0.0, high=1.0, start=left, end=right)
    up = Scale(low=0.0, high=1.0, start=bottom, end=top)

    def percent(share: float) -> str:
        return say(language, "number.whole", value=share)

    shapes: list[Shape] = [
        *x_axis(across, top=top, bottom=bottom, written=percent, name=say(language, "chart.false_alarm_axis")),
        *y_axis(up, left=left, right=right, written=percent, name=say(language, "chart.missed_axis")),
        Line(points=((left, top), (right, bottom)), stroke=FAINT, width=1.0, dash=(4, 3)),
    ]
    by_alarms = sorted(choices, key=lambda choice: (choice.false_alarms, -choice.missed))
    if by_alarms:
        points = tuple((across(choice.false_alarms), up(choice.missed)) for choice in by_alarms)
        shapes.append(Line(points=points, stroke=QUIET, width=2.0))
        shapes += [
            Spot(x=x - 5, y=y - 5, width=10, height=10, says=_words(choice, language))
            for choice, (x, y) in list(zip(by_alarms, points, strict=True))[:: len(points) // SPOTS + 1]
        ]
    else:
        x, y = (left + right) / 2, (top + bottom) / 2
        shapes.append(Label(x=x, y=y, text=say(language, "chart.no_data"), size=8, fill=SOFT, anchor="middle"))
    if chosen is not None:
        shapes += _chosen(chosen, across, up, language)
    return Drawing(
        width=width,
        height=height,
        shapes=tuple(shapes),
        title=say(language, "chart.tradeoff_title"),
        says=say(language, "chart.tradeoff_title") if chosen is None else _words(chosen, language),
    )


def _words(choice: Choice, language: Language) -> str:
    return say(language, "chart.chosen", threshold=choice.threshold, missed=choice.missed, alarms=choice.false_alarms)


def _chosen(chosen: Choice, across: Scale, up: Scale, language: Language) -> tuple[Shape, ...]:
    """Return the chosen threshold with its words to the upper right of it, where a useful curve never runs."""
    x, y = across(chosen.false_alarms), up(chosen.missed)
    words = _words(chosen, language)
    room = 0.5 * (across.end - across.start)
    lines = lines_of(words, room, 8)
    at_x = min(x + 34, across.end - max(width_of(line, 8) for line in lines))
    at_y = max(y - 30 - 10.2 * len(lines), up.end + 12)
    return (
        Line(points=((x, y), (max(at_x + 2, x), at_y + 10.2 * (len(lines) - 1) + 4)), stroke=SOFT, width=0.7),
        Rect(
            x=at_x - 3,
            y=at_y - 9,
            width=max(width_of(line, 8) for line in lines) + 6,
            height=10.2 * len(lines) + 4,
            fill=PAPER,
        ),
        diamond(x, y, 5.5, fill=ALARM, stroke="#000000"),
        *paragraph(words, x=at_x, y=at_y, room=room),
    )
