"""The sections of a transparency report that show what was measured: errors, groups, caps, disturbances."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.charts import (
    Choice,
    Drawing,
    GroupRate,
    Importance,
    confusion_picture,
    group_rates,
    importance_bars,
    tradeoff_curve,
)
from reports.evidence import Rate
from reports.model_figures import CapFigure, GroupFigure, ModelFigures, Performance
from reports.pdf import WIDTH, Pages
from reports.states import tone_of, word_of
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
