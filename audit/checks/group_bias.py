"""Does the model miss harm, or cry wolf, more often for one group of people or plants than for another?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from audit.checks.bias_audit import bias_audit
from audit.checks.check import Finding, Group, Limits, limit_of
from audit.checks.examined import Examined, Indices
from audit.checks.histogram import Coded, Counts, Histogram, codes_of, counted, crossed, replicated
from audit.checks.intervals import Estimate, difference, holm, same_rate, wilson
from audit.checks.wording import chance, joined, named_with, percent, points, span
from policies.errors import Sentence

Conclusion = Literal["ok", "gap", "cannot_conclude"]

METRICS = ("false_alarm_rate", "miss_rate")
SELECTION = "selection_rate"
SAID = {
    "false_alarm_rate": Sentence(en="false alarms", zh="误报率"),
    "miss_rate": Sentence(en="missed harm", zh="漏报率"),
    "selection_rate": Sentence(en="alarms", zh="报警率"),
}
REPLICATES = 200
"""Bootstrap replicates behind the interval of the impact ratio."""

SHOWN_GROUPS = 50
"""Groups listed per column; the largest first, the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The limits of this check."""

    rows: int
    positives: int
    gap: float
    reach: float
    ratio: float
    alpha: float
    left_out: float
    values: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The lowest and the highest rate of one metric among the groups of one column."""

    column: str
    metric: str
    low: str
    high: str
    gap: Estimate
    n: int
    p: float
    conclusion: Conclusion = "ok"

    def as_json(self) -> dict[str, object]:
        """Return the line that reports draw."""
        return {
            "column": self.column,
            "metric": self.metric,
            "low_group": self.low,
            "high_group": self.high,
            "gap": self.gap.value,
            "lo": self.gap.lo,
            "hi": self.gap.hi,
            "p": self.p,
            "conclusion": self.conclusion,
        }


