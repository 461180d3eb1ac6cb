"""What the officer lets happen without him: at L1 and L2 only, in its scope, until its end, and never for himself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from governance.approvals import OwnSubmission, Verdict
from governance.delegations import Delegation, NotDelegable, RevokedAlready
from governance.permits import MayNotRun
from governance.stages import Stage
from governance.submissions import SubmissionRecord
from policies.errors import Malformed, NotFound
from policies.roles import NotAllowed, Person, Role
from policies.tiers import Tier
from tests.governance.factories import COMMITTEE, ENGINEER, L3, NOW, OFFICER, REVIEWER, SITE, House, someone

L1 = {"severity": "none", "autonomy": "information", "reversibility": "easy", "persons": "none"}
REASON = "small models, looked at every quarter"
NEXT_MONTH = NOW + timedelta(days=30)


@pytest.fixture
def officer(house: House) -> Person:
    """An officer with an account: delegations count while he is one."""
    house.service.people.add(OFFICER.name, Role.DSO)
    return OFFICER


def delegated(house: House, tier: Tier = Tier.L2, by: Person = OFFICER, **scope: Any) -> Delegation:
    """A delegation until next month."""
    return house.service.delegations.give(tier, by=by, reason=REASON, **{"until": NEXT_MONTH, **scope})


def handed_in(house: House, **changes: Any) -> SubmissionRecord:
    """A submission of L1 in which everything holds, as `Service.submit` leaves it."""
    record = house.submitted(impact=L1, only_holding=True, **changes)
    house.service.approvals.approve_by_itself(record.id)
    return house.service.book.get(record.id)


class TestGive:
    def test_is_an_act_in_the_log(self, house: House, officer: Person) -> None:
        given = delegated(house, models=["gas-leak"], sites=[SITE])
        entry = house.service.log.entry(given.entry)
        assert (entry.kind, entry.actor) == ("delegate", officer.name)
        assert house.service.delegations.list(officer) == (given,)
        assert given.as_json()["how"] == "reviewer"

    @pytest.mark.parametrize("tier", [Tier.L3, Tier.L4])
    def test_grave_models_are_the_officers_own(self, house: House, tier: Tier) -> None:
        with pytest.raises(NotDelegable, match=f"{tier} cannot be delegated"):
            delegated(house, tier)

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.DSO])
    def test_is_for_the_officer(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            delegated(house, by=someone(role))

    @pytest.mark.parametrize("until", [NOW, NOW + timedelta(days=182)])
    def test_has_an_end_within_what_the_rules_allow(self, house: House, until: Any) -> None:
        with pytest.raises(Malformed, match=r"a delegation ends after now and by 2026-08-29; found"):
            delegated(house, until=until)

    def test_an_officer_of_one_site_delegates_within_it(self, house: House) -> None:
        here = someone(Role.DSO, site=SITE)
        assert delegated(house, by=here).sites == (SITE,)
        with pytest.raises(NotFound, match="there is no site 'plant-08' here"):
            delegated(house, by=here, sites=["plant-08"])


class TestByAReviewer:
    def test_approves_what_is_covered(self, house: House, officer: Person) -> None:
        record, given = house.submitted(), delegated(house)
        assert [waiting.id for waiting in house.service.approvals.waiting_for(REVIEWER)] == [record.id]
        ruling = house.approve(record, REVIEWER)
        assert (ruling.stage, ruling.verdict.delegation) == (Stage.APPROVED, given.id)
        assert house.decide().decisions[0]
        entry = house.service.log.entry(
            str(ruling.verdict.entry or house.service.book.get(record.id).verdicts[0].entry)
        )
        assert (entry.kind, entry.actor) == ("approve", REVIEWER.name)
        assert given.id.encode() in (house.service.log.payload(entry.id) or b"")

    def test_may_send_back_and_never_vetoes(self, house: House, officer: Person) -> None:
        record = house.submitted()
        delegated(house)
        with pytest.raises(NotAllowed):
            house.veto(record, REVIEWER)
        assert house.verdict(record, Verdict.RETURN, REVIEWER).stage is Stage.RETURNED

    def test_the_officers_veto_stays(self, house: House, officer: Person) -> None:
        record = house.submitted()
        delegated(house)
        house.approve(record, REVIEWER)
        house.veto(record, officer)
        with pytest.raises(MayNotRun, match="was vetoed"):
            house.decide()

    def test_without_one_he_is_turned_away_before_he_learns_anything(self, house: House, officer: Person) -> None:
        record, said = house.submitted(), []
        for id in (record.id, "no-such"):
            with pytest.raises(NotAllowed) as refused:
                house.service.approvals.give_verdict(id, Verdict.APPROVE, by=REVIEWER, reason=REASON)
            said.append(refused.value.says)
        assert said[0] == said[1]

    @pytest.mark.parametrize(
        ("scope", "impact"),
        [
            ({"models": ["gas-peak"]}, None),
            ({"sites": ["plant-08"]}, None),
            ({}, L3),
            ({}, L1),
        ],
        ids=["another model", "another site", "a graver tier", "a milder tier"],
    )
    def test_what_is_not_covered_looks_absent(
        self, house: House, officer: Person, scope: dict[str, Any], impact: dict[str, str] | None
    ) -> None:
        record = house.submitted(**({"impact": impact} if impact else {}))
        delegated(house, **scope)
        said = []
        for id in (record.id, "no-such"):
            with pytest.raises(NotFound) as refused:
                house.service.approvals.give_verdict(id, Verdict.APPROVE, by=REVIEWER, reason=REASON)
            said.append(refused.value.says.en.replace(id, "X"))
        assert said[0] == said[1]
        assert house.service.approvals.waiting_for(REVIEWER) == ()

    def test_of_another_site_does_not(self, house: House, officer: Person) -> None:
        record = house.submitted()
        delegated(house)
        with pytest.raises(NotFound):
            house.approve(record, someone(Role.REVIEWER, site="plant-08"))

    def test_ends_on_its_day_and_when_revoked(self, house: House, officer: Person) -> None:
        record, given = house.submitted(), delegated(house)
        house.clock.go(days=30)
        with pytest.raises(NotAllowed):
            house.approve(record, REVIEWER)
        again = delegated(house, until=house.clock.now + timedelta(days=1))
        house.service.delegations.revoke(again.id, by=officer, reason=REASON)
        with pytest.raises(NotAllowed):
            house.approve(record, REVIEWER)
        assert [d.revoked_by for d in house.service.delegations.list(officer)] == [officer.name, None]
        with pytest.raises(RevokedAlready):
            house.service.delegations.revoke(again.id, by=officer, reason=REASON)
        assert given.id

    def test_of_an_officer_who_is_none_any_more_counts_nothing(self, house: House, officer: Person) -> None:
        record = house.submitted()
        delegated(house)
        house.service.people.disable(officer.name)
        with pytest.raises(NotAllowed):
            house.approve(record, REVIEWER)

    def test_a_committee_member_is_no_reviewer(self, house: House, officer: Person) -> None:
        record = house.submitted()
        delegated(house)
        with pytest.raises(Exception, match="is not asked"):
            house.approve(record, COMMITTEE)

    def test_nobody_approves_his_own(self, house: House, officer: Person) -> None:
        delegated(house)
        record = house.submitted(by=someone(Role.ML_ENGINEER, REVIEWER.name))
        with pytest.raises(OwnSubmission):
            house.approve(record, REVIEWER)

    def test_nobody_has_his_own_approved_by_what_he_delegated(self, house: House, officer: Person) -> None:
        delegated(house)
        record = house.submitted(by=someone(Role.ML_ENGINEER, officer.name))
        with pytest.raises(NotFound):
            house.approve(record, REVIEWER)


class TestByItself:
    def test_what_holds_in_everything_runs(self, house: House, officer: Person) -> None:
        given = delegated(house, Tier.L1)
        record = handed_in(house)
        (verdict,) = record.verdicts
        assert (record.stage, verdict.by, verdict.delegation) == (Stage.APPROVED, "mingjing", given.id)
        assert verdict.reason == f"everything holds; approved under delegation {given.id} of {officer.name}"
        assert house.decide().decisions[0]
        assert "approve" in house.kinds()

    def test_without_a_delegation_it_waits(self, house: House, officer: Person) -> None:
        delegated(house, Tier.L2)
        assert handed_in(house).stage is Stage.EXAMINED

    def test_what_could_not_conclude_in_something_waits(self, house: House, officer: Person) -> None:
        delegated(house, Tier.L1)
        record = house.submitted(impact=L1)
        assert record.holds is not True
        assert house.service.approvals.approve_by_itself(record.id) is None

    def test_a_graver_tier_waits(self, house: House, officer: Person) -> None:
        delegated(house, Tier.L1)
        record = house.submitted(only_holding=True)
        assert record.tier is Tier.L2
        assert house.service.approvals.approve_by_itself(record.id) is None

    def test_what_the_officer_handed_in_himself_waits(self, house: House, officer: Person) -> None:
        delegated(house, Tier.L1)
        assert handed_in(house, by=someone(Role.ML_ENGINEER, officer.name)).stage is Stage.EXAMINED

    def test_the_officers_veto_stays(self, house: House, officer: Person) -> None:
        delegated(house, Tier.L1)
        house.veto(handed_in(house), officer)
        with pytest.raises(MayNotRun, match="was vetoed"):
            house.decide()

    def test_through_the_door_it_is_done_at_once(
        self, house: House, officer: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delegated(house, Tier.L1)
        intake = house.service.intake
        monkeypatch.setattr(
            intake, "submit", lambda _directory, *, by, progress=None: house.submitted(by, impact=L1, only_holding=True)
        )
        assert house.service.submit(house.folder, by=ENGINEER).stage is Stage.APPROVED


class TestList:
    def test_a_reviewer_sees_what_is_his_to_use(self, house: House, officer: Person) -> None:
        delegated(house, Tier.L1)
        second = delegated(house, Tier.L2)
        assert house.service.delegations.list(REVIEWER) == (second,)
        assert house.service.delegations.list(someone(Role.REVIEWER, officer.name)) == (), "not what he gave himself"

    def test_is_closed_to_others(self, house: House) -> None:
        for role in (Role.EMPLOYEE, Role.SERVICE, Role.TESTER, Role.ADMIN):
            with pytest.raises(NotAllowed):
                house.service.delegations.list(someone(role))

    def test_a_foreign_one_is_revoked_by_nobody_of_another_site(self, house: House, officer: Person) -> None:
        given = delegated(house)
        far = someone(Role.DSO, "far", site="plant-08")
        for id in (given.id, "no-such"):
            with pytest.raises(NotFound):
                house.service.delegations.revoke(id, by=far, reason=REASON)
