"""Answers that were made one by one, put into the columns in which all answers leave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.traced_inference import Decided, Decision, RowProblem


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
