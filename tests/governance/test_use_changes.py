"""Another use is assessed anew: the permit stands or stops at once, and who declared it never decides on it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.approvals import OwnSubmission, Raced, Verdict
from governance.permits import MayNotRun, PermitState
from governance.stages import IllegalMove, Stage
from governance.statements import read_statement
from governance.submissions import SubmissionRecord
from governance.suspensions import WaitsForVerdict
from governance.tier_changes import ChangeState
from governance.use_changes import Asked, NothingChanges, NotOpen, OtherVersion, Outcome, UseChange
from policies.errors import Fault, Malformed, NotFound
from policies.roles import NotAllowed, Person, Role
from policies.tiers import Tier
from tests.governance.factories import (
    COMMITTEE,
    ENGINEER,
    L2,
    L3,
    L4,
    OFFICER,
    PLANT,
    REVIEWER,
    SITE,
    House,
    a_house,
    someone,
)

REASON = "the line was rebuilt"
GRAVER = {"severity": "fatality"}


def declared(house: House, record: SubmissionRecord, by: Person = ENGINEER, **asked: Any) -> UseChange:
    """Declare another use a minute later."""
    house.clock.go(minutes=1)
    return house.service.use_changes.change(record.id, Asked(**asked), by=by, reason=REASON)


def words(house: House, kind: str) -> dict[str, Any]:
    """What the newest entry of a kind says."""
    log = house.service.log
    return read_statement(log.payload(log.search(kind=kind).entries[0].id) or b"")


class TestGraver:
    def test_stops_the_model_at_once_and_asks_the_deciders_of_the_new_tier(self, house: House) -> None:
        record = house.approved(impact=L3, only_holding=True)
        assert house.decide().decisions
        made = declared(house, record, impact={"autonomy": "automatic_action", "reversibility": "hard"})
        assert (made.old, made.new, made.outcome) == (Tier.L3, Tier.L4, Outcome.DECIDED_ANEW)
        with pytest.raises(MayNotRun, match="is suspended"):
            house.decide()
        after = house.service.book.get(record.id)
        assert (after.tier, after.stage, after.approvals) == (Tier.L4, Stage.EXAMINED, ())
        assert house.service.store.version(record.model, record.version).status == "examined"
        assert house.service.store.version(record.model, record.version).tier is Tier.L4
        house.clock.go(minutes=1)
        assert house.approve(record).still_needed == ("committee",)
        with pytest.raises(MayNotRun):
            house.decide()
        house.approve(record, COMMITTEE)
        assert house.decide().decisions
        states = [permit.state for permit in house.service.permits.permits() if permit.model == record.model]
        assert sorted(states) == [PermitState.ENDED, PermitState.LIVE]
        assert house.service.book.get(record.id).stage is Stage.APPROVED

    def test_answer_at_the_same_tier_stops_it_too(self, house: House) -> None:
        record = house.approved(impact={**L3, "time_to_intervene": "hours"})
        made = declared(house, record, impact={"time_to_intervene": "none"})
        assert made.new is made.old
        assert [said.en for said in made.because] == ["'time_to_intervene' is now answered none (was hours)"]
        with pytest.raises(MayNotRun):
            house.decide()

    def test_is_told_with_the_cells_that_decided(self, house: House) -> None:
        record = house.approved(impact=L2)
        made = declared(house, record, impact=GRAVER)
        said = words(house, "assess")
        assert (said["by"], said["new"], said["before"]["impact"]["severity"]) == (
            ENGINEER.name,
            str(made.new),
            L2["severity"],
        )
        assert said["tier_because"] == [cell.as_json() for cell in made.assessment.because] != []
        assert words(house, "suspend")["by"] == "rule:changed_use"
        shown = house.service.book.get(record.id)
        assert shown.as_json()["tier_because"] == said["tier_because"]
        assert shown.declaration.impact["severity"] == "fatality"
        assert record.toml == shown.toml

    def test_limits_of_the_graver_tier_are_held_against_what_was_measured(self, house: House) -> None:
        """The findings were judged by the milder tier's limits; those of the new one count before an approval."""
        record = house.approved(impact=L2, only_holding=True)
        declared(house, record, impact={"severity": "fatality", "autonomy": "automatic_action"})
        after = house.service.book.get(record.id)
        assert after.assessment.tier is Tier.L2
        standing = house.service.approvals.standing(after)
        assert standing is not None
        assert standing.tier is after.tier
        raised = house.submitted(name="gas-peak", seed=3, impact=L2, only_holding=True)
        house.service.tier_changes.change(raised.id, after.tier, by=OFFICER, reason=REASON)
        same = house.service.approvals.standing(house.service.book.get(raised.id))
        assert same is not None
        assert (standing.fails, standing.open) == (same.fails, same.open)

    def test_is_not_undone_by_resuming(self, house: House) -> None:
        record = house.approved(impact=L2)
        declared(house, record, impact=GRAVER)
        with pytest.raises(WaitsForVerdict, match="lies before its deciders again"):
            house.service.suspensions.resume("gas-leak", by=OFFICER, reason=REASON)
        with pytest.raises(MayNotRun):
            house.decide()

    def test_while_suspended_is_not_undone_by_resuming(self, house: House) -> None:
        record = house.approved(impact=L2)
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        declared(house, record, impact=GRAVER)
        with pytest.raises(WaitsForVerdict):
            house.service.suspensions.resume("gas-leak", by=OFFICER, reason=REASON)

    @pytest.mark.parametrize("verdict", [Verdict.RETURN, Verdict.VETO])
    def test_ends_the_permit_with_a_verdict_against_it(self, house: House, verdict: Verdict) -> None:
        record = house.approved(impact=L2)
        declared(house, record, impact=GRAVER)
        house.verdict(record, verdict, OFFICER)
        assert [permit.state for permit in house.service.permits.permits()] == [PermitState.ENDED]
        with pytest.raises(Fault):
            house.service.suspensions.resume("gas-leak", by=OFFICER, reason=REASON)

    def test_of_a_dead_process_is_recorded_at_the_next_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with a_house(tmp_path / "house") as house:
            record = house.approved(impact=L2)

            def dies(*_: Any) -> None:
                raise OSError("killed")

            monkeypatch.setattr(house.service.use_changes, "_record", dies)
            with pytest.raises(OSError, match="killed"):
                declared(house, record, impact=GRAVER)
            monkeypatch.undo()
            with pytest.raises(MayNotRun):
                house.decide()
            assert "assess" not in house.kinds()
            assert house.service.use_changes.record_unrecorded() == 1
            assert house.service.use_changes.record_unrecorded() == 0
            assert house.kinds().count("assess") == 1


