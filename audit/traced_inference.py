"""One governed decision: purpose, de-identification, score, explanation, caps, and a durable trace before the answer.

Protective and permissive answers fail in opposite directions. An alarm never waits for explainer or log:
it leaves with a flag. Anything that lets work go on is refused when its trace cannot be kept.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from audit.deidentify import deidentified
from audit.entries import Draft, Receipt, TraceSink
from audit.trace import DecisionTrace, encode_trace
from explainers.explanation import Explanation
from explainers.predictor import Predictor
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


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Answers in the order of the rows, None where a row was refused, and the reasons."""

    decisions: tuple[Decision | None, ...]
    problems: tuple[RowProblem, ...]


@dataclass
class _Rows:
    """What is known so far about rows that were scored together; `places` are theirs among all that were asked."""

    places: npt.NDArray[np.intp]
    X: Floats
    inputs: list[npt.NDArray[np.float32] | Floats]
    margins: Floats
    scores: Floats
    record: Floats
    verdicts: Bools
    explanation: Explanation | None
    capped: Capped | None
    flags: list[list[str]]
    refused: dict[int, Sentence] = field(default_factory=dict)


class TracedInference:
    """Decides rows with a permitted model and keeps a trace of each before answering."""

    def __init__(
        self,
        sink: TraceSink,
        purposes: PurposeRules,
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
        purpose = require_permitted(asked.purpose, self._purposes)  # (1)
        clean = deidentified(X, served.predictor.feature_names, served.plan)  # (2)
        finite = np.flatnonzero(~np.isinf(clean).any(axis=1))
        parts = _explained(served, clean[finite], finite)  # (3)
        for rows in parts:
            _hold(served, rows)  # (4) (5)
        receipts = self._keep(served, parts, asked, purpose)  # (6)
        return _answers(parts, receipts, len(X))  # (7)

    def _keep(
        self, served: ServedModel, parts: Sequence[_Rows], asked: Asked, purpose: str
    ) -> dict[int, Receipt | None]:
        """Keep every trace with one append; return the receipts by place."""
        kept = [(rows, i) for rows in parts for i in range(len(rows.X)) if i not in rows.refused]
        drafts = [_draft(served, rows, i, asked, purpose) for rows, i in kept]
        if not drafts:
            return {}
        try:
            made: Sequence[Receipt | None] = self._sink.append(drafts)
            self.empty_spool()
        except Exception as error:  # noqa: BLE001 - whatever broke the log, an alarm still has to leave
            logger.error("the log did not take %d traces: %s", len(drafts), type(error).__name__)
            made = self._without_log(kept, drafts)
        return {int(rows.places[i]): receipt for (rows, i), receipt in zip(kept, made, strict=True)}

    def _without_log(self, kept: list[tuple[_Rows, int]], drafts: list[Draft]) -> list[Receipt | None]:
        """Let alarms leave with a flag, through the spool where there is one; refuse the rest."""
        made: list[Receipt | None] = []
        for (rows, i), draft in zip(kept, drafts, strict=True):
            if not rows.verdicts[i]:
                rows.refused[i] = NO_TRACE
                made.append(None)
                continue
            made.append(self._spooled(draft))
            rows.flags[i].append(SPOOLED if made[-1] is not None else UNLOGGED)
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


def _explained(served: ServedModel, X: Floats, places: npt.NDArray[np.intp]) -> list[_Rows]:
    """Score and explain all rows at once; where that breaks, halve them until what breaks stands alone."""
    if not len(X):
        return []
    try:
        explanation = served.predictor.explain(X)
        capped = hold_caps(explanation, served.caps) if served.caps.caps else None
    except Exception as error:  # noqa: BLE001 - whatever broke the explainer, an alarm still has to leave
        if len(X) > 1:
            half = len(X) // 2
            return _explained(served, X[:half], places[:half]) + _explained(served, X[half:], places[half:])
        logger.error("the explainer of %s failed: %s", served.name, type(error).__name__)
        return [_unexplained(served, X, places)]
    return [_rows(served, X, places, explanation.scores, explanation, capped)]


def _unexplained(served: ServedModel, X: Floats, place: npt.NDArray[np.intp]) -> _Rows:
    """Score the one row that could not be explained: an alarm is pending its explanation, all else is refused."""
    why = NO_EXPLANATION
    try:
        margins = served.predictor.margins(X)
    except Malformed as fault:
        margins, why = np.array([np.nan]), fault.says
    except Exception as error:  # noqa: BLE001 - the other rows are answered; this one goes to a person
        logger.error("%s could not score a row: %s", served.name, type(error).__name__)
        margins, why = np.array([np.nan]), NOT_SCORED
    rows = _rows(served, X, place, margins, None, None)
    rows.flags[0].append(PENDING)
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
        inputs=_narrowed(X),
        margins=margins,
        scores=scores,
        record=scores.copy(),
        verdicts=served.alarms(scores),
        explanation=explanation,
        capped=capped,
        flags=[[] for _ in range(len(X))],
    )


def _hold(served: ServedModel, rows: _Rows) -> None:
    """Hold the caps, then settle verdicts and flags."""
    if rows.capped is not None:
        over = rows.capped.exceeded
        capped_scores = served.predictor.score_of(rows.capped.margins)
        capped_alarms = served.alarms(capped_scores)
        for i in np.flatnonzero(over).tolist():
            _hold_row(served, rows, i, bool(capped_alarms[i]))
        if served.caps.on_exceed is OnExceed.CLIP:
            # An alarm that only the clip would clear stands; a clip that raises one counts as well.
            rows.verdicts = rows.verdicts | (capped_alarms & over)
            rows.record = np.where(over, capped_scores, rows.scores)
    for i in range(len(rows.X)):
        if served.lapsed:
            rows.flags[i].append(LAPSED)
            if not rows.verdicts[i]:
                rows.refused.setdefault(i, LAPSED_PERMIT)
        if served.review_alarms and rows.verdicts[i]:
            rows.flags[i].append(REVIEW)


