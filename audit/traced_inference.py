"""One governed decision: purpose, de-identification, score, explanation, caps, and a durable trace before the answer.

Protective and permissive answers fail in opposite directions. An alarm never waits for explainer or log:
it leaves with a flag. Anything that lets work go on is refused when its trace cannot be kept.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.deidentify import deidentified
from audit.entries import Draft, DraftColumns, Receipt, TraceSink, drafts_alike
from audit.trace_columns import TraceColumns, encode_columns
from explainers.explanation import Explanation
from explainers.predictor import ModelAway, Predictor
from explainers.weight_shares import Capped, hold_caps
from policies.declaration import Protective
from policies.deidentification import DeidentificationPlan
from policies.errors import Malformed, Sentence
from policies.feature_caps import FeatureCaps, OnExceed
from policies.permitted_use import PurposeRules, require_permitted
from policies.tiers import Tier

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

logger = logging.getLogger("mingjing.inference")

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

_MARK = {flag: 1 << place for place, flag in enumerate(FLAGS)}


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One permitted version with everything a decision needs.

    `lapsed` says that the permit ended within its grace: flagged alarms leave, all else is refused.
    `review_alarms` is the officer's condition that a person looks at every alarm.
    """

    name: str
    version: str
    artifact_digest: str
    rulebook_digest: str
    tier: Tier
    site: str
    predictor: Predictor
    threshold: float
    protective: Protective
    caps: FeatureCaps
    plan: DeidentificationPlan
    review_alarms: bool = False
    lapsed: bool = False

    def alarms(self, scores: Floats) -> Bools:
        """Whether each score is on the protective side; a score that is not a number is."""
        above = scores >= self.threshold
        side = above if self.protective is Protective.AT_OR_ABOVE else ~above
        return np.asarray(side | ~np.isfinite(scores))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who asks what for. `subjects` are pseudonyms, one per row; `times` declare a replay clock, one per row."""

    purpose: str
    caller: str
    subjects: Sequence[str | None] | None = None
    times: Sequence[datetime] | None = None


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


@dataclass
class _Rows:
    """What is known so far about rows that were scored together; `places` are theirs among all that were asked.

    `marks` holds the flags of each row, one bit each.
    """

    places: npt.NDArray[np.intp]
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
        base = 0.0 if self.explanation is None else self.explanation.base
        return np.asarray(np.broadcast_to(base, self.margins.shape))

    @property
    def contributions(self) -> Floats | None:
        """Contributions as they count: those after the caps where they clipped."""
        if self.explanation is None or self.capped is None:
            return None if self.explanation is None else self.explanation.contributions
        clipped = self.marked(CAPPED)
        if not clipped.any():
            return self.explanation.contributions
        return np.where(clipped[:, None], self.capped.contributions, self.explanation.contributions)

    def mark(self, flag: str, where: Bools | slice = slice(None)) -> None:
        """Give rows a flag."""
        self.marks[where] |= _MARK[flag]

    def marked(self, flag: str) -> Bools:
        """Return which rows bear a flag."""
        return np.asarray((self.marks & _MARK[flag]) != 0)

    def words(self) -> list[tuple[str, ...]]:
        """Return the flags of every row."""
        return [_words(marks) for marks in self.marks.tolist()]

    def refuse(self, where: Bools, why: Sentence) -> None:
        """Refuse rows, unless they are refused for another reason already."""
        for i in np.flatnonzero(where).tolist():
            self.refused.setdefault(i, why)

    def kept(self) -> npt.NDArray[np.intp]:
        """Return which rows are not refused."""
        if not self.refused:
            return np.arange(len(self.places))
        return np.array([i for i in range(len(self.places)) if i not in self.refused], dtype=np.intp)


@lru_cache(maxsize=1 << len(FLAGS))
def _words(marks: int) -> tuple[str, ...]:
    return tuple(flag for flag in FLAGS if marks & _MARK[flag])


class TracedInference:
    """Decides rows with a permitted model and keeps a trace of each before answering."""

    def __init__(
        self,
        sink: TraceSink,
        purposes: Callable[[], PurposeRules],
        *,
        spool: TraceSink | None = None,
        hand_in: Callable[[], object] | None = None,
    ) -> None:
        """Keep traces in `sink`; while it is away, alarms in `spool`, which `hand_in` empties once it is back."""
        self._sink = sink
        self._purposes = purposes
        self._spool = spool
        self._hand_in = hand_in
        self._spooling = False
        self._spool_lock = threading.Lock()

    def decide(self, served: ServedModel, X: Floats, asked: Asked) -> Decided:
        """Decide every row of `X`.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Columns in the order of the model's features; NaN is a missing reading.

        Raises
        ------
        PurposeRefused
            When the purpose is not one this house serves.
        """
        # A decision is made in this order:
        #   1. the purpose is allowed,
        #   2. the row is de-identified,
        #   3. it is scored and explained; an explanation exists only if it adds up,
        #   4. capped features are held to their caps,
        #   5. the verdict is the protective one where raw and capped score disagree,
        #   6. the trace is durable,
        #   7. the answer leaves.
        purpose = require_permitted(asked.purpose, self._purposes())  # (1)
        clean = deidentified(X, served.predictor.feature_names, served.plan)  # (2)
        parts = _explained(served, *_finite(clean))  # (3)
        for rows in parts:
            _hold(served, rows, replayed=asked.times is not None)  # (4) (5)
        ids = self._keep(served, parts, asked, purpose)  # (6)
        return _answers(served, parts, ids, clean.shape)  # (7)

    def _keep(self, served: ServedModel, parts: Sequence[_Rows], asked: Asked, purpose: str) -> dict[int, str | None]:
        """Keep every trace with one append; return the ids by place."""
        kept = [(rows, rows.kept()) for rows in parts]
        drafts = [draft for rows, at in kept if len(at) for draft in _drafts(served, rows, at, asked, purpose)]
        if not drafts:
            return {}
        places = [place for rows, at in kept for place in rows.places[at].tolist()]
        try:
            made: Sequence[Receipt | None] = self._sink.append(drafts)
            self.empty_spool()
        except Exception as error:  # noqa: BLE001 - whatever broke the log, an alarm still has to leave
            logger.error("the log did not take %d traces: %s", len(drafts), type(error).__name__)
            made = self._without_log([(rows, i) for rows, at in kept for i in at.tolist()], drafts)
        return {place: None if receipt is None else receipt.id for place, receipt in zip(places, made, strict=True)}

    def _without_log(self, kept: list[tuple[_Rows, int]], drafts: list[Draft]) -> list[Receipt | None]:
        """Let alarms leave with a flag, through the spool where there is one; refuse the rest."""
        made: list[Receipt | None] = []
        for (rows, i), draft in zip(kept, drafts, strict=True):
            if not rows.verdicts[i]:
                rows.refused[i] = NO_TRACE
                made.append(None)
                continue
            made.append(self._spooled(draft))
            rows.marks[i] |= _MARK[SPOOLED if made[-1] is not None else UNLOGGED]
        return made

    def empty_spool(self) -> None:
        """Hand in what waited while the log was away. What fails stays in the spool for the next time."""
        if not self._spooling or self._hand_in is None or not self._spool_lock.acquire(blocking=False):
            return
        try:
            self._hand_in()
            self._spooling = False
        except Exception as error:  # noqa: BLE001 - the traces are safe where they are; the answer goes out
            logger.error("the spool could not be handed in: %s", type(error).__name__)
        finally:
            self._spool_lock.release()

    def _spooled(self, draft: Draft) -> Receipt | None:
        if self._spool is None:
            return None
        try:
            with self._spool_lock:  # nothing may be added while the spool is being emptied
                self._spooling = True
                return self._spool.append([draft])[0]
        except Exception as error:  # noqa: BLE001 - a full disk must not hold an alarm back
            logger.error("the spool did not take a trace: %s", type(error).__name__)
            return None


NO_TRACE = Sentence(
    en="the trace could not be kept, so only alarms are answered now; hand this case to a person",
    zh="无法保存决策留痕，此时仅放行报警；请将本次判断转交人工处理",
)
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


def _finite(X: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the rows without infinite readings, and their places."""
    infinite = np.isinf(X)
    if not infinite.any():
        return X, np.arange(len(X))
    finite = np.flatnonzero(~infinite.any(axis=1))
    return X[finite], finite


