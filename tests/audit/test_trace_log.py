"""The promises of the log, on both databases: kept, found, proven, counted."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import DatabaseError

from audit.checkpoints import chain_holds, signer_of
from audit.database import Database, DatabaseAway, DatabaseRefused, Writer, open_database
from audit.entries import Draft, DraftColumns, NotADraft, Receipt, drafts_alike
from audit.head_memory import HeadMemory
from audit.log_reader import NoSuchEntry, NotACursor, Wanted
from audit.log_writer import STORED_AT_ONCE, AlreadyKept, Batch, LogStopped, OutOfOrder
from audit.merkle import is_consistent, root_from_inclusion
from audit.signed_heads import CHECKPOINT_ENTRIES
from audit.signed_note import KeyUnreadable
from audit.tender import Tender
from audit.trace import encode_trace
from audit.trace_log import ForeignKey, LogTampered, TraceLog, open_log
from tests.audit.conftest import OpensLog, StandingClock
from tests.audit.logs import a_decision, a_trace, some_history


class TestAppend:
    def test_what_was_handed_over_comes_back(self, log: TraceLog) -> None:
        receipt = log.append([a_decision(flags=("capped", "spooled"))])[0]
        entry = log.entry(receipt.id)
        assert (entry.index, entry.leaf, entry.time) == (receipt.index, receipt.leaf, receipt.time)
        assert (entry.kind, entry.model, entry.version, entry.site) == ("decision", "gas-leak", "3", "plant-07")
        assert (entry.subject, entry.actor, entry.score, entry.verdict) == ("p-17", "scada", 0.798, True)
        assert (entry.flags, entry.source, entry.counter) == (("capped", "spooled"), "serve-1", 1)
        assert log.payload(receipt.id) == a_decision().payload

    def test_a_trace_comes_back_to_the_bit(self, log: TraceLog) -> None:
        receipt = log.append([a_decision()])[0]
        trace = log.trace(receipt.id)
        assert trace is not None
        assert trace.inputs.tobytes() == a_trace().inputs.tobytes()
        assert trace.score == 0.798 and trace.feature_names == ("pressure", "温度", "age")

    def test_places_and_counters_follow_each_other(self, log: TraceLog) -> None:
        receipts = [*log.append([a_decision()] * 3), *log.append([a_decision()])]
        assert [receipt.index for receipt in receipts] == [0, 1, 2, 3]
        assert [log.entry(receipt.id).counter for receipt in receipts] == [1, 2, 3, 4]

    def test_chosen_id_and_time_are_kept(self, log: TraceLog) -> None:
        id, time = "01890a5d-ac96-774b-bcce-b302099a8057", datetime(2020, 2, 29, 1, 2, 3, 456789, tzinfo=UTC)
        receipt = log.append([a_decision(id=id, time=time)])[0]
        assert (receipt.id, receipt.time) == (id, time)
        assert log.entry(id).time == time

    def test_an_id_is_kept_once_and_the_batch_not_at_all(self, log: TraceLog) -> None:
        id = log.append([a_decision()])[0].id
        with pytest.raises(AlreadyKept, match="already holds an entry with an id of this batch"):
            log.append([a_decision(), a_decision(id=id)])
        assert log.size() == 1
        assert log.append([a_decision()])[0].index == 1

    def test_nothing_is_nothing(self, log: TraceLog) -> None:
        assert log.append([]) == ()
        assert log.size() == 0

    def test_any_bytes_and_any_names(self, log: TraceLog) -> None:
        payload = bytes(range(256)) * 300
        kept = log.append([Draft(kind="review", payload=payload, actor='李"\\四', site="厂\u2028区", model="模型")])[0]
        assert log.payload(kept.id) == payload
        assert (log.entry(kept.id).actor, log.entry(kept.id).site) == ('李"\\四', "厂\u2028区")
        assert log.recheck().faults == []

    def test_a_batch_in_portions_is_one_batch(self, log: TraceLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("audit.log_writer.STORED_AT_ONCE", 16)
        log.append([a_decision()] * 5)
        receipts = log.append([a_decision(subject=f"p-{number}") for number in range(75)])
        assert [receipt.index for receipt in receipts] == list(range(5, 80))
        assert [log.entry(receipt.id).subject for receipt in receipts] == [f"p-{number}" for number in range(75)]
        assert log.recheck().faults == []

    def test_identifiers_of_one_moment_sort_as_the_entries_do(self, log: TraceLog) -> None:
        ids = [receipt.id for receipt in log.append([a_decision()] * 50)]
        assert ids == sorted(ids)
        assert len(set(ids)) == 50

    def test_drafts_made_alike_are_kept_as_if_made_alone(self, log: TraceLog, clock: StandingClock) -> None:
        traces = [a_trace(), a_trace(contributions=np.zeros(0, np.float32), subject="p-2")]
        payloads = [encode_trace(trace) for trace in traces]
        columns = DraftColumns(
            payloads=[bytes(payload) for payload in payloads],
            layouts=[payload.layout for payload in payloads],
            scores=[0.25, None],
            verdicts=[False, True],
            flags=[(), ("capped",)],
            subjects=["p-1", "p-2"],
            times=[clock(), clock() - timedelta(days=1)],
        )
        shared = a_decision(subject=None, score=None, verdict=None)
        ids = [receipt.id for receipt in log.append(drafts_alike(shared, columns))]
        found = [log.entry(id) for id in ids]
        assert [(e.subject, e.score, e.verdict, e.flags) for e in found] == [
            ("p-1", 0.25, False, ()),
            ("p-2", None, True, ("capped",)),
        ]
        assert {(e.kind, e.model, e.version, e.actor, e.site) for e in found} == {
            ("decision", "gas-leak", "3", "scada", "plant-07")
        }
        assert [e.time for e in found] == [clock(), clock() - timedelta(days=1)]
        read = [log.trace(id) for id in ids]
        assert [None if trace is None else trace.contributions.size for trace in read] == [3, 0]
        assert log.recheck().faults == []

    def test_the_sources_count_apart(self, database: Database, opens_log: OpensLog) -> None:
        one, other = opens_log(database, "serve-1"), opens_log(database, "serve-2")
        receipts = [log.append([a_decision()])[0] for log in (one, other, one, other, other)]
        assert [receipt.index for receipt in receipts] == [0, 1, 2, 3, 4]
        assert [one.entry(receipt.id).counter for receipt in receipts] == [1, 1, 2, 2, 3]
        assert one.recheck().faults == []

    def test_two_writers_by_turns_read_only_what_the_other_added(self, database: Database, opens_log: OpensLog) -> None:
        one, other = opens_log(database, "serve-1"), opens_log(database, "serve-2")
        for log in (one, other):
            log.append([a_decision()] * 9)
        asked, rows = list[str](), one._writer._writer.rows

        def noted(statement: str, *values: object) -> list[tuple[object, ...]]:
            asked.append(statement)
            return rows(statement, *values)

        one._writer._writer.rows = noted  # type: ignore[method-assign]
        one.append([a_decision()])
        assert not [statement for statement in asked if "log_contexts" in statement or "log_payload_keys" in statement]
        assert sum("leaf, kind" in statement for statement in asked) == 1
        other.append([a_decision()] * (STORED_AT_ONCE + 1))  # too much to follow: read anew
        receipt = one.append([a_decision()])[0]
        assert receipt.index == 9 + 9 + 1 + STORED_AT_ONCE + 1
        assert one.recheck().faults == []

    def test_many_threads_and_two_writers_share_one_tree(self, database: Database, opens_log: OpensLog) -> None:
        logs = [opens_log(database, "serve-1"), opens_log(database, "serve-2")]
        kept: list[int] = []

        def work(log: TraceLog) -> None:
            for _ in range(10):
                kept.extend(receipt.index for receipt in log.append([a_decision(), a_decision()]))

        threads = [threading.Thread(target=work, args=(logs[number % 2],)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(kept) == list(range(160))
        assert logs[0].recheck().faults == []

    def test_a_restart_goes_on_where_the_log_is(self, database: Database, opens_log: OpensLog) -> None:
        some_history(opens_log(database), seed=3, size=37)
        again = opens_log(database)
        receipt = again.append([a_decision()])[0]
        assert again.entry(receipt.id).counter == receipt.index + 1
        assert again.recheck().faults == []

    def test_a_log_that_lost_its_disk_stops(self, sqlite_log: TraceLog, monkeypatch: pytest.MonkeyPatch) -> None:
        sqlite_log.append([a_decision()])

        def fail() -> None:
            raise fsync_failed()

        monkeypatch.setattr(sqlite_log._writer._writer, "commit", fail)
        with pytest.raises(LogStopped, match="the disk did not keep what it was told to"):
            sqlite_log.append([a_decision()])
        monkeypatch.undo()
        with pytest.raises(LogStopped):
            sqlite_log.append([a_decision()])
        assert sqlite_log.size() == 1

    def test_a_log_whose_disk_fails_while_it_tidies_up_stops(
        self, sqlite_log: TraceLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(database: Database) -> None:
            raise DatabaseAway("disk I/O error") from fsync_failed()

        sqlite_log.append([a_decision()])
        monkeypatch.setattr("audit.log_writer.STORED_AT_ONCE", 4)
        monkeypatch.setattr(Database, "settle", fail)
        with pytest.raises(LogStopped, match="the disk did not keep what it was told to"):
            sqlite_log.append([a_decision()] * 9)
        monkeypatch.undo()
        with pytest.raises(LogStopped):
            sqlite_log.append([a_decision()])
        assert sqlite_log.stopped
        assert sqlite_log.size() == 1

    def test_the_thread_that_signs_stops_a_log_whose_disk_fails(
        self, sqlite_log: TraceLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(database: Database) -> None:
            raise DatabaseAway("disk I/O error") from fsync_failed()

        sqlite_log.append([a_decision()])
        monkeypatch.setattr(Database, "settle", fail)
        tender = Tender(sqlite_log._heads, sqlite_log._writer.settle)
        tender.stop()  # signs, but tidies nothing up any more
        sqlite_log.append([a_decision()] * CHECKPOINT_ENTRIES)
        tender._over = False
        tender._sign()
        assert isinstance(tender.wrong, LogStopped)
        assert sqlite_log.stopped

    def test_a_database_that_is_busy_elsewhere_stops_nothing(
        self, sqlite_log: TraceLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(database: Database) -> None:
            raise DatabaseAway("unable to open database file") from sqlite3.OperationalError("unable to open")

        monkeypatch.setattr("audit.log_writer.STORED_AT_ONCE", 4)
        monkeypatch.setattr(Database, "settle", fail)
        with pytest.raises(DatabaseAway):
            sqlite_log.append([a_decision()] * 9)
        monkeypatch.undo()
        assert sqlite_log.append([a_decision()] * 9)[0].index == 0


def fsync_failed() -> sqlite3.OperationalError:
    broken = sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    return broken


class TestTurn:
    """Several callers' batches in one transaction."""

    def a_turn(self, log: TraceLog, *batches: Batch) -> list[tuple[Receipt, ...] | BaseException]:
        return log._writer.write(batches)

    def test_each_caller_gets_its_own_receipts(self, log: TraceLog) -> None:
        sizes = (1, 3, 2)
        given = self.a_turn(
            log, *(Batch([a_decision(subject=f"p-{size}")] * size, 1_000_000 * size, f"from-{size}") for size in sizes)
        )
        kept = [answer for answer in given if not isinstance(answer, BaseException)]
        assert [[receipt.index for receipt in receipts] for receipts in kept] == [[0], [1, 2, 3], [4, 5]]
        entries = [[log.entry(receipt.id) for receipt in receipts] for receipts in kept]
        assert [[(e.source, e.counter, e.subject) for e in mine] for mine in entries] == [
            [(f"from-{size}", number, f"p-{size}") for number in range(1, size + 1)] for size in sizes
        ]
        assert [mine[0].time.second for mine in entries] == list(sizes)
        assert log.recheck().faults == []

    def test_one_source_counts_through_its_batches(self, log: TraceLog) -> None:
        self.a_turn(log, *(Batch([a_decision()] * 2, 0, source) for source in ("one", "other", "one")))
        entries = [log.entry(entry.id) for entry in log.search(limit=10).entries][::-1]
        assert [(entry.source, entry.counter) for entry in entries] == [
            *(("one", 1), ("one", 2), ("other", 1), ("other", 2)),
            *(("one", 3), ("one", 4)),
        ]
        assert log.recheck().faults == []

    def test_what_a_batch_does_finds_the_drafts_before_it(self, log: TraceLog) -> None:
        seen: list[int] = []

        def count(writer: Writer) -> None:
            seen.append(writer.rows("SELECT count(*) FROM log_payloads")[0][0])

        plain = Batch([a_decision()] * 2, 0, "serve-1")
        self.a_turn(log, plain, plain, Batch([a_decision()], 0, "serve-1", also=count), plain)
        assert seen == [4]
        assert log.size() == 7
        assert log.recheck().faults == []

    def test_a_refused_batch_takes_no_other_with_it(self, log: TraceLog) -> None:
        known = log.append([a_decision()])[0].id
        plain, again = Batch([a_decision()], 0, "serve-1"), Batch([a_decision(id=known)], 0, "serve-1")
        late = Batch([a_decision()], 0, "edge", first_counter=5)
        given = self.a_turn(log, plain, again, late, plain)
        assert [type(answer) for answer in given] == [tuple, AlreadyKept, OutOfOrder, tuple]
        assert log.size() == 3
        assert log.recheck().faults == []

    def test_a_batch_of_nothing_gets_nothing(self, log: TraceLog) -> None:
        assert self.a_turn(log, Batch([], 0, "serve-1"), Batch([a_decision()], 0, "serve-1"))[0] == ()
        assert log.size() == 1

    def test_a_fault_in_a_later_part_leaves_nothing_of_the_turn(
        self, log: TraceLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("audit.log_writer.STORED_AT_ONCE", 4)
        known = log.append([a_decision()])[0].id
        with pytest.raises(AlreadyKept):
            log.append([*([a_decision()] * 14), a_decision(id=known)])
        assert log.size() == 1
        assert [receipt.index for receipt in log.append([a_decision()] * 9)] == list(range(1, 10))
        assert log.recheck().faults == []


class TestDraft:
    def test_every_fault_at_once(self) -> None:
        with pytest.raises(NotADraft) as refused:
            Draft(
                kind="gossip",
                payload=b"",
                model="",
                artifact_digest="ab",
                id="7",
                score=float("nan"),
                flags=("Loud",),
                time=datetime(2026, 1, 1),  # noqa: DTZ001  # the fault under test
            )
        assert [fault.en for fault in refused.value.faults] == [
            "'gossip' is no kind of entry",
            "'' is no name (1 to 400 characters)",
            "'ab' is no SHA-256 in hex",
            "'7' is no UUIDv7",
            "the score nan is no finite number",
            "'Loud' is no flag (lower-case words)",
            "the time 2026-01-01 00:00:00 is not UTC",
        ]


class TestDraftsAlike:
    def test_every_fault_of_every_column_at_once(self) -> None:
        columns = DraftColumns(
            payloads=[b"", b""],
            layouts=[b"", b""],
            scores=[0.5, float("nan")],
            verdicts=[True, True],
            flags=[("Capped",), ()],
            subjects=["", "p-1"],
            times=[datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))],
        )
        with pytest.raises(NotADraft) as wrong:
            drafts_alike(Draft(kind="decision", payload=b""), columns)
        assert [fault.en for fault in wrong.value.faults] == [
            "the score nan is no finite number",
            "'' is no name (1 to 400 characters)",
            "'Capped' is no flag (lower-case words)",
            "the time 2026-01-01 00:00:00+08:00 is not UTC",
        ]

    def test_columns_of_another_length_are_a_mistake(self) -> None:
        columns = DraftColumns(payloads=[b""], layouts=[b""], scores=[0.5, 0.6], verdicts=[True], flags=[()])
        with pytest.raises(ValueError, match="zip"):
            drafts_alike(Draft(kind="decision", payload=b""), columns)