@dataclass(frozen=True)
class GroupBias:
    """Error rates by group and intersection, a test that corrects for many looks, and the impact ratio."""

    name: str = "group_bias"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding on error rates, which carries all groups, and one on the impact ratio."""
        rules = _rules(limits)
        columns = examined.declaration.data.groups
        if not columns:
            return (self._nothing_declared(len(examined)),)
        coded = {column: grouped(examined.evaluation[column], rules.values) for column in columns}
        single = [_count(column, coded[column], examined) for column in columns]
        crosses = {f"{a} × {b}": crossed(coded[a], coded[b]) for a, b in _pairs(coded, rules)}
        pairs = [_count(name, one, examined) for name, one in crosses.items()]
        compared = _compare(single, METRICS, rules)
        between = [found for found in _compare(pairs, METRICS, rules) if found.conclusion == "gap"]
        selected = _compare(single, (SELECTION,), rules)
        above_median = examined.danger > np.median(examined.danger)
        scoring = [
            counted(h.column, *(coded | crosses)[h.column], examined.truth, above_median) for h in (*single, *pairs)
        ]
        audits = [
            bias_audit(made, high, len(examined), rules.left_out)
            for made, high in zip((*single, *pairs), scoring, strict=True)
        ]
        open_questions = [said for made in single for said in _too_small(made, rules)]
        groups = tuple(
            line
            for made, high in zip((*single, *pairs), scoring, strict=True)
            for line in _lines(made, high, [*compared, *between], rules)
        )
        evidence: dict[str, object] = {
            "comparisons": [found.as_json() for found in (*compared, *between, *selected)],
            "unknown": {made.column: made.unknown for made in single},
        }
        return (
            self._errors([*compared, *between], open_questions, groups, evidence, rules, len(examined), single),
            self._impact(single, selected, rules, examined, audits),
        )

    def _nothing_declared(self, n: int) -> Finding:
        return Finding(
            check=self.name,
            holds=None,
            n=n,
            says=Sentence(
                en="cannot conclude: data.groups names no column to compare by; name at least one, such as "
                "enterprise size, shift, sex or age band",
                zh="无法得出结论：data.groups 未指定任何分组列；请至少指定一列，如企业规模、班次、性别或年龄段",
            ),
            evidence={"comparisons": [], "unknown": {}},
        )

    def _errors(
        self,
        compared: Sequence[Comparison],
        open_questions: Sequence[Sentence],
        groups: tuple[Group, ...],
        evidence: dict[str, object],
        rules: Rules,
        n: int,
        single: Sequence[Histogram],
    ) -> Finding:
        gaps = [found for found in compared if found.conclusion == "gap"]
        unsure = [found for found in compared if found.conclusion == "cannot_conclude"]
        worst = max(gaps or compared, key=lambda found: found.gap.value, default=None)
        said = [_gaps_said(gaps, rules)] if gaps else []
        if not gaps:
            said = [*open_questions, *(_unsure_said(found, rules) for found in unsure)]
        answer = False if gaps else (None if said else True)
        told = [*(said or [_no_gap_said(compared, rules)]), *_unknown_said(single, n)]
        return Finding(
            check=self.name,
            holds=answer,
            measured=None if worst is None else worst.gap.value,
            limit=rules.gap,
            unit="share",
            interval=None if worst is None else worst.gap.interval,
            n=n if worst is None else worst.n,
            groups=groups,
            says=joined(told),
            evidence=evidence,
        )

    def _impact(
        self,
        single: Sequence[Histogram],
        selected: Sequence[Comparison],
        rules: Rules,
        examined: Examined,
        audits: Sequence[dict[str, object]],
    ) -> Finding:
        evidence = {"bias_audit": list(audits)}
        judged = [
            _impact_of(made, found, rules) for made in single for found in selected if found.column == made.column
        ]
        if not judged:
            return Finding(
                check=self.name,
                holds=None,
                limit=rules.ratio,
                unit="ratio",
                says=Sentence(
                    en="cannot conclude on the impact ratio: no column has two groups that are large enough",
                    zh="无法就影响比得出结论：没有任何分组列具有两个规模足够的组",
                ),
                evidence=evidence,
            )
        order = {False: 0, None: 1, True: 2}
        holds, ratio, made, says = min(judged, key=lambda item: (order[item[0]], item[1]))
        interval = impact_interval(made, rules, examined.generator("group_bias"))
        return Finding(
            check=self.name,
            holds=holds,
            measured=ratio,
            limit=rules.ratio,
            unit="ratio",
            interval=interval,
            n=int(made.n.sum()),
            says=says,
            evidence=evidence,
        )


def grouped(column: pd.Series, most_values: int) -> Coded:
    """Return codes and names of a column's groups; numbers of many values become four bands of like size."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric or column.nunique() <= most_values:
        return codes_of(column)
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    edges = np.unique(np.nanquantile(numbers, [0.25, 0.5, 0.75]))
    codes = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right"))
    shown = [f"{edge:g}" for edge in edges]
    names = (f"< {shown[0]}", *(f"{a} – < {b}" for a, b in itertools.pairwise(shown)), f"≥ {shown[-1]}")
    return codes.astype(np.int64), names


def _rules(limits: Limits) -> Rules:
    def number(key: str) -> float:
        return limit_of(limits, "group_bias", key)

    return Rules(
        rows=int(number("least_group_rows")),
        positives=int(number("least_group_positives")),
        gap=number("most_rate_gap"),
        reach=number("most_gap_reach"),
        ratio=number("least_impact_ratio"),
        alpha=1 - number("confidence"),
        left_out=number("most_left_out"),
        values=int(number("most_groups")),
    )


def _count(name: str, coded: Coded, x: Examined) -> Histogram:
    return counted(name, *coded, x.truth, x.verdicts)


def _pairs(coded: dict[str, Coded], rules: Rules) -> list[tuple[str, str]]:
    """Pairs of columns whose intersections are few enough to be looked at."""
    return [
        (a, b)
        for a, b in itertools.combinations(coded, 2)
        if len(coded[a][1]) * len(coded[b][1]) <= rules.values * rules.values
    ]


def _counts(made: Histogram, metric: str) -> tuple[Counts, Counts]:
    """Return (events, cases) per group of a metric."""
    if metric == "false_alarm_rate":
        return made.false_alarms, made.negatives
    if metric == "miss_rate":
        return made.misses, made.positives
    return made.alarms, made.n