def _explained(served: ServedModel, X: Floats, places: npt.NDArray[np.intp]) -> list[_Rows]:
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
            return _explained(served, X[:half], places[:half]) + _explained(served, X[half:], places[half:])
        logger.error("the explainer of %s failed: %s", served.name, type(error).__name__)
        return [_unexplained(served, X, places)]
    return [_rows(served, X, places, explanation.scores, explanation, capped)]


def _away(served: ServedModel, X: Floats, places: npt.NDArray[np.intp], why: Sentence) -> _Rows:
    """Refuse all rows of a model that is not there: it gave no score, so nobody knows whether one is an alarm."""
    logger.error("%s: %s", served.name, why.en)
    rows = _rows(served, X, places, np.full(len(X), np.nan), None, None)
    rows.mark(PENDING)
    rows.refuse(np.ones(len(X), np.bool_), why)
    return rows


def _unexplained(served: ServedModel, X: Floats, place: npt.NDArray[np.intp]) -> _Rows:
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
    places: npt.NDArray[np.intp],
    margins: Floats,
    explanation: Explanation | None,
    capped: Capped | None,
) -> _Rows:
    scores = served.predictor.score_of(margins)
    return _Rows(
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


def _hold(served: ServedModel, rows: _Rows, *, replayed: bool) -> None:
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


def _hold_caps(served: ServedModel, rows: _Rows, capped: Capped) -> None:
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


def _drafts(served: ServedModel, rows: _Rows, at: npt.NDArray[np.intp], asked: Asked, purpose: str) -> list[Draft]:
    """Return the drafts of the rows `at`, none of which is refused."""
    places = rows.places[at].tolist()
    words = rows.words()
    subjects = None if asked.subjects is None else [asked.subjects[place] for place in places]
    columns = _columns(served, rows, at, subjects, [words[i] for i in at.tolist()], asked.caller, purpose)
    payloads, layouts = encode_columns(columns)
    shared = Draft(
        kind="decision",
        payload=b"",
        model=served.name,
        version=served.version,
        artifact_digest=served.artifact_digest,
        rulebook_digest=served.rulebook_digest,
        actor=asked.caller,
        site=served.site or None,
    )
    record = rows.record[at]
    differing = DraftColumns(
        payloads=payloads,
        layouts=layouts,
        subjects=subjects,
        # what is no number cannot be searched for; the trace itself holds it
        scores=record.tolist() if np.isfinite(record).all() else [_or_none(score) for score in record.tolist()],
        verdicts=columns.verdicts.tolist(),
        flags=columns.flags,
        times=None if asked.times is None else [asked.times[place] for place in places],
    )
    return drafts_alike(shared, differing)


def _or_none(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _columns(
    served: ServedModel,
    rows: _Rows,
    at: npt.NDArray[np.intp],
    subjects: Sequence[str | None] | None,
    flags: Sequence[tuple[str, ...]],
    caller: str,
    purpose: str,
) -> TraceColumns:
    why, capped = rows.explanation, rows.capped
    names = served.predictor.feature_names
    cap_names = () if capped is None else tuple(served.caps.caps)
    return TraceColumns(
        model=served.name,
        version=served.version,
        artifact_digest=served.artifact_digest,
        rulebook_digest=served.rulebook_digest,
        purpose=purpose,
        site=served.site,
        subjects=subjects,
        caller=caller,
        feature_names=names,
        inputs=rows.X[at],
        unit=served.predictor.unit,
        method=why.method if why is not None else "pending",
        protective=served.protective.value,
        bases=rows.bases[at],
        contributions=None if why is None else why.contributions[at],
        standard_error=None if why is None or why.standard_error is None else why.standard_error[at],
        margins=rows.margins[at],
        scores=rows.scores[at],
        threshold=served.threshold,
        verdicts=rows.verdicts[at],
        flags=flags,
        clipped=rows.marked(CAPPED)[at],
        capped_contributions=None if capped is None else capped.contributions[at],
        capped_scores=rows.record[at],
        cap_names=cap_names,
        cap_shares=_cap_shares(capped, at, [names.index(name) for name in cap_names]),
    )


def _cap_shares(capped: Capped | None, at: npt.NDArray[np.intp], columns: list[int]) -> Floats:
    if capped is None:
        return np.zeros((len(at), 0))
    return np.asarray(capped.shares_before[at][:, columns])


def _answers(
    served: ServedModel, parts: Sequence[_Rows], ids: dict[int, str | None], shape: tuple[int, ...]
) -> Decided:
    """Put the answers of all parts into the order of the rows."""
    n = shape[0]
    why: dict[int, Sentence] = {}
    if sum(len(rows.places) for rows in parts) < n:
        seen = {place for rows in parts for place in rows.places.tolist()}
        why = {place: INFINITE for place in range(n) if place not in seen}
    for rows in parts:
        why.update((int(rows.places[i]), says) for i, says in rows.refused.items())
    answered = np.ones(n, dtype=np.bool_)
    answered[list(why)] = False
    words: list[tuple[str, ...]] = [()] * n
    for rows in parts:
        for place, said in zip(rows.places.tolist(), rows.words(), strict=True):
            words[place] = said
    return Decided(
        answered=answered,
        ids=[ids.get(place) for place in range(n)],
        scores=_spread(parts, lambda rows: rows.record, np.full(n, np.nan)),
        raw_scores=_spread(parts, lambda rows: rows.scores, np.full(n, np.nan)),
        verdicts=_spread(parts, lambda rows: rows.verdicts, np.zeros(n, np.bool_)),
        flags=words,
        explained=_spread(parts, lambda rows: rows.explanation is not None, np.zeros(n, np.bool_)),
        contributions=_spread(parts, lambda rows: rows.contributions, np.zeros(shape)),
        bases=_spread(parts, lambda rows: rows.bases, np.zeros(n)),
        unit=served.predictor.unit,
        problems=tuple(RowProblem(row=row, says=why[row]) for row in sorted(why)),
    )


def _spread(parts: Sequence[_Rows], column: Callable[[_Rows], Any], whole: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column over all rows that were asked; where nothing is known of a row, `whole` stays as it is."""
    for rows in parts:
        found = column(rows)
        if found is not None:
            whole[rows.places] = found
    return whole
