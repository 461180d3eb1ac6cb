"""Paragraphs that break where Chinese and English allow: no line begins with a comma, no word is cut without need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from reportlab.pdfbase.pdfmetrics import getAscentDescent, stringWidth
from reportlab.platypus.paragraph import FragLine, Paragraph, ParaLines, _handleBulletWidth

from reports.charts.measure import breaks_between


class Prose(Paragraph):
    """A paragraph in a style with `wordWrap="CJK"`; long names break after their signs, nothing leaves the column."""

    _broken: tuple[tuple[float, ...], list[Any]] | None = None

    def breakLinesCJK(self, maxWidths: Any) -> Any:  # noqa: N802 - the name reportlab calls
        """Return the lines of the paragraph; called by reportlab, for a table cell three times with the same width."""
        widths = list(maxWidths) if isinstance(maxWidths, list | tuple) else [maxWidths]
        self.height = 0
        _handleBulletWidth(self.bulletText, self.style, widths)
        if getattr(self, "_splitpara", 0) and hasattr(self, "blPara"):
            return self.blPara
        if self._broken is None or self._broken[0] != tuple(widths):
            self._broken = tuple(widths), _lines(self.frags, widths)
        return ParaLines(kind=1, lines=list(self._broken[1]))


@dataclass
class _Part:
    """A stretch of text between two forced breaks: its characters, their widths and their styles."""

    text: str
    widths: list[float]
    frags: list[Any]


def _lines(frags: list[Any], rooms: list[float]) -> list[Any]:
    lines: list[Any] = []
    for part in _parts(frags):
        start = 0
        while start < len(part.text):
            room = rooms[min(len(lines), len(rooms) - 1)]
            end = _line_end(part, start, room)
            lines.append(_line(part, start, end, room))
            start = end
            while start < len(part.text) and part.text[start] == " ":
                start += 1
    return lines


def _parts(frags: list[Any]) -> list[_Part]:
    parts = [_Part("", [], [])]
    for frag in frags:
        if getattr(frag, "lineBreak", False):
            parts.append(_Part("", [], []))
        parts[-1].text += frag.text
        parts[-1].widths.extend(_width(character, frag.fontName, frag.fontSize) for character in frag.text)
        parts[-1].frags.extend([frag] * len(frag.text))
    return parts


@lru_cache(maxsize=1 << 16)
def _width(character: str, font: str, size: float) -> float:
    return float(stringWidth(character, font, size))


def _line_end(part: _Part, start: int, room: float) -> int:
    """Return where the line that begins at `start` ends: the last good place that fits, or the last that fits."""
    used, fits = 0.0, len(part.text)
    for place in range(start, fits):
        used += part.widths[place]
        if used > room + 1e-6:
            fits = max(place, start + 1)
            break
    else:
        return fits
    for place in range(fits, start, -1):
        if breaks_between(part.text[place - 1], part.text[place]):
            return place
    return fits


def _line(part: _Part, start: int, end: int, room: float) -> Any:
    """Return one line as reportlab draws it: a run of text for each style in it."""
    words, place = [], start
    for _, run in groupby(part.frags[start:end], key=id):
        same = list(run)
        word = same[0].clone()
        word.text = part.text[place : place + len(same)]
        words.append(word)
        place += len(same)
    heights = [getAscentDescent(word.fontName, word.fontSize) for word in words]
    used = sum(part.widths[start:end])
    return FragLine(
        kind=1,
        extraSpace=room - used,
        wordCount=1,
        words=words,
        fontSize=max(word.fontSize for word in words),
        ascent=max(up for up, _ in heights),
        descent=min(down for _, down in heights),
        maxWidth=room,
        currentWidth=used,
        lineBreak=end == len(part.text),
    )
