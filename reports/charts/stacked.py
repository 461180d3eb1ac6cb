"""Several drawings below each other as one, for an address that hands out a single picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reports.charts.scene import Drawing, Label, Rect, Shape, Spot

GAP = 18.0


def stacked(drawings: Sequence[Drawing]) -> Drawing:
    """Return the drawings one below the other, as wide as the widest; their words are joined.

    An empty sequence gives an empty drawing.
    """
    shapes: list[Shape] = []
    top = 0.0
    for drawing in drawings:
        shapes.extend(_lowered(shape, top) for shape in drawing.shapes)
        top += drawing.height + GAP
    return Drawing(
        width=max((drawing.width for drawing in drawings), default=1.0),
        height=max(top - GAP, 1.0),
        shapes=tuple(shapes),
        title=drawings[0].title if drawings else "",
        says=" ".join(drawing.says for drawing in drawings),
    )


def _lowered(shape: Shape, by: float) -> Shape:
    if isinstance(shape, Rect | Label | Spot):
        return replace(shape, y=shape.y + by)
    return replace(shape, points=tuple((x, y + by) for x, y in shape.points))
