"""One governed decision: purpose, de-identification, score, explanation, caps, and a durable trace before the answer.

Protective and permissive answers fail in opposite directions. An alarm never waits for explainer or log:
it leaves with a flag. Anything that lets work go on is refused when its trace cannot be kept.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.decided import CAPPED, MARK, SPOOLED, UNLOGGED, Decided, RowProblem
from audit.deidentify import deidentified
from audit.entries import Draft, DraftColumns, Receipt, TraceSink, drafts_alike
from audit.scored_rows import INFINITE, Places, Rows, explained, finite, hold
from audit.served_model import Asked, ServedModel
from audit.trace_columns import TraceColumns, encode_columns
from explainers.weight_shares import Capped
from policies.errors import Sentence
from policies.permitted_use import PurposeRules, require_permitted

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

logger = logging.getLogger("mingjing.inference")

NO_TRACE = Sentence(
    en="the trace could not be kept, so only alarms are answered now; hand this case to a person",
    zh="无法保存决策留痕，此时仅放行报警；请将本次判断转交人工处理",
)


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
        parts = explained(served, *finite(clean))  # (3)
        for rows in parts:
            hold(served, rows, replayed=asked.times is not None)  # (4) (5)
        ids = self._keep(served, parts, asked, purpose)  # (6)
        return _answers(served, parts, ids, clean.shape)  # (7)

    def _keep(self, served: ServedModel, parts: Sequence[Rows], asked: Asked, purpose: str) -> dict[int, str | None]:
        """Keep every trace with one append; return the ids by place."""
        kept = [(rows, at) for rows in parts if len(rows.places[at := rows.kept()])]
        drafts = [draft for rows, at in kept for draft in _drafts(served, rows, at, asked, purpose)]
        if not drafts:
            return {}
        places = [place for rows, at in kept for place in rows.places[at].tolist()]
        try:
            made: Sequence[Receipt | None] = self._sink.append(drafts)
            self.empty_spool()
        except Exception as error:  # noqa: BLE001 - whatever broke the log, an alarm still has to leave
            logger.error("the log did not take %d traces: %s", len(drafts), type(error).__name__)
            made = self._without_log([(rows, i) for rows, at in kept for i in _numbers(rows, at)], drafts)
        return {place: None if receipt is None else receipt.id for place, receipt in zip(places, made, strict=True)}

    def _without_log(self, kept: list[tuple[Rows, int]], drafts: list[Draft]) -> list[Receipt | None]:
        """Let alarms leave with a flag, through the spool where there is one; refuse the rest."""
        made: list[Receipt | None] = []
        for (rows, i), draft in zip(kept, drafts, strict=True):
            if not rows.verdicts[i]:
                rows.refused[i] = NO_TRACE
                made.append(None)
                continue
            made.append(self._spooled(draft))
            rows.marks[i] |= MARK[SPOOLED if made[-1] is not None else UNLOGGED]
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


def _numbers(rows: Rows, at: Places | slice) -> list[int]:
    found: list[int] = np.arange(len(rows.places))[at].tolist()
    return found


def _drafts(served: ServedModel, rows: Rows, at: Places | slice, asked: Asked, purpose: str) -> list[Draft]:
    """Return the drafts of the rows `at`, none of which is refused."""
    places = rows.places[at].tolist()
    words = rows.words()
    subjects = None if asked.subjects is None else [asked.subjects[place] for place in places]
    columns = _columns(
        served,
        rows,
        at,
        subjects,
        words if isinstance(at, slice) else [words[i] for i in at.tolist()],
        asked.caller,
        purpose,
    )
    payloads, layouts = encode_columns(columns)
    shared = _shared_draft(
        served.name, served.version, served.artifact_digest, served.rulebook_digest, asked.caller, served.site
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


@lru_cache(maxsize=256)
def _shared_draft(
    model: str, version: str, artifact_digest: str, rulebook_digest: str, caller: str, site: str
) -> Draft:
    return Draft(
        kind="decision",
        payload=b"",
        model=model,
        version=version,
        artifact_digest=artifact_digest,
        rulebook_digest=rulebook_digest,
        actor=caller,
        site=site or None,
    )


def _or_none(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _columns(
    served: ServedModel,
    rows: Rows,
    at: Places | slice,
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
        cap_shares=_cap_shares(capped, at, len(rows.places), [names.index(name) for name in cap_names]),
    )


def _cap_shares(capped: Capped | None, at: Places | slice, rows: int, columns: list[int]) -> Floats:
    if capped is None:
        return np.zeros((rows, 0))
    return np.asarray(capped.shares_before[at][:, columns])


def _answers(served: ServedModel, parts: Sequence[Rows], ids: dict[int, str | None], shape: tuple[int, ...]) -> Decided:
    """Put the answers of all parts into the order of the rows."""
    n = shape[0]
    if len(parts) == 1 and len(parts[0].places) == n and not parts[0].refused and parts[0].explanation is not None:
        return _answers_of_all(served, parts[0], [ids[place] for place in range(n)])
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


def _answers_of_all(served: ServedModel, rows: Rows, ids: list[str | None]) -> Decided:
    """Answer rows that stayed together and of which none was refused: their columns are the answer's."""
    why, all_of_them = rows.contributions, np.ones(len(ids), dtype=np.bool_)
    assert why is not None, "they were explained"
    return Decided(
        answered=all_of_them,
        ids=ids,
        scores=rows.record,
        raw_scores=rows.scores,
        verdicts=rows.verdicts,
        flags=rows.words(),
        explained=all_of_them,
        contributions=why,
        bases=rows.bases,
        unit=served.predictor.unit,
        problems=(),
    )


def _spread(parts: Sequence[Rows], column: Callable[[Rows], Any], whole: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column over all rows that were asked; where nothing is known of a row, `whole` stays as it is."""
    for rows in parts:
        found = column(rows)
        if found is not None:
            whole[rows.places] = found
    return whole
