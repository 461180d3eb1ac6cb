"""What a PDF page is put together from: drawings, figure cards, tables, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from reportlab.lib.colors import HexColor
from reportlab.platypus import Flowable, LongTable, Paragraph, TableStyle

from reports.charts.scene import (
    FAINT,
    INK,
    QUIET,
    Drawing,
    Label,
    Line,
    Point,
    Polygon,
    Rect,
)
from reports.styles import BARS, GROUNDS, Tone
from reports.typesetting import BOLD, REGULAR, Typesetter


class DrawingFlowable(Flowable):
    """A drawing on a page. Shrinks to the width there is, and to what fits on one page."""

    MOST_HEIGHT = 640.0

    def __init__(self, drawing: Drawing, setter: Typesetter) -> None:
        super().__init__()
        self.drawing, self.setter = drawing, setter
        self.scale = 1.0

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Return the size taken."""
        self.scale = min(1.0, available_width / self.drawing.width, self.MOST_HEIGHT / self.drawing.height)
        self.width, self.height = self.drawing.width * self.scale, self.drawing.height * self.scale
        return self.width, self.height

    def draw(self) -> None:
        """Draw every shape in order; what only answers a pointer leaves no trace on paper."""
        canvas = self.canv
        canvas.saveState()
        canvas.scale(self.scale, self.scale)
        for shape in self.drawing.shapes:
            match shape:
                case Line():
                    _draw_line(canvas, shape, self.drawing.height)
                case Rect():
                    _draw_rect(canvas, shape, self.drawing.height)
                case Polygon():
                    _draw_polygon(canvas, shape, self.drawing.height)
                case Label():
                    _draw_label(canvas, shape, self.drawing.height, self.setter)
        canvas.restoreState()


def to_flowable(drawing: Drawing, setter: Typesetter | None = None) -> DrawingFlowable:
    """Return the drawing as a part of a PDF page: the same shapes that `to_svg` writes."""
    return DrawingFlowable(drawing, setter or Typesetter())


def _draw_line(canvas: Any, line: Line, height: float) -> None:
    canvas.setStrokeColor(HexColor(line.stroke))
    canvas.setLineWidth(line.width)
    canvas.setDash(*([list(line.dash)] if line.dash else []))
    canvas.drawPath(_path(canvas, line.points, height), stroke=1, fill=0)
    canvas.setDash()


def _draw_rect(canvas: Any, rect: Rect, height: float) -> None:
    stroke, fill = _paint(canvas, rect)
    canvas.rect(rect.x, height - rect.y - rect.height, rect.width, rect.height, stroke=stroke, fill=fill)


def _draw_polygon(canvas: Any, polygon: Polygon, height: float) -> None:
    stroke, fill = _paint(canvas, polygon)
    path = _path(canvas, polygon.points, height)
    path.close()
    canvas.drawPath(path, stroke=stroke, fill=fill)


