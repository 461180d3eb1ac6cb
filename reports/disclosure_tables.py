"""The tables of a quarterly disclosure as words, the same for page and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.disclosure_figures import DisclosureFigures, MeasureFigure
from reports.disclosure_table import RATES, Row
from reports.disclosure_words import (
    cell_words,
    column_words,
    indicator_words,
    met_words,
    rate_words,
    share_or_dash,
    site_words,
    target_words,
)
from reports.states import SIGNS
from reports.wording import Language, as_number, name_of, say

ALARMS = ("decisions", "alarms", "alarm_right", "alarm_false", "alarm_open")
QUIET = ("quiet", "missed", "quiet_right", "quiet_open", "erased")
PEOPLE = ("reviewed", "confirmed", "overridden", "handed_over", "refused")
REQUESTS = ("requests", "explained", "stands", "changed", "request_open")
MEASURE = ("measure", "indicator", "target")


@dataclass(frozen=True, kw_only=True)
class Written:
    """A table as words. `shares` are column widths in parts of the whole; `right` has 'r' for columns of figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]
    right: str


def changed_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return which columns of which site differ from the number before; no rows where nothing does."""
    comma = say(language, "list.comma")
    return Written(
        head=_heads(("site", "what_changed"), language),
        rows=tuple(
            (site_words(row.site, language), comma.join(column_words(column, language) for column in row.changed))
            for row in _all(figures)
            if row.changed
        ),
        shares=(26, 74),
        right="ll",
    )


def group_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return the group's rates beside those of the quarter before."""
    nothing = say(language, "number.none")
    return Written(
        head=_heads(("indicator", "this_quarter", "quarter_before"), language),
        rows=tuple(
            (
                indicator_words(name, language),
                rate_words(figures.group, name, language),
                nothing if figures.before is None else rate_words(figures.before, name, language),
            )
            for name in RATES
        ),
        shares=(52, 24, 24),
        right="lrr",
    )


def rates_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return every rate of every site."""
    return Written(
        head=(say(language, "disclosure.site"), *(name_of(language, "indicator_short", name) for name in RATES)),
        rows=tuple(
            (site_words(row.site, language), *(rate_words(row, name, language, interval=False) for name in RATES))
            for row in _all(figures)
        ),
        shares=(28, *(12.0,) * len(RATES)),
        right="l" + "r" * len(RATES),
    )


def counts_table(figures: DisclosureFigures, columns: Sequence[str], language: Language) -> Written:
    """Return some columns of counts of every site."""
    return Written(
        head=(say(language, "disclosure.site"), *(column_words(column, language) for column in columns)),
        rows=tuple(
            (site_words(row.site, language), *(cell_words(row, column, language) for column in columns))
            for row in _all(figures)
        ),
        shares=(25, *(75 / len(columns),) * len(columns)),
        right="l" + "r" * len(columns),
    )


def drift_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return how far each model's scores moved."""
    said = {None: "drift_few", True: "drift_moved", False: "drift_still"}
    return Written(
        head=_heads(("model", "psi", "drift_says"), language),
        rows=tuple(
            (
                one.model,
                say(language, "number.none") if one.psi is None else as_number(one.psi, 2),
                say(language, f"disclosure.{said[one.moved]}"),
            )
            for one in figures.drift
        ),
        shares=(40, 14, 46),
        right="lrl",
    )


def models_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return the model versions that decided."""
    return Written(
        head=_heads(("model", "tier", "standing", "site", "question"), language),
        rows=tuple(
            (
                say(language, "disclosure.model_version", name=one.name, version=one.version),
                one.tier,
                name_of(language, "standing", one.status),
                one.site or say(language, "report.no_site"),
                one.description or say(language, "number.none"),
            )
            for one in figures.models
        ),
        shares=(26, 8, 12, 18, 36),
        right="lllll",
    )


def sources_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return the sources of the data the models were judged on."""
    comma = say(language, "list.comma")
    head = [say(language, f"data.{key}") for key in ("source", "period", "licence")]
    return Written(
        head=(*head, say(language, "disclosure.model")),
        rows=tuple((one.name, one.period, one.licence, comma.join(one.models)) for one in figures.sources),
        shares=(38, 16, 18, 28),
        right="llll",
    )


def measures_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return the measures of this quarter and whether they worked."""
    return Written(
        head=_heads((*MEASURE, "was", "is", "met"), language),
        rows=tuple(
            (
                *_measure(one, language),
                share_or_dash(one.before, language),
                share_or_dash(one.value, language),
                f"{SIGNS[one.met]} {met_words(one.met, language)}",
            )
            for one in figures.measures
        ),
        shares=(29, 20, 15, 8, 9, 19),
        right="lllrrl",
    )


def next_table(figures: DisclosureFigures, language: Language) -> Written:
    """Return the measures of the quarter that runs now."""
    return Written(
        head=_heads((*MEASURE, "owner"), language),
        rows=tuple((*_measure(one, language), one.owner) for one in figures.next_measures),
        shares=(42, 24, 16, 18),
        right="llll",
    )


def _all(figures: DisclosureFigures) -> tuple[Row, ...]:
    return (figures.group, *figures.sites)


def _heads(keys: Sequence[str], language: Language) -> tuple[str, ...]:
    return tuple(say(language, f"disclosure.{key}") for key in keys)


def _measure(one: MeasureFigure, language: Language) -> tuple[str, str, str]:
    words = one.says.in_language(language)
    if one.site is not None:
        words = say(language, "disclosure.measure_at", site=site_words(one.site, language), words=words)
    return words, indicator_words(one.indicator, language), target_words(one, language)
