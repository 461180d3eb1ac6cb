"""What really happened, handed in later for decisions of the log: harm, or none. The last word counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from audit.entries import Draft, Entry, Receipt
from audit.trace_log import TraceLog
from governance.statements import read_statement, statement_about
from policies.errors import NotFound, Sentence, refuse_all
from policies.roles import Action, Person, absent, require

AT_ONCE = 10_000
"""Most outcomes of one call; hand more in by parts."""

MOST_WORDS = 200


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened after one decision.

    `harmed` says whether what the model watches for came true; `source` says who or what established it, such as
    "inspection" or "insurer"; `observed` is the day it was established, where that is known.
    """

    decision: str
    harmed: bool
    source: str
    observed: date | None = None


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a decision's outcome: whether harm happened, who or what established it, when it came in."""

    harmed: bool
    source: str
    at: datetime


class Outcomes:
    """Takes outcomes into the log, all of a call or none."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log

    def hand_in(self, outcomes: Sequence[Outcome], *, by: Person) -> tuple[Receipt, ...]:
        """Keep outcomes as statements about their decisions; return one receipt for each.

        Raises
        ------
        NotAllowed
        Malformed
            With every fault of every outcome: a decision that is absent or of another site (both look the same), one
            that is named twice, a source that is empty or too long, too many at once. Nothing is kept then.
        """
        require(by, Action.HAND_IN_OUTCOMES)
        refuse_all(_faults(outcomes))
        entries = [self._entry(outcome.decision, by) for outcome in outcomes]
        refuse_all(entry for entry in entries if isinstance(entry, Sentence))
        return self._log.append(
            [
                _draft(outcome, entry, by)
                for outcome, entry in zip(outcomes, entries, strict=True)
                if isinstance(entry, Entry)
            ]
        )

    def of(self, decision: str) -> Known | None:
        """Return the last word on what really happened after a decision; None while nobody has said."""
        said = [entry for entry in self._log.statements_about(decision) if entry.kind == "outcome"]
        if not said or said[-1].verdict is None:
            return None
        raw = self._log.payload(said[-1].id)
        source = "" if raw is None else str(read_statement(raw).get("source", ""))
        return Known(harmed=said[-1].verdict, source=source, at=said[-1].time)

    def _entry(self, decision: str, by: Person) -> Entry | Sentence:
        try:
            entry = self._log.entry(decision)
        except NotFound:
            return absent("decision", decision).says
        known = entry.kind == "decision" and by.sees(entry.site, entry.model)
        return entry if known else absent("decision", decision).says


def _draft(outcome: Outcome, entry: Entry, by: Person) -> Draft:
    return statement_about(
        entry,
        "outcome",
        by=by.name,
        body={
            "harmed": outcome.harmed,
            "source": outcome.source.strip(),
            "observed": None if outcome.observed is None else outcome.observed.isoformat(),
        },
        rulebook_digest=None,  # what came to be known depends on no rules
        verdict=outcome.harmed,
    )


def _faults(outcomes: Sequence[Outcome]) -> list[Sentence]:
    faults = []
    if not 1 <= len(outcomes) <= AT_ONCE:
        faults.append(
            Sentence(
                en=f"{len(outcomes):,} outcomes in one call; expected 1 to {AT_ONCE:,}",
                zh=f"一次提交了 {len(outcomes):,} 条结果，应为 1 至 {AT_ONCE:,} 条",
            )
        )
    for decision, times in Counter(outcome.decision for outcome in outcomes).items():
        if times > 1:
            faults.append(
                Sentence(
                    en=f"decision {decision} is named {times} times; hand in one outcome for it",
                    zh=f"决策 {decision} 出现 {times} 次，每个决策只能提交一个结果",
                )
            )
    for at, outcome in enumerate(outcomes, start=1):
        if not 1 <= len(outcome.source.strip()) <= MOST_WORDS:
            faults.append(
                Sentence(
                    en=f"outcome {at}: the source has {len(outcome.source.strip())} characters; "
                    f"say in 1 to {MOST_WORDS} who or what established it",
                    zh=f"第 {at} 条结果：来源为 {len(outcome.source.strip())} 个字符，"
                    f"请用 1 至 {MOST_WORDS} 个字符说明由谁或凭什么认定",
                )
            )
    return faults
