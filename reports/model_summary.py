"""The first page of a transparency report: what an employee needs to know, in plain words."""

from __future__ import annotations

from reportlab.platypus import Spacer

from reports.flowables import Card
from reports.model_figures import ModelFigures, Performance
from reports.pdf import Cover, Pages
from reports.styles import Tone
from reports.wording import Language, say

CLIPPED_NAMES = 6
STOPPED = ("suspended", "retired")
"""States in which an approved version does not run."""


def cover(figures: ModelFigures, language: Language) -> Cover:
    """Return what stands in the coloured block on top and in the header of every page."""
    version = figures.version
    site = figures.site or say(language, "report.no_site")
    owner = figures.owner or say(language, "report.no_owner")
    return Cover(
        kind=say(language, "report.kind"),
        title=version.name,
        lines=(
            say(language, "report.version", version=version.version, site=site, owner=owner),
            say(language, "report.prepared", prepared=figures.prepared, rulebook=figures.rulebook_version),
        ),
        running=say(language, "report.running", name=version.name, version=version.version, prepared=figures.prepared),
    )


def summary(pages: Pages, figures: ModelFigures) -> None:
    """Write the first page."""
    language = pages.language
    pages.cards(_standing_cards(figures, language), size=17)
    if figures.performance is not None:
        pages.cards(error_cards(figures.performance, language), size=26)
    pages.write(say(language, "summary.title"), "part")
    for key, words in (
        ("question", f"{_question(figures, language)}{say(language, 'list.after')}{output(figures, language)}"),
        ("wrong", wrong(figures.performance, language)),
        ("people", _people(figures, language)),
        ("standing", _standing(figures, language)),
        ("object", _object(figures, language)),
    ):
        pages.add(pages.lead_in(say(language, f"summary.{key}"), words), Spacer(1, 2))


def outcome(figures: ModelFigures, language: Language) -> str:
    """Return the verdict in a word or two."""
    if figures.verdict is None:
        return say(language, "outcome.none")
    if figures.version.status in STOPPED:
        return say(language, f"outcome.{figures.version.status}")
    with_conditions = figures.verdict.outcome == "approve" and figures.verdict.conditions
    return say(language, "outcome.approve_with_conditions" if with_conditions else f"outcome.{figures.verdict.outcome}")


def output(figures: ModelFigures, language: Language) -> str:
    """Return what happens on which side of the threshold."""
    return say(language, f"summary.alarm_{figures.protective}", threshold=figures.threshold)


def wrong(performance: Performance | None, language: Language) -> str:
    """Return how often the model is wrong, in numbers of cases; says so where it cannot be said."""
    if performance is None:
        return say(language, "summary.wrong_none")
    alarms, missed = performance.of_100_alarms_false, performance.of_100_harms_missed
    if alarms is None:
        return say(language, "summary.wrong_no_alarms", n=performance.n)
    if missed is None:
        return say(language, "summary.wrong_no_harms", n=performance.n, alarms=alarms)
    return say(language, "summary.wrong_text", n=performance.n, alarms=alarms, missed=missed)


def error_cards(performance: Performance, language: Language) -> list[Card]:
    """Return the three errors as figures people remember, each with the counts it rests on."""
    tp, fp, fn, tn = performance.tp, performance.fp, performance.fn, performance.tn
    asked = (
        (performance.of_100_alarms_false, fp, tp + fp, "alarms_false", "no_alarms"),
        (performance.of_100_harms_missed, fn, tp + fn, "harms_missed", "no_harms"),
        (performance.of_100_harmless_alarmed, fp, fp + tn, "harmless_alarmed", "no_harmless"),
    )
    cards = []
    for figure, part, whole, key, nothing in asked:
        if figure is None:
            cards.append(Card(figure=say(language, "number.none"), words=say(language, f"card.{nothing}"), tone="open"))
        else:
            words = say(language, f"card.{key}", part=part, whole=whole)
            cards.append(Card(figure=say(language, "number.count", value=figure), words=words))
    return cards


def _standing_cards(figures: ModelFigures, language: Language) -> list[Card]:
    counted = [found.holds for found in figures.findings]
    checks = say(language, "card.checks", n=len(counted), fails=counted.count(False), open=counted.count(None))
    holds = say(language, "number.count", value=counted.count(True))
    return [
        Card(figure=figures.tier, words=say(language, "card.tier")),
        Card(figure=outcome(figures, language), words=say(language, "card.verdict"), tone=_verdict_tone(figures)),
        Card(figure=holds, words=checks),
    ]


def _verdict_tone(figures: ModelFigures) -> Tone:
    if figures.verdict is None:
        return "open"
    runs = figures.verdict.outcome == "approve" and figures.version.status not in STOPPED
    return "holds" if runs else "fails"


def _question(figures: ModelFigures, language: Language) -> str:
    if not figures.description:
        return say(language, "summary.question_none", purpose=figures.purpose_says)
    return say(language, "summary.question_text", question=figures.description, purpose=figures.purpose_says)


def _people(figures: ModelFigures, language: Language) -> str:
    if not figures.caps:
        return say(language, "summary.people_none")
    labels = [figures.named(cap.feature).in_language(language) for cap in figures.caps]
    names = say(language, "list.comma").join(labels[:CLIPPED_NAMES])
    if len(labels) > CLIPPED_NAMES:
        names = say(language, "list.and_more", names=names, n=len(labels) - CLIPPED_NAMES)
    if figures.caps_total is None:
        return say(language, "summary.people_unmeasured", n=len(labels), names=names)
    total = figures.caps_total
    return say(language, "summary.people_text", n=len(labels), names=names, share=total.share, cap=total.cap)


def _standing(figures: ModelFigures, language: Language) -> str:
    verdict = figures.verdict
    if verdict is None:
        return say(language, "summary.standing_none")
    if figures.version.status in STOPPED:
        return say(language, f"summary.standing_{figures.version.status}", decided=verdict.decided)
    if verdict.outcome != "approve":
        return say(language, f"summary.standing_{verdict.outcome}", decided=verdict.decided)
    if verdict.until is None:
        return say(language, "summary.standing_approve_open", decided=verdict.decided)
    if verdict.conditions:
        n = len(verdict.conditions)
        return say(language, "summary.standing_conditions", decided=verdict.decided, until=verdict.until, n=n)
    return say(language, "summary.standing_approve", decided=verdict.decided, until=verdict.until)


def _object(figures: ModelFigures, language: Language) -> str:
    return say(
        language,
        "summary.object_text",
        within=figures.appeal_within_days,
        answer=figures.answer_appeal_days,
        explain=figures.explain_within_days,
    )
