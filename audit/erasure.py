"""How content goes for good: payload, salt, private details, data key, and the traces they leave in files."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from audit.database import Database, Writer
from audit.entries import Draft, Receipt, microseconds_of
from audit.kept_counts import Corrections
from audit.log_writer import Batch
from audit.payload_keys import Wrapping
from audit.subject_index import SEGMENT, SEGMENT_OF, STEPS
from audit.trace_log import TraceLog
from policies.errors import Sentence, Unavailable

AT_ONCE = 5000
"""Entries erased in one transaction: readers and writers wait no longer than that takes."""

PATIENCE_SECONDS = 10.0


class NotYetWiped(Unavailable):
    """What was erased is gone for every reader, but its bytes are still in the write-ahead file."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="the erased bytes are still in the write-ahead file because a reader holds on to it;"
                " run the expiry again when it is done",
                zh="已删除内容的字节仍留在预写日志中，因为有读取尚未结束；请在其结束后再次执行到期清理",
            )
        )


@dataclass(frozen=True)
class Going:
    """One entry about to be erased."""

    index: int
    payload_key: int


def erase(log: TraceLog, going: Sequence[Going], *, reason: str, actor: str | None = None) -> tuple[Receipt, ...]:
    """Erase the content of entries and say so in the log; headers, leaves and every proof stay.

    Payload and salt, subject, actor, score and verdict become NULL; a data key goes with the last entry it
    sealed. Once all is erased `renew_wrapping` and `wipe` must follow. Returns the receipts of the `erase` entries.
    """
    receipts: list[Receipt] = []
    ordered = sorted(going, key=lambda one: one.index)
    for first in range(0, len(ordered), AT_ONCE):
        part = ordered[first : first + AT_ONCE]
        said = {"entries": ranges([one.index for one in part]), "reason": reason}
        draft = Draft(kind="erase", payload=json.dumps(said, sort_keys=True, ensure_ascii=False).encode(), actor=actor)
        batch = Batch((draft,), microseconds_of(log.clock()), log.source, also=_Clearing(tuple(part)))
        receipts += log.commit(batch)
    return tuple(receipts)


def ranges(places: Sequence[int]) -> list[list[int]]:
    """Return ascending places as first and last of each unbroken run.

    Examples
    --------
    >>> ranges([1, 2, 3, 7])
    [[1, 3], [7, 7]]
    """
    if not places:
        return []
    breaks = [place for place, (one, after) in enumerate(pairwise(places), 1) if after != one + 1]
    starts, ends = [0, *breaks], [*breaks, len(places)]
    return [[places[start], places[end - 1]] for start, end in zip(starts, ends, strict=True)]


def renew_wrapping(database: Database, wrapping: Wrapping) -> None:
    """Wrap every live data key anew under a fresh key and destroy the old one."""
    writer = database.writer()
    try:
        writer.begin()
        live = writer.rows("SELECT number, quarter, wrapped, wrapping FROM log_payload_keys WHERE wrapped IS NOT NULL")
        if live:
            wrapping.take(live[-1][3])
        fresh = wrapping.successor()
        for number, quarter, wrapped, _ in live:
            secret = wrapping.unwrap(bytes(wrapped), number, quarter)
            again = fresh.wrap(secret, number, quarter)
            writer.rows(
                "UPDATE log_payload_keys SET wrapped = ?, wrapping = ? WHERE number = ?", again, fresh.name, number
            )
        writer.commit()
        wrapping.take(fresh.name)
    except BaseException:
        writer.undo()
        raise
    finally:
        writer.close()


def wipe(database: Database) -> None:
    """Let nothing of what was erased stay in the database's files.

    SQLite overwrites freed bytes (`secure_delete`) and empties its write-ahead file. PostgreSQL reclaims the dead
    rows; what its pages and its own log still hold is ciphertext whose key is gone.

    Raises
    ------
    NotYetWiped
        When a reader keeps SQLite's write-ahead file from being emptied.
    """
    if database.dialect == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM log_entries, log_payloads, log_payload_keys, log_counts")
        return
    raw = database.engine.raw_connection()
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > end:
                raise NotYetWiped
            time.sleep(0.01)
    finally:
        raw.close()


@dataclass(frozen=True)
class _Clearing:
    part: tuple[Going, ...]

    def __call__(self, writer: Writer) -> None:
        kept = Corrections(writer)
        for first, last in ranges([one.index for one in self.part]):
            kept.note(first, last)
            writer.rows("UPDATE log_payloads SET sealed = NULL WHERE entry BETWEEN ? AND ?", first, last)
            writer.rows(
                "UPDATE log_entries SET subject = NULL, actor = NULL, score = NULL, verdict = NULL"
                " WHERE number BETWEEN ? AND ?",
                first,
                last,
            )
            writer.rows("DELETE FROM log_restrictions WHERE entry BETWEEN ? AND ?", first, last)
        kept.make()
        places = {one.payload_key: one.index for one in sorted(self.part, key=lambda one: one.index)}
        for number, place in places.items():
            if not _still_needed(writer, number, place):
                writer.rows(
                    "UPDATE log_payload_keys SET owner = NULL, wrapped = NULL, wrapping = NULL WHERE number = ?", number
                )


def _still_needed(writer: Writer, number: int, place: int) -> bool:
    """Whether any entry that is still here was sealed under this data key; the last one erased was at `place`."""
    owner, quarter = writer.rows("SELECT owner, quarter FROM log_payload_keys WHERE number = ?", number)[0]
    if owner is None:
        return False
    kind, _, name = owner.partition(" ")
    first, last = (microseconds_of(moment) for moment in _bounds(quarter))
    under = "p.payload_key = ? AND p.sealed IS NOT NULL AND e.time >= ? AND e.time < ?"
    held = "JOIN log_payloads p ON p.entry = e.number"
    if kind == "subject":
        # what is left of a quarter follows what was erased of it, so the segments from there on are asked first
        return any(
            writer.rows(
                f"{STEPS} SELECT 1 FROM steps CROSS JOIN log_entries e {held}"
                f" WHERE step {side} ? AND e.{SEGMENT_OF} = step AND e.subject = ? AND {under} LIMIT 1",
                *(place // SEGMENT, name, number, first, last),
            )
            for side in (">=", "<")
        )
    mine, values = "1 = 1", list[object]()
    if kind == "model":
        mine, values = "e.model = (SELECT number FROM log_models WHERE name = ?)", [name]
    statement = f"SELECT 1 FROM log_entries e {held} WHERE {mine} AND {under} ORDER BY e.time DESC LIMIT 1"
    return bool(writer.rows(statement, *values, number, first, last))


def _bounds(quarter: str) -> tuple[datetime, datetime]:
    year, number = int(quarter[:4]), int(quarter[5:])
    after = datetime(year + number // 4, number % 4 * 3 + 1, 1, tzinfo=UTC)
    return datetime(year, number * 3 - 2, 1, tzinfo=UTC), after
