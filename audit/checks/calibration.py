"""Does a score of 0.7 mean that harm follows in seven cases out of ten?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from audit.checks.check import Finding, Group, Limits, below, limit_of
from audit.checks.examined import Bools, Examined, Floats, Indices
from audit.checks.intervals import Estimate, wilson
from audit.checks.wording import percent, span
from policies.declaration import Protective, Task
from policies.errors import Sentence

BINS = 10
LEAST_ROWS = 100


@dataclass(frozen=True)
class Calibration:
    """Distance of scores and frequencies in ten bins of like size, with its own noise taken out."""

    name: str = "calibration"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding; a group per bin of the reliability curve."""
        if examined.declaration.model.task is not Task.CLASSIFICATION:
            return (self._does_not_apply(len(examined)),)
        limit = limit_of(limits, self.name, "most_calibration_error")
        outcome = _labelled(examined)
        if len(examined) < LEAST_ROWS or outcome.all() or not outcome.any():
            return (self._too_few(examined, limit),)
        bins = bins_of_scores(examined.scores)
        error = calibration_error(outcome, examined.scores, bins)
        base = float(outcome.mean())
        brier = float(((examined.scores - outcome) ** 2).mean())
        return (
            Finding(
                check=self.name,
                holds=below(error.interval, limit),
                measured=error.value,
                limit=limit,
                unit="share",
                interval=error.interval,
                n=len(examined),
                groups=reliability(outcome, examined.scores, bins),
                says=_sentence(error, limit, float(examined.scores.mean()), base),
                evidence={
                    "ece": expected_calibration_error(outcome, examined.scores, bins),
                    "ece_interval": ece_interval(outcome, examined.scores, bins, examined.generator("calibration")),
                    "brier": brier,
                    "brier_of_base_rate": base * (1 - base),
                    "mean_score": float(examined.scores.mean()),
                    "base_rate": base,
                },
            ),
        )

    def _does_not_apply(self, n: int) -> Finding:
        return Finding(
            check=self.name,
            holds=True,
            n=n,
            says=Sentence(
                en="the score is no probability, so there is nothing to calibrate",
                zh="该模型的分数不是概率，不适用校准检查",
            ),
        )

    def _too_few(self, examined: Examined, limit: float) -> Finding:
        return Finding(
            check=self.name,
            holds=None,
            limit=limit,
            unit="share",
            n=len(examined),
            says=Sentence(
                en=f"cannot conclude: {len(examined)} labelled rows; at least {LEAST_ROWS} with both outcomes "
                "are needed",
                zh=f"无法得出结论：有标签的数据为 {len(examined)} 行，至少需要 {LEAST_ROWS} 行且两种结果都有",
            ),
        )


def _labelled(examined: Examined) -> Bools:
    """The outcome the score speaks of: the label itself, which for a permit is that all stayed safe."""
    return examined.truth if examined.declaration.model.protective is Protective.AT_OR_ABOVE else ~examined.truth


