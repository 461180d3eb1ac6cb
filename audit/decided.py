"""What was decided about rows: answers and their flags as columns, and one by one when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from policies.errors import Sentence

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PENDING = "explanation_pending"
UNLOGGED = "unlogged"
SPOOLED = "spooled"
CAPPED = "capped"
CLIP_KEPT_ALARM = "clip_kept_alarm"
HANDED_OVER = "handed_over"
REVIEW = "review_required"
LAPSED = "permit_lapsed"
REPLAY_CLOCK = "replay_clock"

FLAGS = (PENDING, CAPPED, CLIP_KEPT_ALARM, HANDED_OVER, LAPSED, REVIEW, REPLAY_CLOCK, SPOOLED, UNLOGGED)
"""Every flag of a decision, in the order in which a decision bears them."""

MARK = {flag: 1 << place for place, flag in enumerate(FLAGS)}
"""The bit that stands for each flag where a row's flags are one number."""


@lru_cache(maxsize=1 << len(FLAGS))
def words_of(marks: int) -> tuple[str, ...]:
    """Return the flags that a number stands for."""
    return tuple(flag for flag in FLAGS if marks & MARK[flag])


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer for one row.

    `score` is the score of record (after caps), `raw_score` the model's own; `verdict` True is the
    protective side. `id` is None only for an alarm whose trace could not be kept anywhere.
    """

    id: str | None
    score: float
    raw_score: float
    verdict: bool
    flags: tuple[str, ...]
    contributions: Floats
    base: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """Why a row got no answer."""

    row: int
    says: Sentence


@dataclass(frozen=True, kw_only=True, eq=False)
class Decided:
    """Answers in the order of the rows, a column for each part of them, and the reasons where a row was refused.

    Parameters
    ----------
    answered : bool array of shape (n_rows,)
        False where a row was refused; what the other columns say there means nothing.
    ids, flags : sequences of n_rows
    scores, raw_scores, verdicts : arrays of shape (n_rows,)
    explained : bool array of shape (n_rows,)
        False where the explanation is pending.
    contributions : array of shape (n_rows, n_features)
    bases : array of shape (n_rows,)
    unit : str
    problems : tuple of RowProblem
    """

    answered: Bools
    ids: Sequence[str | None]
    scores: Floats
    raw_scores: Floats
    verdicts: Bools
    flags: Sequence[tuple[str, ...]]
    explained: Bools
    contributions: Floats
    bases: Floats
    unit: str
    problems: tuple[RowProblem, ...]

    def __len__(self) -> int:
        return len(self.answered)

    @cached_property
    def decisions(self) -> tuple[Decision | None, ...]:
        """The answers one by one, None where a row was refused."""
        return tuple(self._decision(row) if answered else None for row, answered in enumerate(self.answered.tolist()))

    def part(self, start: int, end: int) -> Decided:
        """Return the answers of the rows from `start` up to but without `end`, as if they had been asked alone."""
        at = slice(start, end)
        inside = (problem for problem in self.problems if start <= problem.row < end)
        return Decided(
            answered=self.answered[at],
            ids=self.ids[at],
            scores=self.scores[at],
            raw_scores=self.raw_scores[at],
            verdicts=self.verdicts[at],
            flags=self.flags[at],
            explained=self.explained[at],
            contributions=self.contributions[at],
            bases=self.bases[at],
            unit=self.unit,
            problems=tuple(RowProblem(row=problem.row - start, says=problem.says) for problem in inside),
        )

    def _decision(self, row: int) -> Decision:
        explained = bool(self.explained[row])
        return Decision(
            id=self.ids[row],
            score=float(self.scores[row]),
            raw_score=float(self.raw_scores[row]),
            verdict=bool(self.verdicts[row]),
            flags=self.flags[row],
            contributions=self.contributions[row] if explained else np.zeros(0),
            base=float(self.bases[row]),
            unit=self.unit if explained else "",
        )


def decided_of(decisions: Sequence[Decision | None], problems: Sequence[RowProblem]) -> Decided:
    """Return decisions in the order of their rows, None where a row was refused, as one answer.

    Examples
    --------
    >>> decided_of([None], []).decisions
    (None,)
    """
    made = [decision for decision in decisions if decision is not None]
    width = max((len(decision.contributions) for decision in made), default=0)
    contributions = np.zeros((len(decisions), width))
    for row, decision in enumerate(decisions):
        if decision is not None and len(decision.contributions):
            contributions[row] = decision.contributions
    return Decided(
        answered=np.array([decision is not None for decision in decisions], dtype=np.bool_),
        ids=[None if decision is None else decision.id for decision in decisions],
        scores=np.array([0.0 if decision is None else decision.score for decision in decisions]),
        raw_scores=np.array([0.0 if decision is None else decision.raw_score for decision in decisions]),
        verdicts=np.array([decision is not None and decision.verdict for decision in decisions], dtype=np.bool_),
        flags=[() if decision is None else decision.flags for decision in decisions],
        explained=np.array([d is not None and len(d.contributions) > 0 for d in decisions], dtype=np.bool_),
        contributions=contributions,
        bases=np.array([0.0 if decision is None else decision.base for decision in decisions]),
        unit=next((decision.unit for decision in made if decision.unit), ""),
        problems=tuple(problems),
    )
