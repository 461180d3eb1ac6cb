"""Scores against what happened: the curve of a model whose 0.7 means seven in ten is the diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.axes import Scale, x_axis, y_axis
from reports.charts.scene import FAINT, QUIET, SOFT, Drawing, Label, Line, Shape, diamond
from reports.wording import Language, say


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Cases of like score: their mean score, how often the outcome followed, and the interval of that; in [0, 1]."""

    score: float
    observed: float
    low: float | None = None
    high: float | None = None


def reliability_curve(
    bins: Sequence[Bin], *, language: Language, width: float = 400.0, height: float = 220.0
) -> Drawing:
    """Return a mark per bin with its interval; on the dashed diagonal score and frequency agree."""
    left, top, right, bottom = 40.0, 24.0, width - 12.0, height - 34.0
    across = Scale(low=0.0, high=1.0, start=left, end=right)
    up = Scale(low=0.0, high=1.0, start=bottom, end=top)

    def percent(share: float) -> str:
        return say(language, "number.whole", value=share)

    shapes: list[Shape] = [
        *x_axis(across, top=top, bottom=bottom, written=percent, name=say(language, "chart.score_axis")),
        *y_axis(up, left=left, right=right, written=percent, name=say(language, "chart.observed_axis")),
        Line(points=((left, bottom), (right, top)), stroke=FAINT, width=1.0, dash=(4, 3)),
    ]
    ordered = sorted(bins, key=lambda one: one.score)
    if len(ordered) > 1:
        points = tuple((across(one.score), up(one.observed)) for one in ordered)
        shapes.append(Line(points=points, stroke=QUIET, width=1.4))
    for one in ordered:
        x = across(one.score)
        if one.low is not None and one.high is not None:
            shapes.append(Line(points=((x, up(one.low)), (x, up(one.high))), stroke=SOFT, width=1.0))
        shapes.append(diamond(x, up(one.observed), 3.6, fill=QUIET))
    if not ordered:
        x, y = (left + right) / 2, (top + bottom) / 2
        shapes.append(Label(x=x, y=y, text=say(language, "chart.no_data"), size=8, fill=SOFT, anchor="middle"))
    title = say(language, "chart.reliability_title")
    return Drawing(
        width=width,
        height=height,
        shapes=tuple(shapes),
        title=title,
        says=say(language, "chart.reliability_says", n=len(ordered)),
    )
