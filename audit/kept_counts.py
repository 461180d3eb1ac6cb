"""Sums of the log by day, kept so that a count reads few rows instead of a million: never behind, never in the way.

They hold for the entries before a place, `upto`; what came after is counted as it lies there, in the same look at the
database, so a count is right at once and only quicker once `bring_up_to_date` was there. Entries never change but by
erasure, and an erasure corrects the sums within its own transaction (`Corrections`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audit.database import Database, Rows, Writer
from policies.errors import Sentence

DAY = 86_400_000_000
"""Microseconds of a day."""

LEAST = 1000
"""Fewer new entries than this are not worth a transaction."""

AT_ONCE = 100_000
"""New entries summed up in one look."""

_SUMMED = (
    "count(*), coalesce(sum(CASE WHEN e.verdict THEN 1 ELSE 0 END), 0), count(e.score), coalesce(sum(e.score), 0.0),"
    " max(e.time)"
)
_OF_SUMS = (
    "coalesce(sum(e.entries), 0), coalesce(sum(e.protective), 0), coalesce(sum(e.scored), 0),"
    " coalesce(sum(e.score_sum), 0.0), max(e.newest)"
)
_DAY = f"CASE WHEN e.time >= 0 THEN e.time / {DAY} ELSE -(({DAY} - 1 - e.time) / {DAY}) END"
_KEY = f"{_DAY}, e.context, e.kind, e.flags, e.model"
_GROUPED = f"SELECT {_KEY}, {_SUMMED} FROM log_entries e WHERE {{}} GROUP BY {_KEY}"
_COLUMNS = ("day", "context", "kind", "flags", "entries", "protective", "scored", "score_sum", "newest")
_ADDED = (
    "INSERT INTO log_counts (day, context, kind, flags, model, entries, protective, scored, score_sum, newest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (day, context, kind, flags) DO UPDATE SET"
    " entries = log_counts.entries + excluded.entries, protective = log_counts.protective + excluded.protective,"
    " scored = log_counts.scored + excluded.scored, score_sum = log_counts.score_sum + excluded.score_sum,"
    " newest = CASE WHEN excluded.newest > log_counts.newest THEN excluded.newest ELSE log_counts.newest END"
)
_NEW_STATE = (
    "INSERT INTO log_counts_state (number, upto, erasures) VALUES (0, ?, ?)"
    " ON CONFLICT (number) DO UPDATE SET upto = excluded.upto, erasures = excluded.erasures"
)


@dataclass(frozen=True)
class Sums:
    """Entries, protective ones, those with a score, the scores' sum, and the newest time (None without entries)."""

    entries: int = 0
    protective: int = 0
    scored: int = 0
    score_sum: float = 0.0
    newest: int | None = None

    def __add__(self, other: Sums) -> Sums:
        times = [time for time in (self.newest, other.newest) if time is not None]
        return Sums(
            self.entries + other.entries,
            self.protective + other.protective,
            self.scored + other.scored,
            self.score_sum + other.score_sum,
            max(times, default=None),
        )

    def is_close(self, other: Sums) -> bool:
        """Return whether both are the same, but for the rounding of sums that were corrected."""
        return replace(self, score_sum=0.0) == replace(other, score_sum=0.0) and math.isclose(
            self.score_sum, other.score_sum, rel_tol=1e-6, abs_tol=1e-6
        )


@dataclass(frozen=True)
class Question:
    """Which entries are summed up: conditions on `e` (the entry) and `c` (its context), and a span of time."""

    clauses: Sequence[str]
    values: Sequence[object]
    since: int | None = None
    until: int | None = None

    def sums(self, rows: Rows, what: str, table: str, *more: tuple[str, object]) -> Sums:
        """Return the sums over a table's rows, `e`, for which the conditions, and some more, hold."""
        clauses, values = [*self.clauses, *(clause for clause, _ in more)], [*self.values, *(one for _, one in more)]
        context = "JOIN log_contexts c ON c.number = e.context" if any("c." in clause for clause in clauses) else ""
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        return _read(rows(f"SELECT {what} FROM {table} {context} {where}", *values)[0])

    def plain(self, rows: Rows, table: str = "log_entries e") -> Sums:
        """Return the sums over all entries asked for, each of them read."""
        return self.sums(rows, _SUMMED, table, *_within(self.since, self.until))


