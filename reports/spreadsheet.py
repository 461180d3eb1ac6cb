"""Tables as a workbook (XLSX): text stays text, whatever it looks like, and the same content gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import TypeAlias

from policies.errors import Sentence, Unavailable
from reports.plain_text import visible

Cell: TypeAlias = str | int | float | None

LONGEST_CELL = 32_767
"""Characters one cell of a workbook can hold."""


class WorkbookAway(Unavailable):
    """The library that writes workbooks is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="workbooks need the package XlsxWriter; install mingjing[server]",
                zh="生成工作簿需要 XlsxWriter，请安装 mingjing[server]",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table of a workbook; `widths` are columns in characters."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    widths: tuple[float, ...]


def workbook(sheets: Sequence[Sheet], *, title: str, made: datetime) -> bytes:
    """Return a workbook as bytes.

    Text is written as text: `=1+1` or `@cmd` never becomes a formula or a link. What cannot be seen is shown by its
    code, and a text longer than a cell can hold ends in `…`.

    Raises
    ------
    WorkbookAway
    """
    try:
        import xlsxwriter
    except ImportError as missing:
        raise WorkbookAway from missing
    kept = BytesIO()
    book = xlsxwriter.Workbook(kept, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": visible(title), "author": "Mingjing", "created": made.replace(tzinfo=None)})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    cell = book.add_format({"text_wrap": True, "valign": "top"})
    for sheet in sheets:
        page = book.add_worksheet(_name(sheet.title))
        page.freeze_panes(1, 0)
        page.repeat_rows(0)
        page.set_landscape()
        page.set_paper(9)
        page.fit_to_pages(1, 0)
        for column, (words, width) in enumerate(zip(sheet.head, sheet.widths, strict=True)):
            page.set_column(column, column, width)
            page.write_string(0, column, _text(words), head)
        for place, row in enumerate(sheet.rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    page.write_string(place, column, _text(value), cell)
                elif value is not None:
                    page.write_number(place, column, value, cell)
    book.close()
    return kept.getvalue()


def _text(value: str) -> str:
    shown = visible(value)
    return shown if len(shown) <= LONGEST_CELL else f"{shown[: LONGEST_CELL - 1]}…"


def _name(title: str) -> str:
    """Return a sheet's name without the signs a workbook refuses."""
    return "".join(" " if sign in "[]:*?/\\'" else sign for sign in visible(title))[:31]
