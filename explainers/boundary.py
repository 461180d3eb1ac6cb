"""How far one case is from the other verdict: along every feature, and on the map of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from explainers.matrix import check_matrix
from explainers.moves import Moves
from explainers.predictor import Predictor
from policies.errors import Malformed, Sentence, refuse_all

Floats = npt.NDArray[np.float64]
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class FlipPoint:
    """Where along one feature the verdict changes, all other features staying as they are.

    `value` is the case's own (NaN: missing), `flips_at` the nearest value within `range` that gives the other
    verdict, `distance` how far that is in the feature's unit, `direction` which way. All three are None where
    no value within the range changes the verdict. `contribution` is the feature's, in the model's unit.
    """

    feature: str
    value: float
    flips_at: float | None
    distance: float | None
    direction: Literal["up", "down"] | None
    range: tuple[float, float]
    contribution: float


def flip_points(
    predictor: Predictor,
    row: Floats,
    *,
    threshold: float,
    ranges: Ranges,
    protective: str = "at_or_above",
) -> tuple[FlipPoint, ...]:
    """Return for every feature where the verdict flips, leading features first.

    For trees this is exact: every interval between two thresholds is looked at. For linear models it is the
    crossing itself; any other function is scanned at 257 places of the range and the crossing narrowed down,
    so an island narrower than that can be missed.

    Parameters
    ----------
    predictor : Predictor
        With one output.
    row : array of shape (n_features,)
        The case.
    threshold : float
        The score that separates the two verdicts; a score at the threshold counts as above.
    ranges : mapping of feature name to (lowest, highest)
        Physical ranges. A tree's feature without one may go anywhere between its outermost thresholds; other
        models leave it out.
    protective : "at_or_above" or "below"
        Which side alarms. The flip is the same either way.

    Raises
    ------
    Malformed
        For several outputs, an unknown side, a range upside down, or a row that does not fit.
    """
    _check(predictor, ranges, protective)
    moves = Moves(predictor, row, threshold=threshold, ranges=ranges)
    contributions = predictor.explain(moves.row[None, :]).contributions[0]
    nearest = moves.all_nearest()
    points = []
    for j in np.argsort(-np.abs(contributions), kind="stable").tolist():
        value, span = float(moves.row[j]), moves.span(j)
        if span is None:
            continue
        flips_at = nearest[j]
        away = None if flips_at is None or np.isnan(value) else flips_at - value
        points.append(
            FlipPoint(
                feature=predictor.feature_names[j],
                value=value,
                flips_at=flips_at,
                distance=None if away is None else abs(away),
                direction=None if away is None else "up" if away > 0 else "down",
                range=span,
                contribution=float(contributions[j]),
            )
        )
    return tuple(points)


@dataclass(frozen=True, kw_only=True, eq=False)
class DecisionMap:
    """Scores on a grid of two features around one case.

    `scores[i, j]` is the score at `y[i]`, `x[j]`; `supported[i, j]` says whether data lie there: a cell
    without data is the model's guess about a world nobody has seen and must not be coloured.
    """

    feature_x: str
    feature_y: str
    x: Floats
    y: Floats
    scores: Floats
    supported: npt.NDArray[np.bool_]
    case: tuple[float, float]
    threshold: float


def decision_map(
    predictor: Predictor,
    row: Floats,
    feature_x: str,
    feature_y: str,
    *,
    ranges: Ranges,
    threshold: float,
    data: Floats | None,
    size: int = 48,
) -> DecisionMap:
    """Return the scores on a `size` by `size` grid of two features, all others as in `row`.

    Parameters
    ----------
    predictor, row, threshold, ranges
        As in `flip_points`; both features need a range or, if not, `data` to take it from.
    data : array of shape (n_rows, n_features) or None
        Rows the model has seen. A cell counts as supported when a row lies in it or in a cell next to it.
        Without data nothing is supported.

    Raises
    ------
    Malformed
        For a feature the model does not have, or one without range and data.
    """
    _check(predictor, ranges, "at_or_above")
    row = check_matrix(np.atleast_2d(row), predictor.feature_names)[0]
    at = [_column(predictor, name) for name in (feature_x, feature_y)]
    axes = [
        np.linspace(*_extent(name, j, ranges, data, row[j]), size)
        for name, j in zip((feature_x, feature_y), at, strict=True)
    ]
    grid = np.repeat(row[None, :], size * size, axis=0)
    across, up = np.meshgrid(*axes)
    grid[:, at[0]], grid[:, at[1]] = across.ravel(), up.ravel()
    return DecisionMap(
        feature_x=feature_x,
        feature_y=feature_y,
        x=axes[0],
        y=axes[1],
        scores=predictor.scores(grid).reshape(size, size),
        supported=_supported(axes, None if data is None else np.asarray(data)[:, at]),
        case=(float(row[at[0]]), float(row[at[1]])),
        threshold=threshold,
    )


def _supported(axes: list[Floats], points: Floats | None) -> npt.NDArray[np.bool_]:
    size = len(axes[0])
    cells = np.zeros((size, size), dtype=np.bool_)
    if points is None:
        return cells
    places = []
    for axis, values in zip(axes, points.T, strict=True):
        places.append((values - axis[0]) / (axis[-1] - axis[0]) * (size - 1))
    x, y = places
    inside = (x > -0.5) & (x < size - 0.5) & (y > -0.5) & (y < size - 0.5)
    column, line = np.rint(x[inside]).astype(int), np.rint(y[inside]).astype(int)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            i, j = line + dy, column + dx
            kept = (i >= 0) & (i < size) & (j >= 0) & (j < size)
            cells[i[kept], j[kept]] = True
    return cells


def _extent(name: str, j: int, ranges: Ranges, data: Floats | None, value: float) -> tuple[float, float]:
    if name in ranges:
        low, high = ranges[name]
    elif data is not None and np.isfinite(data[:, j]).any():
        low, high = float(np.nanmin(data[:, j])), float(np.nanmax(data[:, j]))
    else:
        raise Malformed(
            Sentence(
                en=f"'{name}' has neither a range nor data to draw it from",
                zh=f"“{name}”既没有取值范围，也没有可供参考的数据",
            )
        )
    if np.isfinite(value):
        low, high = min(low, value), max(high, value)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _column(predictor: Predictor, name: str) -> int:
    if name not in predictor.feature_names:
        raise Malformed(
            Sentence(en=f"the model has no feature '{name}'", zh=f"模型没有名为“{name}”的特征"),
        )
    return predictor.feature_names.index(name)


def _check(predictor: Predictor, ranges: Ranges, protective: str) -> None:
    faults = []
    if getattr(predictor, "n_outputs", 1) > 1:
        faults.append(
            Sentence(
                en="a boundary lies between two verdicts of one output; choose one output first",
                zh="决策边界是单一输出两种结论的分界，请先选定一个输出",
            )
        )
    if protective not in ("at_or_above", "below"):
        faults.append(
            Sentence(
                en=f"the protective side is '{protective}', expected 'at_or_above' or 'below'",
                zh=f"保护侧为“{protective}”，应为 at_or_above 或 below",
            )
        )
    for name, (low, high) in ranges.items():
        if not low <= high:
            faults.append(
                Sentence(
                    en=f"the range of '{name}' runs from {low} to {high}",
                    zh=f"“{name}”的取值范围为 {low} 至 {high}，上下限颠倒",
                )
            )
    refuse_all(faults)
