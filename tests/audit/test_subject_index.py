"""Whose entries are asked for is answered from one index, in every segment of the log, and no table is read through."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.migrations import upgrade_database
from audit import erasure, expiry, log_reader
from audit.database import Database, create_all, open_database
from audit.entries import Draft, Receipt
from audit.log_reader import Wanted
from audit.subject_index import SEGMENT, about_subjects
from audit.trace_log import TraceLog

INDEX = "log_entries_by_subject"


def kept(log: TraceLog, count: int, subject: str | None = None) -> tuple[Receipt, ...]:
    """Keep so many short entries about a person, or about nobody."""
    return log.append([Draft(kind="decision", payload=b"{}", model="gas-leak", subject=subject)] * count)


def plan(database: Database, statement: str, *values: object) -> list[str]:
    """Return how SQLite would go about a statement."""
    return [str(row[3]) for row in database.rows(f"EXPLAIN QUERY PLAN {statement}", *values)]


class TestWhoIsAskedFor:
    def test_is_found_in_every_segment_newest_first(self, log: TraceLog) -> None:
        mine = kept(log, 1, "p-1")
        kept(log, SEGMENT - 2, None)
        mine += kept(log, 3, "p-1")  # the last of the first segment and the first two of the second
        kept(log, SEGMENT, "p-2")
        mine += kept(log, 1, "p-3")
        found = log.search(subject=("p-1", "p-3"), limit=50)
        assert {entry.id for entry in found.entries} == {receipt.id for receipt in mine}
        assert [entry.index for entry in found.entries] == sorted((receipt.index for receipt in mine), reverse=True)

    def test_is_paged_and_counted(self, log: TraceLog) -> None:
        kept(log, SEGMENT - 1, None)
        mine = {receipt.id for receipt in kept(log, 5, "p-1")}
        first = log.search(subject="p-1", limit=3)
        rest = log.search(subject="p-1", limit=3, after=first.next)
        assert [len(first.entries), len(rest.entries)] == [3, 2]
        assert {entry.id for entry in first.entries + rest.entries} == mine
        assert log.tally(Wanted(subject="p-1")).count == 5

    def test_is_nobody_in_an_empty_log(self, log: TraceLog) -> None:
        assert log.search(subject="p-1").entries == ()

    def test_is_nobody_without_names(self, log: TraceLog) -> None:
        kept(log, 2, "p-1")
        assert log.search(subject=()).entries == ()


class TestTheIndex:
    @pytest.mark.parametrize("names", [1, 3])
    def test_answers_alone(self, sqlite_database: Database, names: int) -> None:
        steps = plan(sqlite_database, f"SELECT e.id FROM log_entries e WHERE {about_subjects(names)}", *["p"] * names)
        assert any(f"USING COVERING INDEX {INDEX} (<expr>=? AND subject=?)" in step for step in steps), steps
        assert not any(step.split()[:2] in (["SCAN", "e"], ["SCAN", "f"]) for step in steps), steps

    def test_serves_pages_and_erasures(self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[str, tuple[object, ...]]] = []
        log_rows = Database.rows

        def noted(database: Database, statement: str, *values: object) -> list[tuple[object, ...]]:
            asked.append((statement, values))
            return log_rows(database, statement, *values)

        monkeypatch.setattr(Database, "rows", noted)
        log_reader.LogReader(sqlite_database).page(Wanted(subject="p-1"), None, 50)
        log_reader.LogReader(sqlite_database).tally(Wanted(subject="p-1"))
        expiry._candidates(_Holding(sqlite_database), about_subjects(), ["p-1"])  # type: ignore[arg-type]
        monkeypatch.undo()
        assert len(asked) == 3
        for statement, values in asked:
            steps = plan(sqlite_database, statement, *values)
            assert any(INDEX in step for step in steps), steps
            assert not any(step.split()[:2] in (["SCAN", "e"], ["SCAN", "f"]) for step in steps), steps

    def test_is_the_same_by_migration_and_at_once(self, tmp_path: Path) -> None:
        made = []
        for name, make in (("migrated", upgrade_database), ("at-once", create_all)):
            database = open_database(f"sqlite:///{tmp_path / name}.db")
            make(database)
            made += database.rows("SELECT sql FROM sqlite_master WHERE name = ?", INDEX)
            database.close()
        assert made[0] == made[1]
        assert f"number / {SEGMENT}" in str(made[0])


class TestErasing:
    def test_asks_for_the_rest_of_a_key_by_the_index(self, sqlite_database: Database) -> None:
        writer, asked = sqlite_database.writer(), list[tuple[str, tuple[object, ...]]]()
        writer.begin()
        columns = ("number", "owner", "quarter", "wrapped", "wrapping")
        writer.insert("log_payload_keys", columns, [(1, "subject p-1", "2026Q1", b"", "w")])
        rows = writer.rows

        def noted(statement: str, *values: object) -> list[tuple[object, ...]]:
            asked.append((statement, values))
            return rows(statement, *values)

        writer.rows = noted  # type: ignore[method-assign]
        assert not erasure._still_needed(writer, 1, 0)
        writer.undo()
        writer.close()
        steps = plan(sqlite_database, *asked[-1][:1], *asked[-1][1])
        assert any(f"{INDEX} (<expr>=? AND subject=?)" in step for step in steps), steps

    def test_keeps_the_key_while_an_entry_of_another_segment_needs_it(self, log: TraceLog) -> None:
        kept(log, 1, "p-1")
        kept(log, SEGMENT, None)
        kept(log, 1, "p-1")
        first, last = 0, SEGMENT + 1
        number = log.database.rows("SELECT payload_key FROM log_payloads WHERE entry = ?", first)[0][0]
        for gone, held in ((last, True), (first, False)):
            erasure.erase(log, [erasure.Going(gone, number)], reason="test", actor="test")
            wrapped = log.database.rows("SELECT wrapped FROM log_payload_keys WHERE number = ?", number)[0][0]
            assert (wrapped is not None) == held


class _Holding:
    """As much of a log as looking for candidates needs."""

    def __init__(self, database: Database) -> None:
        self.database = database
