"""How a disclosure writes its figures: withheld counts, rates, quarters, sites and targets."""

from __future__ import annotations

from policies.quarters import read_quarter
from reports.disclosure_figures import DisclosureFigures, MeasureFigure
from reports.disclosure_table import Row
from reports.wording import Language, as_percent, name_of, say

QUARTERS = ("disclosure.q1", "disclosure.q2", "disclosure.q3", "disclosure.q4")
CHANGED = "†"
"""Marks a figure that differs from the number this one corrects."""


def count_words(count: int | None, language: Language) -> str:
    """Return a count, or the sign for one that is withheld."""
    return say(language, "disclosure.hidden") if count is None else say(language, "number.count", value=count)


def cell_words(row: Row, column: str, language: Language) -> str:
    """Return a count of a row, marked where it differs from the number before."""
    words = count_words(row.counts[column], language)
    return f"{words}{CHANGED}" if column in row.changed else words


def rate_words(row: Row, name: str, language: Language, interval: bool = True) -> str:
    """Return a rate with its interval; the sign for withheld, or a dash where there was nothing to count."""
    rate = row.rates[name]
    if rate is None:
        return say(language, "disclosure.hidden" if row.withheld(name) else "number.none")
    if not interval or rate.lo is None or rate.hi is None:
        return as_percent(rate.value)
    return say(language, "number.rate_with_interval", value=rate.value, lo=rate.lo, hi=rate.hi)


def site_words(site: str | None, language: Language) -> str:
    """Return the name of a site, of the group, or that none was named."""
    if site is None:
        return say(language, "disclosure.group")
    return site or say(language, "disclosure.no_site")


def quarter_words(quarter: str, language: Language) -> str:
    """Return a quarter as people say it: third quarter of 2026, 2026年第三季度."""
    read = read_quarter(quarter)
    return say(language, QUARTERS[read.number - 1], year=f"{read.year:04d}")


def standing_words(figures: DisclosureFigures, language: Language) -> str:
    """Return the number and whether it is a draft, a first number or a correction."""
    if not figures.number or figures.released is None:
        return say(language, "disclosure.draft", prepared=figures.prepared)
    if figures.replaces:
        return say(
            language,
            "disclosure.released_again",
            number=figures.number,
            replaces=figures.replaces,
            released=figures.released,
        )
    return say(language, "disclosure.released", number=figures.number, released=figures.released)


def target_words(measure: MeasureFigure, language: Language) -> str:
    """Return what a measure aims at."""
    key = "number.at_least" if measure.more_is_better else "number.at_most"
    return say(language, key, value=measure.target)


def indicator_words(name: str, language: Language) -> str:
    """Return what people call an indicator."""
    return name_of(language, "indicator", name)


def column_words(name: str, language: Language) -> str:
    """Return what people call a column of counts."""
    return name_of(language, "counted", name)


def share_or_dash(value: float | None, language: Language) -> str:
    """Return a share, or a dash where it was not published."""
    return say(language, "number.none") if value is None else as_percent(value)


def met_words(met: bool | None, language: Language) -> str:
    """Return whether a target was met, in a word or two."""
    return say(language, "word.open" if met is None else "disclosure.met_yes" if met else "disclosure.met_no")
