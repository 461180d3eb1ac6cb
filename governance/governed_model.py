"""A permitted model as Python users hold it: predict, tables in and out, and streams."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from audit.decided import Decided, Decision, RowProblem
from governance.serving import Serving
from policies.errors import Refused, Sentence
from policies.roles import Person

COLUMNS = ["row", "decision_id", "score", "raw_score", "alarm", "flags", "problem"]

AT_ONCE = 256
"""Rows of a stream that are decided together."""


class RowsRefused(Refused):
    """Some rows got no answer where an answer for every row was asked for."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        first = problems[0]
        rows = ", ".join(str(problem.row) for problem in problems[:8]) + (", …" if len(problems) > 8 else "")
        super().__init__(
            Sentence(
                en=f"{len(problems)} rows were refused ({rows}): {first.says.en}; hand them to a person",
                zh=f"有 {len(problems)} 行被拒绝（{rows}）：{first.says.zh}；请转交人工处理",
            )
        )
        self.problems = tuple(problems)


class GovernedModel:
    """A model behind its permit. The permit is asked at every call, not only at the first.

    Close it when done, or use it in a `with` block. `X` is a pandas or polars frame (columns by name) or an array
    (columns in the order of the model's features) everywhere; missing is NaN or null.
    """

    def __init__(self, name: str, serving: Serving, person: Person, close: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self._serving = serving
        self._person = person
        self._close = close

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features of the permitted version, in its order. Raises MayNotRun without a live permit."""
        return self._serving.served(self.name, self._person).predictor.feature_names

    def predict(self, X: object, *, purpose: str | None = None, subjects: Sequence[object] | None = None) -> Decided:
        """Decide every row of `X`; each answer is explained and durably traced before it is returned.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
        purpose : str, optional
            What the answers are for; None takes the one bound to the token.
        subjects : sequence, optional
            Raw ids of the persons concerned, one per row; only their pseudonyms are kept.

        Returns
        -------
        Decided
            `decisions` in the order of the rows, None where one was refused, and `problems` that say why.

        Raises
        ------
        MayNotRun, PurposeRefused, WrongPurpose, NotAllowed, Malformed
        """
        return self._serving.decide(
            self.name, _as_pandas(X), purpose=purpose, by=self._person, subjects=_listed(subjects)
        )

    def table(self, X: object, *, purpose: str | None = None, subjects: Sequence[object] | None = None) -> Any:
        """Decide every row and return a frame of the kind of `X`, one line per row, under the index of `X`.

        Columns: `row`, `decision_id`, `score`, `raw_score`, `alarm`, `flags`, `problem`. A refused row has no score and
        no alarm: read `alarm`, or `problem`, and never compare a missing score with a threshold.
        """
        frame = _as_pandas(X)
        made = table_of(self.predict(frame, purpose=purpose, subjects=subjects))
        if isinstance(frame, pd.DataFrame):
            made.index = frame.index
        return sys.modules["polars"].from_pandas(made) if _is_polars(X) else made

    def batches(self, frames: Iterable[object], *, purpose: str | None = None) -> Iterator[Decided]:
        """Decide one frame after the other; the next one is taken once the answers to the last were."""
        return (self.predict(frame, purpose=purpose) for frame in frames)

    def stream(
        self, rows: Iterable[Mapping[str, object]], *, purpose: str | None = None, at_once: int = AT_ONCE
    ) -> Iterator[Decision | RowProblem]:
        """Decide rows as they come, `at_once` together; yield one answer per row, in order.

        A refused row yields its problem, numbered by its place in the stream.
        """
        start = 0
        left = iter(rows)
        while few := tuple(itertools.islice(left, at_once)):
            decided = self.predict(pd.DataFrame([dict(row) for row in few]), purpose=purpose)
            why = {problem.row: problem.says for problem in decided.problems}
            for row, decision in enumerate(decided.decisions):
                yield RowProblem(row=start + row, says=why[row]) if decision is None else decision
            start += len(few)

    def protective_above(self) -> bool:
        """Whether the alarm is on the upper side of the threshold."""
        return self._serving.served(self.name, self._person).protective.value == "at_or_above"

    def close(self) -> None:
        """Let go of log and database."""
        self._close()

    def __enter__(self) -> GovernedModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def table_of(decided: Decided) -> pd.DataFrame:
    """Return one line per row: id, score of record, raw score, alarm, flags, and the problem if refused."""
    problems = {problem.row: problem.says.en for problem in decided.problems}
    lines = [
        {
            "row": row,
            "decision_id": decision.id if decision else None,
            "score": decision.score if decision else np.nan,
            "raw_score": decision.raw_score if decision else np.nan,
            "alarm": decision.verdict if decision else None,
            "flags": " ".join(decision.flags) if decision else "",
            "problem": problems.get(row, ""),
        }
        for row, decision in enumerate(decided.decisions)
    ]
    return pd.DataFrame(lines, columns=COLUMNS)


def _as_pandas(X: object) -> object:
    """Return a pandas frame for one of polars or Arrow; anything else as it is."""
    if _is_polars(X) and hasattr(X, "collect"):
        X = X.collect()
    if isinstance(X, pd.DataFrame | pd.Series) or not hasattr(X, "to_pandas"):
        return X
    return X.to_pandas()


def _is_polars(X: object) -> bool:
    return type(X).__module__.partition(".")[0] == "polars"


def _listed(subjects: Any) -> Sequence[object] | None:
    return subjects if subjects is None or isinstance(subjects, Sequence) else list(subjects)
