"""Pseudonyms change with their key; a person stays findable, and a key goes when no trace needs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit.pseudonym_keys import PseudonymKeys
from audit.signed_note import KeyUnreadable
from governance.appeals import Asks
from policies.errors import Malformed, NotFound
from policies.roles import Role
from tests.governance.factories import ADMIN, NOW, SENSORS, House, StandingClock, a_house, rows, someone


@pytest.fixture
def clock() -> StandingClock:
    """A clock that moves when told to."""
    return StandingClock()


def keys_in(folder: Path, clock: StandingClock) -> PseudonymKeys:
    """The keys as one process sees them."""
    return PseudonymKeys(folder, clock.seconds)


class TestKeys:
    def test_a_new_one_makes_other_pseudonyms_and_the_old_are_known(self, tmp_path: Path, clock: StandingClock) -> None:
        keys = keys_in(tmp_path, clock)
        first = keys.of("w-1")
        keys.change(NOW)
        second = keys.of("w-1")
        assert first != second
        assert keys.every("w-1") == (second, first)
        assert keys.of("w-1") == keys.of(" w-1 ")
        assert keys.of(1234.0) == keys.of("1234")

    def test_another_process_follows_within_a_second(self, tmp_path: Path, clock: StandingClock) -> None:
        one, other = keys_in(tmp_path, clock), keys_in(tmp_path, clock)
        before = other.of("w-1")
        one.change(NOW)
        assert other.of("w-1") == before
        clock.go(seconds=1)
        assert other.of("w-1") == one.of("w-1") != before

    def test_an_account_keeps_its_id_sealed_and_is_found_after_a_change(
        self, tmp_path: Path, clock: StandingClock
    ) -> None:
        keys = keys_in(tmp_path, clock)
        kept = keys.seal("w-1")
        assert "w-1" not in kept
        assert keys.seal("w-1") != kept, "the same id twice does not show"
        keys.change(NOW)
        assert keys_in(tmp_path, clock).opened(kept) == keys.every("w-1")

    def test_what_another_house_sealed_is_not_read(self, tmp_path: Path, clock: StandingClock) -> None:
        kept = keys_in(tmp_path / "a", clock).seal("w-1")
        with pytest.raises(KeyUnreadable, match="did not seal this account's subject id"):
            keys_in(tmp_path / "b", clock).opened(kept)

    def test_a_pseudonym_that_was_kept_before_is_itself(self, tmp_path: Path, clock: StandingClock) -> None:
        assert keys_in(tmp_path, clock).opened("0" * 32) == ("0" * 32,)

    def test_an_empty_id_is_nobodys(self, tmp_path: Path, clock: StandingClock) -> None:
        with pytest.raises(Malformed):
            keys_in(tmp_path, clock).of("  ")

    def test_files_are_closed_to_others(self, tmp_path: Path, clock: StandingClock) -> None:
        keys_in(tmp_path, clock).change(NOW)
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A real service with a model at work and an employee of the data's w-1."""
    with a_house(tmp_path / "house") as made:
        made.approved()
        made.service.people.add("lin", Role.EMPLOYEE, subject="w-1")
        yield made


def decided(house: House, subject: str) -> str:
    """A decision about somebody."""
    (decision,) = house.decide(X=rows(1, seed=9)[list(SENSORS)], subjects=[subject]).decisions
    return str(decision.id)


class TestAcrossAChange:
    def test_an_employee_finds_his_own_and_nobody_elses(self, house: House) -> None:
        before, other = decided(house, "w-1"), decided(house, "w-2")
        house.clock.go(hours=1)
        house.service.change_pseudonym_key(by=ADMIN)
        house.clock.go(hours=1)
        after = decided(house, "w-1")
        lin = house.service.people.person("lin")
        found = house.service.log.search(kind="decision", subject=lin.pseudonyms).entries
        assert [entry.id for entry in found] == [after, before]
        assert found[0].subject != found[1].subject
        for id in (before, after):
            assert house.service.reviews.decision(id, lin).id == id
        with pytest.raises(NotFound):
            house.service.reviews.decision(other, lin)
        asked = house.service.appeals.ask(before, Asks.APPEAL, by=lin, reason="I was not there")
        assert [one.id for one in house.service.appeals.list(lin)] == [asked.id]
        assert house.service.log.search(kind="key").entries[0].actor == ADMIN.name

    def test_a_key_goes_when_no_trace_needs_it(self, house: House) -> None:
        decided(house, "w-1")
        house.clock.go(hours=1)
        house.service.change_pseudonym_key(by=ADMIN)
        log, keys = house.service.log, house.service.keys
        house.clock.go(days=3)
        assert keys.let_go(log, house.clock()) == 0, "a decision still names somebody"
        first = keys.every("w-1")[-1]
        with log.database.writing() as connection:  # what expiry does to an entry's subject
            connection.exec_driver_sql("UPDATE log_entries SET subject = NULL, actor = NULL WHERE kind = 'decision'")
        assert keys.let_go(log, house.clock()) == 1
        assert first not in keys.every("w-1")
        assert keys.let_go(log, house.clock()) == 0, "the newest stays"

    def test_a_key_just_replaced_stays_a_day(self, house: House) -> None:
        house.service.change_pseudonym_key(by=ADMIN)
        house.clock.now += timedelta(hours=23)
        assert house.service.keys.let_go(house.service.log, house.clock()) == 0

    def test_is_the_admins(self, house: House) -> None:
        for role in Role:
            if role is not Role.ADMIN:
                with pytest.raises(Exception, match="manage_people"):
                    house.service.change_pseudonym_key(by=someone(role))
