"""A drawing as SVG that a strict content security policy lets through: attributes only, no style, no script."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from reports.charts.scene import PAPER, Drawing, Label, Line, Point, Polygon, Rect, Shape, Spot
from reports.plain_text import visible

FAMILY = "'Noto Sans SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


def to_svg(drawing: Drawing) -> str:
    """Return the drawing as one `<svg>` element, ready to stand in a page or in a file of its own.

    Text stays text. Names from outside are escaped and their invisible characters shown by code. The same
    drawing gives the same string.
    """
    width, height = _number(drawing.width), _number(drawing.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family={quoteattr(FAMILY)}>'
    )
    words = f"<title>{_text(drawing.title)}</title><desc>{_text(drawing.says)}</desc>"
    return head + words + "".join(_element(shape) for shape in drawing.shapes) + "</svg>"


def _element(shape: Shape) -> str:
    match shape:
        case Line():
            dash = f' stroke-dasharray="{" ".join(_number(d) for d in shape.dash)}"' if shape.dash else ""
            return (
                f'<polyline points="{_points(shape.points)}" fill="none" stroke="{shape.stroke}" '
                f'stroke-width="{_number(shape.width)}"{dash}/>'
            )
        case Rect():
            return (
                f'<rect x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" '
                f'height="{_number(shape.height)}"{_paint(shape)}/>'
            )
        case Polygon():
            return f'<polygon points="{_points(shape.points)}"{_paint(shape)}/>'
        case Spot():
            return _area(shape)
        case Label():
            weight = ' font-weight="700"' if shape.bold else ""
            return (
                f'<text x="{_number(shape.x)}" y="{_number(shape.y)}" font-size="{_number(shape.size)}"{weight} '
                f'fill="{shape.fill}" text-anchor="{shape.anchor}">{_text(shape.text)}</text>'
            )


def _area(spot: Spot) -> str:
    return (
        f'<rect class="spot" x="{_number(spot.x)}" y="{_number(spot.y)}" width="{_number(spot.width)}" '
        f'height="{_number(spot.height)}" fill="{PAPER}" fill-opacity="0"><title>{_text(spot.says)}</title></rect>'
    )


def _paint(shape: Rect | Polygon) -> str:
    fill = shape.fill or "none"
    if shape.stroke is None:
        return f' fill="{fill}"' + (' shape-rendering="crispEdges"' if isinstance(shape, Rect) else "")
    return f' fill="{fill}" stroke="{shape.stroke}" stroke-width="{_number(shape.stroke_width)}"'


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def _text(text: str) -> str:
    return escape(visible(text), {'"': "&quot;"})
