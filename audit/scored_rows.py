"""Rows on their way to an answer: scored, explained, held to their caps, flagged, or refused with a reason."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from audit.decided import CAPPED, CLIP_KEPT_ALARM, HANDED_OVER, LAPSED, MARK, PENDING, REPLAY_CLOCK, REVIEW, words_of
from audit.served_model import ServedModel
from explainers.explanation import Explanation
from explainers.predictor import ModelAway
from explainers.weight_shares import Capped, hold_caps
from policies.errors import Malformed, Sentence
from policies.feature_caps import OnExceed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

logger = logging.getLogger("mingjing.inference")

NO_EXPLANATION = Sentence(
    en="no explanation could be made, so only alarms are answered; hand this case to a person",
    zh="无法生成解释，此时仅放行报警；请将本次判断转交人工处理",
)
OVER_CAP = Sentence(
    en="a personal feature weighs more than the rulebook allows; this case is handed to a person",
    zh="个人特征的权重超出规则上限，本次判断已转交人工处理",
)
LAPSED_PERMIT = Sentence(
    en="the permit has lapsed; within its grace only flagged alarms are answered; fall back to manual control",
    zh="许可已到期，宽限期内仅放行带标记的报警，请转为人工控制",
)
INFINITE = Sentence(
    en="a reading is infinite; send a finite number, or null for a missing reading",
    zh="读数为无穷大；请提供有限数值，缺失读数请用 null",
)
NOT_SCORED = Sentence(
    en="the model broke down on this row; fall back to manual control and hand this case to a person",
    zh="模型无法对该行评分，请转为人工控制并将本次判断转交人工处理",
)


@dataclass
class Rows:
    """What is known so far about rows that were scored together; `places` are theirs among all that were asked.

    `marks` holds the flags of each row, one bit each.
    """

    places: Places
    X: Floats
    margins: Floats
    scores: Floats
    record: Floats
    verdicts: Bools
    explanation: Explanation | None
    capped: Capped | None
    marks: npt.NDArray[np.uint16]
    refused: dict[int, Sentence] = field(default_factory=dict)

    @property
    def bases(self) -> Floats:
        """What the model says before it knows a row, one number per row; 0 while the explanation is pending."""
        if self.explanation is None or self.explanation.base.shape == ():
            return np.full(self.margins.shape, 0.0 if self.explanation is None else self.explanation.base)
        return np.asarray(np.broadcast_to(self.explanation.base, self.margins.shape))

    @property
    def contributions(self) -> Floats | None:
        """Contributions as they count: those after the caps where they clipped."""
        if self.explanation is None or self.capped is None:
            return None if self.explanation is None else self.explanation.contributions
        if not (self.marks & MARK[CAPPED]).any():
            return self.explanation.contributions
        clipped = self.marked(CAPPED)
        return np.where(clipped[:, None], self.capped.contributions, self.explanation.contributions)

    def mark(self, flag: str, where: Bools | slice = slice(None)) -> None:
        """Give rows a flag."""
        self.marks[where] |= MARK[flag]

    def marked(self, flag: str) -> Bools:
        """Return which rows bear a flag."""
        return np.asarray((self.marks & MARK[flag]) != 0)

    def words(self) -> list[tuple[str, ...]]:
        """Return the flags of every row."""
        return [words_of(marks) for marks in self.marks.tolist()]

    def refuse(self, where: Bools, why: Sentence) -> None:
        """Refuse rows, unless they are refused for another reason already."""
        for i in np.flatnonzero(where).tolist():
            self.refused.setdefault(i, why)

    def kept(self) -> Places | slice:
        """Return which rows are not refused; where none is, everything, which costs no copies."""
        if not self.refused:
            return slice(None)
        return np.array([i for i in range(len(self.places)) if i not in self.refused], dtype=np.intp)


def finite(X: Floats) -> tuple[Floats, Places]:
    """Return the rows without infinite readings, and their places."""
    infinite = np.isinf(X)
    if not np.count_nonzero(infinite):
        return X, np.arange(len(X))
    finite = np.flatnonzero(~infinite.any(axis=1))
    return X[finite], finite


def explained(served: ServedModel, X: Floats, places: Places) -> list[Rows]:
    """Score and explain all rows at once; where that breaks, halve them until what breaks stands alone."""
    if not len(X):
        return []
    try:
        explanation = served.predictor.explain(X)
        capped = hold_caps(explanation, served.caps) if served.caps.caps else None
    except Exception as error:  # noqa: BLE001 - whatever broke the explainer, an alarm still has to leave
        if isinstance(error, ModelAway) and error.at_once:
            return [_away(served, X, places, error.says)]
        if len(X) > 1:
            half = len(X) // 2
            return explained(served, X[:half], places[:half]) + explained(served, X[half:], places[half:])
        logger.error("the explainer of %s failed: %s", served.name, type(error).__name__)
        return [_unexplained(served, X, places)]
    return [_rows(served, X, places, explanation.scores, explanation, capped)]


def _away(served: ServedModel, X: Floats, places: Places, why: Sentence) -> Rows:
    """Refuse all rows of a model that is not there: it gave no score, so nobody knows whether one is an alarm."""
    logger.error("%s: %s", served.name, why.en)
    rows = _rows(served, X, places, np.full(len(X), np.nan), None, None)
    rows.mark(PENDING)
    rows.refuse(np.ones(len(X), np.bool_), why)
    return rows


def _unexplained(served: ServedModel, X: Floats, place: Places) -> Rows:
    """Score the one row that could not be explained: an alarm is pending its explanation, all else is refused."""
    why = NO_EXPLANATION
    try:
        margins = served.predictor.margins(X)
    except (Malformed, ModelAway) as fault:
        margins, why = np.array([np.nan]), fault.says
    except Exception as error:  # noqa: BLE001 - the other rows are answered; this one goes to a person
        logger.error("%s could not score a row: %s", served.name, type(error).__name__)
        margins, why = np.array([np.nan]), NOT_SCORED
    rows = _rows(served, X, place, margins, None, None)
    rows.mark(PENDING)
    if why is not NO_EXPLANATION or not rows.verdicts[0]:
        rows.refused[0] = why
    return rows


def _rows(
    served: ServedModel,
    X: Floats,
    places: Places,
    margins: Floats,
    explanation: Explanation | None,
    capped: Capped | None,
) -> Rows:
    scores = served.predictor.score_of(margins)
    return Rows(
        places=places,
        X=X,
        margins=margins,
        scores=scores,
        record=scores.copy(),
        verdicts=served.alarms(scores),
        explanation=explanation,
        capped=capped,
        marks=np.zeros(len(X), np.uint16),
    )


def hold(served: ServedModel, rows: Rows, *, replayed: bool) -> None:
    """Hold the caps, then settle verdicts and flags."""
    if rows.capped is not None and rows.capped.exceeded.any():
        _hold_caps(served, rows, rows.capped)
    if replayed:
        rows.mark(REPLAY_CLOCK)
    if served.lapsed:
        rows.mark(LAPSED)
        rows.refuse(~rows.verdicts, LAPSED_PERMIT)
    if served.review_alarms:
        rows.mark(REVIEW, rows.verdicts)


def _hold_caps(served: ServedModel, rows: Rows, capped: Capped) -> None:
    over = capped.exceeded
    if served.caps.on_exceed is OnExceed.HAND_OVER:
        rows.mark(HANDED_OVER, over)
        rows.refuse(over & ~rows.verdicts, OVER_CAP)
        return
    scores = served.predictor.score_of(capped.margins)
    alarms = served.alarms(scores)
    rows.mark(CAPPED, over)
    for flag in (CLIP_KEPT_ALARM, HANDED_OVER):
        rows.mark(flag, over & rows.verdicts & ~alarms)
    # An alarm that only the clip would clear stands; a clip that raises one counts as well.
    rows.verdicts = rows.verdicts | (alarms & over)
    rows.record = np.where(over, scores, rows.scores)
