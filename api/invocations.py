"""MLflow's scoring protocol, read into rows and answered with decision ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from audit.decided import Decided
from policies.errors import Malformed, Sentence

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMS = ("contributions",)
"""Names that `params` may hold. One that is not known would be dropped in silence elsewhere; here it is refused."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What a plant system asks: rows, the persons concerned if any, and whether it wants contributions back."""

    rows: pd.DataFrame | np.ndarray[Any, Any]
    subjects: Sequence[object] | None
    contributions: bool


def read_invocation(document: Any, *, contributions: bool = False) -> Invocation:
    """Read one of the four JSON forms; contributions come back when `params` or the caller's address ask for them.

    Raises
    ------
    Malformed
        When there is not exactly one form, or its rows do not form a table.
    """
    forms = [form for form in FORMS if isinstance(document, dict) and form in document]
    if len(forms) != 1:
        raise Malformed(
            Sentence(
                en=f"expected one of {', '.join(FORMS)} in a JSON object, found {', '.join(forms) or 'none of them'}",
                zh=f"JSON 对象中应恰有 {'、'.join(FORMS)} 之一，实际为 {'、'.join(forms) or '无'}",
            )
        )
    params = document.get("params") or {}
    subjects = document.get("subjects")
    faults = []
    if not isinstance(params, dict):
        faults.append(Sentence(en="'params' must be an object", zh="“params”应为对象"))
    elif unknown := [name for name in params if name not in PARAMS]:
        faults.append(
            Sentence(
                en=f"params {', '.join(unknown)} are not known; known: {', '.join(PARAMS)}",
                zh=f"未知参数 {'、'.join(unknown)}，可用参数：{'、'.join(PARAMS)}",
            )
        )
    if subjects is not None and not isinstance(subjects, list):
        faults.append(
            Sentence(en="'subjects' must be a list with one id per row", zh="“subjects”应为列表，每行一个编号")
        )
    if faults:
        raise Malformed(*faults)
    try:
        rows = _rows(forms[0], document[forms[0]])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Malformed(
            Sentence(en=f"'{forms[0]}' does not hold a table: {error}", zh=f"“{forms[0]}”中的内容不是表格：{error}")
        ) from error
    wanted = contributions or params.get("contributions") is True
    return Invocation(rows=rows, subjects=subjects, contributions=wanted)


def answer_of(decided: Decided, *, contributions: bool) -> dict[str, Any]:
    """Return the answer: `predictions` as MLflow gives them, beside them ids, verdicts, flags and problems."""
    answered = decided.answered.all()
    kept = (lambda column: column) if answered else (lambda column: _where(decided.answered, column))
    answer: dict[str, Any] = {
        "predictions": kept(decided.scores.tolist()),
        "decision_ids": kept(decided.ids),
        "verdicts": kept(decided.verdicts.tolist()),
        "flags": [list(words) if told else [] for words, told in zip(decided.flags, decided.answered, strict=True)],
        "problems": [
            {"row": problem.row, "says": problem.says.as_json(), "fallback": "manual_control"}
            for problem in decided.problems
        ],
    }
    if contributions:
        answer["contributions"] = [
            None
            if decision is None
            else {"base": decision.base, "unit": decision.unit, "values": decision.contributions.tolist()}
            for decision in decided.decisions
        ]
    return answer


def _where(answered: Any, column: Sequence[Any]) -> list[Any]:
    return [value if told else None for value, told in zip(column, answered, strict=True)]


def status_of_answer(answer: dict[str, Any]) -> int:
    """Return 200 while any row was answered, 422 when none was."""
    predictions = answer["predictions"]
    return 422 if predictions and all(score is None for score in predictions) else 200


def _rows(form: str, value: Any) -> pd.DataFrame | np.ndarray[Any, Any]:
    if form == "dataframe_split":
        return _split(value["columns"], value["data"])
    if form == "dataframe_records":
        return _records(value)
    if isinstance(value, dict):
        return pd.DataFrame(value)
    if value and isinstance(value[0], dict):
        return _records(value)
    return np.array([[_number(cell) for cell in _listed(row)] for row in _listed(value)], dtype=np.float64)


def _split(columns: Any, data: Any) -> pd.DataFrame:
    # pandas would fill up rows that are too short, and decide on readings nobody sent
    if any(len(_listed(row)) != len(_listed(columns)) for row in _listed(data)):
        raise ValueError(f"every row needs {len(columns)} values, one per column")
    return pd.DataFrame(data, columns=columns)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list is expected, found {type(value).__name__}")
    return value


def _number(cell: Any) -> float:
    if cell is None:
        return float("nan")
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise TypeError(f"a number or null is expected, found {cell!r}")
    return float(cell)


def _records(value: Any) -> pd.DataFrame:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError("a list of objects is expected")
    return pd.DataFrame(value)
