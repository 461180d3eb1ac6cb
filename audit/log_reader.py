"""Questions to the log that its narrow rows answer: one entry, a page of entries, counts and means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from audit.database import Database
from audit.entries import (
    Entry,
    Page,
    identifier_bytes,
    identifier_text,
    microseconds_of,
    moment_of,
)
from audit.kept_counts import Question, Sums, summed
from audit.seal import Context, HeaderForm
from audit.subject_index import about_subjects
from policies.errors import Malformed, NotFound, Sentence
from policies.roles import Person

LARGEST_PAGE = 1000

_COLUMNS = (
    "e.number, e.id, e.time, e.kind, c.source, e.counter, m.name, c.version, c.artifact, c.rulebook, c.site,"
    " e.about, e.flags, e.subject, e.actor, e.score, e.verdict, e.commitment, e.leaf, p.sealed IS NULL"
)
_JOINED = (
    "JOIN log_contexts c ON c.number = e.context LEFT JOIN log_models m ON m.number = c.model"
    " LEFT JOIN log_payloads p ON p.entry = e.number"
)
_ENTRIES = f"FROM log_entries e {_JOINED}"

_FLAGGED = "' ' || e.flags || ' ' LIKE ? ESCAPE '#'"


class NoSuchEntry(NotFound):
    """The log has no entry with this id."""

    def __init__(self, id: str) -> None:
        super().__init__(Sentence(en=f"the log has no entry {id}", zh=f"日志中没有条目 {id}"))


class NotACursor(Malformed):
    """A page was asked to continue from nowhere."""

    def __init__(self, cursor: str) -> None:
        super().__init__(
            Sentence(
                en=f"'{cursor[:40]}' is no place to continue from; take `next` of the page before",
                zh=f"“{cursor[:40]}”不是有效的续页位置；请使用上一页的 next",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries are asked for. None asks for all; `since` is included, `until` is not.

    Several subjects are pseudonyms of one person. `any_flag` asks for entries with one of several flags, `without` for
    those about which no statement of these kinds has been made. `places` are groups of sites: an entry lies at, or
    below (`east/plant-07` below `east`), one of every group. `models` are the only models whose entries are found.
    """

    model: str | None = None
    version: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    subject: str | tuple[str, ...] | None = None
    flag: str | None = None
    site: str | None = None
    verdict: bool | None = None
    any_flag: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    places: tuple[tuple[str, ...], ...] = ()
    models: tuple[str, ...] | None = None

    def seen_by(self, person: Person | None) -> Wanted:
        """Return the same question, narrowed to what this person's scope admits; None narrows nothing."""
        if person is None:
            return self
        return replace(self, places=person.places, models=person.only_models)

    def where(self) -> tuple[list[str], list[object]]:
        """Return the conditions and their values."""
        clauses, values = self._of_sums()
        asked: list[tuple[str, object]] = [
            ("e.time >= ?", None if self.since is None else microseconds_of(self.since)),
            ("e.time < ?", None if self.until is None else microseconds_of(self.until)),
            ("e.verdict = ?", self.verdict),
        ]
        given = [(clause, value) for clause, value in asked if value is not None]
        clauses += [clause for clause, _ in given]
        values += [value for _, value in given]
        if self.subject is not None:
            subjects = (self.subject,) if isinstance(self.subject, str) else self.subject
            clauses.append(about_subjects(len(subjects)))
            values += subjects
        if self.without:
            places = ", ".join("?" * len(self.without))
            clauses.append(f"NOT EXISTS (SELECT 1 FROM log_entries s WHERE s.about = e.id AND s.kind IN ({places}))")
            values += self.without
        return clauses, values

    def question(self) -> Question | None:
        """Return the same question to the kept sums; None where they cannot tell."""
        if self.subject is not None or self.verdict is not None or self.without:
            return None
        since = None if self.since is None else microseconds_of(self.since)
        until = None if self.until is None else microseconds_of(self.until)
        return Question(*self._of_sums(), since, until)

    def _of_sums(self) -> tuple[list[str], list[object]]:
        """Return the conditions on what entries are summed up by."""
        asked: list[tuple[str, object]] = [
            ("e.model = (SELECT number FROM log_models WHERE name = ?)", self.model),
            ("c.version = ?", self.version),
            ("e.kind = ?" if self.kind == "decision" else "e.kind <> 'decision' AND e.kind = ?", self.kind),
            (_FLAGGED, None if self.flag is None else f"% {_literal(self.flag)} %"),
            ("c.site = ?", self.site),
        ]
        given = [(clause, value) for clause, value in asked if value is not None]
        clauses, values = [clause for clause, _ in given], [value for _, value in given]
        if self.any_flag:
            clauses.append(f"({' OR '.join([_FLAGGED] * len(self.any_flag))})")
            values += [f"% {_literal(flag)} %" for flag in self.any_flag]
        if self.asks_for_flags:
            clauses.append("e.flags <> ''")  # the index of flagged entries serves whoever says so
        for group in self.places:
            # not LIKE: SQLite's takes capitals and small letters for the same
            below = [f"c.site = ? OR substr(c.site, 1, {len(place) + 1}) = ?" for place in group]
            clauses.append(f"({' OR '.join(below or ['1 = 0'])})")
            values += [value for place in group for value in (place, f"{place}/")]
        if self.models is not None:
            names = ", ".join("?" * len(self.models)) or "NULL"
            clauses.append(f"e.model IN (SELECT number FROM log_models WHERE name IN ({names}))")
            values += self.models
        return clauses, values

    def table(self, dialect: str) -> str:
        """Return the entries as `e`, and the index by which SQLite, which keeps no statistics, finds few."""
        if dialect != "sqlite" or self.subject is not None:
            return "log_entries e"
        if self.kind not in (None, "decision"):
            return "log_entries e INDEXED BY log_entries_by_kind"
        return "log_entries e INDEXED BY log_entries_flagged" if self.asks_for_flags else "log_entries e"

    @property
    def asks_for_flags(self) -> bool:
        """Whether only entries with a flag can be meant."""
        return self.flag is not None or bool(self.any_flag)


