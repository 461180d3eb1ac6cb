"""Which artifact may run now, and what is said when none may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from audit.database import Database
from governance.permits import MayNotRun, PermitBook
from policies.errors import Unavailable
from tests.governance.factories import OFFICER, House

GRACE = timedelta(hours=24)


class Cut:
    """A database whose cable can be pulled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = False
        self.looks = 0

    @contextmanager
    def reading(self) -> Iterator[object]:
        """Read, unless the cable is out."""
        self.looks += 1
        if self.away:
            raise OperationalError("SELECT", {}, OSError("connection refused"))
        with self._database.reading() as connection:
            yield connection


def a_book(house: House, database: object | None = None) -> PermitBook:
    """A permit book of another process over the same database."""
    return PermitBook(database or house.service.database, house.clock, house.clock.seconds)  # type: ignore[arg-type]


class TestLive:
    def test_returns_the_permit(self, house: House) -> None:
        record = house.approved()
        permit, lapsed = a_book(house).live("gas-leak", GRACE)
        assert (permit.artifact_digest, lapsed) == (record.artifact_digest, False)

    def test_unknown(self, house: House) -> None:
        with pytest.raises(MayNotRun) as refused:
            a_book(house).live("gas-leak", GRACE)
        assert refused.value.reason == "unknown"
        assert refused.value.says.en == (
            "'gas-leak' may not run: there is no model of this name here, or it is outside your scope; "
            "fall back to manual control"
        )
        assert refused.value.says.zh == (
            "“gas-leak”不得运行：此处没有该名称的模型，或不在您的权限范围内；请转为人工控制"
        )

    def test_submitted_and_not_approved(self, house: House) -> None:
        house.submitted()
        with pytest.raises(MayNotRun, match="no version of it holds a permit") as refused:
            a_book(house).live("gas-leak", GRACE)
        assert refused.value.reason == "not_permitted"

    def test_submitted_just_now_is_known_at_once(self, house: House) -> None:
        with pytest.raises(MayNotRun, match="there is no model of this name here"):
            house.decide()
        house.submitted()
        with pytest.raises(MayNotRun, match="no version of it holds a permit"):
            house.decide()

    def test_vetoed_before_it_ever_ran(self, house: House) -> None:
        house.veto(house.submitted())
        with pytest.raises(MayNotRun, match=r"its artifact \w{12} was vetoed \(it was looked at\)"):
            a_book(house).live("gas-leak", GRACE)

    def test_suspended(self, house: House) -> None:
        house.approved()
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        with pytest.raises(MayNotRun) as refused:
            a_book(house).live("gas-leak", GRACE)
        assert refused.value.reason == "suspended"

    def test_lapsed_within_the_grace_says_so(self, house: House) -> None:
        permit = house.approve(house.submitted()).permit
        assert permit is not None
        house.clock.now = permit.until - timedelta(microseconds=1)
        assert a_book(house).live("gas-leak", GRACE)[1] is False
        house.clock.now = permit.until
        assert a_book(house).live("gas-leak", GRACE)[1] is True
        house.clock.now = permit.until + GRACE - timedelta(microseconds=1)
        assert a_book(house).live("gas-leak", GRACE)[1] is True

    def test_lapsed_beyond_the_grace_is_refused(self, house: House) -> None:
        permit = house.approve(house.submitted()).permit
        assert permit is not None
        house.clock.now = permit.until + GRACE
        with pytest.raises(MayNotRun, match="the permit of version 1 ended on 2027-03-02 08:00 UTC") as refused:
            a_book(house).live("gas-leak", GRACE)
        assert refused.value.reason == "lapsed"

    def test_a_model_of_another_site_is_as_unknown_as_one_that_is_absent(self, house: House) -> None:
        house.approved()
        for state in ("live", "suspended", "vetoed"):
            with pytest.raises(MayNotRun) as foreign:
                a_book(house).live("gas-leak", GRACE, "plant-08")
            with pytest.raises(MayNotRun) as absent:
                a_book(house).live("gas-peak", GRACE, "plant-08")
            assert foreign.value.says.en.replace("leak", "peak") == absent.value.says.en
            assert foreign.value.reason == absent.value.reason == "unknown"
            if state == "live":
                house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
            elif state == "suspended":
                house.veto(house.service.book.search(model="gas-leak")[0][0])