class TestSearch:
    def test_newest_first_and_page_after_page(self, log: TraceLog, clock: StandingClock) -> None:
        receipts = []
        for _ in range(7):
            clock.go(seconds=1)
            receipts.append(log.append([a_decision()])[0])
        found, after = [], None
        while True:
            page = log.search(model="gas-leak", after=after, limit=3)
            found += [entry.id for entry in page.entries]
            after = page.next
            if after is None:
                break
        assert found == [receipt.id for receipt in reversed(receipts)]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"model": "gas-leak"}, 3),
            ({"model": "unknown"}, 0),
            ({"version": "4"}, 1),
            ({"kind": "decision"}, 3),
            ({"kind": "review"}, 1),
            ({"subject": "p-2"}, 1),
            ({"flag": "capped"}, 1),
            ({"flag": "cap"}, 0),
            ({"flag": "handed_over"}, 1),
            ({"flag": "_apped"}, 0),
            ({"flag": "%"}, 0),
            ({"site": "plant-08"}, 1),
            ({"verdict": False}, 1),
            ({"model": "gas-leak", "verdict": True, "version": "3"}, 1),
        ],
    )
    def test_each_question(self, log: TraceLog, asked: dict[str, object], found: int) -> None:
        log.append(
            [
                a_decision(flags=("capped", "handed_over")),
                a_decision(version="4", subject="p-2"),
                a_decision(site="plant-08", verdict=False),
                Draft(kind="review", payload=b""),
            ]
        )
        assert len(log.search(**asked).entries) == found  # type: ignore[arg-type]

    def test_since_is_included_and_until_is_not(self, log: TraceLog, clock: StandingClock) -> None:
        first = log.append([a_decision()])[0]
        clock.go(hours=1)
        log.append([a_decision()])
        assert [e.id for e in log.search(since=first.time, until=clock.now).entries] == [first.id]

    def test_a_foreign_cursor_is_refused(self, log: TraceLog) -> None:
        with pytest.raises(NotACursor, match="'page 2' is no place to continue from"):
            log.search(after="page 2")

    def test_an_unknown_id(self, log: TraceLog) -> None:
        with pytest.raises(NoSuchEntry, match="the log has no entry nonsense"):
            log.entry("nonsense")
        with pytest.raises(NoSuchEntry):
            log.entry("01890a5d-ac96-774b-bcce-b302099a8057")

    def test_statements_about(self, log: TraceLog) -> None:
        decision = log.append([a_decision()])[0]
        said = log.append([Draft(kind=kind, payload=b"", about=decision.id) for kind in ("review", "appeal")])
        assert [entry.id for entry in log.statements_about(decision.id)] == [receipt.id for receipt in said]

    def test_tally(self, log: TraceLog) -> None:
        log.append([a_decision(score=0.25, verdict=False), a_decision(score=0.75), a_decision(score=None)])
        tally = log.tally(Wanted(model="gas-leak", version="3"))
        assert (tally.count, tally.protective, tally.scored, tally.mean_score) == (3, 2, 2, 0.5)
        assert log.tally(Wanted(model="none")).mean_score is None


