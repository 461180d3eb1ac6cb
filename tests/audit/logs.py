"""Valid things in a word: a trace, a draft, a log with some history."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from audit.entries import Draft, Receipt
from audit.trace import DecisionTrace, encode_trace
from audit.trace_log import TraceLog

ARTIFACT = "ab" * 32
RULEBOOK = "cd" * 32


def a_trace(**fields: Any) -> DecisionTrace:
    """A decision over three features that alarmed."""
    given: dict[str, Any] = {
        "model": "gas-leak",
        "version": "3",
        "artifact_digest": ARTIFACT,
        "rulebook_digest": RULEBOOK,
        "purpose": "risk_intervention",
        "site": "plant-07",
        "subject": "p-17",
        "caller": "scada",
        "feature_names": ("pressure", "温度", "age"),
        "inputs": np.array([1.5, np.nan, 44.0], np.float32),
        "unit": "log-odds",
        "method": "tree_path_dependent",
        "base": -0.25,
        "contributions": np.array([1.0, 0.5, 0.125], np.float32),
        "margin": 1.375,
        "score": 0.798,
        "threshold": 0.5,
        "verdict": True,
        "protective": "at_or_above",
        **fields,
    }
    return DecisionTrace(**given)


def a_decision(trace: DecisionTrace | None = None, **fields: Any) -> Draft:
    """The draft of a decision as serving hands it over."""
    trace = a_trace() if trace is None else trace
    given: dict[str, Any] = {
        "kind": "decision",
        "payload": encode_trace(trace),
        "model": trace.model,
        "version": trace.version,
        "artifact_digest": trace.artifact_digest,
        "rulebook_digest": trace.rulebook_digest,
        "subject": trace.subject,
        "actor": trace.caller,
        "site": trace.site,
        "score": trace.score,
        "verdict": trace.verdict,
        **fields,
    }
    return Draft(**given)


def some_history(log: TraceLog, seed: int, size: int) -> list[Receipt]:
    """A random log: decisions, statements about earlier ones, acts of governance, in batches of any size."""
    draws = random.Random(seed)
    receipts: list[Receipt] = []
    while len(receipts) < size:
        receipts += log.append([a_random_draft(draws, receipts) for _ in range(draws.randint(1, 5))])
    return receipts


def a_random_draft(draws: random.Random, before: list[Receipt]) -> Draft:
    """One draft of a random history."""
    kind = draws.choice(["decision", "decision", "decision", "review", "appeal", "approve", "veto"])
    if kind in ("review", "appeal") and before:
        words = draws.randbytes(draws.randint(0, 40))
        return Draft(kind=kind, payload=words, about=draws.choice(before).id, actor=draws.choice(["李", "o'neil"]))
    if kind != "decision":
        return Draft(kind="approve", payload=b"{}", actor="officer", model="gas-leak", flags=("two_pairs",))
    score = draws.random()
    trace = a_trace(score=score, verdict=score > 0.5, subject=f"p-{draws.randint(0, 9)}")
    return a_decision(trace, flags=draws.choice([(), ("capped",), ("capped", "handed_over")]))
