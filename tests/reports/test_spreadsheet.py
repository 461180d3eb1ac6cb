"""A workbook holds text as text, nothing unseen, and the same bytes for the same content."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("xlsxwriter", reason="XlsxWriter (mingjing[server]) is not installed")

from reports.spreadsheet import LONGEST_CELL, Cell, Sheet, workbook
from tests.reports.workbook import formulas_of, sheets_of

MADE = datetime(2026, 3, 2, 8, tzinfo=UTC)


def a_book(*rows: tuple[Cell, ...], title: str = "Clauses") -> bytes:
    """A workbook of one sheet with two columns."""
    return workbook([Sheet(title=title, head=("a", "b"), rows=rows, widths=(10, 20))], title="A book", made=MADE)


class TestWorkbook:
    @pytest.mark.parametrize(
        "text", ["=1+1", "+1", "-1", "@cmd", "=cmd|' /C calc'!A0", "http://example.org", "{=1}", "12"]
    )
    def test_text_stays_text(self, text: str) -> None:
        book = a_book((text, None))
        assert formulas_of(book) == []
        assert sheets_of(book) == [[["a", "b"], [text]]]

    def test_numbers_stay_numbers(self) -> None:
        assert sheets_of(a_book(("n", 2.5)))[0][1] == ["n", "2.5"]

    def test_markup_and_chinese_come_back(self) -> None:
        assert sheets_of(a_book(("<b>&", "泵")))[0][1] == ["<b>&", "泵"]

    def test_what_cannot_be_seen_is_shown_by_its_code(self) -> None:
        assert sheets_of(a_book(("a\u202eb\x00\ud800", "x")))[0][1][0] == "a[U+202E]b[U+0000][U+D800]"

    def test_a_text_too_long_for_a_cell_ends_in_a_sign(self) -> None:
        cell = sheets_of(a_book(("x" * (LONGEST_CELL + 5), "y")))[0][1][0]
        assert len(cell) == LONGEST_CELL
        assert cell.endswith("…")

    def test_a_sheet_is_named_whatever_its_title(self) -> None:
        assert sheets_of(a_book(title="a/b:c[d]" * 9))

    def test_same_content_same_bytes(self) -> None:
        assert a_book(("a", 1)) == a_book(("a", 1))
        assert a_book(("a", 1)) != a_book(("a", 2))

    @settings(max_examples=30)
    @given(st.text(max_size=40))
    def test_any_text_can_be_written(self, text: str) -> None:
        assert formulas_of(a_book((text, text))) == []
