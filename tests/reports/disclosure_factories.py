"""A quarterly disclosure in a word: believable sites, one of them tiny; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from audit.quarter_counts import Drift
from policies.declaration import Source
from policies.errors import Sentence
from policies.quarters import Quarter
from policies.rulebook import read_rulebook
from reports.disclosure_building import Published, disclosure_figures
from reports.disclosure_figures import DisclosureFigures, MeasureFigure, ModelLine
from reports.disclosure_table import Kept, true_counts
from reports.facts import LogFacts

QUARTER = Quarter(2026, 3)
PREPARED = datetime(2026, 10, 8, 1, 0, tzinfo=UTC)
LOG = LogFacts(root="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", size=1_204_118, time=PREPARED)


def a_site(decisions: int = 10_000, alarms: float = 0.06, known: float = 0.6, **changed: int) -> dict[str, int]:
    """The parts of one site's decisions: so many, this share of them alarms, this share with a known outcome."""
    alarmed = round(decisions * alarms)
    quiet = decisions - alarmed
    parts = {
        "alarm_right": round(alarmed * known * 0.7),
        "alarm_false": round(alarmed * known * 0.3),
        "missed": round(quiet * known * 0.01),
        "confirmed": round(alarmed * 0.4),
        "overridden": round(alarmed * 0.05),
        "handed_over": round(alarmed * 0.1),
        "refused": 0,
        "explained": 40,
        "stands": 25,
        "changed": 12,
        "request_open": 0,
    }
    parts["alarm_open"] = alarmed - parts["alarm_right"] - parts["alarm_false"]
    parts["quiet_right"] = round(quiet * known) - parts["missed"]
    parts["quiet_open"] = quiet - parts["missed"] - parts["quiet_right"]
    return {**parts, **changed}


def some_sites() -> dict[str, dict[str, int]]:
    """Four sites, the last of which is tiny."""
    return {
        "plant-03": a_site(420_000),
        "plant-07": a_site(180_500, alarms=0.09),
        "plant-11": a_site(52_300, alarms=0.03, known=0.8),
        "store-2": a_site(140, alarms=0.1, known=0.5, explained=1, stands=0, changed=1),
    }


def a_measure(**changed: Any) -> MeasureFigure:
    """A measure whose target can be met."""
    given: dict[str, Any] = {
        "says": Sentence(en="Move the gas sensors away from the vent", zh="将气体传感器移离放散口"),
        "indicator": "false_alarm_share",
        "target": 0.35,
        "more_is_better": False,
        "owner": "process-safety",
        "site": None,
    }
    return MeasureFigure(**{**given, **changed})


def a_model(name: str = "chemical-release-harm", **changed: str) -> ModelLine:
    """A model version that decided."""
    given = {
        "version": "3",
        "tier": "L3",
        "status": "approved",
        "site": "plant-07",
        "description": "Will people be harmed by this release?",
    }
    return ModelLine(name=name, **{**given, **changed})


def some_figures(
    sites: Mapping[str, Mapping[str, int]] | None = None, **changed: Any
) -> tuple[DisclosureFigures, Kept]:
    """Figures of the third quarter of 2026, with what is kept behind them."""
    given: dict[str, Any] = {
        "quarter": QUARTER,
        "counts": true_counts(some_sites() if sites is None else sites, ()),
        "rulebook": read_rulebook(),
        "log": LOG,
        "prepared": PREPARED,
        "models": (a_model(), a_model("gas-leak", version="12", tier="L2", site="plant-03")),
        "drift": (
            Drift(model="chemical-release-harm", before=400_000, now=420_000, psi=0.04),
            Drift(model="gas-leak", before=90_000, now=91_000, psi=0.31),
        ),
        "sources": {"gas-leak": (Source(name="EPA RMP", period="1992-2025", licence="CC BY-SA 4.0"),)},
        "measures": (a_measure(), a_measure(indicator="miss_rate", target=0.01, site="plant-11")),
        "next_measures": (a_measure(target=0.2),),
    }
    return disclosure_figures(**{**given, **changed})


def released(figures: DisclosureFigures, kept: Kept, number: str = "2026Q3-1") -> Published:
    """Figures as an earlier number published them."""
    from dataclasses import replace

    made = replace(figures, number=number, released=PREPARED, released_by="mei", entry="0192-entry")
    return Published(figures=made, kept=kept)
