"""What a PDF page is put together from: drawings, figure cards, badges, tables, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, LongTable, Paragraph, TableStyle

from reports.charts.scene import (
    ALARM,
    FAINT,
    INK,
    QUIET,
    SOFT,
    Drawing,
    Label,
    Line,
    Point,
    Polygon,
    Rect,
)  # fmt: skip
from reports.typesetting import BOLD, REGULAR, Typesetter
from reports.wording import Language

Tone = Literal["holds", "fails", "open", "plain"]
PANEL = "#F4F6F8"
GROUNDS: dict[Tone, str] = {"holds": PANEL, "fails": "#FDF3E1", "open": PANEL, "plain": PANEL}
BARS: dict[Tone, str] = {"holds": QUIET, "fails": ALARM, "open": SOFT, "plain": SOFT}
"""Colours of a state. Words always say it too: nothing rests on colour alone."""


@dataclass(frozen=True, kw_only=True)
class Styles:
    """Paragraph styles of one language."""

    body: ParagraphStyle
    lead: ParagraphStyle
    small: ParagraphStyle
    cell: ParagraphStyle
    cell_bold: ParagraphStyle
    cell_right: ParagraphStyle
    head: ParagraphStyle
    head_right: ParagraphStyle
    section: ParagraphStyle
    part: ParagraphStyle
    caption: ParagraphStyle
    code: ParagraphStyle
    bullet: ParagraphStyle


def styles_for(language: Language) -> Styles:
    """Return the styles; Chinese takes a little more leading than English."""
    air = 1.08 if language == "zh" else 1.0

    def style(name: str, size: float, leading: float, **more: Any) -> ParagraphStyle:
        made = {
            "fontName": REGULAR,
            "bulletFontName": REGULAR,
            "textColor": HexColor(INK),
            "wordWrap": "CJK",
            **more,
        }
        return ParagraphStyle(name, fontSize=size, leading=leading * air, **made)

    return Styles(
        body=style("body", 9.5, 14.2, spaceAfter=5),
        lead=style("lead", 11, 16.5, spaceAfter=6),
        small=style("small", 8, 11.6, textColor=HexColor(SOFT), spaceAfter=3),
        cell=style("cell", 8.2, 11.2),
        cell_bold=style("cell_bold", 8.2, 11.2, fontName=BOLD),
        cell_right=style("cell_right", 8.2, 11.2, alignment=TA_RIGHT),
        head=style("head", 7.8, 10.4, fontName=BOLD, textColor=HexColor(SOFT), alignment=TA_LEFT),
        head_right=style("head_right", 7.8, 10.4, fontName=BOLD, textColor=HexColor(SOFT), alignment=TA_RIGHT),
        section=style("section", 15, 19, fontName=BOLD, textColor=HexColor(QUIET), spaceBefore=16, spaceAfter=7),
        part=style("part", 10.5, 14, fontName=BOLD, spaceBefore=8, spaceAfter=4),
        caption=style("caption", 8, 11.4, textColor=HexColor(SOFT), spaceBefore=3, spaceAfter=9),
        code=style(
            "code",
            7.6,
            10.6,
            backColor=HexColor(PANEL),
            borderPadding=(5, 8, 6, 8),
            leftIndent=8,
            rightIndent=8,
            spaceBefore=7,
            spaceAfter=12,
        ),
        bullet=style(
            "bullet",
            9.5,
            14.2,
            leftIndent=13,
            bulletIndent=2,
            bulletFontSize=4.5,
            bulletOffsetY=1.2,
            bulletColor=HexColor(QUIET),
            spaceAfter=3,
        ),
    )


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
        """Draw every shape in order."""
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


Cell: TypeAlias = str | Paragraph


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
