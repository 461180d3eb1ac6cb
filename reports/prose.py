"""Paragraphs that break where Chinese and English allow: no line begins with a comma, no word is cut without need."""

from __future__ import annotations

from typing import Any

from reportlab.platypus.paragraph import Paragraph, ParaLines, _handleBulletWidth, cjkU, makeCJKParaLine

from reports.charts.measure import breaks_between


class Prose(Paragraph):
    """A paragraph in a style with `wordWrap="CJK"`; long names break after their signs, nothing leaves the column."""

    def breakLinesCJK(self, maxWidths: Any) -> Any:  # noqa: N802 - the name reportlab calls
        """Return the lines of the paragraph; called by reportlab."""
        widths = list(maxWidths) if isinstance(maxWidths, list | tuple) else [maxWidths]
        self.height = 0
        _handleBulletWidth(self.bulletText, self.style, widths)
        if getattr(self, "_splitpara", 0) and hasattr(self, "blPara"):
            return self.blPara
        lines: list[Any] = []
        for glyphs in _parts(self.frags):
            start = 0
            while start < len(glyphs):
                room = widths[min(len(lines), len(widths) - 1)]
                end = _line_end(glyphs, start, room)
                used = sum(glyph.width for glyph in glyphs[start:end])
                lines.append(makeCJKParaLine(glyphs[start:end], room, used, room - used, end == len(glyphs), False))
                start = end
                while start < len(glyphs) and glyphs[start] == " ":
                    start += 1
        return ParaLines(kind=1, lines=lines)


def _parts(frags: list[Any]) -> list[list[Any]]:
    """Return the characters of a paragraph with their width and style, in parts that begin on a new line."""
    parts: list[list[Any]] = [[]]
    for frag in frags:
        if getattr(frag, "lineBreak", False):
            parts.append([])
        parts[-1].extend(cjkU(character, frag, "utf-8") for character in frag.text)
    return parts


def _line_end(glyphs: list[Any], start: int, room: float) -> int:
    """Return where the line that begins at `start` ends: the last good place that fits, or the last that fits."""
    used, fits = 0.0, len(glyphs)
    for place in range(start, len(glyphs)):
        used += glyphs[place].width
        if used > room + 1e-6:
            fits = max(place, start + 1)
            break
    if fits == len(glyphs):
        return fits
    for place in range(fits, start, -1):
        if breaks_between(str(glyphs[place - 1]), str(glyphs[place])):
            return place
    return fits
