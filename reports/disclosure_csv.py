"""A disclosure as CSV: one figure a line, names in both languages, nothing in it that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

from reports.disclosure_figures import DisclosureFigures
from reports.disclosure_table import COLUMNS, RATES, Row
from reports.disclosure_words import column_words, indicator_words, site_words

HEAD = ("quarter", "number", "site", "figure", "en", "zh", "value", "lower", "upper", "withheld")
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")
"""How a cell begins that a spreadsheet might take for a formula or a command."""


def disclosure_csv(figures: DisclosureFigures) -> bytes:
    """Return the counts and rates as CSV in UTF-8 with a mark at its head, so that spreadsheets read it as such.

    A withheld count and a rate that needs one are empty, with `yes` under `withheld`. An empty rate without it had
    nothing to count.
    """
    kept = io.StringIO(newline="")
    writer = csv.writer(kept, lineterminator="\r\n")
    writer.writerow(HEAD)
    for row in (figures.group, *figures.sites):
        for line in _lines(row):
            writer.writerow([safe(cell) for cell in (figures.quarter, figures.number, *line)])
    return kept.getvalue().encode("utf-8-sig")


def safe(text: str) -> str:
    """Return a text that a spreadsheet shows and never runs: what begins like a formula gets an apostrophe before it.

    Examples
    --------
    >>> safe("=cmd|' /C calc'!A0"), safe("plant-07"), safe(" =1")
    ("'=cmd|' /C calc'!A0", 'plant-07', "' =1")
    """
    return f"'{text}" if text.lstrip().startswith(RUNS) or text.startswith(RUNS) else text


def _lines(row: Row) -> list[tuple[str, ...]]:
    site = site_words(row.site, "en") if not row.site else row.site
    lines: list[tuple[str, ...]] = []
    for column in COLUMNS:
        count = row.counts[column]
        names = column_words(column, "en"), column_words(column, "zh")
        withheld = "yes" if count is None else ""
        lines.append((site, column, *names, "" if count is None else str(count), "", "", withheld))
    for name in RATES:
        rate = row.rates[name]
        names = indicator_words(name, "en"), indicator_words(name, "zh")
        values = ("", "", "") if rate is None else tuple(_number(end) for end in (rate.value, rate.lo, rate.hi))
        lines.append((site, name, *names, *values, "yes" if rate is None and row.withheld(name) else ""))
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