def _draw_label(canvas: Any, label: Label, height: float, setter: Typesetter) -> None:
    canvas.setFillColor(HexColor(label.fill))
    canvas.setFont(BOLD if label.bold else REGULAR, label.size)
    draw = {"start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString}
    draw[label.anchor](label.x, height - label.y, setter.plain(label.text))


def _paint(canvas: Any, shape: Rect | Polygon) -> tuple[int, int]:
    if shape.fill:
        canvas.setFillColor(HexColor(shape.fill))
    if shape.stroke:
        canvas.setStrokeColor(HexColor(shape.stroke))
        canvas.setLineWidth(shape.stroke_width)
    return int(shape.stroke is not None), int(shape.fill is not None)


def _path(canvas: Any, points: Sequence[Point], height: float) -> Any:
    path = canvas.beginPath()
    path.moveTo(points[0][0], height - points[0][1])
    for x, y in points[1:]:
        path.lineTo(x, height - y)
    return path


@dataclass(frozen=True, kw_only=True)
class Card:
    """A figure people remember, the words that go with it, and whether it is good news."""

    figure: str
    words: str
    tone: Tone = "holds"


class Cards(Flowable):
    """Figures side by side: a large number and one sentence each, in boxes of equal height."""

    GAP, PAD = 9.0, 9.0

    def __init__(self, cards: Sequence[tuple[Card, Paragraph]], *, size: float = 21.0) -> None:
        super().__init__()
        self.cards = list(cards)
        self.size = size
        self.heights: list[float] = []

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Return the size taken: the whole width."""
        self.width = available_width
        self.each = (available_width - self.GAP * (len(self.cards) - 1)) / len(self.cards)
        self.heights = [words.wrap(self.each - 2 * self.PAD, 1000)[1] for _, words in self.cards]
        self.height = max(self.heights) + self.size * 1.45 + 2 * self.PAD
        return self.width, self.height

    def draw(self) -> None:
        """Draw the boxes from left to right."""
        for place, ((card, words), height) in enumerate(zip(self.cards, self.heights, strict=True)):
            x = place * (self.each + self.GAP)
            self._box(x, card.tone)
            size = min(self.size, self.size * (self.each - 2 * self.PAD) / max(1.0, _width(card.figure, self.size)))
            self.canv.setFillColor(HexColor(QUIET if card.tone == "holds" else INK))
            self.canv.setFont(BOLD, size)
            self.canv.drawString(x + self.PAD, self.height - self.PAD - self.size * 1.05, card.figure)
            words.drawOn(self.canv, x + self.PAD, self.height - self.PAD - self.size * 1.45 - height)

    def _box(self, x: float, tone: Tone) -> None:
        self.canv.setFillColor(HexColor(GROUNDS[tone]))
        self.canv.rect(x, 0, self.each, self.height, stroke=0, fill=1)
        bar = 4.0 if tone == "fails" else 2.2
        self.canv.setFillColor(HexColor(BARS[tone]))
        self.canv.rect(x, self.height - bar, self.each, bar, stroke=0, fill=1)


def _width(text: str, size: float) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(stringWidth(text, BOLD, size))


class Note(Flowable):
    """A paragraph set apart: a bar in the colour of its tone on the left, a tinted ground."""

    PAD = 8.0

    def __init__(self, paragraphs: Sequence[Paragraph], tone: Tone = "plain") -> None:
        super().__init__()
        self.paragraphs, self.tone = list(paragraphs), tone
        self.spaceAfter = 8
        self.spaceBefore = 4

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Return the size taken: the whole width."""
        self.width = available_width
        self.heights = [p.wrap(available_width - 2 * self.PAD - 6, 10000)[1] for p in self.paragraphs]
        self.height = sum(self.heights) + 3 * (len(self.heights) - 1) + 2 * self.PAD
        return self.width, self.height

    def split(self, available_width: float, available_height: float) -> list[Flowable]:
        """Return two notes, cut between lines, when this one is higher than the room left for it."""
        inner, room = available_width - 2 * self.PAD - 6, available_height - 2 * self.PAD
        if self.height < 200:
            return []
        first, rest = [], list(self.paragraphs)
        while rest and rest[0].wrap(inner, 10000)[1] <= room:
            room -= rest[0].height + 3
            first.append(rest.pop(0))
        cut = rest[0].split(inner, room) if rest and room > 40 else []
        if len(cut) == 2:
            first.append(cut[0])
            rest[0] = cut[1]
        return [Note(first, self.tone), Note(rest, self.tone)] if first and rest else []

    def draw(self) -> None:
        """Draw ground, bar and words."""
        canvas = self.canv
        ground, bar = GROUNDS[self.tone], BARS[self.tone]
        canvas.setFillColor(HexColor(ground))
        canvas.rect(0, 0, self.width, self.height, stroke=0, fill=1)
        canvas.setFillColor(HexColor(bar))
        canvas.rect(0, 0, 3, self.height, stroke=0, fill=1)
        y = self.height - self.PAD
        for words, height in zip(self.paragraphs, self.heights, strict=True):
            words.drawOn(canvas, self.PAD + 6, y - height)
            y -= height + 3


class SideBySide(Flowable):
    """Two drawings of like height beside each other, their upper edges level."""

    GAP = 18.0

    def __init__(self, left: DrawingFlowable, right: DrawingFlowable) -> None:
        super().__init__()
        self.parts = (left, right)
        self.spaceAfter = 8

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Return the size taken: the whole width."""
        self.each = (available_width - self.GAP) / 2
        self.heights = [part.wrap(self.each, available_height)[1] for part in self.parts]
        self.width, self.height = available_width, max(self.heights)
        return self.width, self.height

    def draw(self) -> None:
        """Draw both."""
        for place, (part, height) in enumerate(zip(self.parts, self.heights, strict=True)):
            part.drawOn(self.canv, place * (self.each + self.GAP), self.height - height)


Cell: TypeAlias = str | Paragraph | list[Paragraph]


def table(head: Sequence[Cell], rows: Sequence[Sequence[Cell]], widths: Sequence[float]) -> LongTable:
    """Return a table whose head is repeated on every page it runs over."""
    made = LongTable(
        [list(head), *[list(row) for row in rows]], colWidths=list(widths), repeatRows=1, splitInRow=1, hAlign="LEFT"
    )
    made.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), REGULAR, 8.2, 11.2),
                ("TEXTCOLOR", (0, 0), (-1, -1), HexColor(INK)),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
                ("LINEBELOW", (0, 0), (-1, 0), 1.0, HexColor(QUIET)),
                ("LINEBELOW", (0, 1), (-1, -1), 0.4, HexColor(FAINT)),
                ("LEFTPADDING", (0, 0), (0, -1), 2),
                ("LEFTPADDING", (1, 0), (-1, -1), 7),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 3.2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.6),
            ]
        )
    )
    made.spaceAfter = 8
    return made


def plain_table(rows: Sequence[Sequence[Cell]], widths: Sequence[float]) -> LongTable:
    """Return a table without a head: a name and its value in each row."""
    made = LongTable([list(row) for row in rows], colWidths=list(widths), splitInRow=1, hAlign="LEFT")
    made.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), REGULAR, 8.2, 11.2),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(FAINT)),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("LEFTPADDING", (1, 0), (1, -1), 6),
                ("TOPPADDING", (0, 0), (-1, -1), 3.2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.6),
            ]
        )
    )
    made.spaceAfter = 8
    return made
