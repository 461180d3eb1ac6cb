"""Does the model see the harm it exists to see, at a bearable rate of false alarms, better than guessing?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.checks.check import Finding, Limits, above, below, limit_of
from audit.checks.examined import Examined, Floats
from audit.checks.histogram import histogram
from audit.checks.intervals import Estimate, average_precision, mean_of_two, roc_auc, wilson
from audit.checks.lead_time import lead_said, told, warnings_of
from audit.checks.tasks import meaning
from audit.checks.times import times_of
from audit.checks.wording import joined, percent, span
from policies.declaration import Protective
from policies.errors import Sentence

CURVE_POINTS = 41


@dataclass(frozen=True)
class Confusion:
    """The four counts. Positive means harm happened, alarm means the protective side of the threshold."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n(self) -> int:
        """All rows."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def positives(self) -> int:
        """Rows in which harm happened."""
        return self.tp + self.fn


@dataclass(frozen=True)
class Performance:
    """Three limits: detection rate, false-alarm rate, balanced accuracy. Accuracy is shown and decides nothing."""

    name: str = "performance"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding per limit; the first one carries the evidence all pages draw."""
        counts = confusion(examined)
        rates = rates_of(examined, counts)
        means, figures = meaning(examined)
        lead_time = told(warnings_of(examined))
        evidence = {
            "confusion": {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn},
            "rates": {name: rate.as_json() for name, rate in rates.items()},
            "baseline": _baseline(counts),
            "curve": curve(examined),
            "unlabelled": examined.unlabelled,
            "periods": periods(examined),
            "persistence": persistence(examined),
            "lead_time": lead_time,
            **figures,
        }
        also = [said for said in (means, lead_said(lead_time)) if said is not None]
        few = _too_few(counts, limits)
        if few is not None:
            says = joined([few, *also])
            return (Finding(check=self.name, holds=None, n=counts.n, says=says, evidence=evidence),)
        detection = self._detection(counts, rates, limit_of(limits, self.name, "least_detection_rate"), evidence)
        return (
            replace(detection, says=joined([detection.says, *also])),
            self._false_alarms(counts, rates, limit_of(limits, self.name, "most_false_alarm_rate")),
            self._balanced(
                counts, rates, limit_of(limits, self.name, "least_balanced_accuracy"), persistence(examined)
            ),
        )

    def _detection(
        self, counts: Confusion, rates: dict[str, Estimate], limit: float, evidence: dict[str, object]
    ) -> Finding:
        rate = rates["detection_rate"]
        silent = counts.tp + counts.fp == 0
        return Finding(
            check=self.name,
            holds=above(rate.interval, limit),
            measured=rate.value,
            limit=limit,
            unit="share",
            interval=rate.interval,
            n=counts.positives,
            says=_never_alarms(counts) if silent else _detection_said(counts, rate, limit),
            evidence=evidence,
        )

    def _false_alarms(self, counts: Confusion, rates: dict[str, Estimate], limit: float) -> Finding:
        rate = rates["false_alarm_rate"]
        quiet = counts.fp + counts.tn
        holds = below(rate.interval, limit)
        advice = _advice(holds, "raise the threshold or improve the model", "请调整阈值或改进模型")
        return Finding(
            check=self.name,
            holds=holds,
            measured=rate.value,
            limit=limit,
            unit="share",
            interval=rate.interval,
            n=quiet,
            says=Sentence(
                en=f"{percent(rate.value)} of {quiet} harmless cases raise a false alarm ({span(rate.interval)}); "
                f"at most {percent(limit)} is allowed{advice.en}",
                zh=f"{quiet} 例未发生伤害的情形中有 {percent(rate.value)} 误报（区间 {span(rate.interval)}），"
                f"上限为 {percent(limit)}{advice.zh}",
            ),
        )

    def _balanced(
        self, counts: Confusion, rates: dict[str, Estimate], limit: float, again: dict[str, float] | None
    ) -> Finding:
        rate = rates["balanced_accuracy"]
        accuracy = percent(rates["accuracy"].value)
        always = percent(max(counts.positives, counts.n - counts.positives) / counts.n)
        holds = above(rate.interval, limit)
        advice = _advice(holds, "the model does not separate well enough", "模型区分能力不足")
        repeating = Sentence(en="", zh="")
        if again is not None:
            repeated = percent(again["balanced_accuracy"])
            repeating = Sentence(
                en=f", expecting what happened last {repeated}", zh=f"，以上一次结果推断下一次为 {repeated}"
            )
        return Finding(
            check=self.name,
            holds=holds,
            measured=rate.value,
            limit=limit,
            unit="share",
            interval=rate.interval,
            n=counts.n,
            says=Sentence(
                en=f"balanced accuracy is {percent(rate.value)} ({span(rate.interval)}), guessing gives 50.0 %"
                f"{repeating.en}, at least {percent(limit)} is asked{advice.en}; plain accuracy is {accuracy}, "
                f"always giving the same answer reaches {always}",
                zh=f"平衡准确率为 {percent(rate.value)}（区间 {span(rate.interval)}），"
                f"随机猜测为 50.0 %{repeating.zh}，要求不低于 {percent(limit)}{advice.zh}；"
                f"普通准确率为 {accuracy}，而始终给出同一答案即可达到 {always}",
            ),
        )


