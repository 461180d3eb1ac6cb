"""The table a bias audit under NYC Local Law 144 has to show: counts, rates and impact ratios of every category."""

from __future__ import annotations

import numpy as np

from audit.checks.histogram import Histogram
from audit.checks.wording import percent
from policies.errors import Sentence

MOST_LINES = 200
"""Categories listed per table, the largest first; the others are counted."""


def bias_audit(selected: Histogram, scored: Histogram, n: int, left_out: float) -> dict[str, object]:
    """Return one table: one column of groups, or one intersection of two.

    The comparator is the category with the highest rate among those that stay in the calculation; it is chosen
    after categories under `left_out` of the data have left it, and it is named. So a ratio is at most 1.

    Parameters
    ----------
    selected : Histogram
        Counts by verdict: the selection rate is the share of the category that is alarmed.
    scored : Histogram
        The same groups by whether they score above the median of the sample: the scoring rate.
    n : int
        Rows of the data, those of unknown category among them.
    left_out : float
        Share of the data under which a category leaves the calculation; its count and rates are still shown.
    """
    stays = selected.n >= left_out * n
    rates = {"selection": _rates(selected), "scoring": _rates(scored)}
    best = {name: _best(rate, stays) for name, rate in rates.items()}
    listed = np.sort(np.argsort(-selected.n, kind="stable")[:MOST_LINES]).tolist()
    lines = []
    for i in listed:
        line: dict[str, object] = {"category": selected.names[i], "n": int(selected.n[i]), "left_out": not stays[i]}
        for name, rate in rates.items():
            line[f"{name}_rate"] = float(rate[i])
            line[f"{name}_ratio"] = _ratio(rate, i, best[name]) if stays[i] else None
        lines.append(line)
    return {
        "column": selected.column,
        "n": n,
        "unknown": selected.unknown,
        "comparator": {name: None if at is None else selected.names[at] for name, at in best.items()},
        "left_out_under": left_out,
        "justification": _justified(selected, ~stays, left_out).as_json(),
        "categories": lines,
        "not_listed": len(selected.names) - len(listed),
    }


def _rates(made: Histogram) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(made.alarms / np.maximum(made.n, 1), dtype=np.float64)


def _best(
    rate: np.ndarray[tuple[int], np.dtype[np.float64]], stays: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> int | None:
    """Place of the highest rate among those that stay; None when nobody stays or all rates are 0."""
    if not stays.any() or rate[stays].max() <= 0:
        return None
    return int(np.flatnonzero(stays)[rate[stays].argmax()])


def _ratio(rate: np.ndarray[tuple[int], np.dtype[np.float64]], i: int, best: int | None) -> float | None:
    return None if best is None else float(rate[i] / rate[best])


def _justified(made: Histogram, out: np.ndarray[tuple[int], np.dtype[np.bool_]], left_out: float) -> Sentence:
    """Say which categories left the calculation and why; what follows from few rows is noise."""
    if not out.any():
        return Sentence(en="no category was left out", zh="未排除任何类别")
    return Sentence(
        en=f"{int(out.sum())} categories with {int(made.n[out].sum())} rows are each under {percent(left_out, 0)} of "
        "the data; a ratio of so few cases would say more about chance than about the model",
        zh=f"{int(out.sum())} 个类别（共 {int(made.n[out].sum())} 行）各不足数据的 {percent(left_out, 0)}；"
        "样本过少时影响比反映的多为偶然",
    )
