"""The sections of a quarterly disclosure: the group, every site, people, drift, sources, measures, limits, proof."""

from __future__ import annotations

from reports.charts import Drawing, GroupRate, confusion_picture, group_rates
from reports.disclosure_figures import DisclosureFigures
from reports.disclosure_table import RATES, Row
from reports.disclosure_tables import (
    ALARMS,
    PEOPLE,
    QUIET,
    REQUESTS,
    Written,
    changed_table,
    counts_table,
    drift_table,
    group_table,
    measures_table,
    models_table,
    next_table,
    rates_table,
    sources_table,
)
from reports.disclosure_words import CHANGED, count_words, indicator_words, site_words
from reports.pdf import WIDTH, Pages
from reports.wording import Language, say

CONFUSION = ("alarm_right", "alarm_false", "missed", "quiet_right")
PICTURED = ("miss_rate", "false_alarm_rate")
"""The rates that are drawn, side by side."""

PICTURED_SITES = 40
SITES_A_PICTURE = 20
SHORT_NAME = 18


def corrections(pages: Pages, figures: DisclosureFigures) -> None:
    """What differs from the number that this one corrects; nothing in a first number."""
    if not figures.replaces:
        return
    language = pages.language
    pages.section(say(language, "disclosure.corrections"))
    pages.write(say(language, "disclosure.corrections_text", replaces=figures.replaces, mark=CHANGED))
    changed = changed_table(figures, language)
    if changed.rows:
        _table(pages, changed)
    else:
        pages.write(say(language, "disclosure.nothing_changed"))


def group_figures(pages: Pages, figures: DisclosureFigures) -> None:
    """How often the models were right, all sites together, beside the quarter before."""
    language = pages.language
    picture = confusion_drawing(figures, language)
    pages.section(say(language, "disclosure.group_title"), room=42 if picture is None else 90)
    pages.write(say(language, "disclosure.group_text"))
    if picture is not None:
        pages.picture(picture, say(language, "disclosure.confusion_caption", n=_known(figures.group)))
    _table(pages, group_table(figures, language))
    pages.write(before_words(figures, language), "small")


def confusion_drawing(figures: DisclosureFigures, language: Language, width: float = 400.0) -> Drawing | None:
    """Return right and wrong answers as four counts; None where one is withheld or there are none."""
    counts = [figures.group.counts[part] for part in CONFUSION]
    if any(count is None for count in counts) or not any(counts):
        return None
    tp, fp, fn, tn = (count or 0 for count in counts)
    return confusion_picture(tp=tp, fp=fp, fn=fn, tn=tn, language=language, width=width)


def before_words(figures: DisclosureFigures, language: Language) -> str:
    """Return where the figures of the quarter before come from, or that there are none."""
    if figures.before is None:
        return say(language, "disclosure.no_before")
    return say(language, "disclosure.before_number", number=figures.before_number)


def by_site(pages: Pages, figures: DisclosureFigures) -> None:
    """The same for every site: pictures, rates, counts."""
    language = pages.language
    pages.section(say(language, "disclosure.sites_title"), room=80 if site_pages(figures) else 42)
    if not figures.sites:
        pages.note(say(language, "disclosure.no_sites"), tone="open")
        return
    pages.write(say(language, "disclosure.sites_text", least=figures.least_cell, most=figures.least_cell - 1))
    drawn = site_pages(figures)
    for rows in drawn:
        left, right = (site_drawing(rows, name, figures, language, 0.48 * WIDTH) for name in PICTURED)
        pages.pictures(left, right)
    shown = sum(len(rows) for rows in drawn)
    if 0 < shown < len(figures.sites):
        pages.write(say(language, "disclosure.pictured", shown=shown, n=len(figures.sites)), "caption")
    pages.part(say(language, "disclosure.rates_by_site"))
    _table(pages, rates_table(figures, language))
    pages.part(say(language, "disclosure.counts_by_site"))
    _table(pages, counts_table(figures, ALARMS, language))
    _table(pages, counts_table(figures, QUIET, language))
    if any(row.counts["erased"] for row in (figures.group, *figures.sites)):
        erased = count_words(figures.group.counts["erased"], language)
        pages.write(say(language, "disclosure.erased", n=erased), "small")


def site_pages(figures: DisclosureFigures) -> list[list[Row]]:
    """Return the sites that are drawn, in parts of one picture each; none where fewer than two can be compared."""
    known = [row for row in figures.sites if all(row.rates[name] for name in PICTURED)]
    if len(known) < 2:
        return []
    largest = sorted(known, key=lambda row: -(row.counts["decisions"] or 0))[:PICTURED_SITES]
    shown = sorted(largest, key=lambda row: row.site or "")
    at_once = SITES_A_PICTURE if all(len(row.site or "") <= SHORT_NAME for row in shown) else SITES_A_PICTURE // 2
    return [shown[start : start + at_once] for start in range(0, len(shown), at_once)]


def site_drawing(rows: list[Row], name: str, figures: DisclosureFigures, language: Language, width: float) -> Drawing:
    """Return one rate of some sites beside each other."""
    overall = figures.group.rates[name]
    return group_rates(
        [_mark(row, name, language) for row in rows],
        title=indicator_words(name, language),
        language=language,
        overall=None if overall is None else overall.value,
        width=width,
    )


