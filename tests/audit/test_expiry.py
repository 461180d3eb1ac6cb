"""What must go goes, what must stay stays, and the proofs of all the rest hold."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from audit.database import Database
from audit.entries import Draft
from audit.expiry import TwoPairsOfEyes, expire, forget_subject
from audit.holds import HoldLifted, NoSuchHold, holds, lift_hold, place_hold
from audit.leaf_check import LeafCheck
from audit.payload_keys import PayloadUnreadable
from audit.retention import Retention, RetentionTooShort
from audit.trace_log import RecordRestricted, TraceLog
from audit.verify import verify_bundle
from policies.errors import Malformed
from tests.audit.conftest import OpensLog, StandingClock

SECRET = b"the wind turned at nine and the valve was open"


def a_decision(**fields: object) -> Draft:
    given = {"kind": "decision", "payload": SECRET, "model": "gas-leak", "subject": "p-1", "score": 0.25, **fields}
    return Draft(**given)  # type: ignore[arg-type]


def days_pass(log: TraceLog, clock: StandingClock, days: int) -> None:
    """Let days pass with checkpoints between, as a running service leaves them."""
    for step in [7] * (days // 7) + [days % 7]:
        clock.go(days=step)
        log.append([Draft(kind="health", payload=b"{}")])
        log.checkpoint()


class TestExpire:
    def test_nothing_goes_before_its_days(self, log: TraceLog, clock: StandingClock) -> None:
        kept = log.append([a_decision()])[0]
        log.checkpoint()
        days_pass(log, clock, 189)
        assert expire(log).erased == 0
        assert log.payload(kept.id) == SECRET

    def test_after_its_days_the_content_is_gone_and_the_entry_stays(self, log: TraceLog, clock: StandingClock) -> None:
        kept = log.append([a_decision()])[0]
        log.checkpoint()
        days_pass(log, clock, 190)
        assert expire(log).erased == 1
        entry = log.entry(kept.id)
        assert entry.erased and entry.leaf == kept.leaf
        assert (entry.subject, entry.actor, entry.score, entry.verdict) == (None, None, None, None)
        assert log.payload(kept.id) is None

    def test_an_erased_entry_is_still_proven_and_the_log_still_whole(self, log: TraceLog, clock: StandingClock) -> None:
        gone, stays = log.append([a_decision(), Draft(kind="approve", payload=b"yes", actor="officer")])
        log.checkpoint()
        days_pass(log, clock, 190)
        expire(log)
        assert verify_bundle(log.evidence(gone.id)).holds
        assert verify_bundle(log.evidence(stays.id)).holds
        assert log.recheck().faults == []

    def test_acts_of_governance_stay(self, log: TraceLog, clock: StandingClock) -> None:
        act = log.append([Draft(kind="veto", payload=b"no", actor="officer", model="gas-leak")])[0]
        log.checkpoint()
        days_pass(log, clock, 191)
        expire(log)
        assert log.payload(act.id) == b"no"

    def test_the_log_says_what_went(self, log: TraceLog, clock: StandingClock) -> None:
        log.append([a_decision(), a_decision()])
        log.checkpoint()
        days_pass(log, clock, 190)
        receipt = expire(log, actor="admin").receipts[0]
        said = json.loads(log.payload(receipt.id) or b"")
        assert said == {"entries": [[0, 1]], "reason": "retention"}
        assert log.entry(receipt.id).actor == "admin"

    def test_a_clock_400_days_ahead_expires_nothing(self, log: TraceLog, clock: StandingClock) -> None:
        kept = log.append([a_decision()])[0]
        log.checkpoint()
        days_pass(log, clock, 30)
        clock.go(days=400)
        assert expire(log).erased == 0
        clock.go(days=-400)
        assert expire(log).erased == 0
        assert log.payload(kept.id) == SECRET

    def test_a_clock_400_days_behind_expires_nothing(self, log: TraceLog, clock: StandingClock) -> None:
        clock.go(days=-400)
        kept = log.append([a_decision()])[0]
        log.checkpoint()
        clock.go(days=400)
        log.append([a_decision()])
        log.checkpoint()
        assert expire(log).erased == 0
        assert log.payload(kept.id) == SECRET

    def test_a_person_may_confirm_the_clock(self, log: TraceLog, clock: StandingClock) -> None:
        log.append([a_decision()])
        log.checkpoint()
        clock.go(days=191)
        assert expire(log).erased == 0
        assert expire(log, clock_confirmed_by="officer").erased == 1

    def test_a_replayed_past_is_as_young_as_its_keeping(self, log: TraceLog, clock: StandingClock) -> None:
        kept = log.append([a_decision(time=clock() - timedelta(days=4000), flags=("replay_clock",))])[0]
        log.checkpoint()
        days_pass(log, clock, 10)
        assert expire(log).erased == 0
        assert log.payload(kept.id) == SECRET

    def test_a_model_may_keep_longer(self, log: TraceLog, clock: StandingClock) -> None:
        long, short = log.append([a_decision(model="slow"), a_decision(subject="p-2")])
        log.checkpoint()
        days_pass(log, clock, 191)
        assert expire(log, by_model={"slow": Retention(365)}).erased == 1
        assert log.payload(long.id) == SECRET
        assert log.payload(short.id) is None

    def test_a_second_run_finds_nothing(self, log: TraceLog, clock: StandingClock) -> None:
        log.append([a_decision()])
        log.checkpoint()
        days_pass(log, clock, 190)
        assert [expire(log).erased, expire(log).erased] == [1, 0]

    def test_another_process_goes_on_writing_after_its_key_went(
        self, database: Database, opens_log: OpensLog, clock: StandingClock
    ) -> None:
        one, other = opens_log(database, "serve-1"), opens_log(database, "serve-2")
        other.append([a_decision()])
        one.checkpoint()
        old = one.database.rows("SELECT payload_key FROM log_payloads ORDER BY entry DESC LIMIT 1")[0][0]
        forget_time = clock.now + timedelta(days=200)
        clock.now = forget_time
        expire(one, clock_confirmed_by="officer")
        kept = other.append([a_decision(payload=b"after")])[0]
        assert one.payload(kept.id) == b"after"
        assert other.payload(kept.id) == b"after"
        assert one.database.rows("SELECT payload_key FROM log_payloads WHERE entry = ?", kept.index)[0][0] != old
        assert one.recheck().faults == []


class TestRecheckBeside:
    def test_what_is_erased_while_it_reads_is_no_fault(
        self, log: TraceLog, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log.append([a_decision(subject=f"p-{number}") for number in range(5)])
        log.checkpoint()
        days_pass(log, clock, 191)
        said = LeafCheck._said

        def meanwhile(check: LeafCheck) -> object:
            before = said(check)
            monkeypatch.setattr(LeafCheck, "_said", said)
            assert expire(log).erased == 5
            return before

        monkeypatch.setattr(LeafCheck, "_said", meanwhile)
        assert log.recheck().faults == []


class TestNothingIsLeft:
    def test_no_byte_of_it_in_any_file(
        self, sqlite_database: Database, opens_log: OpensLog, clock: StandingClock, tmp_path: Path
    ) -> None:
        log = opens_log(sqlite_database)
        log.append([a_decision(subject="pseudonym-7731", actor="caller-5528")])
        log.append([a_decision(subject="pseudonym-8842")])
        log.checkpoint()
        sealed, wrapped = (
            bytes(sqlite_database.rows(f"SELECT {column} FROM {table} LIMIT 1")[0][0])
            for column, table in (("sealed", "log_payloads"), ("wrapped", "log_payload_keys"))
        )
        wrapping = (tmp_path / "data" / "keys" / "payload.key").read_bytes().strip()
        needles = [sealed[12:40], wrapped[12:40], b"pseudonym-7731", b"caller-5528", wrapping, SECRET]
        before = everything_under(tmp_path)
        assert [needle in before for needle in needles] == [True] * 5 + [False]
        clock.go(days=200)
        expire(log, clock_confirmed_by="officer")
        after = everything_under(tmp_path)
        assert [needle in after for needle in needles] == [False] * 6

    def test_an_old_copy_of_the_database_opens_nothing(
        self, sqlite_database: Database, opens_log: OpensLog, clock: StandingClock
    ) -> None:
        log = opens_log(sqlite_database)
        gone = log.append([a_decision()])[0]
        log.checkpoint()
        number, quarter, wrapped = sqlite_database.rows("SELECT number, quarter, wrapped FROM log_payload_keys")[0]
        clock.go(days=200)
        expire(log, clock_confirmed_by="officer")
        assert log.payload(gone.id) is None
        with pytest.raises(PayloadUnreadable, match=r"is not wrapped by the key in payload\.key"):
            log.wrapping.unwrap(bytes(wrapped), number, quarter)


class TestHolds:
    def test_what_is_held_stays_with_what_was_said_about_it(self, log: TraceLog, clock: StandingClock) -> None:
        decision = log.append([a_decision()])[0]
        review = log.append([Draft(kind="review", payload=b"wrong", about=decision.id)])[0]
        answer = log.append([Draft(kind="answer", payload=b"true", about=review.id)])[0]
        log.checkpoint()
        hold = place_hold(
            log, model="gas-leak", since=clock() - timedelta(1), until=clock() + timedelta(1), reason="court", actor="r"
        )
        clock.go(days=200)
        outcome = expire(log, clock_confirmed_by="officer")
        assert (outcome.erased, outcome.held) == (0, 3)
        lift_hold(log, hold.id, reason="judged", actor="r")
        assert expire(log, clock_confirmed_by="officer").erased == 3
        assert log.payload(answer.id) is None

    def test_a_hold_covers_its_days_alone(self, log: TraceLog, clock: StandingClock) -> None:
        log.append([a_decision()])
        log.checkpoint()
        place_hold(log, since=clock() + timedelta(1), until=clock() + timedelta(2), reason="court", actor="r")
        clock.go(days=200)
        assert expire(log, clock_confirmed_by="officer").erased == 1

    def test_placing_and_lifting_are_entries(self, log: TraceLog, clock: StandingClock) -> None:
        hold = place_hold(log, subject="p-1", since=clock(), until=clock() + timedelta(1), reason="court", actor="r")
        assert holds(log.database) == (hold,)
        lift_hold(log, hold.id, reason="judged", actor="r")
        assert holds(log.database) == ()
        assert len(log.search(kind="hold").entries) == 2

    def test_without_reason_or_end_it_is_refused_at_once(self, log: TraceLog, clock: StandingClock) -> None:
        with pytest.raises(Malformed, match="needs a reason; a legal hold must end after it begins"):
            place_hold(log, since=clock(), until=clock(), reason=" ", actor="r")

    def test_an_unknown_hold_cannot_be_lifted(self, log: TraceLog) -> None:
        with pytest.raises(NoSuchHold, match="there is no legal hold x"):
            lift_hold(log, "x", reason="r", actor="r")

    def test_a_hold_is_lifted_once(self, log: TraceLog, clock: StandingClock) -> None:
        hold = place_hold(log, since=clock(), until=clock() + timedelta(1), reason="court", actor="r")
        lift_hold(log, hold.id, reason="judged", actor="r")
        with pytest.raises(HoldLifted, match="was lifted before"):
            lift_hold(log, hold.id, reason="judged", actor="r")


class TestForgetSubject:
    def test_below_the_floor_it_is_restricted_and_goes_at_the_floor(self, log: TraceLog, clock: StandingClock) -> None:
        mine, other = log.append([a_decision(), a_decision(subject="p-2")])
        log.checkpoint()
        outcome = forget_subject(log, "p-1", approvers=("a", "b"), reason="left the plant")
        assert (outcome.erased, outcome.restricted) == (0, 1)
        with pytest.raises(RecordRestricted, match="is restricted"):
            log.payload(mine.id)
        clock.go(days=185)
        assert expire(log, clock_confirmed_by="officer").erased == 1
        assert log.payload(mine.id) is None
        assert log.payload(other.id) == SECRET

    def test_over_the_floor_it_goes_at_once(self, log: TraceLog, clock: StandingClock) -> None:
        mine = log.append([a_decision()])[0]
        log.checkpoint()
        days_pass(log, clock, 185)
        outcome = forget_subject(log, "p-1", approvers=("a", "b"), reason="left the plant")
        assert (outcome.erased, outcome.restricted) == (1, 0)
        assert log.payload(mine.id) is None

    def test_a_hold_stops_it(self, log: TraceLog, clock: StandingClock) -> None:
        log.append([a_decision()])
        place_hold(log, since=clock() - timedelta(1), until=clock() + timedelta(1), reason="court", actor="r")
        outcome = forget_subject(log, "p-1", approvers=("a", "b"), reason="left the plant")
        assert (outcome.erased, outcome.restricted, outcome.held) == (0, 0, 1)

    def test_one_person_is_not_two(self, log: TraceLog) -> None:
        with pytest.raises(TwoPairsOfEyes, match="needs two different people"):
            forget_subject(log, "p-1", approvers=("a", "a"), reason="left the plant")


class TestRetention:
    def test_under_180_days_it_is_refused(self) -> None:
        with pytest.raises(RetentionTooShort, match="179 days of retention are too few"):
            Retention(179)


def everything_under(folder: Path) -> bytes:
    return b"\0".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