def _judged(made: Histogram, metric: str, rules: Rules) -> Indices:
    """Groups large enough for a metric."""
    _, cases = _counts(made, metric)
    least = rules.rows if metric == SELECTION else rules.positives
    return np.flatnonzero((made.n >= rules.rows) & (cases >= least))


def _compare(made: Sequence[Histogram], metrics: Sequence[str], rules: Rules) -> list[Comparison]:
    found = [_extremes(one, metric, rules) for one in made for metric in metrics]
    present = [comparison for comparison in found if comparison is not None]
    adjusted = holm([comparison.p for comparison in present])
    return [_concluded(replace(one, p=p), rules) for one, p in zip(present, adjusted, strict=True)]


def _extremes(made: Histogram, metric: str, rules: Rules) -> Comparison | None:
    groups = _judged(made, metric, rules)
    if len(groups) < 2:
        return None
    events, cases = _counts(made, metric)
    rates = events[groups] / cases[groups]
    low, high = groups[int(rates.argmin())], groups[int(rates.argmax())]
    if low == high:
        low, high = groups[0], groups[1]
    pairs = len(groups) * (len(groups) - 1) // 2
    gap = difference(
        (int(events[high]), int(cases[high])), (int(events[low]), int(cases[low])), 1 - rules.alpha / pairs
    )
    return Comparison(
        column=made.column,
        metric=metric,
        low=made.names[low],
        high=made.names[high],
        gap=gap,
        n=int(cases[groups].sum()),
        p=same_rate(events[groups].tolist(), cases[groups].tolist()),
    )


def _concluded(found: Comparison, rules: Rules) -> Comparison:
    """A gap is claimed when it is larger than the limit and chance does not explain it."""
    if found.gap.value > rules.gap:
        return replace(found, conclusion="gap" if found.p < rules.alpha else "cannot_conclude")
    return replace(found, conclusion="ok" if found.gap.hi <= rules.reach else "cannot_conclude")


def _too_small(made: Histogram, rules: Rules) -> list[Sentence]:
    """Say which groups cannot be judged, unless they are so rare that they may be left out (LL144: 2 %)."""
    if not len(made.names):
        return [
            Sentence(
                en=f"cannot conclude on '{made.column}': the group is unknown in all {made.unknown} rows",
                zh=f"无法就“{made.column}”得出结论：全部 {made.unknown} 行的分组均未知",
            )
        ]
    if len(made.names) == 1:
        return [
            Sentence(
                en=f"cannot conclude on '{made.column}': it has only the one group '{made.names[0]}'; nothing "
                "to compare",
                zh=f"无法就“{made.column}”得出结论：只有“{made.names[0]}”一个组，无从比较",
            )
        ]
    known = int(made.n.sum())
    small = (made.n < rules.rows) | (made.positives < rules.positives) | (made.negatives < rules.positives)
    rare = made.n < rules.left_out * known
    if not (small & ~rare).any() and made.n[small & rare].sum() <= 0.5 * known and (~small).sum() >= 2:
        return []
    order = [int(i) for i in np.argsort(-made.n, kind="stable") if small[i]]
    names = named_with([(made.names[i], f"n = {made.n[i]}") for i in order[:3]])
    return [
        Sentence(
            en=f"cannot conclude on '{made.column}': {len(order)} of {len(made.names)} groups are too small, "
            f"such as {names.en}; at least {rules.rows} rows with {rules.positives} cases of harm and as many "
            "without are needed per group",
            zh=f"无法就“{made.column}”得出结论：{len(made.names)} 个组中有 {len(order)} 个过小，如{names.zh}；"
            f"每组至少需要 {rules.rows} 行，且有伤害与无伤害各不少于 {rules.positives} 例",
        )
    ]


