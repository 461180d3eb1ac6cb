"""A condition of an approval: rows of one group are held against a threshold of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.decided import Decided, RowProblem
from audit.served_model import Asked, ServedModel
from policies.declaration import Protective

Floats = npt.NDArray[np.float64]
Decide = Callable[[ServedModel, Floats, Asked], Decided]


@dataclass(frozen=True, kw_only=True)
class GroupThreshold:
    """Rows whose `column` holds `value` (compared as text) are held against `threshold`."""

    column: str
    value: str
    threshold: float

    def as_json(self) -> dict[str, object]:
        """Return the condition as a verdict carries it."""
        return {"kind": "group_threshold", "column": self.column, "value": self.value, "threshold": self.threshold}


def thresholds_of(frame: pd.DataFrame | None, n: int, groups: Sequence[GroupThreshold], served: ServedModel) -> Floats:
    """Return the threshold of each row, shape (n_rows,).

    A row that does not say which group it is of is held against the most protective of all: it alarms where any
    would.
    """
    found = np.full(n, served.threshold)
    most = min if served.protective is Protective.AT_OR_ABOVE else max
    safest = most(served.threshold, *(group.threshold for group in groups))
    for group in groups:
        if frame is None or group.column not in frame.columns:
            return np.full(n, safest)
        column = frame[group.column]
        told = column.map(_written).to_numpy(dtype=object)
        found[told == group.value] = group.threshold
        found[column.isna().to_numpy()] = safest
    return found


def decide_in_groups(decide: Decide, served: ServedModel, matrix: Floats, asked: Asked, thresholds: Floats) -> Decided:
    """Decide rows by threshold, each with its own in its trace, and return the answers in the order of the rows."""
    parts = []
    for threshold in np.unique(thresholds):
        places = np.flatnonzero(thresholds == threshold)
        there = replace(
            asked,
            subjects=_at(asked.subjects, places),
            times=_at(asked.times, places),
        )
        parts.append((places, decide(replace(served, threshold=float(threshold)), matrix[places], there)))
    return _together(parts, len(matrix))


def _at(values: Sequence[Any] | None, places: npt.NDArray[np.intp]) -> list[Any] | None:
    return None if values is None else [values[place] for place in places.tolist()]


def _together(parts: list[tuple[npt.NDArray[np.intp], Decided]], n: int) -> Decided:
    order = np.argsort(np.concatenate([places for places, _ in parts]), kind="stable").tolist()

    def rows(name: str) -> Any:
        return np.concatenate([np.asarray(getattr(part, name)) for _, part in parts])[order]

    def listed(name: str) -> list[Any]:
        every = [value for _, part in parts for value in getattr(part, name)]
        return [every[place] for place in order]

    problems = [
        RowProblem(row=int(places[problem.row]), says=problem.says)
        for places, part in parts
        for problem in part.problems
    ]
    return Decided(
        answered=rows("answered"),
        ids=listed("ids"),
        scores=rows("scores"),
        raw_scores=rows("raw_scores"),
        verdicts=rows("verdicts"),
        flags=listed("flags"),
        explained=rows("explained"),
        contributions=rows("contributions"),
        bases=rows("bases"),
        unit=parts[0][1].unit,
        problems=tuple(sorted(problems, key=lambda problem: problem.row)),
    )


def _written(value: object) -> str:
    """Return a value as a condition writes it: 2.0 in a column with gaps is 2."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
