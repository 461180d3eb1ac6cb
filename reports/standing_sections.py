"""The sections of a transparency report that say what the model is, where it stands and how to object."""

from __future__ import annotations

from policies.errors import Sentence
from reports.flowables import Card
from reports.model_figures import ModelFigures
from reports.model_summary import outcome
from reports.pdf import Pages
from reports.states import SIGNS, word_of
from reports.wording import Language, name_of, say


def purpose(pages: Pages, figures: ModelFigures) -> None:
    """What the model is for, and what it is not."""
    language = pages.language
    pages.section(say(language, "purpose.title"))
    side = "above" if figures.protective == "at_or_above" else "below"
    rows = (
        ("purpose", figures.purpose_says.in_language(language)),
        ("question", figures.description or say(language, "number.none")),
        ("site", figures.site or say(language, "report.no_site")),
        ("owner", figures.owner or say(language, "report.no_owner")),
        ("task", f"{name_of(language, 'task', figures.task)} ({figures.flavour})"),
        ("output", say(language, f"purpose.output_{side}", threshold=figures.threshold)),
        ("digest", figures.version.artifact_digest),
    )
    pages.facts([(say(language, f"purpose.{key}"), value) for key, value in rows])
    pages.write(say(language, "purpose.limits"))


def tier(pages: Pages, figures: ModelFigures) -> None:
    """The tier, and every answer that was counted for it."""
    language = pages.language
    pages.section(say(language, "tier.title"))
    pages.write(say(language, "tier.text", tier=figures.tier, points=figures.tier_points))
    pages.bullets([cell.says.in_language(language) for cell in figures.cells if cell.decides])
    pages.part(say(language, "tier.all_cells"))
    pages.table(
        [say(language, "tier.answer"), say(language, "tier.points"), say(language, "tier.decides")],
        [
            [
                cell.says.in_language(language),
                say(language, "number.count", value=cell.points),
                say(language, "word.yes") if cell.decides else "",
            ]
            for cell in figures.cells
        ],
        [76, 10, 14],
        right="lr",
    )


def data_sources(pages: Pages, figures: ModelFigures) -> None:
    """Where the data came from, who labelled them, what the data checks found."""
    language = pages.language
    pages.section(say(language, "data.title"))
    if figures.performance is None:
        pages.write(say(language, "data.text_none", label=figures.label))
    else:
        pages.write(say(language, "data.text", n=figures.performance.n, label=figures.label))
        if figures.performance.unlabelled:
            pages.write(say(language, "data.unlabelled", n=figures.performance.unlabelled))
    if figures.sources:
        head = [say(language, f"data.{key}") for key in ("source", "period", "licence")]
        pages.table(head, [[s.name, s.period, s.licence] for s in figures.sources], [50, 25, 25])
    else:
        pages.note(say(language, "data.no_sources"), tone="open")
    if figures.labels_by:
        pages.write(say(language, "data.labels"))
        pages.bullets(
            [say(language, "data.label_row", who=who, column=column) for who, column in figures.labels_by.items()]
        )
    else:
        pages.write(say(language, "data.single_label"))
    found = [f for f in figures.findings if f.check in ("data_quality", "leakage", "coverage")]
    if found:
        pages.part(say(language, "data.quality"))
        pages.bullets([f.says.in_language(language) for f in found])


def personal_data(pages: Pages, figures: ModelFigures) -> None:
    """What was taken out of the data before anything saw them."""
    language = pages.language
    comma = say(language, "list.comma")
    pages.section(say(language, "personal.title"))
    entries = []
    if figures.forbidden_columns:
        entries.append(say(language, "personal.forbidden", names=comma.join(figures.forbidden_columns)))
    else:
        entries.append(say(language, "personal.no_forbidden"))
    if figures.bands:
        bands = [
            say(language, "personal.band", feature=figures.named(name), width=width)
            for name, width in figures.bands.items()
        ]
        entries.append(say(language, "personal.bands", names=comma.join(bands)))
    else:
        entries.append(say(language, "personal.no_bands"))
    pages.bullets(entries)
    pages.write(say(language, "personal.pseudonym"))


