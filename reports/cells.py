"""Cells of a table that hold several lines, and sentences as sealed papers carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reportlab.platypus import Paragraph

from policies.errors import Sentence
from reports.flowables import table
from reports.pdf import WIDTH, Pages
from reports.prose import Prose
from reports.wording import Language


def said(words: Mapping[str, str] | None, language: Language) -> str:
    """Return a sentence of a sealed paper in one language; nothing for none."""
    return "" if words is None else Sentence(en=words["en"], zh=words["zh"]).in_language(language)


def table_of_lines(pages: Pages, head: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float]) -> None:
    """Add a table whose head is repeated on every page; every line of a cell begins a line."""
    heads = [pages.text(words, "head") for words in head]
    body = [[lines_cell(pages, cell) for cell in row] for row in rows]
    pages.add(table(heads, body, [WIDTH * share / sum(shares) for share in shares]))


def lines_cell(pages: Pages, words: str) -> list[Paragraph]:
    """Return the cell of a table in which every line of `words` begins a line, also where a page ends within it."""
    return [Prose(pages.setter.markup(line), pages.styles.cell) for line in words.split("\n")]
