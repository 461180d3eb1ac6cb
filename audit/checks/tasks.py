"""What a verdict means where the model does not say yes or no by itself: values, anomalies, clusters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from audit.checks.columns import numbers
from audit.checks.examined import Examined, Floats
from audit.checks.intervals import mean_of, wilson
from audit.checks.times import times_of
from audit.checks.wording import percent
from policies.declaration import Protective, Task
from policies.errors import Sentence

MOST_CLUSTERS = 50
"""Different scores up to which they are taken for the numbers of clusters."""


def meaning(examined: Examined) -> tuple[Sentence | None, Mapping[str, object]]:
    """Return what harm and alarm mean for this task, and the figures that belong to it; nothing for a classifier."""
    task = examined.declaration.model.task
    if task is Task.REGRESSION:
        return _regression(examined)
    if task is Task.ANOMALY:
        return _anomaly(examined), {}
    if task is Task.CLUSTERING:
        return _clustering(examined)
    return None, {}


def _regression(examined: Examined) -> tuple[Sentence | None, Mapping[str, object]]:
    values = numbers(examined.evaluation[examined.declaration.data.label])
    threshold = examined.declaration.model.threshold
    if values is None or not np.isfinite(values).all():
        return None, {}
    errors = examined.scores - values
    size = mean_of(np.abs(errors))
    spread = float(((values - values.mean()) ** 2).sum())
    figures = {
        "mae": size.as_json(),
        "rmse": float(np.sqrt((errors**2).mean())),
        "bias": float(errors.mean()),
        "r2": 1 - float((errors**2).sum()) / spread if spread > 0 else None,
        "mae_of_mean": float(np.abs(values - values.mean()).mean()),
        "mae_of_persistence": _persistence(examined, values),
    }
    last = figures["mae_of_persistence"]
    before = Sentence(en="", zh="")
    if last is not None:
        before = Sentence(en=f", that of repeating the last value {last:.3g}", zh=f"，重复上一值为 {last:.3g}")
    side = Sentence(en="reaches", zh="达到")
    if examined.declaration.model.protective is Protective.BELOW:
        side = Sentence(en="stays below", zh="低于")
    says = Sentence(
        en=f"harm means that the value {side.en} {threshold:g}; as a value the prediction is off by {size.value:.3g} "
        f"on average ({size.lo:.3g} to {size.hi:.3g}), that of always saying the mean "
        f"{figures['mae_of_mean']:.3g}{before.en}",
        zh=f"此处“伤害”指数值{side.zh} {threshold:g}；预测值平均误差为 {size.value:.3g}"
        f"（区间 {size.lo:.3g} 至 {size.hi:.3g}），始终取均值为 {figures['mae_of_mean']:.3g}{before.zh}",
    )
    return says, {"regression": figures}


def _persistence(examined: Examined, values: Floats) -> float | None:
    """Mean error of "as last time", in the order of times; None without times."""
    column = examined.declaration.data.time
    if column is None or column not in examined.evaluation.columns or len(values) < 2:
        return None
    times = times_of(examined.evaluation[column])
    if np.isfinite(times).mean() <= 0.5:
        return None
    ordered = values[np.argsort(times, kind="stable")]
    return float(np.abs(np.diff(ordered)).mean())


def _anomaly(examined: Examined) -> Sentence:
    share = float(examined.verdicts.mean()) if len(examined) else 0.0
    return Sentence(
        en=f"harm means a row labelled abnormal; the model calls {percent(share)} of the rows abnormal",
        zh=f"此处“伤害”指标为异常的行；模型将 {percent(share)} 的行判为异常",
    )


def _clustering(examined: Examined) -> tuple[Sentence | None, Mapping[str, object]]:
    clusters = np.unique(examined.scores)
    if len(clusters) > MOST_CLUSTERS:
        says = Sentence(
            en="harm is what the label says; an alarm means that the distance to the clusters passes the threshold",
            zh="此处“伤害”以标签为准；与各簇的距离越过阈值即为报警",
        )
        return says, {}
    codes = np.searchsorted(clusters, examined.scores)
    n = np.bincount(codes, minlength=len(clusters))
    harmed = np.bincount(codes, weights=examined.truth, minlength=len(clusters)).astype(np.int64)
    table = [
        {"cluster": float(c), "n": int(k), "harm": wilson(int(h), int(k)).as_json()}
        for c, k, h in zip(clusters, n, harmed, strict=True)
    ]
    agreed = _shared_information(codes, examined.truth)
    alarming = int(np.unique(codes[examined.verdicts]).size)
    says = Sentence(
        en=f"harm is what the label says; an alarm means one of {alarming} of {len(clusters)} clusters; the clusters "
        f"hold {percent(agreed)} of what the label tells",
        zh=f"此处“伤害”以标签为准；{len(clusters)} 个簇中落入 {alarming} 个即为报警；"
        f"各簇包含标签信息的 {percent(agreed)}",
    )
    return says, {"clusters": table, "shared_information": agreed}


def _shared_information(
    codes: np.ndarray[tuple[int], np.dtype[np.intp]], truth: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    """Return which share of the label's entropy the clusters explain; 0 for a label of one value."""
    table = pd.crosstab(codes, truth).to_numpy(dtype=np.float64) / len(truth)
    outcome = table.sum(axis=0)
    entropy = -float((outcome * np.log(outcome)).sum())
    if entropy <= 0:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * outcome
    filled = table > 0
    return float((table[filled] * np.log(table[filled] / expected[filled])).sum()) / entropy