def approval(pages: Pages, figures: ModelFigures) -> None:
    """Who let the model run, or did not, and why."""
    language = pages.language
    pages.section(say(language, "approval.title"))
    verdict = figures.verdict
    if verdict is None:
        pages.note(say(language, "approval.none"), tone="open")
        return
    deciders = say(language, "list.comma").join(_decider(each, language) for each in verdict.decided_by)
    facts = [
        (say(language, "approval.outcome"), outcome(figures, language)),
        (say(language, "approval.decided"), say(language, "approval.moment", time=verdict.decided)),
        (say(language, "approval.by"), deciders),
        (say(language, "approval.reason"), verdict.reason),
    ]
    if verdict.outcome == "approve":
        until = (
            say(language, "approval.no_end")
            if verdict.until is None
            else say(language, "approval.day", day=verdict.until)
        )
        facts.insert(3, (say(language, "approval.until"), until))
    pages.facts(facts)
    if verdict.conditions:
        pages.part(say(language, "approval.conditions"))
        pages.bullets([c.in_language(language) if isinstance(c, Sentence) else c for c in verdict.conditions])
    elif verdict.outcome == "approve":
        pages.write(say(language, "approval.no_conditions"))


def _decider(words: str, language: Language) -> str:
    """Return who decided; a role before a colon is said in the language of the report."""
    role, colon, name = words.partition(": ")
    called = name_of(language, "role", role)
    return say(language, "approval.decider", role=called, name=name) if colon and called != role else words


def in_use(pages: Pages, figures: ModelFigures) -> None:
    """What the model decided in production, and what people did about it."""
    language = pages.language
    pages.section(say(language, "use.title"))
    counts = figures.counts
    if counts is None or counts.decisions == 0:
        pages.note(say(language, "use.none"))
        return
    pages.write(say(language, "use.period", since=counts.since, until=counts.until))
    shown = (
        ("decisions", counts.decisions),
        ("alarms", counts.alarms),
        ("overridden", counts.overridden),
        ("appeals", counts.appeals),
    )
    cards = [(say(language, "number.count", value=n), say(language, f"card.{key}")) for key, n in shown]
    pages.cards([Card(figure=figure, words=words) for figure, words in cards], size=18)
    pages.write(
        say(
            language,
            "use.people",
            reviewed=counts.reviewed,
            overridden=counts.overridden,
            capped=counts.capped,
            handed=counts.handed_over,
            appeals=counts.appeals,
            upheld=counts.appeals_upheld,
        )
    )


def findings(pages: Pages, figures: ModelFigures) -> None:
    """Everything the checks said, for and against."""
    language = pages.language
    pages.section(say(language, "findings.title"))
    if not figures.findings:
        pages.note(say(language, "findings.none"), tone="open")
        return
    pages.write(say(language, "findings.text"))
    rows = []
    for found in figures.findings:
        says = found.says.in_language(language)
        details = dict.fromkeys(detail.in_language(language) for detail in found.details)
        said = [says, *(detail for detail in details if detail not in says)]
        rows.append(
            [
                name_of(language, "check", found.check),
                SIGNS[found.holds] + " " + word_of(found.holds, language),
                say(language, "list.semicolon").join(said),
            ]
        )
    pages.table([say(language, f"findings.{key}") for key in ("check", "result", "says")], rows, [18, 18, 64])


def what_it_does_not_prove(pages: Pages, figures: ModelFigures) -> None:
    """The limits of every figure above."""
    pages.section(say(pages.language, "limits.title"))
    pages.bullets([say(pages.language, f"limits.{key}") for key in ("one", "two", "three", "four", "five", "six")])


def how_to_object(pages: Pages, figures: ModelFigures) -> None:
    """Four steps for anyone who disagrees."""
    language = pages.language
    pages.section(say(language, "object.title"))
    days = {"within": figures.appeal_within_days, "answer": figures.answer_appeal_days}
    pages.bullets([say(language, f"object.{key}", **days) for key in ("one", "two", "three", "four")])


def log_proof(pages: Pages, figures: ModelFigures) -> None:
    """The state of the log this report stands on, and how to check it alone."""
    language = pages.language
    pages.section(say(language, "log.title"))
    rulebook = (say(language, "log.rulebook", version=figures.rulebook_version), figures.rulebook_digest)
    if figures.log is None:
        pages.note(say(language, "log.none"), tone="open")
        pages.facts([rulebook])
        return
    pages.write(say(language, "log.text"))
    log = figures.log
    pages.facts(
        [
            (say(language, "log.root"), log.root),
            (say(language, "log.size"), say(language, "number.count", value=log.size)),
            (say(language, "log.time"), say(language, "approval.moment", time=log.time)),
            rulebook,
        ]
    )
    if log.checkpoint:
        pages.part(say(language, "log.checkpoint"))
        pages.code(log.checkpoint)
    pages.write(say(language, "log.verify"))
    pages.code("mingjing verify bundle.json")