class TestMilder:
    def test_leaves_permit_and_tier_as_they_are(self, house: House) -> None:
        record = house.approved(impact={**L3, "time_to_intervene": "none"})
        made = declared(house, record, impact={"severity": "injury", "time_to_intervene": "hours"})
        assert (made.outcome, made.old, made.new) == (Outcome.CONFIRMED, record.tier, record.tier)
        assert made.assessment.tier <= record.tier
        assert house.decide().decisions
        assert house.service.book.get(record.id).stage is Stage.APPROVED
        assert "suspend" not in house.kinds()
        assert words(house, "assess")["outcome"] == "confirmed"

    def test_words_of_the_same_purpose_confirm(self, house: House) -> None:
        record = house.approved()
        made = declared(house, record, description="Will anybody on site be harmed by this release?")
        assert made.outcome is Outcome.CONFIRMED
        assert house.service.book.get(record.id).declaration.use.description.startswith("Will anybody")
        assert house.decide().decisions

    def test_words_of_another_purpose_stop_it(self, house: House) -> None:
        record = house.approved()
        rules = house.service.rulebook.limits("purpose", record.tier)["words_of_other_purposes"]
        made = declared(house, record, description=f"Whom to give {rules[0]}?")
        assert made.outcome is Outcome.DECIDED_ANEW
        with pytest.raises(MayNotRun):
            house.decide()

    def test_and_graver_again_after_it_stops_it(self, house: House) -> None:
        record = house.approved(impact=L3)
        declared(house, record, impact={"severity": "injury"})
        assert declared(house, record, impact={"severity": L3["severity"]}).outcome is Outcome.DECIDED_ANEW


