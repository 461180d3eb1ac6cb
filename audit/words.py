"""What people said about decisions, each word beside the decision it is about: narrow rows, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from audit.database import Database
from audit.entries import moment_of
from audit.log_reader import Wanted
from audit.payload_keys import KeyRing
from audit.payload_store import PayloadStore
from audit.trace_log import TraceLog


@dataclass(frozen=True, kw_only=True)
class Word:
    """A statement (`index` is its place in the log) and the decision that it is about.

    `verdict` is the decision's, `actor` who said it; both are None once their entry is erased.
    """

    index: int
    id: bytes
    kind: str
    time: datetime
    actor: str | None
    decision: int
    decided: datetime
    verdict: bool | None
    model: str | None


def words(database: Database, wanted: Wanted) -> list[Word]:
    """Return the wanted statements about decisions, in the order of the log."""
    clauses, values = wanted.where()
    where = " AND ".join([*clauses, "d.kind = 'decision'"])
    rows = database.rows(
        "SELECT e.number, e.id, e.kind, e.time, e.actor, d.number, d.time, d.verdict, m.name"
        f" FROM {wanted.table(database.dialect)} JOIN log_contexts c ON c.number = e.context"
        f" JOIN log_entries d ON d.id = e.about LEFT JOIN log_models m ON m.number = d.model WHERE {where}"
        " ORDER BY e.number",
        *values,
    )
    return [
        Word(
            index=number,
            id=bytes(id),
            kind=kind,
            time=moment_of(time),
            actor=actor,
            decision=decision,
            decided=moment_of(decided),
            verdict=None if verdict is None else bool(verdict),
            model=model,
        )
        for number, id, kind, time, actor, decision, decided, verdict, model in rows
    ]


def sealed_in(log: TraceLog, said: Iterable[Word]) -> dict[int, bytes]:
    """Return the payloads of words by their place, without those that are erased or restricted."""
    keys = KeyRing(log.wrapping)  # for this once: nobody would tell it of keys that go
    return PayloadStore(log.database, keys).in_use({word.index: word.id for word in said})