def people(pages: Pages, figures: DisclosureFigures) -> None:
    """What people did with the answers, and what those concerned asked for."""
    language = pages.language
    pages.section(say(language, "disclosure.people_title"))
    pages.write(say(language, "disclosure.people_lead"))
    _table(pages, counts_table(figures, PEOPLE, language))
    pages.part(say(language, "disclosure.requests_title"))
    pages.write(say(language, "disclosure.requests_text"))
    _table(pages, counts_table(figures, REQUESTS, language))


def drift(pages: Pages, figures: DisclosureFigures) -> None:
    """Whether the scores moved against the quarter before."""
    language = pages.language
    pages.section(say(language, "disclosure.drift_title"))
    pages.write(say(language, "disclosure.drift_text", moved=figures.moved_psi))
    _table_or_note(pages, drift_table(figures, language), "disclosure.drift_none")


def models(pages: Pages, figures: DisclosureFigures) -> None:
    """Which model versions decided."""
    pages.section(say(pages.language, "disclosure.models_title"))
    _table_or_note(pages, models_table(figures, pages.language), "disclosure.models_none")


def data_sources(pages: Pages, figures: DisclosureFigures) -> None:
    """Where the data came from that the models were judged on."""
    pages.section(say(pages.language, "disclosure.sources_title"))
    _table_or_note(pages, sources_table(figures, pages.language), "data.no_sources")


def measures(pages: Pages, figures: DisclosureFigures) -> None:
    """What was promised for this quarter, and whether it worked."""
    language = pages.language
    pages.section(say(language, "disclosure.measures_title"))
    pages.write(say(language, "disclosure.measures_text"))
    _table_or_note(pages, measures_table(figures, language), "disclosure.measures_none")


def next_measures(pages: Pages, figures: DisclosureFigures) -> None:
    """What is promised for the quarter that runs now."""
    language = pages.language
    pages.section(say(language, "disclosure.next_title"))
    pages.write(say(language, "disclosure.next_text"))
    _table_or_note(pages, next_table(figures, language), "disclosure.next_none")


def limits(pages: Pages, figures: DisclosureFigures) -> None:
    """What the figures do not prove."""
    pages.section(say(pages.language, "limits.title"))
    pages.bullets(limit_words(figures, pages.language))


def limit_words(figures: DisclosureFigures, language: Language) -> list[str]:
    """Return what the figures do not prove, a sentence or two each."""
    values = {"least": figures.least_cell, "most": figures.least_cell - 1}
    return [say(language, f"disclosure.limit_{key}", **values) for key in ("open", "label", "hidden", "utc")]


def how_to_object(pages: Pages, figures: DisclosureFigures) -> None:
    """Four steps for anyone who disagrees."""
    language = pages.language
    pages.section(say(language, "object.title"))
    days = {"within": figures.appeal_within_days, "answer": figures.answer_appeal_days}
    pages.bullets([say(language, f"object.{key}", **days) for key in ("one", "two", "three", "four")])


def proof(pages: Pages, figures: DisclosureFigures) -> None:
    """The state of the log that was counted, the entry that seals this number, and how to check both alone."""
    language = pages.language
    pages.section(say(language, "log.title"))
    pages.write(say(language, "disclosure.proof_text"))
    pages.facts(proof_facts(figures, language))
    if figures.log.checkpoint:
        pages.part(say(language, "log.checkpoint"))
        pages.code(figures.log.checkpoint)
    if figures.entry:
        pages.write(say(language, "disclosure.verify"))
        pages.code(f"GET /v1/disclosures/{figures.quarter}/evidence?revision={figures.revision}")
        pages.code("mingjing verify bundle.json")


def proof_facts(figures: DisclosureFigures, language: Language) -> list[tuple[str, str]]:
    """Return what a verifier needs, name by name."""
    log = figures.log
    facts = [
        (say(language, "log.root"), log.root),
        (say(language, "log.size"), say(language, "number.count", value=log.size)),
        (say(language, "log.time"), say(language, "approval.moment", time=log.time)),
        (say(language, "log.rulebook", version=figures.rulebook_version), figures.rulebook_digest),
    ]
    if figures.entry:
        facts.append((say(language, "disclosure.entry"), figures.entry))
        facts.append((say(language, "disclosure.by"), figures.released_by))
    return facts


def _known(row: Row) -> int:
    return sum(row.counts[part] or 0 for part in CONFUSION)


def _table(pages: Pages, written: Written) -> None:
    pages.table(written.head, written.rows, written.shares, right=written.right)


def _table_or_note(pages: Pages, written: Written, nothing: str) -> None:
    if written.rows:
        _table(pages, written)
    else:
        pages.note(say(pages.language, nothing), tone="open")


def _mark(row: Row, name: str, language: Language) -> GroupRate:
    rate = row.rates[name]
    return GroupRate(
        name=site_words(row.site, language),
        n=sum(row.counts[column] or 0 for column in RATES[name][1]),
        value=None if rate is None else rate.value,
        low=None if rate is None else rate.lo,
        high=None if rate is None else rate.hi,
    )