class TestCheckpoint:
    def test_it_is_signed_by_the_logs_own_key(self, log: TraceLog) -> None:
        some_history(log, seed=5, size=10)
        made = log.checkpoint()
        assert made.size == log.size()
        assert chain_holds(log.key_chain())
        assert signer_of(made, log.key_chain()) == log.key_chain()[0].public

    def test_without_new_entries_it_stays_the_same(self, log: TraceLog) -> None:
        log.append([a_decision()])
        assert log.checkpoint() == log.checkpoint() == log.latest_checkpoint()

    def test_every_checkpoint_is_continued_by_the_next(self, log: TraceLog) -> None:
        made = []
        for seed in range(6):
            some_history(log, seed, size=9)
            made.append(log.checkpoint())
        for older in made:
            proof = log.consistency(older.size, made[-1].size)
            assert is_consistent(older.size, made[-1].size, older.root, made[-1].root, proof)

    def test_every_entry_is_included_in_every_later_checkpoint(self, log: TraceLog) -> None:
        receipts = some_history(log, seed=7, size=70)
        made = log.checkpoint()
        for receipt in receipts:
            path = log.inclusion(receipt.index, made.size)
            assert root_from_inclusion(receipt.index, made.size, receipt.leaf, path) == made.root

    def test_an_empty_log_has_one_too(self, log: TraceLog) -> None:
        assert log.checkpoint().size == 0
        log.append([a_decision()])
        log.checkpoint()
        assert log.recheck().faults == []

    def test_due_after_sixty_seconds_or_a_thousand_entries(self, log: TraceLog, clock: StandingClock) -> None:
        log.append([a_decision()])
        assert log.checkpoint_when_due() is not None
        log.append([a_decision()])
        assert log.checkpoint_when_due() is None
        clock.go(seconds=60)
        assert log.checkpoint_when_due() is not None
        assert log.checkpoint_when_due() is None
        log.append([a_decision()] * 1000)
        assert log.checkpoint_when_due() is not None

    def test_processes_take_turns_in_signing(self, database: Database, opens_log: OpensLog) -> None:
        one, other = opens_log(database, "serve-1"), opens_log(database, "serve-2")
        for _ in range(3):
            for log in (one, other):
                one.append([a_decision()] * 2)
                other.append([a_decision()])
                assert log.checkpoint().size == log.size()
        assert one.recheck().faults == []

    def test_who_finds_another_process_signing_leaves_it_to_it(self, sqlite_log: TraceLog, tmp_path: Path) -> None:
        sqlite_log.append([a_decision()])
        with HeadMemory(tmp_path / "data" / "last-head").turn() as mine:
            assert mine
            assert sqlite_log.checkpoint_when_due() is None
        assert sqlite_log.checkpoint_when_due() is not None

    def test_the_background_signs_what_waits_when_it_ends(
        self, sqlite_database: Database, tmp_path: Path, clock: StandingClock
    ) -> None:
        tended = open_log(tmp_path / "data", sqlite_database, clock, "serve-1")
        tended.append([a_decision()] * 3)
        tended.close()
        latest = tended.latest_checkpoint()
        assert latest is not None and latest.size == 3

    def test_nothing_is_signed_over_a_changed_row(self, sqlite_log: TraceLog) -> None:
        sqlite_log.append([a_decision()] * 5)
        with sqlite_log.database.writing() as connection:
            connection.exec_driver_sql("DROP TRIGGER log_entries_as_written")
            connection.exec_driver_sql("UPDATE log_entries SET time = time + 1 WHERE number = 3")
        with pytest.raises(LogTampered, match="entry 3 was changed: its row does not give its leaf"):
            sqlite_log.checkpoint()
        assert sqlite_log.latest_checkpoint() is None


