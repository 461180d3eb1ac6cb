"""Do personal features, or features that stand in for them, weigh more in the decisions than they may?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.checks.check import Finding, Group, Limits, all_hold, below, limit_of
from audit.checks.columns import bins_of_numbers, numbers, r2_of_bins
from audit.checks.examined import Examined, Floats, Indices
from audit.checks.histogram import codes_of
from audit.checks.intervals import Estimate, mean_of
from audit.checks.wording import joined, named, percent, span
from explainers.explanation import Explanation
from policies.errors import Sentence

Proxies = Mapping[str, Mapping[str, float]]
"""By capped column: the features that predict it, with the share of its variance they explain."""

FEW_VALUES = 10
"""Values up to which two features are looked at together."""

PAIRED = 20
"""Features looked at in pairs."""

PAIR_GAIN = 0.2
"""How much more of a capped column a pair has to explain than the better of the two."""

PROXY_ROWS = 20_000
"""Rows used to look for proxies; a share of variance is known well enough from these."""


@dataclass(frozen=True)
class WeightCaps:
    """Mean share of every capped feature together with its proxies, each against its cap, and all together."""

    name: str = "weight_caps"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding: a group per capped feature, the total, and all features by importance."""
        explanation = examined.explanation
        if explanation is None:
            return (self._unknown(len(examined)),)
        confidence = limit_of(limits, self.name, "confidence")
        shares = _shares(explanation)
        proxies = proxies_of(examined, limit_of(limits, self.name, "proxy_r2"))
        groups = tuple(
            line
            for feature, cap in examined.caps.caps.items()
            if (line := _line(feature, cap, proxies.get(feature, {}), shares, explanation, confidence)) is not None
        )
        carried = sorted({name for line in groups for name in _carriers(line, explanation)})
        columns = [explanation.feature_names.index(name) for name in carried]
        together = shares[:, columns].sum(axis=1)
        total = _mean(together, confidence)
        most = examined.caps.total
        total_holds = True if most is None else below(total.interval, most)
        evidence: dict[str, object] = {
            "total": {**total.as_json(), "share": total.value, "cap": most, "holds": total_holds},
            "decisions_over": _decisions_over(groups, shares, together, explanation, most),
            "importance": importance(explanation),
            "unit": explanation.unit,
            "method": explanation.method,
            "explained_rows": len(explanation),
            "rows": len(examined),
        }
        return (self._finding(groups, total, total_holds, evidence, examined),)

    def _unknown(self, n: int) -> Finding:
        return Finding(
            check=self.name,
            holds=None,
            n=n,
            unit="share",
            says=Sentence(
                en="cannot conclude: from predictions alone nobody can tell what a feature weighs; hand in the model",
                zh="无法得出结论：仅凭预测结果无法得知各特征的权重，请提交模型文件",
            ),
        )

    def _finding(
        self,
        groups: tuple[Group, ...],
        total: Estimate,
        total_holds: bool | None,
        evidence: dict[str, object],
        examined: Examined,
    ) -> Finding:
        n = len(examined.explanation) if examined.explanation is not None else 0
        if not groups:
            says = Sentence(
                en="the model uses no capped feature and none that stands in for one",
                zh="模型未使用受限特征，也未使用其替代特征",
            )
            return Finding(
                check=self.name, holds=True, measured=0.0, limit=examined.caps.total, unit="share", n=n, says=says,
                evidence=evidence,
            )  # fmt: skip
        worst = max(groups, key=lambda line: float(str(line["share"])) - float(str(line["cap"])))
        return Finding(
            check=self.name,
            holds=all_hold([*(_answer(line) for line in groups), total_holds]),
            measured=float(str(worst["share"])),
            limit=float(str(worst["cap"])),
            unit="share",
            interval=(float(str(worst["lo"])), float(str(worst["hi"]))),
            n=n,
            groups=groups,
            says=_sentence(groups, total, total_holds, examined),
            evidence=evidence,
        )