def confusion(examined: Examined) -> Confusion:
    """Count verdicts against what happened."""
    cells = np.bincount(examined.truth.astype(np.int64) * 2 + examined.verdicts, minlength=4)
    return Confusion(tn=int(cells[0]), fp=int(cells[1]), fn=int(cells[2]), tp=int(cells[3]))


def rates_of(examined: Examined, counts: Confusion) -> dict[str, Estimate]:
    """Return every rate with its interval; NaN where nothing could be counted."""
    detection = wilson(counts.tp, counts.positives)
    false_alarm = wilson(counts.fp, counts.fp + counts.tn)
    correct_silence = Estimate(1 - false_alarm.value, 1 - false_alarm.hi, 1 - false_alarm.lo)
    return {
        "detection_rate": detection,
        "false_alarm_rate": false_alarm,
        "balanced_accuracy": mean_of_two(detection, correct_silence),
        "precision": wilson(counts.tp, counts.tp + counts.fp),
        "accuracy": wilson(counts.tp + counts.tn, counts.n),
        "roc_auc": roc_auc(examined.truth, examined.danger),
        "auc_pr": average_precision(examined.truth, examined.danger),
    }


def curve(examined: Examined) -> list[dict[str, float]]:
    """Return detection and false-alarm rate at up to 41 thresholds, from the most to the fewest alarms."""
    truth, danger = examined.truth, examined.danger
    if truth.all() or not truth.any():
        return []
    cuts = np.unique(np.quantile(danger, np.linspace(0, 1, CURVE_POINTS), method="lower"))
    harmed, quiet = np.sort(danger[truth]), np.sort(danger[~truth])
    detected = 1 - np.searchsorted(harmed, cuts) / len(harmed)
    disturbed = 1 - np.searchsorted(quiet, cuts) / len(quiet)
    turned = 1.0 if examined.declaration.model.protective is Protective.AT_OR_ABOVE else -1.0
    return [
        {"threshold": float(turned * cut), "detection_rate": float(hit), "false_alarm_rate": float(noise)}
        for cut, hit, noise in zip(cuts, detected, disturbed, strict=True)
    ]


def _times(examined: Examined) -> Floats | None:
    """Times of the rows, or None where none is declared or most are unreadable."""
    column = examined.declaration.data.time
    if column is None or column not in examined.evaluation.columns:
        return None
    times = times_of(examined.evaluation[column])
    return times if np.isfinite(times).mean() > 0.5 else None


PERIODS = (("Y", 4 * 366), ("Q", 366), ("M", 62), ("D", 0))
"""Periods that are reported, and the span in days from which on."""