def bins_of_scores(scores: Floats) -> Indices:
    """Return the bin of every score: ten bins of like size, fewer where scores are tied."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, scores, side="right")


def calibration_error(outcome: Bools, scores: Floats, bins: Indices) -> Estimate:
    """Return the root mean square distance between score and frequency over bins, weighted by size.

    Few rows per bin make even a perfect model look off; that variance is subtracted (Kumar, Liang and Ma 2019),
    so a perfect model measures 0 on average. The interval turns the test of "no distance" round: the squared
    distance over its variance follows a noncentral chi-squared law with one degree of freedom per bin.
    """
    size = int(bins.max()) + 1
    counts = np.bincount(bins, minlength=size)
    filled = counts > 0
    n = counts[filled]
    gaps = np.bincount(bins, weights=scores - outcome, minlength=size)[filled] / n
    expected = np.bincount(bins, weights=scores * (1 - scores), minlength=size)[filled] / n
    rate = np.bincount(bins, weights=outcome, minlength=size)[filled] / n
    weight = n / len(scores)
    variance = float(weight @ (np.maximum(rate * (1 - rate), expected) / n))
    squared = float(weight @ gaps**2)
    value = np.sqrt(max(0.0, squared - variance))
    if variance == 0:
        return Estimate(value, value, value)
    degrees = len(n)
    low, high = (
        np.sqrt(_noncentrality(squared / variance * degrees, degrees, chance) * variance / degrees)
        for chance in (0.975, 0.025)
    )
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def _noncentrality(observed: float, degrees: int, chance: float) -> float:
    """Return the noncentrality at which a chi-squared variable stays under `observed` with this chance."""
    if stats.chi2.cdf(observed, degrees) <= chance:
        return 0.0
    highest = 2 * observed + 10 * np.sqrt(observed) + 100
    return float(optimize.brentq(lambda at: stats.ncx2.cdf(observed, degrees, at) - chance, 1e-12, highest))


def expected_calibration_error(outcome: Bools, scores: Floats, bins: Indices) -> float:
    """Return the plain ECE: mean absolute distance over bins, weighted by size, noise included (Naeini 2015)."""
    return float(np.abs(np.bincount(bins, weights=scores - outcome)).sum() / len(scores))


def ece_interval(outcome: Bools, scores: Floats, bins: Indices, generator: np.random.Generator) -> tuple[float, float]:
    """Return a 95 % interval of the plain ECE: the middle of 2,000 redraws of every bin's distance by its own noise.

    The ECE counts noise as distance, so its interval lies above 0 even for a perfect model; the finding is judged by
    the error with its noise taken out.
    """
    n = np.bincount(bins)
    filled = n > 0
    n = n[filled]
    gaps = np.bincount(bins, weights=scores - outcome)[filled] / n
    rate = np.bincount(bins, weights=outcome)[filled] / n
    rate = (rate * n + 1) / (n + 2)  # a bin without a single case of harm is not free of noise
    drawn = gaps + generator.standard_normal((2000, len(n))) * np.sqrt(rate * (1 - rate) / n)
    low, high = np.quantile(np.abs(drawn) @ (n / len(scores)), [0.025, 0.975])
    return float(low), float(high)


def reliability(outcome: Bools, scores: Floats, bins: Indices) -> tuple[Group, ...]:
    """Return per bin how high the scores are and how often the outcome followed."""
    lines: list[Group] = []
    for k in np.unique(bins):
        inside = bins == k
        n = int(inside.sum())
        lines.append(
            {
                "bin": int(k),
                "n": n,
                "mean_score": float(scores[inside].mean()),
                "observed": wilson(int(outcome[inside].sum()), n).as_json(),
            }
        )
    return tuple(lines)


def _sentence(error: Estimate, limit: float, mean: float, base: float) -> Sentence:
    holds = below(error.interval, limit)
    more = Sentence(en="", zh="")
    if holds is False:
        side = Sentence(en="too high", zh="偏高") if mean > base else Sentence(en="too low", zh="偏低")
        more = Sentence(
            en=f"; on average the scores are {side.en} ({percent(mean)} against {percent(base)} observed): "
            "recalibrate (Platt or isotonic) on rows the model was not trained on",
            zh=f"；总体上分数{side.zh}（平均 {percent(mean)}，实际 {percent(base)}）"
            "：请用未参与训练的数据重新校准（Platt 或保序回归）",
        )
    if holds is None:
        more = Sentence(
            en="; the limit lies inside the interval, so more labelled rows are needed",
            zh="；限值落在区间之内，需要更多有标签的数据",
        )
    return Sentence(
        en=f"scores and observed frequencies are {percent(error.value)} apart on average ({span(error.interval)}); "
        f"at most {percent(limit)} is allowed{more.en}",
        zh=f"分数与实际频率平均相差 {percent(error.value)}（区间 {span(error.interval)}），上限为 "
        f"{percent(limit)}{more.zh}",
    )