def proxies_of(examined: Examined, least_r2: float) -> Proxies:
    """Return which features of the model predict a capped column, in the model or beside it.

    The predictor is the mean of the capped column in up to 20 bins of the feature, judged on the other half of
    the rows, so the relation may have any shape and chance does not count. Pairs of features of few values are
    looked at as well.
    """
    if examined.inputs is None or examined.predictor is None:
        return {}
    generator = examined.generator("weight_caps")
    rows = np.arange(len(examined))
    if len(rows) > PROXY_ROWS:
        rows = np.sort(generator.choice(rows, PROXY_ROWS, replace=False))
    folds = generator.permutation(len(rows)) % 2
    features = {name: bins_of_numbers(examined.inputs[rows, i]) for i, name in enumerate(examined.features)}
    found: dict[str, dict[str, float]] = {}
    for capped in examined.caps.caps:
        target = _as_numbers(examined, capped)[rows]
        explained = {
            name: r2_of_bins(bins, target, folds)
            for name, bins in features.items()
            if name != capped and name not in examined.caps.caps
        }
        alone = {name: r2 for name, r2 in explained.items() if r2 >= least_r2}
        found[capped] = alone | _together(features, explained, target, folds, least_r2)
    return found


def _together(
    features: Mapping[str, Indices], explained: Mapping[str, float], target: Floats, folds: Indices, least_r2: float
) -> dict[str, float]:
    """Pairs of features that predict a capped column although neither does: it may be split over them.

    Looked for among the first features of few values, where a pair's cells hold enough rows; both count as proxies.
    """
    few = [name for name in explained if explained[name] < least_r2 and int(features[name].max()) < FEW_VALUES]
    found: dict[str, float] = {}
    for one, other in combinations(few[:PAIRED], 2):
        both = features[one] * FEW_VALUES + features[other]
        r2 = r2_of_bins(both, target, folds)
        if r2 >= max(least_r2, max(explained[one], explained[other]) + PAIR_GAIN):
            for name in (one, other):
                found[name] = max(r2, found.get(name, 0.0))
    return found


def importance(explanation: Explanation) -> list[dict[str, object]]:
    """Return every feature with its mean absolute contribution and mean share, the heaviest first."""
    size = _sizes(explanation).mean(axis=0)
    shares = _shares(explanation).mean(axis=0)
    order = np.argsort(-shares, kind="stable")
    return [
        {"feature": explanation.feature_names[i], "mean_abs": float(size[i]), "share": float(shares[i])} for i in order
    ]


def _sizes(explanation: Explanation) -> Floats:
    size = np.abs(explanation.contributions)
    return np.asarray(size if size.ndim == 2 else size.sum(axis=2))


def _shares(explanation: Explanation) -> Floats:
    size: Floats = _sizes(explanation)
    total = size.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(size, total, out=np.zeros_like(size), where=total > 0))


def _as_numbers(examined: Examined, column: str) -> Floats:
    """A capped column as numbers; a text column of two values becomes 0 and 1, of more its order of frequency."""
    if column in examined.features and examined.inputs is not None:
        return np.asarray(examined.inputs[:, examined.features.index(column)])
    series: pd.Series = examined.evaluation[column]
    values = numbers(series)
    if values is not None:
        return values
    codes, names = codes_of(series)
    counts = np.bincount(codes[codes >= 0], minlength=max(len(names), 1))
    place = np.argsort(np.argsort(-counts, kind="stable")).astype(np.float64)
    return np.asarray(np.where(codes >= 0, place[codes], np.nan))


def _line(
    feature: str,
    cap: float,
    proxies: Mapping[str, float],
    shares: Floats,
    explanation: Explanation,
    confidence: float,
) -> Group | None:
    """The line of one capped column, or None when the model neither reads it nor stands on a proxy of it."""
    names = [*([feature] if feature in explanation.feature_names else []), *proxies]
    if not names:
        return None
    columns = [explanation.feature_names.index(name) for name in names]
    carried = shares[:, columns].sum(axis=1)
    share = _mean(carried, confidence)
    return {
        "feature": feature,
        "share": share.value,
        "lo": share.lo,
        "hi": share.hi,
        "cap": cap,
        "holds": below(share.interval, cap),
        "own_share": float(shares[:, columns[0]].mean()) if feature in explanation.feature_names else 0.0,
        "proxies": [{"feature": name, "r2": r2} for name, r2 in proxies.items()],
    }


