"""Early erasure takes two accounts, each allowed to, each of the whole house; the law's floors and holds stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from audit.entries import Draft
from audit.expiry import Forgotten
from governance import erasures as module
from governance.approvals import Raced
from governance.compliance import ForTheWholeHouse
from governance.erasures import AskerGone, Erasure, ErasureState, OwnRequest
from governance.tables import erasures
from policies.errors import Conflict, Malformed, NotFound
from policies.roles import NotAllowed, Person, Role
from tests.governance.factories import COMMITTEE, SENSORS, House, rows, someone

REASON = "asked for by the person concerned"


@pytest.fixture
def officer(house: House) -> Person:
    """An officer with an account."""
    house.service.people.add("mei", Role.DSO)
    return house.service.people.person("mei")


def decided(house: House, *subjects: str) -> list[str]:
    """Decide a row for each subject; return the ids."""
    house.approved()
    frame = rows(len(subjects), seed=9)[list(SENSORS)]
    return [made.id for made in house.decide(X=frame, subjects=list(subjects)).decisions]


def asked(house: House, by: Person, subject: str = "w-1") -> Erasure:
    """Ask for an erasure."""
    return house.service.erasures.ask(subject, by=by, reason=REASON)


def later(house: House, days: int) -> None:
    """Let days pass with checkpoints, by which the log counts age."""
    for _ in range(0, days, 5):
        house.clock.now += timedelta(days=5)
        house.service.log.append([Draft(kind="health", payload=b"{}")])
        house.service.log.checkpoint()


class TestApprove:
    def test_erases_what_is_over_its_floor_and_nobody_elses(self, house: House, officer: Person) -> None:
        mine, other = decided(house, "w-1", "w-2")
        later(house, 200)
        made = asked(house, officer)
        assert (made.state, house.service.log.entry(mine).erased) == (ErasureState.WAITS, False)
        done = house.service.erasures.approve(made.id, by=COMMITTEE, reason="nothing stands against it")
        assert (done.state, done.decided_by) == (ErasureState.DONE, COMMITTEE.name)
        assert done.result == Forgotten(erased=1, restricted=0, held=0)
        assert house.service.log.entry(mine).erased
        assert not house.service.log.entry(other).erased

    def test_restricts_what_is_under_it(self, house: House, officer: Person) -> None:
        (mine,) = decided(house, "w-1")
        done = house.service.erasures.approve(asked(house, officer).id, by=COMMITTEE, reason=REASON)
        assert done.result == Forgotten(erased=0, restricted=1, held=0)
        assert not house.service.log.entry(mine).erased

    def test_finds_the_person_under_every_pseudonym(self, house: House, officer: Person) -> None:
        house.approved()
        frame = rows(1, seed=9)[list(SENSORS)]
        house.decide(X=frame, subjects=["w-1"])
        made = asked(house, officer)
        house.clock.go(hours=1)
        house.service.keys.change(house.clock())
        house.decide(X=frame, subjects=["w-1"])
        done = house.service.erasures.approve(made.id, by=COMMITTEE, reason=REASON)
        assert done.result is not None
        assert done.result.restricted == 2

    def test_is_not_for_who_asked_though_his_role_changed(self, house: House, officer: Person) -> None:
        made = asked(house, officer)
        for self_again in (officer, someone(Role.COMMITTEE, officer.name)):
            with pytest.raises(OwnRequest, match="mei asked for this erasure"):
                house.service.erasures.approve(made.id, by=self_again, reason=REASON)
        assert house.service.erasures.known_to(officer)[0].state is ErasureState.WAITS

    @pytest.mark.parametrize("how", ["disabled", "another role"])
    def test_needs_an_asker_who_may_still_ask(self, house: House, officer: Person, how: str) -> None:
        made = asked(house, officer)
        if how == "disabled":
            house.service.people.disable("mei", by="admin")
        else:
            house.service.people.change("mei", by="admin", role=Role.REVIEWER)
        with pytest.raises(AskerGone):
            house.service.erasures.approve(made.id, by=COMMITTEE, reason=REASON)

    def test_an_asker_without_account_counts_as_none(self, house: House) -> None:
        made = asked(house, someone(Role.DSO, "local-dso"))
        with pytest.raises(AskerGone):
            house.service.erasures.approve(made.id, by=COMMITTEE, reason=REASON)

    def test_once(self, house: House, officer: Person) -> None:
        made = asked(house, officer)
        house.service.erasures.approve(made.id, by=COMMITTEE, reason=REASON)
        for settle in (house.service.erasures.approve, house.service.erasures.decline):
            with pytest.raises(Conflict, match="is done already"):
                settle(made.id, by=COMMITTEE, reason=REASON)

    def test_of_a_dead_process_is_carried_out_later(
        self, house: House, officer: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decided(house, "w-1")
        made = asked(house, officer)

        def dies(*_: Any, **__: Any) -> None:
            raise OSError("killed")

        monkeypatch.setattr(module, "forget_subject", dies)
        with pytest.raises(OSError, match="killed"):
            house.service.erasures.approve(made.id, by=COMMITTEE, reason=REASON)
        monkeypatch.undo()
        assert house.service.erasures.finish_unfinished() == 1
        assert house.service.erasures.finish_unfinished() == 0
        (done,) = house.service.erasures.known_to(COMMITTEE)
        assert done.result is not None
        assert done.result.restricted == 1

    def test_declined_meanwhile_binds_nothing(
        self, house: House, officer: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decided(house, "w-1")
        made = asked(house, officer)
        service = house.service.erasures
        settle = service._settle

        def overtaken(*given: Any, **values: Any) -> None:
            monkeypatch.undo()
            service.decline(made.id, by=officer, reason="taken back")
            settle(*given, **values)

        monkeypatch.setattr(service, "_settle", overtaken)
        with pytest.raises(Raced):
            service.approve(made.id, by=COMMITTEE, reason=REASON)
        assert service.known_to(officer)[0].state is ErasureState.DECLINED
        assert "restrict" not in house.kinds()


class TestDecline:
    def test_leaves_everything_and_forgets_whom_it_was_about(self, house: House, officer: Person) -> None:
        decided(house, "w-1")
        made = asked(house, officer)
        house.service.erasures.decline(made.id, by=officer, reason="taken back")
        assert "restrict" not in house.kinds()
        with house.service.database.reading() as connection:
            assert connection.execute(erasures.select()).one().subject is None


class TestAsk:
    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.DSO, Role.COMMITTEE)])
    def test_is_for_officer_and_committee(self, house: House, officer: Person, role: Role) -> None:
        made = asked(house, officer)
        service, somebody = house.service.erasures, someone(role)
        for act in (service.approve, service.decline):
            for id in (made.id, "no-such"):
                with pytest.raises(NotAllowed):
                    act(id, by=somebody, reason=REASON)
        with pytest.raises(NotAllowed):
            asked(house, somebody, "w-2")
        with pytest.raises(NotAllowed):
            service.known_to(somebody)

    def test_is_for_the_whole_house(self, house: House, officer: Person) -> None:
        made = asked(house, officer)
        here = someone(Role.COMMITTEE, "here", site="plant-07")
        with pytest.raises(ForTheWholeHouse):
            asked(house, here, "w-2")
        for id in (made.id, "no-such"):
            with pytest.raises(ForTheWholeHouse):
                house.service.erasures.approve(id, by=here, reason=REASON)

    def test_keeps_the_raw_id_nowhere(self, house: House, officer: Person) -> None:
        asked(house, officer, "worker-4711")
        house.service.log.checkpoint()
        kept = b"".join(file.read_bytes() for file in house.service.settings.data.rglob("*") if file.is_file())
        assert b"worker-4711" not in kept

    def test_the_same_person_waits_once(self, house: House, officer: Person) -> None:
        asked(house, officer)
        with pytest.raises(Conflict, match="waits for its second person already"):
            asked(house, COMMITTEE)
        asked(house, officer, "w-2")

    @pytest.mark.parametrize(("subject", "reason"), [(" ", REASON), ("w-1", " ")])
    def test_needs_a_person_and_a_reason(self, house: House, officer: Person, subject: str, reason: str) -> None:
        with pytest.raises(Malformed):
            house.service.erasures.ask(subject, by=officer, reason=reason)

    def test_an_unknown_one_is_absent(self, house: House) -> None:
        with pytest.raises(NotFound):
            house.service.erasures.approve("no-such", by=COMMITTEE, reason=REASON)
