"""Group metrics of a million predictions: our one histogram beside fairlearn's MetricFrame, in one run.

Two sensitive features of eight groups, their intersections, six metrics; then ours again with 200 bootstrap
replicates. Prints both sides, the ratio, the largest difference between the figures, and the memory held.

    python -m benchmarks.check_group_bias [ROWS]
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable
from os import cpu_count
from statistics import median
from typing import Any

import fairlearn
import numpy as np
import numpy.typing as npt
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_negative_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from audit.checks.group_bias import GroupBias
from audit.checks.histogram import codes_of, counted, crossed, replicated
from tests.audit.checks.factories import RULES, of_predictions

METRICS: dict[str, Any] = {
    "selection_rate": selection_rate,
    "false_alarm_rate": false_positive_rate,
    "miss_rate": false_negative_rate,
    "detection_rate": true_positive_rate,
    "quiet_rate": true_negative_rate,
    "accuracy": accuracy_score,
}
REPLICATES = 200


def rates(cells: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the six metrics from counts (..., 4) in the order tn, fp, fn, tp."""
    tn, fp, fn, tp = np.moveaxis(cells.astype(np.float64), -1, 0)
    return {
        "selection_rate": (fp + tp) / (tn + fp + fn + tp),
        "false_alarm_rate": fp / (fp + tn),
        "miss_rate": fn / (fn + tp),
        "detection_rate": tp / (fn + tp),
        "quiet_rate": tn / (fp + tn),
        "accuracy": (tn + tp) / (tn + fp + fn + tp),
    }


def ours(frame: pd.DataFrame, truth: Any, verdicts: Any, replicates: int = 0) -> dict[str, Any]:
    """All groups and intersections; with replicates also the 2.5 and 97.5 percentiles of every figure."""
    coded = {name: codes_of(frame[name]) for name in frame}
    coded["a × b"] = crossed(coded["a"], coded["b"])
    made = {name: counted(name, *one, truth, verdicts) for name, one in coded.items()}
    found: dict[str, Any] = {name: (one.names, rates(one.cells)) for name, one in made.items()}
    if replicates:
        generator = np.random.default_rng(0)
        for name, one in made.items():
            with np.errstate(invalid="ignore"):  # a replicate may leave a group without harm
                drawn = rates(replicated(one.cells, replicates, generator))
            found[f"{name} intervals"] = {
                key: np.quantile(value, [0.025, 0.975], axis=0) for key, value in drawn.items()
            }
    return found


def theirs(frame: pd.DataFrame, truth: Any, verdicts: Any) -> dict[str, Any]:
    """The same figures from MetricFrame: one frame per feature, one for the intersections."""
    return {
        name: MetricFrame(metrics=METRICS, y_true=truth, y_pred=verdicts, sensitive_features=features).by_group
        for name, features in {"a": frame["a"], "b": frame["b"], "a × b": frame}.items()
    }


def the_check(frame: pd.DataFrame, truth: Any, verdicts: Any) -> int:
    """The check as a submission meets it: tests, intervals, replicates, audit tables, sentences. Returns its lines."""
    examined = of_predictions(truth, verdicts.astype(float), {name: frame[name] for name in frame}, groups=tuple(frame))
    found = GroupBias().run(examined, RULES.limits("group_bias", examined.tier))
    return sum(len(one.groups) for one in found)


def timed(what: Callable[[], Any], times: int) -> tuple[float, list[float], Any]:
    """Return the median of several runs in seconds, all of them, and the last result."""
    taken, result = [], None
    for _ in range(times):
        begun = time.perf_counter()
        result = what()
        taken.append(time.perf_counter() - begun)
    return median(taken), taken, result


def largest_difference(mine: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the largest difference of any figure of any group."""
    worst = 0.0
    for name, by_group in other.items():
        names, figures = mine[name]
        for key, row in by_group.iterrows():
            group = names.index(" × ".join(key) if isinstance(key, tuple) else str(key))
            worst = max(worst, *(abs(figures[metric][group] - row[metric]) for metric in METRICS))
    return worst


def main(n: int) -> None:
    """Run both sides and print."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({name: generator.choice([f"{name}{i}" for i in range(8)], n) for name in "ab"})
    truth, verdicts = generator.random(n) < 0.3, generator.random(n) < 0.35
    print(f"{n:,} rows, fairlearn {fairlearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}")
    print(f"{cpu_count()} cores; one thread on either side")
    timed(lambda: ours(frame, truth, verdicts), 1)
    fast, fast_runs, mine = timed(lambda: ours(frame, truth, verdicts), 5)
    wide, wide_runs, _ = timed(lambda: ours(frame, truth, verdicts, REPLICATES), 3)
    _, whole_runs, _ = timed(lambda: the_check(frame, truth, verdicts), 3)
    slow, slow_runs, other = timed(lambda: theirs(frame, truth, verdicts), 1)
    for name, runs in (
        ("ours, point values", fast_runs),
        (f"ours, with {REPLICATES} replicates", wide_runs),
        ("the whole check", whole_runs),
        ("MetricFrame, point values", slow_runs),
    ):
        print(f"{name:28}{median(runs) * 1e3:12,.1f} ms   ({min(runs) * 1e3:,.1f} to {max(runs) * 1e3:,.1f})")
    print(f"{slow / fast:,.0f} times faster; with intervals {slow / wide:,.0f} times")
    print(
        f"largest difference of {sum(len(one) for one in other.values()) * len(METRICS)} figures: "
        f"{largest_difference(mine, other):.1e}"
    )
    print(f"most memory held: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
