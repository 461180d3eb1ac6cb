"""The first page of a quarterly disclosure: what anyone who works there needs to know, in plain words."""

from __future__ import annotations

from reportlab.platypus import Spacer

from reports.disclosure_figures import DisclosureFigures
from reports.disclosure_table import Row
from reports.disclosure_words import count_words, quarter_words, standing_words
from reports.flowables import Card
from reports.pdf import Cover, Pages
from reports.wording import Language, as_percent, say

CARDS = (("accuracy", 0), ("false_alarm_share", 0), ("miss_rate", 0))
"""The three figures on top."""


def cover(figures: DisclosureFigures, language: Language) -> Cover:
    """Return what stands in the coloured block on top and in the header of every page."""
    quarter = quarter_words(figures.quarter, language)
    return Cover(
        kind=say(language, "disclosure.kind"),
        title=quarter,
        lines=(
            standing_words(figures, language),
            say(language, "disclosure.known", time=figures.log.time, size=figures.log.size),
        ),
        running=say(language, "disclosure.running", quarter=quarter, number=figures.number or figures.quarter),
    )


def summary(pages: Pages, figures: DisclosureFigures) -> None:
    """Write the first page."""
    language, group = pages.language, figures.group
    pages.cards([_card(group, name, language) for name, _ in CARDS], size=26)
    pages.write(say(language, "summary.title"), "part")
    for key, words in summary_words(figures, language):
        pages.add(pages.lead_in(say(language, f"disclosure.{key}"), words), Spacer(1, 2))


def summary_words(figures: DisclosureFigures, language: Language) -> tuple[tuple[str, str], ...]:
    """Return the plain-words summary, each paragraph with the key of its heading; page and PDF share it."""
    return (
        ("what", _what(figures, language)),
        ("how_often", _how_often(figures, language)),
        ("unknown", _unknown(figures, language)),
        ("people_did", _people(figures, language)),
        ("promised", _promised(figures, language)),
        (
            "object",
            say(
                language,
                "disclosure.object_text",
                within=figures.appeal_within_days,
                answer=figures.answer_appeal_days,
            ),
        ),
    )


def _card(group: Row, name: str, language: Language) -> Card:
    rate = group.rates[name]
    if rate is None:
        key = "card_withheld" if group.withheld(name) else "card_unknown"
        return Card(figure=say(language, "number.none"), words=say(language, f"disclosure.{key}"), tone="open")
    if name == "accuracy":
        return Card(figure=as_percent(rate.value), words=say(language, "disclosure.card_accuracy"))
    key = "disclosure.card_false" if name == "false_alarm_share" else "disclosure.card_missed"
    return Card(figure=say(language, "number.count", value=round(100 * rate.value)), words=say(language, key))


def _what(figures: DisclosureFigures, language: Language) -> str:
    decisions = figures.group.counts["decisions"]
    if decisions == 0:
        return say(language, "disclosure.what_none", n=len(figures.sites))
    return say(
        language,
        "disclosure.what_text",
        models=len({model.name for model in figures.models}),
        sites=len(figures.sites),
        decisions=count_words(decisions, language),
        alarms=count_words(figures.group.counts["alarms"], language),
    )


def _how_often(figures: DisclosureFigures, language: Language) -> str:
    group = figures.group
    false, missed = group.rates["false_alarm_share"], group.rates["miss_rate"]
    if false is None and missed is None:
        withheld = group.withheld("false_alarm_share") or group.withheld("miss_rate")
        return say(language, "disclosure.how_often_withheld" if withheld else "disclosure.how_often_none")
    said = []
    if false is not None:
        said.append(say(language, "disclosure.false_text", n=round(100 * false.value)))
    if missed is not None:
        said.append(say(language, "disclosure.missed_text", n=round(100 * missed.value)))
    return say(language, "list.after").join(said)


def _unknown(figures: DisclosureFigures, language: Language) -> str:
    known = figures.group.rates["known_share"]
    if known is None:
        withheld = figures.group.withheld("known_share")
        return say(language, "disclosure.unknown_withheld" if withheld else "disclosure.unknown_nothing")
    return say(language, "disclosure.unknown_text", share=known.value)


def _people(figures: DisclosureFigures, language: Language) -> str:
    counts = figures.group.counts
    return say(
        language,
        "disclosure.people_text",
        **{
            name: count_words(counts[name], language)
            for name in ("reviewed", "overridden", "handed_over", "refused", "requests", "changed")
        },
    )


def _promised(figures: DisclosureFigures, language: Language) -> str:
    results = [measure.met for measure in figures.measures]
    if not results:
        return say(language, "disclosure.promised_none")
    return say(
        language,
        "disclosure.promised_text",
        n=len(results),
        met=results.count(True),
        failed=results.count(False),
        open=results.count(None),
    )
