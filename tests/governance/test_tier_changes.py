"""A tier is raised by one and lowered by two, never under a floor, and what was approved is decided anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from governance.approvals import OwnSubmission, Verdict
from governance.permits import MayNotRun
from governance.stages import IllegalMove, Stage
from governance.tier_changes import BelowTheFloor, ChangeState, SecondPerson, TierChange, WrongWay
from policies.errors import Conflict, Malformed, NotFound
from policies.roles import NotAllowed, Role
from policies.tiers import Tier
from tests.governance.factories import COMMITTEE, L3, L4, OFFICER, House, a_house, someone

REASON = "the site is beside a school"
HIGH = {"severity": "serious_injury", "autonomy": "permit", "reversibility": "hard", "persons": "none"}
"""L3 by points; no floor holds it there."""


def changed(house: House, submission: str, tier: Tier, by: Any = OFFICER) -> TierChange:
    """Change a tier with a reason."""
    return house.service.tier_changes.change(submission, tier, by=by, reason=REASON)


class TestRaise:
    def test_counts_at_once_and_is_in_the_log(self, house: House) -> None:
        record = house.submitted()
        made = changed(house, record.id, Tier.L3)
        assert made.state is ChangeState.DONE
        assert house.service.book.get(record.id).tier is Tier.L3
        entry = house.service.log.search(kind="assess").entries[0]
        assert (entry.actor, entry.artifact_digest) == (OFFICER.name, record.artifact_digest)

    def test_ends_the_permit_and_asks_the_deciders_of_the_new_tier(self, house: House) -> None:
        record = house.approved(impact=L3, only_holding=True)
        house.decide()
        house.clock.go(minutes=1)
        changed(house, record.id, Tier.L4, by=COMMITTEE)
        with pytest.raises(MayNotRun):
            house.decide()
        assert house.service.store.version(record.model, record.version).status == "examined"
        house.clock.go(minutes=1)
        assert house.approve(record).still_needed == ("committee",)
        with pytest.raises(MayNotRun):
            house.decide()
        house.approve(record, COMMITTEE)
        assert house.decide().decisions[0]

    def test_stands_in_the_way_of_nothing_that_holds(self, house: House) -> None:
        record = house.submitted(only_holding=True)
        changed(house, record.id, Tier.L3)
        assert house.service.approvals.in_the_way(house.service.book.get(record.id)) == ()

    def test_of_a_vetoed_or_returned_one_is_no_move(self, house: House) -> None:
        record = house.submitted()
        house.verdict(record, Verdict.RETURN, OFFICER)
        with pytest.raises(IllegalMove, match="is returned; it can become vetoed, not examined"):
            changed(house, record.id, Tier.L3)

    def test_of_a_dead_process_is_recorded_at_the_next_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with a_house(tmp_path / "house") as house:
            record = house.submitted()

            def dies(*_: Any) -> None:
                raise OSError("killed")

            monkeypatch.setattr(house.service.tier_changes, "_record", dies)
            with pytest.raises(OSError, match="killed"):
                changed(house, record.id, Tier.L3)
            monkeypatch.undo()
            assert house.service.book.get(record.id).tier is Tier.L3
            assert "assess" not in house.kinds()
            assert house.service.tier_changes.record_unrecorded() == 1
            assert house.service.tier_changes.record_unrecorded() == 0
            assert "assess" in house.kinds()


class TestLower:
    def test_waits_for_a_second_person(self, house: House) -> None:
        record = house.submitted(impact=HIGH)
        made = changed(house, record.id, Tier.L2)
        assert (made.state, house.service.book.get(record.id).tier) == (ChangeState.WAITS, Tier.L3)
        with pytest.raises(SecondPerson, match="a-dso asked for the lower tier and cannot confirm it"):
            house.service.tier_changes.confirm(made.id, by=someone(Role.COMMITTEE, OFFICER.name), reason=REASON)
        done = house.service.tier_changes.confirm(made.id, by=COMMITTEE, reason=REASON)
        assert (done.state, done.confirmed_by) == (ChangeState.DONE, COMMITTEE.name)
        assert house.service.book.get(record.id).tier is Tier.L2
        assert [entry.actor for entry in house.service.log.search(kind="assess").entries] == [
            COMMITTEE.name,
            OFFICER.name,
        ]
        assert house.service.tier_changes.of(record.id, OFFICER) == (done,)

    def test_that_is_declined_changes_nothing(self, house: House) -> None:
        record = house.submitted(impact=HIGH)
        made = changed(house, record.id, Tier.L2)
        done = house.service.tier_changes.decline(made.id, by=COMMITTEE, reason=REASON)
        assert (done.state, house.service.book.get(record.id).tier) == (ChangeState.DECLINED, Tier.L3)
        with pytest.raises(Conflict, match="is declined already"):
            house.service.tier_changes.confirm(made.id, by=COMMITTEE, reason=REASON)

    @pytest.mark.parametrize(("impact", "tier"), [(L3, Tier.L2), (L4, Tier.L3)])
    def test_never_goes_under_a_floor(self, house: House, impact: dict[str, str], tier: Tier) -> None:
        record = house.submitted(impact=impact)
        with pytest.raises(BelowTheFloor, match=f"nobody lowers the tier to {tier}"):
            changed(house, record.id, tier)

    def test_comes_before_any_verdict(self, house: House) -> None:
        record = house.approved(impact=HIGH)
        with pytest.raises(Conflict, match="a tier is lowered before any verdict"):
            changed(house, record.id, Tier.L2)

    def test_after_a_raise_in_between_counts_nothing(self, house: House) -> None:
        record = house.submitted(impact=HIGH)
        made = changed(house, record.id, Tier.L2)
        changed(house, record.id, Tier.L4)
        with pytest.raises(WrongWay):
            house.service.tier_changes.confirm(made.id, by=COMMITTEE, reason=REASON)

    def test_a_foreign_change_looks_absent(self, house: House) -> None:
        made = changed(house, house.submitted(impact=HIGH).id, Tier.L2)
        far = someone(Role.COMMITTEE, "far", site="plant-08")
        said = []
        for id in (made.id, "no-such"):
            with pytest.raises(NotFound) as refused:
                house.service.tier_changes.confirm(id, by=far, reason=REASON)
            said.append(refused.value.says.en.replace(id, "X"))
        assert said[0] == said[1]


class TestChange:
    def test_to_the_same_tier_is_none(self, house: House) -> None:
        record = house.submitted()
        with pytest.raises(WrongWay, match="is L2; L2 would not change it"):
            changed(house, record.id, Tier.L2)

    def test_needs_a_reason(self, house: House) -> None:
        record = house.submitted()
        with pytest.raises(Malformed):
            house.service.tier_changes.change(record.id, Tier.L3, by=OFFICER, reason=" ")

    def test_is_not_for_who_submitted_though_his_role_changed(self, house: House) -> None:
        record = house.submitted(by=someone(Role.ML_ENGINEER, "wang"), impact=HIGH)
        for tier in (Tier.L2, Tier.L4):
            with pytest.raises(OwnSubmission):
                changed(house, record.id, tier, by=someone(Role.DSO, "wang"))

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.DSO, Role.COMMITTEE)])
    def test_is_for_officer_and_committee(self, house: House, role: Role) -> None:
        record = house.submitted()
        for id in (record.id, "no-such"):
            with pytest.raises(NotAllowed):
                changed(house, id, Tier.L3, by=someone(role))

    def test_another_sites_looks_absent(self, house: House) -> None:
        record = house.submitted()
        with pytest.raises(NotFound):
            changed(house, record.id, Tier.L3, by=someone(Role.DSO, site="plant-08"))
        assert house.service.book.get(record.id).stage is Stage.EXAMINED