@dataclass(frozen=True)
class Tally:
    """How many entries, how many of them protective, their mean score (None without scores) and the newest's time."""

    count: int
    protective: int
    scored: int
    mean_score: float | None
    newest: datetime | None


class LogReader:
    """Reads entries; never decrypts anything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entry(self, id: str) -> Entry:
        """Return one entry.

        Raises
        ------
        NoSuchEntry
            When there is none with this id.
        """
        raw = identifier_bytes(id)
        found = [] if raw is None else self._database.rows(f"SELECT {_COLUMNS} {_ENTRIES} WHERE e.id = ?", raw)
        if not found:
            raise NoSuchEntry(id)
        return entry_of(found[0])

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that there are entries for."""
        raw = [value for value in map(identifier_bytes, ids) if value is not None]
        found: set[str] = set()
        for first in range(0, len(raw), 500):
            part = raw[first : first + 500]
            places = ", ".join("?" * len(part))
            rows = self._database.rows(f"SELECT id FROM log_entries WHERE id IN ({places})", *part)
            found.update(identifier_text(bytes(row[0])) for row in rows)
        return frozenset(found)

    def about(self, id: str) -> tuple[Entry, ...]:
        """Return the statements about an entry, oldest first."""
        raw = identifier_bytes(id)
        if raw is None:
            raise NoSuchEntry(id)
        rows = self._database.rows(f"SELECT {_COLUMNS} {_ENTRIES} WHERE e.about = ? ORDER BY e.number", raw)
        return tuple(map(entry_of, rows))

    def page(self, wanted: Wanted, after: str | None, limit: int) -> Page:
        """Return a page, newest first by time, then by place in the log."""
        clauses, values = wanted.where()
        if after is not None:
            clauses.append("(e.time, e.number) < (?, ?)")
            values += _place(after)
        limit = max(1, min(limit, LARGEST_PAGE))
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        # which entries first, then what else there is to say about these few
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM (SELECT e.number AS place FROM {wanted.table(self._database.dialect)}"
            f" JOIN log_contexts c ON c.number = e.context {where}"
            f" ORDER BY e.time DESC, e.number DESC LIMIT {limit + 1}) found"
            f" JOIN log_entries e ON e.number = found.place {_JOINED} ORDER BY e.time DESC, e.number DESC",
            *values,
        )
        shown = tuple(map(entry_of, rows[:limit]))
        more = len(rows) > limit
        return Page(shown, f"{microseconds_of(shown[-1].time)}.{shown[-1].index}" if more else None)

    def each(self, start: int, end: int, step: int = 1000) -> Iterator[Entry]:
        """Return entries by place, from `start` up to but without `end`, oldest first."""
        for first in range(start, end, step):
            yield from map(
                entry_of,
                self._database.rows(
                    f"SELECT {_COLUMNS} {_ENTRIES} WHERE e.number >= ? AND e.number < ? ORDER BY e.number",
                    first,
                    min(first + step, end),
                ),
            )

    def tally(self, wanted: Wanted) -> Tally:
        """Return counts and the mean score over all entries that are wanted, from kept sums where they can tell."""
        asked = wanted.question()
        sums = summed(self._database, asked) if asked is not None else self._read_one_by_one(wanted)
        return Tally(
            count=sums.entries,
            protective=sums.protective,
            scored=sums.scored,
            mean_score=sums.score_sum / sums.scored if sums.scored else None,
            newest=None if sums.newest is None else moment_of(sums.newest),
        )

    def _read_one_by_one(self, wanted: Wanted) -> Sums:
        return Question(*wanted.where()).plain(self._database.rows, wanted.table(self._database.dialect))


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the entry of a row, with its header written from the columns."""
    (number, id, time, kind, source, counter, model, version, artifact, rulebook, site) = row[:11]
    (about, flags, subject, actor, score, verdict, commitment, leaf, erased) = row[11:]
    words = tuple(flags.split())
    named, said = identifier_text(bytes(id)), None if about is None else identifier_text(bytes(about))
    context, form = _shared(source, model, version, artifact, rulebook, site, kind)
    header = form.write(named, time, counter, bytes(commitment), words, said)
    return Entry(
        index=number,
        id=named,
        time=moment_of(time),
        kind=kind,
        source=source,
        counter=counter,
        model=model,
        version=version,
        artifact_digest=context.artifact_digest,
        rulebook_digest=context.rulebook_digest,
        site=site,
        about=said,
        flags=words,
        subject=subject,
        actor=actor,
        score=score,
        verdict=None if verdict is None else bool(verdict),
        commitment=bytes(commitment),
        header=header,
        leaf=bytes(leaf),
        erased=bool(erased),
    )


@lru_cache(maxsize=4096)
def _shared(
    source: str,
    model: str | None,
    version: str | None,
    artifact: bytes | None,
    rulebook: bytes | None,
    site: str | None,
    kind: str,
) -> tuple[Context, HeaderForm]:
    context = Context(source, model, version, _hex(artifact), _hex(rulebook), site)
    return context, HeaderForm(context, kind)


def _literal(word: str) -> str:
    """Return a word for LIKE in which no letter is a wildcard."""
    return word.replace("#", "##").replace("%", "#%").replace("_", "#_")


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else bytes(raw).hex()


def _place(cursor: str) -> list[object]:
    time, _, number = cursor.partition(".")
    if not (time.isdecimal() and number.isdecimal()):
        raise NotACursor(cursor)
    return [int(time), int(number)]