class TestAnotherProcess:
    def test_sees_a_veto_within_a_second(self, house: House) -> None:
        record = house.approved()
        other = a_book(house)
        other.live("gas-leak", GRACE)
        house.veto(record)
        house.clock.go(seconds=0.3)
        with pytest.raises(MayNotRun):
            other.live("gas-leak", GRACE)

    def test_reads_the_database_at_most_four_times_a_second(self, house: House) -> None:
        house.approved()
        cut = Cut(house.service.database)
        other = a_book(house, cut)
        for _ in range(200):
            other.live("gas-leak", GRACE)
            house.clock.go(seconds=0.01)
        assert 7 <= cut.looks <= 9


class TestUnreachable:
    def test_from_the_start_is_a_refusal(self, house: House) -> None:
        house.approved()
        cut = Cut(house.service.database)
        cut.away = True
        with pytest.raises(MayNotRun) as refused:
            a_book(house, cut).live("gas-leak", GRACE)
        assert refused.value.reason == "unreachable"
        assert refused.value.says.en == (
            "'gas-leak' may not run: the permits cannot be reached; fall back to manual control"
        )
        with pytest.raises(Unavailable):
            a_book(house, cut).require_unvetoed("gas-leak", "0" * 64)

    def test_later_only_flagged_alarms_leave_until_the_grace_is_over(self, house: House) -> None:
        house.approved()
        cut = Cut(house.service.database)
        book = a_book(house, cut)
        assert book.live("gas-leak", GRACE)[1] is False
        cut.away = True
        house.clock.go(seconds=1)
        assert book.live("gas-leak", GRACE)[1] is True
        house.clock.go(hours=23, minutes=59)
        assert book.live("gas-leak", GRACE)[1] is True
        house.clock.go(minutes=2)
        with pytest.raises(MayNotRun, match="the permits cannot be reached"):
            book.live("gas-leak", GRACE)

    def test_is_not_asked_again_at_every_call(self, house: House) -> None:
        house.approved()
        cut = Cut(house.service.database)
        book = a_book(house, cut)
        book.live("gas-leak", GRACE)
        cut.away, cut.looks = True, 0
        house.clock.go(seconds=1)
        for _ in range(50):
            assert book.live("gas-leak", GRACE)[1] is True
        assert cut.looks == 1

    def test_recovers(self, house: House) -> None:
        house.approved()
        cut = Cut(house.service.database)
        book = a_book(house, cut)
        book.live("gas-leak", GRACE)
        cut.away = True
        house.clock.go(seconds=1)
        book.live("gas-leak", GRACE)
        cut.away = False
        house.clock.go(seconds=1)
        assert book.live("gas-leak", GRACE)[1] is False

    def test_a_database_that_hangs_holds_no_alarm_back(self, house: House) -> None:
        house.approved()
        hangs = threading.Event()
        reached = threading.Event()

        class Hanging(Cut):
            @contextmanager
            def reading(self) -> Iterator[object]:
                if self.away:
                    reached.set()
                    hangs.wait(30)
                with super().reading() as connection:
                    yield connection

        cut = Hanging(house.service.database)
        book = a_book(house, cut)
        book.live("gas-leak", GRACE)
        house.clock.go(seconds=1)
        cut.away = True
        stuck = threading.Thread(target=lambda: book.live("gas-leak", GRACE))
        stuck.start()
        assert reached.wait(10)
        try:
            assert book.live("gas-leak", GRACE)[1] is True
        finally:
            cut.away = False
            hangs.set()
            stuck.join()