class TestSetBack:
    def test_a_log_that_lost_its_end_with_its_checkpoints_signs_nothing(
        self, sqlite_database: Database, opens_log: OpensLog
    ) -> None:
        log = opens_log(sqlite_database)
        set_back(log)
        log = opens_log(sqlite_database)
        sentence = "the log holds 5 entries, this machine has seen it signed with 8"
        assert log.recheck().faults[0].en.startswith(sentence)
        with pytest.raises(LogTampered, match=sentence):
            log.checkpoint()

    def test_nor_does_one_that_grew_again(self, sqlite_database: Database, opens_log: OpensLog) -> None:
        set_back(opens_log(sqlite_database))
        log = opens_log(sqlite_database)
        log.append([a_decision()] * 9)
        with pytest.raises(LogTampered, match="the first 8 entries are not those this machine has seen signed"):
            log.checkpoint()

    def test_the_officer_may_accept_the_loss(self, sqlite_database: Database, opens_log: OpensLog) -> None:
        set_back(opens_log(sqlite_database))
        log = opens_log(sqlite_database)
        receipt = log.accept_set_back(actor="officer", reason="restored after the fire")
        assert log.entry(receipt.id).kind == "incident"
        assert log.checkpoint().size == 6
        assert log.recheck().faults == []


def set_back(log: TraceLog) -> None:
    """Sign five entries, then eight; cut the last three off with their checkpoint, as an older copy would."""
    log.append([a_decision()] * 5)
    log.checkpoint()
    log.append([a_decision()] * 3)
    log.checkpoint()
    with log.database.writing() as connection:
        for table in ("log_payloads", "log_entries", "log_checkpoints", "log_payload_keys"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_stay")
        connection.exec_driver_sql("DELETE FROM log_checkpoints WHERE size = 8")
        connection.exec_driver_sql("DELETE FROM log_payloads WHERE entry > 4")
        connection.exec_driver_sql("DELETE FROM log_entries WHERE number > 4")
        connection.exec_driver_sql("UPDATE log_sources SET counter = 5")


class TestHandIn:
    def test_it_keeps_the_sources_own_count(self, log: TraceLog) -> None:
        log.hand_in("edge-7", 1, [a_decision(), a_decision()])
        receipt = log.hand_in("edge-7", 3, [a_decision()])[0]
        assert (log.entry(receipt.id).source, log.entry(receipt.id).counter) == ("edge-7", 3)

    def test_a_gap_is_refused(self, log: TraceLog) -> None:
        log.hand_in("edge-7", 1, [a_decision()])
        with pytest.raises(OutOfOrder, match="edge-7 hands in number 3, the log expects 2"):
            log.hand_in("edge-7", 3, [a_decision()])

    def test_a_repetition_is_refused(self, log: TraceLog) -> None:
        log.hand_in("edge-7", 1, [a_decision()])
        with pytest.raises(OutOfOrder, match="edge-7 hands in number 1, the log expects 2"):
            log.hand_in("edge-7", 1, [a_decision()])


class TestGuards:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE log_entries SET time = time + 1",
            "UPDATE log_entries SET score = 0.1",
            "UPDATE log_entries SET leaf = commitment",
            "UPDATE log_payloads SET payload_key = payload_key + 1",
            "UPDATE log_payload_keys SET quarter = '2030Q1'",
            "UPDATE log_nodes SET hash = hash || hash",
            "UPDATE log_checkpoints SET time = time + 1",
            "UPDATE log_contexts SET site = 'elsewhere'",
            "UPDATE log_models SET name = 'another'",
            "UPDATE log_signing_keys SET since = since + 1",
            "UPDATE log_layouts SET body = digest",
            "DELETE FROM log_entries",
            "DELETE FROM log_payloads",
            "DELETE FROM log_payload_keys",
            "DELETE FROM log_nodes",
            "DELETE FROM log_checkpoints",
            "DELETE FROM log_contexts",
            "DELETE FROM log_models",
            "DELETE FROM log_signing_keys",
            "DELETE FROM log_layouts",
        ],
    )
    def test_evidence_is_neither_changed_nor_deleted(self, log: TraceLog, statement: str) -> None:
        log.append([a_decision()] * 20)
        log.checkpoint()
        with (
            pytest.raises(DatabaseError, match="evidence is neither changed nor deleted"),
            log.database.writing() as connection,
        ):
            connection.exec_driver_sql(statement)

    def test_a_replaced_row_is_refused_on_sqlite(self, sqlite_log: TraceLog) -> None:
        sqlite_log.append([a_decision()])
        with (
            pytest.raises(DatabaseError, match="evidence is neither changed nor deleted"),
            sqlite_log.database.writing() as connection,
        ):
            connection.exec_driver_sql("INSERT OR REPLACE INTO log_models (number, name) VALUES (1, 'another')")

    def test_a_gone_key_does_not_come_back(self, log: TraceLog) -> None:
        log.append([a_decision()])
        with log.database.writing() as connection:
            connection.exec_driver_sql("UPDATE log_payload_keys SET wrapped = NULL")
        with (
            pytest.raises(DatabaseError, match="evidence is neither changed nor deleted"),
            log.database.writing() as connection,
        ):
            connection.exec_driver_sql("UPDATE log_payload_keys SET wrapped = 'x'")