class TestSite:
    def test_stops_it_and_leads_to_the_deciders_there(self, house: House) -> None:
        record = house.approved()
        declared(house, record, site="plant-08")
        with pytest.raises(MayNotRun):
            house.decide()
        with pytest.raises(NotFound):
            house.approve(record, someone(Role.DSO, "here", site=SITE))
        house.clock.go(minutes=1)
        house.approve(record, someone(Role.DSO, "there", site="plant-08"))
        assert house.decide(by=someone(Role.SERVICE, "there-too", site="plant-08")).decisions
        with pytest.raises(MayNotRun, match="outside your scope"):
            house.decide(by=someone(Role.SERVICE, "still-here", site=SITE))

    def test_a_team_of_one_site_moves_nothing_to_another(self, house: House) -> None:
        record = house.approved()
        with pytest.raises(NotFound, match="there is no site 'plant-08' here"):
            declared(house, record, by=someone(Role.ML_ENGINEER, site=SITE), site="plant-08")

    def test_no_other_version_moves_along_unseen(self, house: House) -> None:
        record = house.approved()
        other = house.submitted(seed=5)
        for moved in (record, other):
            with pytest.raises(OtherVersion):
                declared(house, moved, site="plant-08")
        assert {house.service.book.get(one.id).site for one in (record, other)} == {SITE}
        assert house.decide().decisions


class TestBeforeAVerdict:
    def test_approvals_given_before_count_no_more(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        assert record.tier is Tier.L4
        house.approve(record)
        declared(house, record, description="Will people be harmed by this release or the next?")
        house.clock.go(minutes=1)
        assert house.approve(record, COMMITTEE).still_needed == ("dso",)

    def test_never_lowers_the_tier_by_itself(self, house: House) -> None:
        record = house.submitted(impact=L3)
        made = declared(house, record, impact={"severity": "none", "autonomy": "information"})
        assert made.assessment.tier < made.new
        assert house.service.book.get(record.id).tier is record.tier

    def test_a_lower_tier_asked_for_on_other_answers_waits_no_more(self, house: House) -> None:
        high = {"severity": "serious_injury", "autonomy": "permit", "reversibility": "hard", "persons": "none"}
        record = house.submitted(impact=high)
        asked = house.service.tier_changes.change(record.id, Tier.L2, by=OFFICER, reason=REASON)
        declared(house, record, impact={"persons": "identifiable"})
        (after,) = house.service.tier_changes.of(record.id, OFFICER)
        assert (after.id, after.state) == (asked.id, ChangeState.DECLINED)

    @pytest.mark.parametrize("verdict", [Verdict.RETURN, Verdict.VETO])
    def test_what_was_decided_against_is_handed_in_anew(self, house: House, verdict: Verdict) -> None:
        record = house.submitted()
        house.verdict(record, verdict, OFFICER)
        with pytest.raises(NotOpen):
            declared(house, record, impact=GRAVER)


class TestWho:
    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.ML_ENGINEER])
    def test_is_for_teams(self, house: House, role: Role) -> None:
        record = house.approved()
        for id in (record.id, "no-such"):
            with pytest.raises(NotAllowed):
                house.service.use_changes.change(id, Asked(impact=GRAVER), by=someone(role), reason=REASON)

    def test_another_sites_looks_absent(self, house: House) -> None:
        record = house.approved()
        far = someone(Role.ML_ENGINEER, "far", site="plant-08")
        said = []
        for id in (record.id, "no-such"):
            with pytest.raises(NotFound) as refused:
                house.service.use_changes.change(id, Asked(impact=GRAVER), by=far, reason=REASON)
            said.append(refused.value.says.en.replace(id, "X"))
        assert said[0] == said[1]
        assert house.service.use_changes.known_to(far) == ()

    def test_who_declared_a_use_decides_nothing_about_it_though_his_role_changed(self, house: House) -> None:
        record = house.approved(impact=L2)
        declared(house, record, by=someone(Role.ML_ENGINEER, "zhou"), impact=GRAVER)
        zhou = someone(Role.DSO, "zhou")
        with pytest.raises(OwnSubmission):
            house.approve(record, zhou)
        with pytest.raises(OwnSubmission):
            house.service.tier_changes.change(record.id, Tier.L4, by=zhou, reason=REASON)
        assert record.id not in {one.id for one in house.service.approvals.waiting_for(zhou)}
        with pytest.raises(OwnSubmission):
            house.veto(record, someone(Role.DSO, ENGINEER.name))

    def test_a_permit_does_not_stand_on_the_word_of_who_declares_the_use(self, house: House) -> None:
        record = house.submitted(impact=L2, only_holding=True)
        house.approve(record, someone(Role.DSO, "zhou"))
        asked = {"description": "Will anybody be harmed?"}
        made = declared(house, record, by=someone(Role.ML_ENGINEER, "zhou"), **asked)
        assert [said.en for said in made.because] == [
            "the permit rests on the word of zhou, who declares this use; another person must decide"
        ]
        with pytest.raises(MayNotRun):
            house.decide()

    def test_nor_on_his_delegation(self, house: House) -> None:
        house.service.people.add("zhou", Role.DSO)
        until = house.clock.now + timedelta(days=1)
        zhou = someone(Role.DSO, "zhou")
        house.service.delegations.give(Tier.L2, by=zhou, reason="for a day", until=until)
        record = house.submitted(impact=L2, only_holding=True)
        house.approve(record, REVIEWER)
        made = declared(house, record, by=someone(Role.ML_ENGINEER, "zhou"), description="Will anybody be harmed?")
        assert made.outcome is Outcome.DECIDED_ANEW

    def test_the_officer_sees_it_newest_first(self, house: House) -> None:
        first, second = house.approved(), house.approved(name="gas-peak", seed=3)
        declared(house, first, description="Will anybody be harmed?")
        made = declared(house, second, impact=GRAVER)
        seen = house.service.use_changes.known_to(OFFICER)
        assert [one.model for one in seen] == ["gas-peak", "gas-leak"]
        assert house.service.use_changes.of(second.id, OFFICER) == (made,)
        with pytest.raises(NotAllowed):
            house.service.use_changes.known_to(PLANT)