def _lines(made: Histogram, scoring: Histogram, compared: Sequence[Comparison], rules: Rules) -> list[Group]:
    """Return the largest groups of a column as lines of the table, in the order of their names."""
    listed = np.sort(np.argsort(-made.n, kind="stable")[:SHOWN_GROUPS])
    best = _best_rate(made, rules)
    gaps = {
        name
        for found in compared
        if found.column == made.column and found.conclusion == "gap"
        for name in (found.low, found.high)
    }
    judged = {metric: set(_judged(made, metric, rules).tolist()) for metric in (*METRICS, SELECTION)}
    scoring_best = _best_rate(scoring, rules)
    lines: list[Group] = []
    for i in listed.tolist():
        line = _line(made, i, best, judged, made.names[i] in gaps)
        line["scoring_rate"] = float(scoring.alarms[i] / scoring.n[i])
        line["scoring_ratio"] = _ratio(scoring, i, scoring_best, judged)
        lines.append(line)
    return lines


def _line(made: Histogram, i: int, best: float, judged: dict[str, set[int]], in_gap: bool) -> dict[str, object]:
    unsure = any(i not in judged[metric] for metric in METRICS)
    return {
        "column": made.column,
        "group": made.names[i],
        "n": int(made.n[i]),
        "positives": int(made.positives[i]),
        "selection_rate": float(made.alarms[i] / made.n[i]),
        "impact_ratio": _ratio(made, i, best, judged),
        "false_alarm_rate": _rate(made, "false_alarm_rate", i),
        "miss_rate": _rate(made, "miss_rate", i),
        "conclusion": "gap" if in_gap else ("cannot_conclude" if unsure else "ok"),
    }


def _best_rate(made: Histogram, rules: Rules) -> float:
    """The highest alarm rate among the groups large enough: the comparator is chosen after the small ones left."""
    groups = _judged(made, SELECTION, rules)
    return float((made.alarms[groups] / made.n[groups]).max()) if len(groups) else 0.0


def _ratio(made: Histogram, i: int, best: float, judged: dict[str, set[int]]) -> float | None:
    """Never above 1: a group that was not allowed to be the comparator gets no ratio."""
    if i not in judged[SELECTION] or best == 0:
        return None
    return float(made.alarms[i] / made.n[i] / best)


def _rate(made: Histogram, metric: str, i: int) -> dict[str, float] | None:
    events, cases = _counts(made, metric)
    return wilson(int(events[i]), int(cases[i])).as_json() if cases[i] else None


def impact_interval(made: Histogram, rules: Rules, generator: np.random.Generator) -> tuple[float, float] | None:
    """Return a percentile interval of the smallest impact ratio among the groups large enough.

    Rows are drawn anew 200 times; None when no group ever alarms.
    """
    groups = _judged(made, SELECTION, rules)
    drawn = replicated(made.cells[groups], REPLICATES, generator)
    n = drawn.sum(axis=2)
    rates = np.where(n > 0, (drawn[:, :, 1] + drawn[:, :, 3]) / np.maximum(n, 1), np.nan)
    best = np.nanmax(rates, axis=1)
    if not (best > 0).all():
        return None
    low, high = np.quantile(np.nanmin(rates, axis=1) / best, [rules.alpha / 2, 1 - rules.alpha / 2])
    return float(low), float(high)


def _impact_of(made: Histogram, found: Comparison, rules: Rules) -> tuple[bool | None, float, Histogram, Sentence]:
    """Judge one column's impact ratio: holds, ratio, the counts, sentence.

    Alarms may differ as far as harm differs: where the lowest group also suffers less harm in proportion, more
    equal alarms would mean more missed harm for the others.
    """
    low, high = made.names.index(found.low), made.names.index(found.high)
    rates = made.alarms / made.n
    harm = made.positives / made.n
    ratio = float(rates[low] / rates[high]) if rates[high] > 0 else 1.0
    harm_ratio = float(harm[low] / harm[high]) if harm[high] > 0 else 1.0
    start = Sentence(
        en=f"'{found.low}' is alarmed {ratio:.2f} times as often as '{found.high}' ({made.column}; "
        f"{percent(float(rates[low]))} against {percent(float(rates[high]))}, at least {rules.ratio:.2f} is asked)",
        zh=f"按“{made.column}”，“{found.low}”的报警率为“{found.high}”的 {ratio:.2f} 倍"
        f"（{percent(float(rates[low]))} 对 {percent(float(rates[high]))}，要求不低于 {rules.ratio:.2f}）",
    )
    if ratio >= rules.ratio:
        return True, ratio, made, start
    if found.p >= rules.alpha:
        return (
            None,
            ratio,
            made,
            _more(start, "chance alone can explain it; more rows are needed", "可能仅为偶然，需要更多数据"),
        )
    if harm_ratio == 0 or ratio / harm_ratio >= rules.ratio:
        en = f"the alarms follow the harm, which is {harm_ratio:.2f} times as frequent there"
        return True, ratio, made, _more(start, en, f"报警随实际伤害变化，该组伤害发生率为对照组的 {harm_ratio:.2f} 倍")
    en = f"harm there is {harm_ratio:.2f} times as frequent, so the difference is the model's own; find its cause"
    return (
        False,
        ratio,
        made,
        _more(start, en, f"该组伤害发生率为对照组的 {harm_ratio:.2f} 倍，差异来自模型本身，请查明原因"),
    )