class TestOpening:
    def test_keys_are_for_their_owner_alone(self, log: TraceLog, tmp_path: Path) -> None:
        log.append([a_decision()])
        modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "data" / "keys").iterdir()}
        assert modes == {"signing.key": 0o600, "payload.key": 0o600}

    def test_an_open_key_file_is_refused(self, database: Database, opens_log: OpensLog, tmp_path: Path) -> None:
        opens_log(database)
        (tmp_path / "data" / "keys" / "signing.key").chmod(0o644)
        with pytest.raises(KeyUnreadable, match="can be read by others than its owner"):
            opens_log(database)

    def test_another_key_is_refused(self, database: Database, opens_log: OpensLog, tmp_path: Path) -> None:
        opens_log(database)
        (tmp_path / "data" / "keys" / "signing.key").write_text("11" * 32)
        with pytest.raises(ForeignKey, match="put the right key file back"):
            opens_log(database)

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "nonsense"])
    def test_other_databases_are_refused(self, url: str) -> None:
        with pytest.raises(DatabaseRefused, match="is no database for the log"):
            open_database(url)

    def test_what_is_acknowledged_survives_a_power_cut(self, sqlite_database: Database) -> None:
        assert sqlite_database.rows("PRAGMA journal_mode") == [("wal",)]
        assert sqlite_database.rows("PRAGMA synchronous") == [(2,)]
        assert sqlite_database.rows("PRAGMA foreign_keys") == [(1,)]


def test_what_is_settled_is_in_the_database_file_itself(
    sqlite_database: Database, opens_log: OpensLog, tmp_path: Path
) -> None:
    log = opens_log(sqlite_database)
    log.append([a_decision()])
    sqlite_database.settle()
    shutil.copy(tmp_path / "log.db", tmp_path / "alone.db")  # without its write-ahead file
    alone = open_database(f"sqlite:///{tmp_path / 'alone.db'}")
    assert alone.rows("SELECT count(*) FROM log_entries") == [(1,)]
    alone.close()


def test_a_clock_that_goes_back_leaves_the_order_alone(log: TraceLog, clock: StandingClock) -> None:
    first = log.append([a_decision()])[0]
    clock.go(days=-400)
    second = log.append([a_decision()])[0]
    assert (first.index, second.index) == (0, 1)
    assert second.time == first.time - timedelta(days=400)
    assert log.checkpoint().size == 2
