"""An alarm that left without its explanation gets it afterwards, as a statement about the decision."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import numpy as np

from audit.decided import PENDING
from audit.entries import Draft, Entry
from audit.log_reader import Wanted
from audit.trace import DecisionTrace
from audit.trace_log import RecordRestricted, TraceLog
from governance.models import Models
from governance.statements import read_statement, statement_about
from governance.submissions import SubmissionBook
from policies.errors import Fault

logger = logging.getLogger("mingjing.inference")

KIND = "explain"
LOOKS_BACK = timedelta(days=7)
AT_ONCE = 500
"""Decisions explained in one round; what is left waits for the next."""


def explain_pending(log: TraceLog, book: SubmissionBook, models: Models) -> int:
    """Explain what left unexplained in the last seven days and was not explained since; return how many that were.

    The sealed input goes through the same artifact again, and what comes out is added as an entry of kind `explain`,
    only where it gives the sealed margin. The decision itself is never edited. A model that still cannot be explained
    is left for the next round. Weight caps are not applied afterwards: the answer that left was not clipped.
    """
    wanted = Wanted(kind="decision", since=log.clock() - LOOKS_BACK, any_flag=(PENDING,), without=(KIND,))
    made = 0
    for entry in log.find(wanted, limit=AT_ONCE).entries:
        try:
            draft = _explained(entry, log, book, models)
        except RecordRestricted:
            continue
        except Exception as error:  # noqa: BLE001 - whatever breaks the explainer still, the others get theirs
            why = str(error) if isinstance(error, Fault) else type(error).__name__
            logger.warning("decision %s is still without its explanation: %s", entry.id, why)
            continue
        if draft is not None:
            log.append([draft])
            made += 1
    return made


def _explained(entry: Entry, log: TraceLog, book: SubmissionBook, models: Models) -> Draft | None:
    """Return what is to be added about a decision; None where nothing is left to explain, or it would not be true."""
    trace = log.trace(entry.id)
    if trace is None or len(trace.contributions):
        return None
    record = book.of_version(trace.model, trace.version)
    why = models.predictor(record).explain(np.asarray(trace.inputs, dtype=np.float64)[None, :])
    if not np.isclose(why.scores[0], trace.margin, rtol=1e-6, atol=1e-9):
        logger.error("decision %s cannot be explained: its model gives another margin now", entry.id)
        return None
    return statement_about(
        entry,
        KIND,
        by="mingjing",
        body={
            "method": why.method,
            "unit": why.unit,
            "base": float(np.ravel(why.base)[0]),
            "contributions": why.contributions[0].astype(float).tolist(),
        },
    )


def with_late_explanation(log: TraceLog, id: str, trace: DecisionTrace) -> DecisionTrace:
    """Return a decision's trace with the explanation that was added afterwards, where it left without one."""
    if len(trace.contributions):
        return trace
    for entry in log.statements_about(id):
        raw = log.payload(entry.id) if entry.kind == KIND else None
        if raw is not None:
            said = read_statement(raw)
            late = np.asarray(said["contributions"], dtype=np.float32)
            return replace(trace, contributions=late, base=said["base"], method=said["method"], unit=said["unit"])
    return trace