class TestWhat:
    @pytest.mark.parametrize(
        "asked",
        [
            {"impact": {"severity": "dreadful"}},
            {"impact": {"colour": "red"}},
            {"description": "  "},
            {"description": "x" * 4001},
            {"site": "a\x00b"},
        ],
    )
    def test_is_refused_where_it_cannot_be_meant(self, house: House, asked: dict[str, Any]) -> None:
        record = house.approved()
        with pytest.raises(Malformed):
            declared(house, record, **asked)
        assert house.service.use_changes.of(record.id, OFFICER) == ()
        assert house.decide().decisions

    def test_the_same_use_is_no_change(self, house: House) -> None:
        record = house.approved()
        with pytest.raises(NothingChanges):
            declared(house, record, site=SITE, impact=dict(record.declaration.impact))

    def test_needs_a_reason(self, house: House) -> None:
        record = house.approved()
        with pytest.raises(Malformed):
            house.service.use_changes.change(record.id, Asked(impact=GRAVER), by=ENGINEER, reason=" ")

    def test_considered_writes_nothing(self, house: House) -> None:
        record = house.approved(impact=L2)
        before = house.kinds()
        made = house.service.use_changes.consider(record.id, Asked(impact=GRAVER), by=ENGINEER, reason=REASON)
        assert made.outcome is Outcome.DECIDED_ANEW
        assert house.kinds() == before
        assert house.decide().decisions


class TestRaces:
    def test_an_approval_on_the_old_use_does_not_bind(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """The use changes after the approver's claim and before his approval is settled."""
        record = house.submitted(impact=L2, only_holding=True)
        approvals = house.service.approvals
        replaced_by = approvals._replaced_by

        def changed_meanwhile(*given: Any) -> Any:
            monkeypatch.undo()
            declared(house, record, description="Will anybody be harmed?")
            return replaced_by(*given)

        monkeypatch.setattr(approvals, "_replaced_by", changed_meanwhile)
        with pytest.raises(Raced):
            house.approve(record)
        with pytest.raises(MayNotRun):
            house.decide()
        assert house.service.book.get(record.id).approvals == ()

    def test_two_at_once_leave_one(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        record = house.approved(impact=L3)
        changes = house.service.use_changes
        bind = changes._bind

        def overtaken(*given: Any) -> None:
            monkeypatch.undo()
            changes.change(record.id, Asked(impact={"severity": "injury"}), by=ENGINEER, reason="first")
            bind(*given)

        monkeypatch.setattr(changes, "_bind", overtaken)
        with pytest.raises(Raced):
            declared(house, record, description="Will anybody be harmed?")
        (kept,) = changes.of(record.id, OFFICER)
        assert kept.reason == "first"
        assert "refuse" in house.kinds(), "what was logged and did not bind is said so"

    def test_a_vetoed_one_is_not_moved(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        record = house.approved(impact=L2)
        changes = house.service.use_changes
        bind = changes._bind

        def overtaken(*given: Any) -> None:
            monkeypatch.undo()
            house.veto(record)
            bind(*given)

        monkeypatch.setattr(changes, "_bind", overtaken)
        with pytest.raises(Raced):
            declared(house, record, impact=GRAVER)
        assert house.service.book.get(record.id).stage is Stage.VETOED
        with pytest.raises(IllegalMove):
            house.approve(record)
