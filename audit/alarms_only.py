"""When there is no time to explain and to wait for the log: alarms leave at once, everything else goes to a person."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from audit.decided import LAPSED, PENDING, REVIEW, SPOOLED, UNLOGGED, Decided, Decision, RowProblem, decided_of
from audit.deidentify import deidentified
from audit.entries import Draft, Receipt, TraceSink
from audit.scored_rows import INFINITE, NOT_SCORED
from audit.served_model import Asked, ServedModel
from audit.trace import DecisionTrace, encode_trace
from explainers.predictor import ModelAway
from policies.errors import Sentence
from policies.permitted_use import PurposeRules, require_permitted

Floats = npt.NDArray[np.float64]

logger = logging.getLogger("mingjing.inference")

OVERLOAD = "overload"
"""Flag of an alarm that left without its explanation, because too many requests waited or one waited too long."""

NO_TIME = Sentence(
    en="there is no time to explain and trace this now, so only alarms are answered; hand this case to a person",
    zh="此刻来不及解释和留痕，仅放行报警；请将本次判断转交人工处理",
)


class AlarmsOnly:
    """Scores without explaining. Alarms are kept in a spool of their own, and leave even when that fails.

    Parameters
    ----------
    spool : TraceSink
        Where alarms are kept; not the log, which is what everybody waits for.
    hand_in : callable
        Gives to the log what waits in the spool.
    """

    def __init__(
        self, spool: TraceSink, purposes: Callable[[], PurposeRules], *, hand_in: Callable[[], object]
    ) -> None:
        self._spool = spool
        self._purposes = purposes
        self._hand_in = hand_in
        self._lock = threading.Lock()
        self._alarms = self._refused = 0
        self._waits = False

    def decide(self, served: ServedModel, X: Floats, asked: Asked) -> Decided:
        """Answer the alarms among the rows of `X`, flagged; refuse the rest.

        Raises
        ------
        PurposeRefused
        """
        purpose = require_permitted(asked.purpose, self._purposes())
        clean = deidentified(X, served.predictor.feature_names, served.plan)
        why = dict.fromkeys(range(len(clean)), NO_TIME)
        why |= dict.fromkeys(np.flatnonzero(np.isinf(clean).any(axis=1)).tolist(), INFINITE)
        margins, scores = _scored(served, clean, why)
        alarms = np.flatnonzero(served.alarms(scores) & np.isfinite(scores)).tolist()
        flags = (OVERLOAD, PENDING, *((LAPSED,) if served.lapsed else ()), *((REVIEW,) if served.review_alarms else ()))
        drafts = [_draft(served, clean, margins, scores, place, flags, asked, purpose) for place in alarms]
        receipts = self._kept(drafts)
        decisions: list[Decision | None] = [None] * len(clean)
        for place, receipt in zip(alarms, receipts, strict=True):
            kept = SPOOLED if receipt is not None else UNLOGGED
            decisions[place] = _decision(receipt, float(scores[place]), (*flags, kept))
            del why[place]
        with self._lock:
            self._alarms += len(alarms)
            self._refused += len(why)
        return decided_of(decisions, [RowProblem(row=row, says=says) for row, says in sorted(why.items())])

    def catch_up(self, log: TraceSink) -> None:
        """Hand in what waits, and keep in the log that there was an overload and how much of it.

        Raises whatever the log raises; what could not be handed in waits for the next time.
        """
        with self._lock:
            alarms, refused, waits = self._alarms, self._refused, self._waits
            self._waits = False
        try:
            if waits:
                self._hand_in()
            if alarms or refused:
                said = {"format": 1, "what": "alarms only", "alarms": alarms, "refused": refused}
                payload = json.dumps(said, sort_keys=True).encode()
                log.append([Draft(kind="overload", payload=payload, actor="mingjing")])
        except BaseException:
            with self._lock:
                self._waits = self._waits or waits
            raise
        with self._lock:
            self._alarms -= alarms
            self._refused -= refused

    def _kept(self, drafts: list[Draft]) -> Sequence[Receipt | None]:
        if not drafts:
            return ()
        try:
            receipts = self._spool.append(drafts)
        except Exception as error:  # noqa: BLE001 - a full disk must not hold an alarm back
            logger.error("the spool did not take %d traces: %s", len(drafts), type(error).__name__)
            return [None] * len(drafts)
        with self._lock:
            self._waits = True
        return receipts


def _scored(served: ServedModel, X: Floats, why: dict[int, Sentence]) -> tuple[Floats, Floats]:
    """Return margins and scores, NaN for rows that cannot be scored; those get their own reason."""
    margins = np.full(len(X), np.nan)
    good = ~np.isinf(X).any(axis=1)
    try:
        margins[good] = served.predictor.margins(X[good])
    except Exception as error:  # noqa: BLE001 - one row that breaks the model must not hold another's alarm back
        # Alone, each row shows whether it is the one; what broke is logged there. A model that is away answers none.
        away = isinstance(error, ModelAway) and error.at_once
        for place in () if away else np.flatnonzero(good).tolist():
            margins[place] = _margin_alone(served, X[place : place + 1])
    why |= dict.fromkeys(np.flatnonzero(good & np.isnan(margins)).tolist(), NOT_SCORED)
    return margins, served.predictor.score_of(margins)


def _margin_alone(served: ServedModel, row: Floats) -> float:
    try:
        return float(served.predictor.margins(row)[0])
    except Exception as error:  # noqa: BLE001 - the row goes to a person, with the reason
        logger.error("%s could not score a row: %s", served.name, type(error).__name__)
        return float("nan")


def _draft(
    served: ServedModel,
    X: Floats,
    margins: Floats,
    scores: Floats,
    place: int,
    flags: tuple[str, ...],
    asked: Asked,
    purpose: str,
) -> Draft:
    subject = asked.subjects[place] if asked.subjects is not None else None
    trace = DecisionTrace(
        model=served.name,
        version=served.version,
        artifact_digest=served.artifact_digest,
        rulebook_digest=served.rulebook_digest,
        purpose=purpose,
        site=served.site,
        subject=subject,
        caller=asked.caller,
        feature_names=served.predictor.feature_names,
        inputs=X[place],
        texts={},
        unit=served.predictor.unit,
        method="pending",
        base=0.0,
        contributions=np.zeros(0, np.float32),
        standard_error=None,
        margin=float(margins[place]),
        score=float(scores[place]),
        threshold=served.threshold,
        verdict=True,
        capped_contributions=None,
        capped_score=None,
        cap_shares={},
        protective=served.protective.value,
        flags=flags,
    )
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
        score=float(scores[place]),
        verdict=True,
        flags=flags,
    )


def _decision(receipt: Receipt | None, score: float, flags: tuple[str, ...]) -> Decision:
    return Decision(
        id=receipt.id if receipt is not None else None,
        score=score,
        raw_score=score,
        verdict=True,
        flags=flags,
        contributions=np.zeros(0),
        base=0.0,
        unit="",
    )
