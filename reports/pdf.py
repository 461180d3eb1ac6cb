"""A PDF document: page frame, header and footer, outline, language and title, the same bytes for the same content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from threading import Lock
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    NextPageTemplate,
    PageTemplate,
    Paragraph,
    Spacer,
)

from reports.charts.measure import lines_of
from reports.charts.scene import FAINT, PAPER, QUIET, SOFT, Drawing
from reports.flowables import Card, Cards, Cell, Note, SideBySide, plain_table, table, to_flowable
from reports.prose import Prose
from reports.styles import Styles, Tone, styles_for
from reports.typesetting import BOLD, REGULAR, Typesetter
from reports.wording import Language, say

PAGE_WIDTH, PAGE_HEIGHT = A4
SIDE, TOP, FOOT = 20 * mm, 22 * mm, 20 * mm
WIDTH = PAGE_WIDTH - 2 * SIDE
"""Width of the text in points."""
NUMBER_AT = PAGE_WIDTH - SIDE - 26
"""Where the number of pages begins; the number of the page ends just before it."""

_ONE_AT_A_TIME = Lock()  # reportlab keeps one state per font, shared by all documents being written


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What stands in the block on top of the first page and in the header of the others."""

    kind: str
    title: str
    lines: tuple[str, ...]
    running: str


class Outlined(Prose):
    """A heading that puts itself into the document's outline when it is drawn."""

    def __init__(self, text: str, style: Any, *, key: str, entry: str, level: int = 0) -> None:
        super().__init__(text, style)
        self.key, self.entry, self.level = key, entry, level

    def split(self, available_width: float, available_height: float) -> list[Flowable]:
        """Never split: a heading moves to the next page as a whole."""
        return []

    def draw(self) -> None:
        """Draw the heading and mark its place."""
        self.canv.bookmarkHorizontal(self.key, 0, self.height + 6)
        self.canv.addOutlineEntry(self.entry, self.key, level=self.level, closed=0)
        super().draw()


