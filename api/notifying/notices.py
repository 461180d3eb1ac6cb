"""What is worth a notice: read from the log and from what ends soon. It names models and objects, never a person."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType

from audit.entries import Entry
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from governance.appeals import Appeals
from governance.permits import PermitBook, PermitState
from governance.use_changes import FLAG as USE_CHANGED
from policies.errors import Sentence
from policies.roles import Person, Role

PHRASES = Path(__file__).parent / "phrases"

KIND_OF_ENTRY: Mapping[str, str] = MappingProxyType(
    {
        "examine": "submission_waits",
        "approve": "approved",
        "return": "returned",
        "veto": "veto",
        "suspend": "suspension",
        "incident": "incident",
    }
)
"""Entries of the log that are told, and as what."""

KINDS = (*dict.fromkeys(KIND_OF_ENTRY.values()), "use_changed", "appeal_due", "appeal_overdue", "permit_ends")
PERMIT_ENDS_WITHIN = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing to tell. `key` is the same each time the same thing is found, so that it is told once."""

    kind: str
    key: str
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> tuple[Sentence, Sentence]:
        """Return title and text in both languages."""
        en, zh = _phrases("en")[self.kind], _phrases("zh")[self.kind]
        facts = {"model": "–", "version": "–", "site": "–", "until": "–", **self.facts}
        facts["at"] = self.at.strftime("%Y-%m-%d %H:%M UTC")
        return (
            Sentence(en=en["title"].format_map(facts), zh=zh["title"].format_map(facts)),
            Sentence(en=en["text"].format_map(facts), zh=zh["text"].format_map(facts)),
        )


def from_log(log: TraceLog, after: int, since: datetime | None) -> Iterator[Notice]:
    """Return what the log tells behind place `after`, oldest first; `since` spares reading older entries."""
    for kind in KIND_OF_ENTRY:
        for entry in log.each(Wanted(kind=kind, since=since)):
            if entry.index > after:
                yield _of_entry(entry, KIND_OF_ENTRY[entry.kind])
    for entry in log.each(Wanted(kind="assess", flag=USE_CHANGED, since=since)):
        if entry.index > after:
            yield _of_entry(entry, "use_changed")


def from_deadlines(permits: PermitBook, appeals: Appeals, now: datetime) -> Iterator[Notice]:
    """Return permits that end soon, requests whose day has nearly come, and those whose day is over.

    Each step of a deadline is a notice of its own with a key of its own. A house that stood still until the day was
    over tells only that.
    """
    for permit in permits.permits():
        if permit.state is PermitState.LIVE and now < permit.until <= now + PERMIT_ENDS_WITHIN:
            facts = {"model": permit.model, "version": permit.version, "until": f"{permit.until:%Y-%m-%d}"}
            yield Notice(kind="permit_ends", key=f"permit_ends:{permit.id}", at=now, facts=facts)
    for request in appeals.due(Person(name="mingjing", role=Role.DSO)):
        facts = {"model": request.model or "–", "site": request.site or "–", "until": f"{request.due:%Y-%m-%d}"}
        step = "appeal_overdue" if request.overdue else "appeal_due"
        yield Notice(kind=step, key=f"{step}:{request.id}", at=now, facts=facts)


def _of_entry(entry: Entry, kind: str) -> Notice:
    facts = {name: value for name in ("model", "version", "site") if (value := getattr(entry, name)) is not None}
    return Notice(kind=kind, key=f"entry:{entry.id}", at=entry.time, facts=facts)


@cache
def _phrases(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((PHRASES / f"{language}.toml").read_text(encoding="utf-8"))