def _mean(values: Floats, confidence: float) -> Estimate:
    if not values.any():
        return Estimate(0.0, 0.0, 0.0)
    estimate = mean_of(values, confidence)
    return Estimate(estimate.value, max(0.0, estimate.lo), min(1.0, estimate.hi))


def _carriers(line: Group, explanation: Explanation) -> list[str]:
    own = [str(line["feature"])] if line["feature"] in explanation.feature_names else []
    proxies = line["proxies"]
    return own + ([str(proxy["feature"]) for proxy in proxies] if isinstance(proxies, list) else [])


def _decisions_over(
    groups: tuple[Group, ...], shares: Floats, together: Floats, explanation: Explanation, total: float | None
) -> float:
    """Share of decisions in which a capped feature alone, or all of them together, are above their cap."""
    over: npt.NDArray[np.bool_] = together > (1.0 if total is None else total) + 1e-9
    for line in groups:
        columns = [explanation.feature_names.index(name) for name in _carriers(line, explanation)]
        over = over | (shares[:, columns].sum(axis=1) > float(str(line["cap"])) + 1e-9)
    return float(over.mean()) if len(over) else 0.0


def _answer(line: Group) -> bool | None:
    holds = line["holds"]
    return holds if isinstance(holds, bool) else None


def _sentence(groups: tuple[Group, ...], total: Estimate, total_holds: bool | None, examined: Examined) -> Sentence:
    said = [_line_said(line) for line in groups if line["holds"] is not True]
    together = Sentence(
        en=f"together the capped features carry {percent(total.value)} of the decisions ({span(total.interval)})",
        zh=f"受限特征合计占决策权重 {percent(total.value)}（区间 {span(total.interval)}）",
    )
    if examined.caps.total is not None:
        most = percent(examined.caps.total)
        together = Sentence(en=f"{together.en}, at most {most} is allowed", zh=f"{together.zh}，上限为 {most}")
    if total_holds is not True:
        said.append(together)
    if said:
        said.append(
            Sentence(
                en="train without them, or let decisions above a cap be clipped or handed to a person",
                zh="请去除这些特征后重新训练，或对超限的决策进行压减或转交人工",
            )
        )
    else:
        said = [Sentence(en="every capped feature stays under its cap", zh="各受限特征均未超过上限"), together]
    if examined.explained_rows is not None:
        said.append(
            Sentence(
                en=f"measured on a seeded sample of {len(examined.explained_rows)} of {len(examined)} rows",
                zh=f"按固定随机种子从 {len(examined)} 行中抽取 {len(examined.explained_rows)} 行测得",
            )
        )
    return joined(said)


def _line_said(line: Group) -> Sentence:
    share, cap = float(str(line["share"])), float(str(line["cap"]))
    interval = (float(str(line["lo"])), float(str(line["hi"])))
    proxies = line["proxies"]
    names = named([str(proxy["feature"]) for proxy in proxies]) if isinstance(proxies, list) and proxies else None
    with_en = f" with its proxies {names.en}" if names else ""
    with_zh = f"（连同替代特征{names.zh}）" if names else ""
    tail = Sentence(en="", zh="")
    if line["holds"] is None:
        tail = Sentence(en=", which is too close to tell", zh="，与上限过于接近，无法判定")
    return Sentence(
        en=f"'{line['feature']}'{with_en} carries {percent(share)} of the decisions ({span(interval)}), "
        f"at most {percent(cap)} is allowed{tail.en}",
        zh=f"“{line['feature']}”{with_zh}占决策权重 {percent(share)}（区间 {span(interval)}），上限为 "
        f"{percent(cap)}{tail.zh}",
    )
