"""What papers stand on, in a word: one believable version with its history; a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from policies.errors import Sentence
from reports.bias_audit import BiasAudit, bias_audit
from reports.model_figures import ModelFigures
from reports.paper_facts import PaperFacts, StandardLine, VerdictLine, VersionLine
from tests.reports.factories import DECIDED, DIGEST, PREPARED, a_log, a_verdict, some_counts, some_model_figures

EARLIER = "0" * 63 + "1"
WORDS: dict[str, Any] = {
    "audit_date": "2026-11-01",
    "auditor": "An auditing office",
    "data_kind": "test",
    "data_source": "claims of 1980 to 1982",
    "data_why": "the tool was not in use yet",
    "distribution_date": "2026-11-20",
    "selected": "no_alarm",
    "sex": "sex",
    "race_ethnicity": "origin",
}


def some_facts(figures: ModelFigures | None = None, **changed: Any) -> PaperFacts:
    """Return the facts of the second version of a model at work."""
    made: dict[str, Any] = {
        "figures": figures or some_model_figures(verdict=a_verdict(), log=a_log(), counts=some_counts()),
        "versions": (
            VersionLine(
                version="1",
                stage="retired",
                submitted=datetime(2026, 5, 4, tzinfo=UTC),
                artifact_digest=EARLIER,
            ),
            VersionLine(version="3", stage="approved", submitted=PREPARED, artifact_digest=DIGEST),
        ),
        "verdicts": (VerdictLine(outcome="approve", role="dso", by="li.wei", at=DECIDED, reason="it was looked at"),),
        "standards": (
            StandardLine(
                pack=Sentence(en="International standards", zh="国际标准"),
                article=Sentence(en="ISO/IEC TR 24027:2021", zh="ISO/IEC TR 24027:2021"),
                state="does_not_hold",
                because=Sentence(en="a gap was found", zh="发现差异"),
            ),
        ),
        "data_digests": {"evaluation": "a" * 64, "training": "b" * 64},
        "environment": {"numpy": "2.4.6", "xgboost-cpu": "3.1.0"},
    }
    return PaperFacts(**{**made, **changed})


def a_category(name: str, n: int = 400, rate: float = 0.5, *, left_out: bool = False) -> dict[str, Any]:
    """Return one category as group_bias measures it."""
    return {
        "category": name,
        "n": n,
        "left_out": left_out,
        "selection_rate": rate,
        "scoring_rate": rate,
        "selection_ratio": None,
        "scoring_ratio": None,
    }


def a_measured_table(column: str, *categories: dict[str, Any], unknown: int = 0) -> dict[str, Any]:
    """Return one table as group_bias measures it."""
    return {
        "column": column,
        "n": sum(int(category["n"]) for category in categories),
        "unknown": unknown,
        "comparator": {"selection": None, "scoring": None},
        "left_out_under": 0.02,
        "justification": {"en": "too few to compare", "zh": "人数过少，不作比较"},
        "categories": list(categories),
        "not_listed": 0,
    }


def some_audit_findings(*tables: dict[str, Any]) -> list[dict[str, Any]]:
    """Return findings that carry the tables of a bias audit: sex, origin, and both, unless told otherwise."""
    made = tables or (
        a_measured_table("sex", a_category("f", 300, 0.2), a_category("m", 700, 0.4), unknown=12),
        a_measured_table("origin", a_category("a", 990, 0.3), a_category("b", 10, 0.0, left_out=True)),
        a_measured_table("sex × origin", a_category("f × a", 295, 0.2), a_category("m × a", 695, 0.4)),
    )
    return [{"check": "group_bias", "holds": True, "evidence": {"bias_audit": list(made)}}]


def an_audit(findings: Any = None, *, leave: tuple[str, ...] = (), **words: Any) -> BiasAudit:
    """An audit of believable numbers; `leave` are words nobody said."""
    said = {key: value for key, value in {**WORDS, **words}.items() if key not in leave}
    return bias_audit(
        some_audit_findings() if findings is None else findings,
        said,
        model="hiring",
        version="2",
        artifact_digest=DIGEST,
        prepared=PREPARED,
        longest_days=365,
    )