def _more(start: Sentence, en: str, zh: str) -> Sentence:
    return Sentence(en=f"{start.en}; {en}", zh=f"{start.zh}；{zh}")


def _gap_said(found: Comparison) -> Sentence:
    said = SAID[found.metric]
    return Sentence(
        en=f"{said.en} by '{found.column}': '{found.high}' lies {points(found.gap.value)} percentage points above "
        f"'{found.low}' ({span(found.gap.interval)}, {chance(found.p)})",
        zh=f"按“{found.column}”分组的{said.zh}：“{found.high}”比“{found.low}”高 {points(found.gap.value)} 个百分点"
        f"（区间 {span(found.gap.interval)}，{chance(found.p)}）",
    )


def _unknown_said(single: Sequence[Histogram], n: int) -> list[Sentence]:
    return [
        Sentence(
            en=f"'{made.column}' is unknown in {made.unknown} of {n} rows, which are left out here",
            zh=f"“{made.column}”在 {n} 行中有 {made.unknown} 行未知，未计入比较",
        )
        for made in single
        if made.unknown and len(made.names)
    ]


def _gaps_said(gaps: Sequence[Comparison], rules: Rules) -> Sentence:
    listed = joined([_gap_said(found) for found in gaps])
    return Sentence(
        en=f"{listed.en}; at most {points(rules.gap)} points are allowed: find the cause, or restrict the model to "
        "groups it serves",
        zh=f"{listed.zh}；允许差距为 {points(rules.gap)} 个百分点：请查明原因，或将模型限用于表现合格的组",
    )


def _unsure_said(found: Comparison, rules: Rules) -> Sentence:
    said = SAID[found.metric]
    return Sentence(
        en=f"cannot conclude on {said.en} by '{found.column}': '{found.high}' lies {points(found.gap.value)} "
        f"percentage points above '{found.low}', but anything in {span(found.gap.interval)} fits the data "
        f"({chance(found.p)}, limit {points(rules.gap)} points); more rows of both groups are needed",
        zh=f"无法就“{found.column}”的{said.zh}得出结论：“{found.high}”比“{found.low}”高 {points(found.gap.value)} "
        f"个百分点，但区间 {span(found.gap.interval)} 内的差距均与数据相符（{chance(found.p)}，"
        f"限值 {points(rules.gap)} 个百分点），两组均需更多数据",
    )


def _no_gap_said(compared: Sequence[Comparison], rules: Rules) -> Sentence:
    worst = max(compared, key=lambda found: found.gap.value)
    said = SAID[worst.metric]
    return Sentence(
        en=f"no gap above {points(rules.gap)} percentage points in {len(compared)} comparisons; the largest, "
        f"{said.en} of '{worst.high}' against '{worst.low}' ({worst.column}), is {points(worst.gap.value)} points "
        f"({span(worst.gap.interval)}, {chance(worst.p)})",
        zh=f"{len(compared)} 项比较中未见超过 {points(rules.gap)} 个百分点的差距；最大者为“{worst.column}”中"
        f"“{worst.high}”与“{worst.low}”的{said.zh}，相差 {points(worst.gap.value)} 个百分点"
        f"（区间 {span(worst.gap.interval)}，{chance(worst.p)}）",
    )