def periods(examined: Examined) -> list[dict[str, object]]:
    """Return detection and false-alarm rate per calendar period, at most the last 40; empty without times."""
    times = _times(examined)
    if times is None:
        return []
    known = np.isfinite(times)
    days = float(np.ptp(times[known])) / 86400
    unit = next(unit for unit, least in PERIODS if days >= least)
    stamps = pd.Series(pd.to_datetime(times[known], unit="s")).dt.to_period(unit).astype(str)
    made = histogram(stamps, examined.truth[known], examined.verdicts[known])
    lines: list[dict[str, object]] = [
        {
            "period": made.names[i],
            "n": int(made.n[i]),
            "positives": int(made.positives[i]),
            "detection_rate": _rate(int(made.positives[i] - made.misses[i]), int(made.positives[i])),
            "false_alarm_rate": _rate(int(made.false_alarms[i]), int(made.negatives[i])),
        }
        for i in range(len(made.names))
    ]
    return lines[-40:]


def _rate(hits: int, n: int) -> dict[str, float] | None:
    return wilson(hits, n).as_json() if n else None


def persistence(examined: Examined) -> dict[str, float] | None:
    """Return what "what happened last happens again" reaches, in the order of times; None without times."""
    times = _times(examined)
    if times is None or examined.truth.all() or not examined.truth.any():
        return None
    truth = examined.truth[np.argsort(times, kind="stable")]
    said, happened = truth[:-1], truth[1:]
    if happened.all() or not happened.any():
        return None
    detected, disturbed = float(said[happened].mean()), float(said[~happened].mean())
    return {
        "detection_rate": detected,
        "false_alarm_rate": disturbed,
        "balanced_accuracy": (detected + 1 - disturbed) / 2,
    }


def _baseline(counts: Confusion) -> dict[str, object]:
    """What a model reaches that knows only how often harm happens and always gives the likelier answer."""
    share = counts.positives / counts.n if counts.n else math.nan
    return {"name": "base_rate", "balanced_accuracy": 0.5, "accuracy": max(share, 1 - share), "base_rate": share}


def _too_few(counts: Confusion, limits: Limits) -> Sentence | None:
    rows = int(limit_of(limits, "performance", "least_rows"))
    positives = int(limit_of(limits, "performance", "least_positives"))
    rarer = min(counts.positives, counts.n - counts.positives)
    if counts.n >= rows and rarer >= positives:
        return None
    return Sentence(
        en=f"cannot conclude: {counts.n} rows, of them {counts.positives} with harm and {counts.n - counts.positives} "
        f"without; at least {rows} rows and {positives} of either kind are needed, hand in more labelled rows",
        zh=f"无法得出结论：共 {counts.n} 行，其中发生伤害 {counts.positives} 行、未发生 "
        f"{counts.n - counts.positives} 行；"
        f"至少需要 {rows} 行且两类各 {positives} 行，请补充有标签的数据",
    )


def _never_alarms(counts: Confusion) -> Sentence:
    accuracy = percent(counts.tn / counts.n)
    return Sentence(
        en=f"the model never alarms: it misses all {counts.positives} harmful cases; its accuracy of {accuracy} "
        "is that "
        "of always saying 'safe'; lower the threshold or train for the rare case",
        zh=f"模型从不报警：{counts.positives} 例伤害全部漏报；{accuracy} 的准确率等同于始终判为“安全”；"
        "请降低阈值或针对少数类训练",
    )


def _detection_said(counts: Confusion, rate: Estimate, limit: float) -> Sentence:
    advice = _advice(
        above(rate.interval, limit), "lower the threshold or improve the model", "请降低报警阈值或改进模型"
    )
    return Sentence(
        en=f"{counts.tp} of {counts.positives} harmful cases are detected, {percent(rate.value)} "
        f"({span(rate.interval)}); at least {percent(limit)} is asked{advice.en}",
        zh=f"{counts.positives} 例伤害中检出 {counts.tp} 例，检出率 {percent(rate.value)}（区间 "
        f"{span(rate.interval)}），"
        f"要求不低于 {percent(limit)}{advice.zh}",
    )


def _advice(holds: bool | None, en: str, zh: str) -> Sentence:
    if holds:
        return Sentence(en="", zh="")
    if holds is None:
        return Sentence(
            en="; the limit lies inside the interval, so more labelled rows are needed",
            zh="；限值落在区间之内，需要更多有标签的数据",
        )
    return Sentence(en=f"; {en}", zh=f"；{zh}")