class Pages:
    """Collects the parts of one document and writes them.

    Every text handed to a method is plain: it is checked against the fonts and escaped here. The exception are
    phrases passed through `rich`, whose own values must have passed `Typesetter.markup` before.
    """

    def __init__(self, language: Language, cover: Cover, *, subject: str, notice: str = "") -> None:
        self.language: Language = language
        self.setter = Typesetter()
        self.styles: Styles = styles_for(language)
        self.cover = cover
        self.subject = subject
        self.notice = notice
        self.story: list[Flowable] = []
        self._sections = 0

    def add(self, *parts: Flowable) -> None:
        """Add parts as they are."""
        self.story.extend(parts)

    def text(self, words: str, style: str = "body") -> Paragraph:
        """Return plain words as a paragraph in one of the document's styles."""
        return Prose(self.setter.markup(words), getattr(self.styles, style))

    def write(self, words: str, style: str = "body") -> None:
        """Add a paragraph of plain words."""
        self.add(self.text(words, style))

    def lead_in(self, lead: str, words: str) -> Paragraph:
        """Return a paragraph whose first words are bold."""
        markup = f"<b>{self.setter.markup(lead)}</b>&nbsp;&nbsp;{self.setter.markup(words)}"
        return Prose(markup, self.styles.body)

    def bullets(self, entries: Sequence[str]) -> None:
        """Add one bullet per entry."""
        for entry in entries:
            self.add(Prose(self.setter.markup(entry), self.styles.bullet, bulletText="■"))

    def section(self, title: str, room: float = 42) -> None:
        """Begin a numbered section; it moves to the next page unless `room` millimetres are left for it."""
        self._sections += 1
        numbered = f"{self._sections}  {title}"
        words = self.setter.markup(numbered).replace("  ", "&nbsp;&nbsp;")
        key = f"section-{self._sections}"
        self.add(CondPageBreak(room * mm))
        self.add(Outlined(words, self.styles.section, key=key, entry=self.setter.plain(numbered)))

    def part(self, title: str) -> None:
        """Begin a part inside a section."""
        self.add(CondPageBreak(28 * mm), self.text(title, "part"))

    def picture(self, drawing: Drawing, caption: str = "") -> None:
        """Add a drawing with its caption, kept together."""
        parts: list[Flowable] = [to_flowable(drawing, self.setter)]
        parts.append(self.text(caption, "caption") if caption else Spacer(1, 8))
        self.add(KeepTogether(parts))

    def pictures(self, left: Drawing, right: Drawing) -> None:
        """Add two drawings side by side."""
        self.add(SideBySide(to_flowable(left, self.setter), to_flowable(right, self.setter)))

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float], right: str = ""
    ) -> None:
        """Add a table; `shares` are column widths as parts of the text's width, `right` has 'r' for figures."""
        align = right.ljust(len(head), "l")[: len(head)]
        heads: list[Cell] = [
            self.text(h, "head_right" if a == "r" else "head") for h, a in zip(head, align, strict=True)
        ]
        body = [
            [self.text(cell, "cell_right" if a == "r" else "cell") for cell, a in zip(row, align, strict=True)]
            for row in rows
        ]
        shares = shares[: len(head)]
        total = sum(shares)
        self.add(table(heads, body, [WIDTH * share / total for share in shares]))

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Add names and values in two columns, without a head."""
        rows: list[list[Cell]] = [[self.text(name, "head"), self.text(value, "cell")] for name, value in facts]
        self.add(plain_table(rows, [0.24 * WIDTH, 0.76 * WIDTH]))

    def cards(self, cards: Sequence[Card], size: float = 21.0) -> None:
        """Add figures side by side; does nothing without any."""
        if cards:
            shown = [replace(card, figure=self.setter.plain(card.figure)) for card in cards]
            self.add(Cards([(card, self.text(card.words, "cell")) for card in shown], size=size), Spacer(1, 9))

    def note(self, *words: str, tone: Tone = "plain") -> None:
        """Add words set apart from the text."""
        self.add(Note([self.text(each, "cell") for each in words], tone))

    def code(self, words: str) -> None:
        """Add a command, a digest or a signed note, line by line, breaking anywhere."""
        lines = "<br/>".join(self.setter.markup(line) for line in words.splitlines() if line.strip())
        self.add(Prose(lines, self.styles.code))

    def finish(self) -> bytes:
        """Return the document. What the fonts lacked is said at its end."""
        if self.setter.replaced:
            codes = ", ".join(f"[U+{ord(character):04X}]" for character in self.setter.replaced)
            self.note(say(self.language, "pdf.replaced", codes=codes), tone="open")
        with _ONE_AT_A_TIME:
            return self._built()

    def _built(self) -> bytes:
        kept = BytesIO()
        cover_height = self._cover_height()
        document = BaseDocTemplate(
            kept,
            pagesize=A4,
            title=self.setter.plain(f"{self.cover.kind}: {self.cover.title}"),
            author=say(self.language, "pdf.author"),
            subject=self.setter.plain(self.subject),
            creator=say(self.language, "pdf.author"),
            producer=say(self.language, "pdf.author"),
            lang="zh-CN" if self.language == "zh" else "en",
            invariant=1,
            displayDocTitle=1,
            initialFontName=REGULAR,
        )
        first = Frame(SIDE, FOOT, WIDTH, PAGE_HEIGHT - cover_height - FOOT - 5 * mm, 0, 0, 0, 0)
        other = Frame(SIDE, FOOT, WIDTH, PAGE_HEIGHT - TOP - FOOT, 0, 0, 0, 0)
        document.addPageTemplates(
            [
                PageTemplate("first", [first], onPage=self._draw_cover),
                PageTemplate("other", [other], onPage=self._draw_header),
            ]
        )
        canvas = partial(_NumberedCanvas, language=self.language)
        document.build([NextPageTemplate("other"), *self.story, _LastPage()], canvasmaker=canvas)
        return kept.getvalue()

    def _title_lines(self) -> tuple[str, ...]:
        return lines_of(self.setter.plain(self.cover.title), WIDTH, 24, bold=True)

    def _cover_lines(self) -> tuple[str, ...]:
        return tuple(cut for line in self.cover.lines for cut in lines_of(self.setter.plain(line), WIDTH, 9))

    def _cover_height(self) -> float:
        return 29.0 * float(mm) + 30 * len(self._title_lines()) + 13.5 * len(self._cover_lines())

    def _draw_cover(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        height = self._cover_height()
        canvas.setFillColor(HexColor(QUIET))
        canvas.rect(0, PAGE_HEIGHT - height, PAGE_WIDTH, height, stroke=0, fill=1)
        canvas.setFillColor(HexColor("#E08A00"))
        canvas.rect(0, PAGE_HEIGHT - height - 2.5, PAGE_WIDTH, 2.5, stroke=0, fill=1)
        canvas.setFillColor(HexColor(PAPER))
        y = PAGE_HEIGHT - 14 * mm
        canvas.setFont(BOLD, 9.5)
        canvas.drawString(SIDE, y, say(self.language, "pdf.brand"))
        canvas.drawRightString(PAGE_WIDTH - SIDE, y, self.setter.plain(self.cover.kind))
        y -= 11 * mm - 6
        canvas.setFont(BOLD, 24)
        for line in self._title_lines():
            y -= 24
            canvas.drawString(SIDE, y, line)
            y -= 6
        canvas.setFont(REGULAR, 9)
        canvas.setFillColor(HexColor("#D6E2EE"))
        y -= 3
        for line in self._cover_lines():
            y -= 13
            canvas.drawString(SIDE, y, line)
        canvas.bookmarkPage("top")
        canvas.addOutlineEntry(self.setter.plain(self.cover.kind), "top", level=0, closed=0)
        self._draw_footer(canvas)

    def _draw_header(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setFont(REGULAR, 7.5)
        canvas.setFillColor(HexColor(SOFT))
        y = PAGE_HEIGHT - 13 * mm
        running = lines_of(self.setter.plain(self.cover.running), WIDTH * 0.72, 7.5)
        canvas.drawString(SIDE, y, running[0])
        canvas.drawRightString(PAGE_WIDTH - SIDE, y, say(self.language, "pdf.brand"))
        canvas.setStrokeColor(HexColor(FAINT))
        canvas.setLineWidth(0.5)
        canvas.line(SIDE, y - 5, PAGE_WIDTH - SIDE, y - 5)
        self._draw_footer(canvas)

    def _draw_footer(self, canvas: Canvas) -> None:
        y = 11 * mm
        canvas.setStrokeColor(HexColor(FAINT))
        canvas.setLineWidth(0.5)
        canvas.line(SIDE, y + 10, PAGE_WIDTH - SIDE, y + 10)
        canvas.setFillColor(HexColor(SOFT))
        canvas.setFont(REGULAR, 7)
        notice = lines_of(self.setter.plain(self.notice), WIDTH * 0.8, 7)
        for at, line in enumerate(notice[:2]):
            canvas.drawString(SIDE, y - 9 * at, line)
        canvas.drawRightString(NUMBER_AT - 2, y, say(self.language, "pdf.page", page=canvas.getPageNumber()))
        canvas.doForm("pages")


class _LastPage(Flowable):
    """Draws nothing; knows on which page the document ends, for the "of N" on all pages before it."""

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Take no room."""
        return 0.0, 0.0

    def draw(self) -> None:
        """Leave the last page number on the canvas."""
        self.canv.last_page = self.canv.getPageNumber()


class _NumberedCanvas(Canvas):
    """Writes how many pages there are into a form every footer refers to, once it is known."""

    def __init__(self, *arguments: Any, language: Language, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.language: Language = language
        self.last_page = 1

    def save(self) -> None:
        """Write the form, then the file."""
        self.beginForm("pages")
        self.setFont(REGULAR, 7)
        self.setFillColor(HexColor(SOFT))
        self.drawString(NUMBER_AT, 11 * mm, say(self.language, "pdf.of_pages", n=self.last_page))
        self.endForm()
        super().save()
