"""Reads a workbook back without the library that wrote it: its cells as text, and whether any is a formula."""

from __future__ import annotations

import io
import re
import zipfile
from html import unescape


def sheets_of(content: bytes) -> list[list[list[str]]]:
    """Return the cells of every sheet, row by row, as text."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        shared = [
            unescape(re.sub(r"<[^>]*>", "", item))
            for item in re.findall(r"<si>(.*?)</si>", book.read("xl/sharedStrings.xml").decode(), re.DOTALL)
        ]
        names = sorted(name for name in book.namelist() if name.startswith("xl/worksheets/sheet"))
        found = []
        for name in names:
            text = book.read(name).decode()
            rows = []
            for row in re.findall(r"<row [^>]*>(.*?)</row>", text, re.DOTALL):
                cells = re.findall(r'<c r="[A-Z]+\d+"[^>]*?(t="s")?>?<v>(.*?)</v>', row)
                rows.append([shared[int(value)] if kind else value for kind, value in cells])
            found.append(rows)
        return found


def formulas_of(content: bytes) -> list[str]:
    """Return every formula and every link of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        texts = [book.read(name).decode() for name in book.namelist() if name.endswith((".xml", ".rels"))]
    return [found for text in texts for found in re.findall(r"<f[ >].*?</f>|<hyperlink [^>]*>", text)]
