"""The sections of a transparency report, each one function of the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policies.errors import Sentence
from reports.charts import (
    Choice,
    Drawing,
    GroupRate,
    Importance,
    confusion_picture,
    group_rates,
    importance_bars,
    tradeoff_curve,
)  # fmt: skip
from reports.evidence import Rate
from reports.flowables import Card, Tone
from reports.model_figures import CapFigure, GroupFigure, ModelFigures, Performance
from reports.model_summary import outcome
from reports.pdf import WIDTH, Pages
from reports.wording import Language, as_number, as_percent, name_of, say

PICTURED_GROUPS = 40
GROUPS_A_PICTURE = 20
SHORT_NAME = 18
PICTURED_FEATURES = 20
LEAST_P = 0.001
AREAS = ("roc_auc", "auc_pr")
"""Figures between 0 and 1 that are no share of anything."""
LIMITED_RATES = {
    "detection_rate": "least_detection_rate",
    "false_alarm_rate": "most_false_alarm_rate",
    "balanced_accuracy": "least_balanced_accuracy",
}


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


def performance(pages: Pages, figures: ModelFigures) -> None:
    """How often the model is right, with intervals, beside what a model without skill would reach."""
    language = pages.language
    found = figures.performance
    pages.section(say(language, "performance.title"), room=90 if found else 42)
    pages.write(say(language, "performance.lead"))
    if found is None:
        pages.note(say(language, "performance.none"), tone="open")
        return
    picture = confusion_picture(tp=found.tp, fp=found.fp, fn=found.fn, tn=found.tn, language=language)
    pages.picture(picture, say(language, "performance.caption", n=found.n))
    pages.table(
        [say(language, f"performance.{key}") for key in ("figure", "value", "interval", "baseline", "limit")],
        [_rate_row(name, rate, found, language) for name, rate in found.rates.items()],
        [34, 13, 21, 14, 18],
        right="lrrrr",
    )
    pages.note(*(said.in_language(language) for said in found.says), tone=tone_of(found.holds))


def _rate_row(name: str, rate: Rate, found: Performance, language: Language) -> list[str]:
    baseline = found.baseline.get(name)
    written = _three_digits if name in AREAS else as_percent
    return [
        name_of(language, "rate", name),
        written(rate.value),
        interval(rate, language, written),
        say(language, "number.none") if baseline is None else written(baseline),
        _limit(name, found, language),
    ]


def _limit(name: str, found: Performance, language: Language) -> str:
    key = LIMITED_RATES.get(name, "")
    if key not in found.limits:
        return say(language, "number.none")
    return say(language, "number.at_least" if key.startswith("least") else "number.at_most", value=found.limits[key])


def tradeoff(pages: Pages, figures: ModelFigures) -> None:
    """What another threshold would cost."""
    language = pages.language
    found = figures.performance
    pages.section(say(language, "tradeoff.title"), room=104 if found and found.curve else 42)
    if found is None or not found.curve:
        pages.note(say(language, "tradeoff.none"), tone="open")
        return
    pages.write(say(language, "tradeoff.text"))
    choices = [_choice(p.threshold, p.detection_rate, p.false_alarm_rate) for p in found.curve]
    harms, harmless = found.tp + found.fn, found.fp + found.tn
    chosen = None
    if harms and harmless:
        chosen = _choice(figures.threshold, found.tp / harms, found.fp / harmless)
    pages.picture(tradeoff_curve(choices, chosen=chosen, language=language), say(language, "tradeoff.caption"))


def _choice(threshold: float, detected: float, false_alarms: float) -> Choice:
    return Choice(threshold=threshold, missed=1.0 - detected, false_alarms=false_alarms)


def groups(pages: Pages, figures: ModelFigures) -> None:
    """Whether errors fall on some more than on others, as far as the data can tell."""
    language = pages.language
    pages.section(say(language, "groups.title"), room=80 if figures.groups else 42)
    if not figures.groups:
        pages.note(say(language, "groups.none"), tone="open")
        return
    pages.write(say(language, "groups.text"))
    for column in dict.fromkeys(group.column for group in figures.groups):
        _pictures(pages, [g for g in figures.groups if g.column == column], column, figures)
    keys = ("group", "cases", "harms", "missed", "false_alarms", "ratio", "conclusion")
    pages.table(
        [say(language, f"groups.{key}") for key in keys],
        [_group_row(group, language) for group in figures.groups],
        [23, 9, 8, 18.5, 18.5, 8.5, 16.5],
        right="lrrrrr",
    )
    _comparisons(pages, figures)
    if any(figures.unknown_groups.values()):
        counts = say(language, "list.comma").join(
            say(language, "groups.unknown_count", column=column, n=n)
            for column, n in figures.unknown_groups.items()
            if n
        )
        pages.write(say(language, "groups.unknown", counts=counts), "small")


def _pictures(pages: Pages, rows: Sequence[GroupFigure], column: str, figures: ModelFigures) -> None:
    """Draw misses beside false alarms of one column; of very many groups the largest ones."""
    language = pages.language
    shown = sorted(rows, key=lambda row: -row.n)[:PICTURED_GROUPS] if len(rows) > PICTURED_GROUPS else list(rows)
    at_once = GROUPS_A_PICTURE if all(len(row.group) <= SHORT_NAME for row in shown) else GROUPS_A_PICTURE // 2
    for start in range(0, len(shown), at_once):
        part = shown[start : start + at_once]
        pages.pictures(
            *(_picture(part, column, metric, figures, language) for metric in ("miss_rate", "false_alarm_rate"))
        )
    if len(shown) < len(rows):
        pages.write(say(language, "groups.picture_part", shown=len(shown), n=len(rows)), "caption")


def _picture(
    rows: Sequence[GroupFigure], column: str, metric: str, figures: ModelFigures, language: Language
) -> Drawing:
    marked = _standing_out(figures, column, metric)
    return group_rates(
        [_group_rate(row, metric, marked) for row in rows],
        title=say(language, f"groups.picture_{metric}", column=column),
        language=language,
        overall=_overall(figures.performance, metric),
        width=0.48 * WIDTH,
    )


def _overall(found: Performance | None, metric: str) -> float | None:
    if found is None:
        return None
    part, whole = (found.fn, found.tp + found.fn) if metric == "miss_rate" else (found.fp, found.fp + found.tn)
    return part / whole if whole else None


def _standing_out(figures: ModelFigures, column: str, metric: str) -> set[str]:
    return {
        group
        for c in figures.comparisons
        if c.column == column and c.metric == metric and c.conclusion == "gap"
        for group in (c.high_group,)
    }


def _group_rate(row: GroupFigure, metric: str, marked: set[str]) -> GroupRate:
    rate = row.miss_rate if metric == "miss_rate" else row.false_alarm_rate
    return GroupRate(
        name=row.group,
        n=row.n,
        value=None if rate is None else rate.value,
        low=None if rate is None else rate.lo,
        high=None if rate is None else rate.hi,
        stands_out=row.group in marked,
    )


def _group_row(row: GroupFigure, language: Language) -> list[str]:
    ratio = say(language, "number.none") if row.impact_ratio is None else f"{row.impact_ratio:.2f}"
    return [
        say(language, "groups.of", column=row.column, group=row.group),
        say(language, "number.count", value=row.n),
        say(language, "number.count", value=row.positives),
        rate_words(row.miss_rate, language),
        rate_words(row.false_alarm_rate, language),
        ratio,
        _conclusion(row.conclusion, language),
    ]


def _chance(p: float | None, language: Language) -> str:
    """Return a p value; below a thousandth its digits say nothing more."""
    if p is None:
        return say(language, "number.none")
    return say(language, "number.below", value=LEAST_P) if p < LEAST_P else as_number(p, 2)


def _conclusion(conclusion: str, language: Language) -> str:
    sign = {"gap": "▲ ", "cannot_conclude": "○ "}.get(conclusion, "")
    return sign + name_of(language, "conclusion", conclusion)


def _comparisons(pages: Pages, figures: ModelFigures) -> None:
    if not figures.comparisons:
        return
    language = pages.language
    pages.part(say(language, "groups.comparisons"))
    rows = []
    for found in figures.comparisons:
        between = say(language, "groups.between", column=found.column, low=found.low_group, high=found.high_group)
        gap = None if found.gap is None else Rate(value=found.gap, lo=found.lo, hi=found.hi)
        rows.append(
            [
                between,
                name_of(language, "rate", found.metric),
                rate_words(gap, language),
                _chance(found.p, language),
                _conclusion(found.conclusion, language),
            ]
        )
    head = [say(language, f"groups.{key}") for key in ("comparison", "metric", "gap", "chance", "conclusion")]
    pages.table(head, rows, [31, 19, 23, 10, 17], right="llrr")


def weight_caps(pages: Pages, figures: ModelFigures) -> None:
    """How much personal features carry, before and after the caps."""
    language = pages.language
    pages.section(say(language, "caps.title"))
    if not figures.caps:
        pages.note(say(language, "caps.none"))
        return
    pages.write(
        say(language, "caps.text") + say(language, "list.after") + name_of(language, "exceed", figures.on_exceed)
    )
    rows = [_cap_row(_capped_name(cap, figures, language), cap, language) for cap in figures.caps]
    if figures.caps_total is not None:
        rows.append(_cap_row(say(language, "caps.together"), figures.caps_total, language))
    head = [say(language, f"caps.{key}") for key in ("feature", "before", "cap", "after", "result")]
    pages.table(head, rows, [34, 24, 10, 16, 16], right="lrrr")
    if figures.decisions_over_cap is not None:
        pages.write(say(language, "caps.over", share=figures.decisions_over_cap))


def _capped_name(cap: CapFigure, figures: ModelFigures, language: Language) -> str:
    """Return the name of a capped feature, with the features that stand in for it."""
    name = figures.named(cap.feature).in_language(language)
    if not cap.proxies:
        return name
    proxies = say(language, "list.comma").join(figures.named(proxy).in_language(language) for proxy in cap.proxies)
    return say(language, "caps.with_proxies", name=name, proxies=proxies)


def _cap_row(name: str, cap: CapFigure, language: Language) -> list[str]:
    result = "word.open" if cap.holds is None else "caps.within" if cap.holds else "caps.above"
    return [
        name,
        rate_words(Rate(value=cap.share, lo=cap.lo, hi=cap.hi), language),
        as_percent(cap.cap),
        say(language, "caps.not_measured") if cap.after is None else as_percent(cap.after),
        say(language, result),
    ]


def robustness(pages: Pages, figures: ModelFigures) -> None:
    """What noise and failing sensors do to the answers."""
    language = pages.language
    pages.section(say(language, "robustness.title"))
    pages.write(say(language, "robustness.text"))
    if not figures.probes:
        pages.note(say(language, "robustness.none"), tone="open")
        return
    rows = []
    for probe in figures.probes:
        feature = (
            figures.named(probe.feature).in_language(language)
            if probe.feature
            else say(language, "robustness.all_features")
        )
        rows.append(
            [
                name_of(language, "probe", probe.probe),
                feature,
                *(_percent(value, language) for value in (probe.verdicts_changed, probe.alarms_lost, probe.limit)),
                word_of(probe.holds, language),
            ]
        )
    head = [say(language, f"robustness.{key}") for key in ("probe", "feature", "changed", "lost", "limit", "result")]
    pages.table(head, rows, [20, 28, 14, 12, 12, 14], right="llrrr")


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


def importance(pages: Pages, figures: ModelFigures) -> None:
    """Which features carry the decisions."""
    language = pages.language
    known = [(f, f.share) for f in figures.features if f.share is not None]
    pages.section(say(language, "importance.title"), room=40 + 6.2 * min(len(known), PICTURED_FEATURES))
    if not known:
        pages.note(say(language, "importance.none"), tone="open")
        return
    pages.write(say(language, "importance.text"))
    capped = {cap.feature: cap.cap for cap in figures.caps}
    bars = [Importance(name=f.label.in_language(language), share=share, cap=capped.get(f.name)) for f, share in known]
    rest = sum(bar.share for bar in bars[PICTURED_FEATURES:])
    caption = say(language, "importance.rest", n=len(bars) - PICTURED_FEATURES, share=rest) if rest else ""
    pages.picture(importance_bars(bars[:PICTURED_FEATURES], language=language), caption)


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
        (
            say(language, "approval.by"),
            say(language, "list.comma").join(_decider(each, language) for each in verdict.decided_by),
        ),
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
        says = dict.fromkeys(each.in_language(language) for each in (found.says, *found.details))
        rows.append(
            [
                name_of(language, "check", found.check),
                SIGNS[found.holds] + " " + word_of(found.holds, language),
                say(language, "list.semicolon").join(says),
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


SIGNS = {True: "●", False: "▲", None: "○"}


def word_of(holds: bool | None, language: Language) -> str:
    """Return "holds", "does not hold" or "cannot conclude"."""
    return say(language, "word.open" if holds is None else "word.holds" if holds else "word.fails")


def tone_of(holds: bool | None) -> Tone:
    """Return the colour tone of a state."""
    return "open" if holds is None else "holds" if holds else "fails"


def interval(rate: Rate, language: Language, written: Callable[[float], str] = as_percent) -> str:
    """Return the interval of a rate, or a dash."""
    if rate.lo is None or rate.hi is None:
        return say(language, "number.none")
    return say(language, "number.interval", lo=written(rate.lo), hi=written(rate.hi))


def _three_digits(value: float) -> str:
    return f"{value:.3f}"


def rate_words(rate: Rate | None, language: Language) -> str:
    """Return a rate with its interval in brackets, as far as they are known."""
    if rate is None:
        return say(language, "number.none")
    if rate.lo is None or rate.hi is None:
        return as_percent(rate.value)
    return say(language, "number.rate_with_interval", value=rate.value, lo=rate.lo, hi=rate.hi)


def _percent(value: float | None, language: Language) -> str:
    return say(language, "number.none") if value is None else as_percent(value)