def summed(database: Database, asked: Question) -> Sums:
    """Return the sums over all entries asked for, from the kept ones as far as those reach.

    Whole days come from what is kept; the parts of days at either end, and the entries from `upto` on, are read.
    """
    first = None if asked.since is None else -(-asked.since // DAY)
    end = None if asked.until is None else asked.until // DAY
    if first is not None and end is not None and first >= end:
        return asked.plain(database.rows)
    # without statistics SQLite takes any index rather than the place of an entry
    by_place = "log_entries e NOT INDEXED" if database.dialect == "sqlite" else "log_entries e"
    with database.one_state() as rows:
        upto, _ = _state(rows)
        found = asked.sums(rows, _OF_SUMS, "log_counts e", *_within(first, end, "e.day"))
        found += asked.sums(rows, _SUMMED, by_place, ("e.number >= ?", upto), *_within(asked.since, asked.until))
        for edge in _edges(asked, first, end):
            found += asked.sums(rows, _SUMMED, "log_entries e", ("+e.number < ?", upto), *edge)
    return found


def bring_up_to_date(database: Database, *, least: int = LEAST) -> int:
    """Sum up the entries that came since the last time, if there are `least` or more; return up to which place.

    The entries are read beside writers and readers; the lock of writers is held only to add what was found, and only
    if meanwhile nobody else did, and nothing was erased.
    """
    while True:
        with database.one_state() as rows:
            state = upto, erasures = _state(rows)
            size = int(rows("SELECT coalesce(max(number), -1) + 1 FROM log_entries")[0][0])
            end = min(upto + AT_ONCE, size)
            if size - upto < max(least, 1):
                return upto
            found = rows(_GROUPED.format("e.number >= ? AND e.number < ?"), upto, end)
        _writing(database, lambda writer: _add(writer, state, found, (end, erasures)))  # noqa: B023


def start_over(database: Database) -> None:
    """Drop what is kept; the next `bring_up_to_date` sums the whole log up again."""

    def dropped(writer: Writer) -> None:
        _, erasures = _state(writer.rows)
        writer.rows("DELETE FROM log_counts")
        writer.rows(_NEW_STATE, 0, erasures + 1)

    _writing(database, dropped)


def differences(database: Database) -> tuple[Sentence, ...]:
    """Return where the kept sums are not what the entries give: somebody else than this program changed them."""
    with database.one_state() as rows:
        upto, _ = _state(rows)
        entries = {tuple(row[:4]): _read(row[5:]) for row in rows(_GROUPED.format("e.number < ?"), upto)}
        kept = {tuple(row[:4]): _read(row[4:]) for row in rows(f"SELECT {', '.join(_COLUMNS)} FROM log_counts")}
    return tuple(
        _difference(key, kept.get(key, Sums()), entries.get(key, Sums()))
        for key in sorted({*kept, *entries})
        if not kept.get(key, Sums()).is_close(entries.get(key, Sums()))
    )


class Corrections:
    """Takes erased entries out of the kept sums, in the transaction that erases them."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._upto, self._erasures = _state(writer.rows)
        self._gone: dict[tuple[Any, ...], Sums] = {}

    def note(self, first: int, last: int) -> None:
        """Take note of entries, by their first and last place, while score and verdict are still there."""
        told = "e.number BETWEEN ? AND ? AND e.number < ? AND (e.verdict IS NOT NULL OR e.score IS NOT NULL)"
        for row in self._writer.rows(_GROUPED.format(told), first, last, self._upto):
            key = tuple(row[:4])
            self._gone[key] = self._gone.get(key, Sums()) + _read(row[5:])

    def make(self) -> None:
        """Correct the sums. The number of entries and their times stay: only what they said is gone."""
        for key, gone in self._gone.items():
            self._writer.rows(
                "UPDATE log_counts SET protective = protective - ?, scored = scored - ?,"
                " score_sum = CASE WHEN scored = ? THEN 0.0 ELSE score_sum - ? END"
                " WHERE day = ? AND context = ? AND kind = ? AND flags = ?",
                *(gone.protective, gone.scored, gone.scored, gone.score_sum, *key),
            )
        self._writer.rows(_NEW_STATE, self._upto, self._erasures + 1)


def _edges(asked: Question, first: int | None, end: int | None) -> list[list[tuple[str, object]]]:
    """Return the conditions of the parts of days before the first and after the last whole day."""
    edges = []
    if first is not None and asked.since != first * DAY:
        edges.append(_within(asked.since, first * DAY))
    if end is not None and asked.until != end * DAY:
        edges.append(_within(end * DAY, asked.until))
    return edges


def _within(since: int | None, until: int | None, column: str = "e.time") -> list[tuple[str, object]]:
    bounds = ((f"{column} >= ?", since), (f"{column} < ?", until))
    return [(clause, value) for clause, value in bounds if value is not None]


def _state(rows: Rows) -> tuple[int, int]:
    """Return up to which place entries are summed up, and how often sums were corrected."""
    found = rows("SELECT upto, erasures FROM log_counts_state")
    return (int(found[0][0]), int(found[0][1])) if found else (0, 0)


def _add(writer: Writer, state: tuple[int, int], found: Sequence[tuple[Any, ...]], new_state: tuple[int, int]) -> None:
    if _state(writer.rows) == state:
        for row in found:
            writer.rows(_ADDED, *row)
        writer.rows(_NEW_STATE, *new_state)


def _writing(database: Database, work: Callable[[Writer], None]) -> None:
    writer = database.writer()
    try:
        writer.begin()
        work(writer)
        writer.commit()
    except BaseException:
        writer.undo()
        raise
    finally:
        writer.close()


def _read(row: Sequence[Any]) -> Sums:
    entries, protective, scored, score_sum, newest = row
    return Sums(int(entries), int(protective), int(scored), float(score_sum), None if newest is None else int(newest))


def _difference(key: tuple[Any, ...], kept: Sums, found: Sums) -> Sentence:
    day, context, kind, flags = key
    where = f"day {day}, context {context}, {kind} [{flags}]"
    shown = [f"{one.entries}/{one.protective}/{one.scored}/{one.score_sum:.6g}" for one in (kept, found)]
    return Sentence(
        en=f"the sums kept for {where} are {shown[0]}, the entries give {shown[1]}; they are made anew",
        zh=f"为（{where}）保存的合计为 {shown[0]}，而日志条目得出 {shown[1]}；合计将重新计算",
    )