def _hold_row(served: ServedModel, rows: _Rows, i: int, capped_alarm: bool) -> None:
    if served.caps.on_exceed is OnExceed.HAND_OVER:
        rows.flags[i].append(HANDED_OVER)
        if not rows.verdicts[i]:
            rows.refused[i] = OVER_CAP
        return
    rows.flags[i].append(CAPPED)
    if rows.verdicts[i] and not capped_alarm:
        rows.flags[i].extend([CLIP_KEPT_ALARM, HANDED_OVER])


def _draft(served: ServedModel, rows: _Rows, i: int, asked: Asked, purpose: str) -> Draft:
    place = int(rows.places[i])
    subject = asked.subjects[place] if asked.subjects is not None else None
    flags = list(rows.flags[i])
    time = None
    if asked.times is not None:
        time = asked.times[place]
        flags.append(REPLAY_CLOCK)
        rows.flags[i].append(REPLAY_CLOCK)
    trace = _trace(served, rows, i, subject, tuple(flags), asked.caller, purpose)
    return Draft(
        kind="decision",
        payload=encode_trace(trace),
        model=served.name,
        version=served.version,
        artifact_digest=served.artifact_digest,
        rulebook_digest=served.rulebook_digest,
        subject=subject,
        actor=asked.caller,
        site=served.site or None,
        score=float(rows.record[i]),
        verdict=bool(rows.verdicts[i]),
        flags=tuple(flags),
        time=time,
    )


def _trace(
    served: ServedModel, rows: _Rows, i: int, subject: str | None, flags: tuple[str, ...], caller: str, purpose: str
) -> DecisionTrace:
    why = rows.explanation
    clipped = rows.capped is not None and CAPPED in flags
    return DecisionTrace(
        model=served.name,
        version=served.version,
        artifact_digest=served.artifact_digest,
        rulebook_digest=served.rulebook_digest,
        purpose=purpose,
        site=served.site,
        subject=subject,
        caller=caller,
        feature_names=served.predictor.feature_names,
        inputs=rows.inputs[i],
        texts={},
        unit=served.predictor.unit,
        method=why.method if why is not None else "pending",
        base=_base(why, i),
        contributions=why.contributions[i].astype(np.float32) if why is not None else np.zeros(0, np.float32),
        standard_error=_error_bar(why, i),
        margin=float(rows.margins[i]),
        score=float(rows.scores[i]),
        threshold=served.threshold,
        verdict=bool(rows.verdicts[i]),
        capped_contributions=rows.capped.contributions[i].astype(np.float32) if clipped and rows.capped else None,
        capped_score=float(rows.record[i]) if clipped else None,
        cap_shares=_cap_shares(served, rows, i),
        protective=served.protective.value,
        flags=flags,
    )


def _narrowed(X: Floats) -> list[npt.NDArray[np.float32] | Floats]:
    """Return each row in half the bytes where that loses nothing, so that replay starts from the same bits."""
    with np.errstate(over="ignore"):
        narrow = X.astype(np.float32)
    lossless = ((narrow == X) | np.isnan(X)).all(axis=1)
    return [narrow[i] if lossless[i] else X[i] for i in range(len(X))]


def _base(why: Explanation | None, i: int) -> float:
    if why is None:
        return 0.0
    return float(why.base) if why.base.ndim == 0 else float(why.base[i])


def _error_bar(why: Explanation | None, i: int) -> npt.NDArray[np.float32] | None:
    if why is None or why.standard_error is None:
        return None
    return np.asarray(why.standard_error[i], dtype=np.float32)


def _cap_shares(served: ServedModel, rows: _Rows, i: int) -> dict[str, float]:
    if rows.capped is None:
        return {}
    names = served.predictor.feature_names
    return {name: float(rows.capped.shares_before[i, names.index(name)]) for name in served.caps.caps}


def _answers(parts: Sequence[_Rows], receipts: dict[int, Receipt | None], n: int) -> Decided:
    decisions: list[Decision | None] = [None] * n
    why: dict[int, Sentence] = dict.fromkeys(range(n), INFINITE)
    for rows in parts:
        for i, place in enumerate(rows.places.tolist()):
            if i in rows.refused:
                why[place] = rows.refused[i]
            else:
                decisions[place] = _decision(rows, i, receipts[place])
    problems = tuple(RowProblem(row=row, says=why[row]) for row in range(n) if decisions[row] is None)
    return Decided(decisions=tuple(decisions), problems=problems)


def _decision(rows: _Rows, i: int, receipt: Receipt | None) -> Decision:
    why = rows.explanation
    clipped = rows.capped is not None and CAPPED in rows.flags[i]
    contributions = np.zeros(0)
    if why is not None:
        contributions = rows.capped.contributions[i] if clipped and rows.capped is not None else why.contributions[i]
    return Decision(
        id=receipt.id if receipt is not None else None,
        score=float(rows.record[i]),
        raw_score=float(rows.scores[i]),
        verdict=bool(rows.verdicts[i]),
        flags=tuple(rows.flags[i]),
        contributions=contributions,
        base=_base(why, i),
        unit=why.unit if why is not None else "",
    )
