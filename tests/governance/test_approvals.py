"""Verdicts: who may give them, on what, how often, and what they bind."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audit.entries import Draft
from governance.approvals import OwnSubmission, StandsInTheWay, Verdict
from governance.permits import MayNotRun, PermitState
from governance.stages import IllegalMove, Stage
from governance.submissions import SubmissionRecord
from governance.use_changes import Asked
from policies.errors import Conflict, Fault, Malformed, NotFound
from policies.roles import Action, NotAllowed, Person, Role
from policies.tiers import Tier
from tests.governance.factories import (
    ADMIN,
    COMMITTEE,
    EMPLOYEE,
    ENGINEER,
    L2,
    L3,
    L4,
    NOW,
    OFFICER,
    PLANT,
    REGULATOR,
    REVIEWER,
    TESTER,
    House,
    a_house,
    someone,
)


class Broken:
    """A log that takes nothing."""

    def append(self, drafts: Any) -> Any:
        raise OSError("no space left on device")


class TestApprove:
    def test_gives_a_permit_bound_to_the_artifact(self, house: House) -> None:
        record = house.submitted()
        ruling = house.approve(record)
        assert ruling.stage is Stage.APPROVED
        assert ruling.permit is not None
        assert ruling.permit.artifact_digest == record.artifact_digest
        assert ruling.permit.rulebook_digest == house.service.rulebook.digest
        assert house.service.book.get(record.id).stage is Stage.APPROVED

    def test_is_recorded_with_reason_and_person(self, house: House) -> None:
        record = house.approved()
        (verdict,) = record.verdicts
        assert (verdict.by, verdict.role, verdict.verdict) == ("a-dso", "dso", "approve")
        entry = house.service.log.entry(str(verdict.entry))
        assert (entry.kind, entry.actor, entry.artifact_digest) == ("approve", "a-dso", record.artifact_digest)

    def test_shows_in_the_registry(self, house: House) -> None:
        record = house.approved()
        assert house.service.store.version(record.model, record.version).status == "approved"

    def test_does_not_bind_when_it_cannot_be_recorded(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        record = house.submitted()
        monkeypatch.setattr(house.service.approvals, "_log", Broken())
        with pytest.raises(OSError, match="no space"):
            house.approve(record)
        monkeypatch.undo()
        assert house.service.book.get(record.id).stage is Stage.EXAMINED
        with pytest.raises(MayNotRun):
            house.decide()
        assert house.approve(record).permit is not None, "the claim was given back"

    def test_what_was_returned_stays_so(self, house: House) -> None:
        record = house.submitted()
        house.verdict(record, Verdict.RETURN, OFFICER)
        with pytest.raises(IllegalMove, match="is returned; it can become vetoed, not approved"):
            house.approve(record)

    def test_retires_the_version_before(self, house: House) -> None:
        first = house.approved()
        second = house.approved(seed=1)
        assert house.service.book.get(first.id).stage is Stage.RETIRED
        assert house.service.store.version(first.model, first.version).status == "retired"
        states = {p.submission: p.state for p in house.service.permits.permits()}
        assert states == {first.id: PermitState.ENDED, second.id: PermitState.LIVE}
        assert "retire" in house.kinds()

    def test_predictions_get_no_permit(self, house: House) -> None:
        lines = {
            'artifact = "model.ubj"\n': "",
            'flavour = "xgboost"': 'flavour = "predictions"',
            'label = "harmed"': 'label = "harmed"\nprediction = "score"',
        }
        record = house.submitted(lines=lines)
        with pytest.raises(StandsInTheWay, match="without a model file: it can be reported on"):
            house.approve(record)


class TestUntil:
    def test_without_one_the_longest_the_tier_allows(self, house: House) -> None:
        permit = house.approve(house.submitted(impact=L3)).permit
        assert permit is not None
        assert permit.until == NOW + timedelta(days=house.service.rulebook.permits.longest_days[permit.tier])

    @pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=3650)])
    def test_outside_the_limits_is_refused(self, house: House, until: datetime) -> None:
        with pytest.raises(Malformed, match=r"a permit at L2 ends after now and by 2027-03-02; found"):
            house.approve(house.submitted(), until=until)

    def test_the_whole_of_the_longest_day_is_good(self, house: House) -> None:
        longest = NOW + timedelta(days=house.service.rulebook.permits.longest_days[Tier.L2])
        permit = house.approve(house.submitted(), until=longest.replace(hour=23)).permit
        assert permit is not None
        assert permit.until == longest

    def test_without_a_zone_is_utc(self, house: House) -> None:
        permit = house.approve(house.submitted(), until=datetime(2026, 6, 1)).permit  # noqa: DTZ001
        assert permit is not None
        assert permit.until == datetime(2026, 6, 1, tzinfo=UTC)


class TestReason:
    @pytest.mark.parametrize("verdict", list(Verdict))
    @pytest.mark.parametrize("reason", ["", "  ", " x "])
    def test_is_not_optional(self, house: House, verdict: Verdict, reason: str) -> None:
        with pytest.raises(Malformed) as refused:
            house.verdict(house.submitted(), verdict, OFFICER, reason=reason)
        assert refused.value.says.en == "a verdict needs a reason that others can follow; found an empty one"

    @pytest.mark.parametrize("reason", ["fine\x00", "\ud800 fine", "fine\x1b[2J"])
    def test_is_text_that_can_be_shown(self, house: House, reason: str) -> None:
        with pytest.raises(Malformed, match="holds characters that cannot be shown"):
            house.verdict(house.submitted(), Verdict.VETO, OFFICER, reason=reason)

    def test_may_be_chinese_and_have_lines(self, house: House) -> None:
        record = house.submitted()
        house.verdict(record, Verdict.RETURN, OFFICER, reason="缺少传感器说明。\n请补充。")
        assert house.service.book.get(record.id).verdicts[0].reason == "缺少传感器说明。\n请补充。"


class TestSeparationOfDuties:
    @pytest.mark.parametrize("verdict", list(Verdict))
    @pytest.mark.parametrize("role", [Role.DSO, Role.COMMITTEE])
    def test_nobody_decides_on_his_own_submission_though_his_role_changed(
        self, house: House, verdict: Verdict, role: Role
    ) -> None:
        record = house.submitted(by=someone(Role.ML_ENGINEER, "wang"))
        with pytest.raises(OwnSubmission) as refused:
            house.verdict(record, verdict, someone(role, "wang"))
        assert refused.value.says.en == f"wang submitted {record.id} and cannot decide on it; another person must"
        assert house.service.book.get(record.id).stage is Stage.EXAMINED

    def test_nobody_resumes_his_own(self, house: House) -> None:
        record = house.submitted(by=someone(Role.ML_ENGINEER, "wang"))
        house.approve(record)
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        with pytest.raises(OwnSubmission):
            house.service.suspensions.resume("gas-leak", by=someone(Role.DSO, "wang"), reason="all is well")

    @pytest.mark.parametrize("by", [ENGINEER, REVIEWER, REGULATOR, EMPLOYEE, PLANT, TESTER, ADMIN])
    def test_others_are_turned_away_before_they_learn_anything(self, house: House, by: Person) -> None:
        record = house.submitted()
        with pytest.raises(NotAllowed) as present:
            house.verdict(record, Verdict.APPROVE, by)
        with pytest.raises(NotAllowed) as absent:
            house.service.approvals.give_verdict("no-such", Verdict.APPROVE, by=by, reason="it was looked at")
        assert present.value.faults == absent.value.faults

    def test_an_officer_of_another_site_finds_nothing(self, house: House) -> None:
        record = house.submitted()
        with pytest.raises(NotFound) as foreign:
            house.verdict(record, Verdict.VETO, someone(Role.DSO, site="plant-08"))
        assert foreign.value.says.en == f"there is no submission '{record.id}' here, or it is outside your scope"


class TestTwoAtL4:
    def test_one_approval_is_not_enough(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        ruling = house.approve(record)
        assert (ruling.permit, ruling.still_needed, ruling.stage) == (None, ("committee",), Stage.EXAMINED)
        with pytest.raises(MayNotRun, match="no version of it holds a permit"):
            house.decide()

    def test_two_people_of_two_roles_are(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        house.approve(record, until=NOW + timedelta(days=20), conditions=[{"kind": "review_alarms"}])
        ruling = house.approve(record, COMMITTEE, conditions=[{"kind": "threshold", "value": 0.4}])
        assert ruling.permit is not None
        assert ruling.permit.until == NOW + timedelta(days=20), "the earlier end holds"
        assert ruling.permit.conditions.review_alarms
        assert ruling.permit.conditions.threshold == 0.4

    def test_the_same_role_twice_is_not(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        house.approve(record)
        with pytest.raises(Conflict, match="L4 needs one approval each from dso and committee, by different people"):
            house.approve(record, someone(Role.DSO, "another-dso"))

    def test_the_same_person_in_two_roles_is_not(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        house.approve(record, someone(Role.DSO, "wang"))
        with pytest.raises(Conflict, match="by different people"):
            house.approve(record, someone(Role.COMMITTEE, "wang"))

    def test_contradicting_conditions_are_refused_before_anything_is_recorded(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        house.approve(record, conditions=[{"kind": "threshold", "value": 0.3}])
        before = house.kinds()
        with pytest.raises(Malformed, match="several thresholds"):
            house.approve(record, COMMITTEE, conditions=[{"kind": "threshold", "value": 0.6}])
        assert house.kinds() == before

    def test_a_veto_between_the_two_ends_it(self, house: House) -> None:
        record = house.submitted(impact=L4, only_holding=True)
        house.approve(record)
        house.veto(record, COMMITTEE)
        with pytest.raises(IllegalMove):
            house.approve(record, COMMITTEE)

    def test_a_finding_that_cannot_conclude_blocks(self, house: House) -> None:
        record = house.submitted(impact=L4)
        with pytest.raises(StandsInTheWay, match="stands in the way of an approval"):
            house.approve(record)

    def test_a_committee_member_is_not_asked_below(self, house: House) -> None:
        with pytest.raises(Conflict, match="committee has given one or is not asked"):
            house.approve(house.submitted(), COMMITTEE)

    def test_two_who_approve_at_the_same_moment_open_it_together(self, house: House) -> None:
        """Neither may overlook the other's approval: whoever comes second sees it, or is told to come again."""
        record = house.submitted(impact=L4, only_holding=True)
        outcomes = _together(
            [
                lambda: house.approve(record, OFFICER),
                lambda: house.approve(record, COMMITTEE),
            ]
        )
        for by, outcome in zip((OFFICER, COMMITTEE), outcomes, strict=True):
            if isinstance(outcome, Conflict):
                house.approve(record, by)
        assert house.service.book.get(record.id).stage is Stage.APPROVED


class TestVeto:
    def test_refuses_the_next_call(self, house: House) -> None:
        record = house.approved()
        assert all(decision is not None for decision in house.decide().decisions)
        house.veto(record)
        with pytest.raises(MayNotRun) as refused:
            house.decide()
        assert (refused.value.reason, refused.value.fallback) == ("vetoed", "manual_control")

    def test_holds_under_another_name(self, house: House) -> None:
        house.veto(house.submitted())
        with pytest.raises(Conflict, match="a veto is final for an artifact, submit another one"):
            house.submitted(name="gas-leak-renamed")

    def test_ends_what_runs_under_another_name(self, house: House) -> None:
        other = house.approved(name="gas-leak-too")
        house.veto(house.submitted())
        with pytest.raises(MayNotRun) as refused:
            house.decide("gas-leak-too")
        assert refused.value.reason == "vetoed"
        assert house.service.book.get(other.id).stage is Stage.VETOED
        assert house.service.store.version(other.model, other.version).status == "vetoed"

    def test_ends_what_waits_under_another_name(self, house: House) -> None:
        waiting = house.submitted(name="gas-leak-too")
        house.veto(house.submitted())
        with pytest.raises(IllegalMove, match="is vetoed; it can become nothing, not approved"):
            house.approve(waiting)

    def test_is_final(self, house: House) -> None:
        record = house.submitted()
        house.veto(record)
        for verdict in Verdict:
            with pytest.raises(IllegalMove, match="is vetoed; it can become nothing"):
                house.verdict(record, verdict, OFFICER)

    def test_another_artifact_of_the_same_name_may_come(self, house: House) -> None:
        house.veto(house.submitted())
        assert house.approved(seed=1).stage is Stage.APPROVED
        house.decide()

    def test_binds_though_it_cannot_be_recorded_and_is_recorded_later(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = house.approved()
        monkeypatch.setattr(house.service.approvals, "_log", Broken())
        with pytest.raises(OSError, match="no space"):
            house.veto(record)
        monkeypatch.undo()
        with pytest.raises(MayNotRun):
            house.decide()
        assert "veto" not in house.kinds()
        assert house.service.approvals.record_unrecorded() == 1
        assert house.kinds().count("veto") == 1
        assert house.service.approvals.record_unrecorded() == 0

    def test_of_a_dead_process_is_recorded_at_the_next_start(self, tmp_path: Path) -> None:
        from api.settings import Settings
        from api.wiring import open_service

        with a_house(tmp_path / "house") as house:
            record = house.submitted()
            house.service.approvals._log = Broken()
            with pytest.raises(OSError, match="no space"):
                house.veto(record)
            again = open_service(Settings(data=house.folder / "data"), clock=house.clock, store=house.service.store)
            try:
                assert [e.kind for e in again.log.search(kind="veto").entries] == ["veto"]
                assert again.book.get(record.id).verdicts[0].entry is not None
            finally:
                again.close()


class TestRaces:
    def test_of_many_approvals_one_wins(self, house: House) -> None:
        record = house.submitted()
        outcomes = _together([lambda i=i: house.approve(record, someone(Role.DSO, f"dso-{i}")) for i in range(6)])
        assert sum(not isinstance(outcome, Fault) for outcome in outcomes) == 1
        assert all(isinstance(outcome, Conflict) for outcome in outcomes if isinstance(outcome, Fault))
        assert len(house.service.book.get(record.id).verdicts) == 1
        assert [p.state for p in house.service.permits.permits()] == [PermitState.LIVE]

    def test_a_veto_is_never_lost_to_an_approval(self, house: House) -> None:
        for seed in range(4):
            record = house.submitted(seed=seed)
            _together(
                [
                    lambda: house.approve(record, someone(Role.DSO, "one")),  # noqa: B023
                    lambda: house.veto(record, someone(Role.DSO, "two")),  # noqa: B023
                ]
            )
            assert house.service.book.get(record.id).stage is Stage.VETOED
            with pytest.raises(MayNotRun):
                house.decide()

    def test_an_approval_that_lost_says_so_in_the_log(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        record = house.submitted()
        kept = house.service.log.append

        def veto_first(drafts: list[Draft]) -> Any:
            monkeypatch.undo()
            receipts = kept(drafts)
            house.veto(record, someone(Role.DSO, "faster"))
            return receipts

        monkeypatch.setattr(house.service.approvals, "_log", type("Log", (), {"append": staticmethod(veto_first)})())
        with pytest.raises(Conflict, match="someone else decided on"):
            house.approve(record)
        assert house.kinds()[-3:] == ["approve", "veto", "refuse"]
        assert house.service.book.get(record.id).stage is Stage.VETOED
        assert house.service.permits.permits() == ()


class TestSuspend:
    def test_refuses_the_next_call_until_resumed(self, house: House) -> None:
        record = house.approved()
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        with pytest.raises(MayNotRun, match="version 1 is suspended; fall back to manual control"):
            house.decide()
        assert house.service.store.version("gas-leak", "1").status == "suspended"
        house.service.suspensions.resume("gas-leak", by=OFFICER, reason="the drill was repeated")
        house.decide()
        assert house.service.book.get(record.id).stage is Stage.APPROVED
        assert house.kinds().count("suspend") == house.kinds().count("resume") == 1

    def test_twice_is_a_conflict(self, house: House) -> None:
        house.approved()
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        with pytest.raises(Conflict, match="'gas-leak' is suspended; only a live permit can become suspended"):
            house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")

    def test_without_a_permit_is_a_conflict(self, house: House) -> None:
        house.submitted()
        with pytest.raises(Conflict, match="'gas-leak' is without a permit"):
            house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")

    def test_a_vetoed_one_is_never_resumed(self, house: House) -> None:
        record = house.approved()
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        house.veto(record)
        with pytest.raises(Conflict):
            house.service.suspensions.resume("gas-leak", by=OFFICER, reason="all is well")

    @pytest.mark.parametrize("suspended", [False, True])
    def test_foreign_and_absent_look_the_same(self, house: House, suspended: bool) -> None:
        house.approved()
        if suspended:
            house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        for act in (house.service.suspensions.suspend, house.service.suspensions.resume):
            with pytest.raises(NotFound) as foreign:
                act("gas-leak", by=someone(Role.DSO, site="plant-08"), reason="a drill failed")
            with pytest.raises(NotFound) as absent:
                act("no-such", by=someone(Role.DSO, site="plant-08"), reason="a drill failed")
            assert foreign.value.says.en.replace("gas-leak", "no-such") == absent.value.says.en

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.DSO])
    def test_is_for_the_officer(self, house: House, role: Role) -> None:
        assert not someone(role).may(Action.SUSPEND)
        with pytest.raises(NotAllowed):
            house.service.suspensions.suspend("gas-leak", by=someone(role), reason="a drill failed")


class TestConsider:
    def test_says_what_stands_against_it_and_writes_nothing(self, house: House) -> None:
        record = house.submitted(by=someone(Role.ML_ENGINEER, "wang"))
        before = house.kinds()
        with pytest.raises(OwnSubmission):
            house.service.approvals.consider(
                record.id, Verdict.APPROVE, by=someone(Role.DSO, "wang"), reason="it was looked at"
            )
        house.service.approvals.consider(record.id, Verdict.APPROVE, by=OFFICER, reason="it was looked at")
        assert house.kinds() == before
        assert house.service.book.get(record.id).stage is Stage.EXAMINED


DECIDERS = (Role.DSO, Role.COMMITTEE, Role.REVIEWER)
PEOPLE = [Person(name=name, role=role) for name in ("wang", "li", "zhao") for role in DECIDERS]
ACTS = [*Verdict, "delegate", "raise", "lower", "confirm", "suspend", "resume", "declare"]
LIKELY = [*[Verdict.APPROVE] * 9, "delegate", "declare", *ACTS]
"""Approvals more often than the rest, so that many of the paths come to one."""


class TestNoPathToSelfApproval:
    """Whatever people do in whatever role, one after the other: nobody's word counts for what he handed in himself.

    wang submits and zhao declares other uses; both also act in every role that decides.
    """

    def test_over_generated_paths(self, house: House) -> None:
        came: Counter[str] = Counter()

        @settings(max_examples=120, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
        @given(
            st.sampled_from([L2, L2, L3, L4]),
            st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(LIKELY)), min_size=7, max_size=10),
        )
        def walk(impact: dict[str, str], path: list[tuple[Person, str]]) -> None:
            self._walk(house, _next_of(house, impact), path, came)

        walk()
        assert came["approved"] >= 10, "a law about approvals that none of the paths comes to would hold of itself"
        assert came["own"] >= 20, "as would one about oneself where nobody tries"
        assert came["declared"] >= 10

    def _walk(self, house: House, record: SubmissionRecord, path: list[tuple[Person, str]], came: Counter[str]) -> None:
        declared: set[str] = set()
        for by, act in path:
            house.clock.go(seconds=1)
            try:
                _do(house, record, by, act)
            except Fault as fault:
                came["own"] += isinstance(fault, OwnSubmission)
                continue
            if act == "declare":
                declared.add("zhao")
                came["declared"] += 1
            elif act in list(Verdict) or act in ("raise", "lower", "confirm", "resume"):
                assert by.name not in {"wang", *declared}, f"{by.name} did '{act}' to what he handed in"
        after = house.service.book.get(record.id)
        assert all(verdict.by != "wang" for verdict in after.verdicts)
        if after.stage in (Stage.APPROVED, Stage.SUSPENDED):
            came["approved"] += 1
            assert not {verdict.by for verdict in after.approvals} & {"wang", *declared}
            needed = house.service.rulebook.permits.deciders[after.tier]
            given = {verdict.stands_for: verdict for verdict in after.approvals}
            assert set(needed) <= set(given)
            assert len({verdict.by for verdict in given.values()}) == len(given), "different people"
            for verdict in given.values():
                if verdict.delegation is not None:
                    (leave,) = (d for d in house.service.delegations.list(OFFICER) if d.id == verdict.delegation)
                    assert leave.by not in {"wang", verdict.by, *declared}

    def test_over_races(self, house: House) -> None:
        """Several people act on one submission in the same moment, the one who handed it in among them."""
        house.service.people.add("li", Role.DSO)
        for number in range(6):
            record = _next_of(house, L2)
            people = [Person(name=name, role=Role.DSO) for name in ("wang", "li", "zhao")]
            acts = [lambda by=by, of=record: house.approve(of, by) for by in people]
            raises = house.service.tier_changes.change
            acts += [lambda of=record, by=people[1], do=raises: do(of.id, Tier.L3, by=by, reason="graver")]
            _together(acts if number % 2 else acts[::-1])
            after = house.service.book.get(record.id)
            assert all(verdict.by != "wang" for verdict in after.verdicts)
            live = [p for p in house.service.permits.permits() if p.submission == record.id and p.state == "live"]
            assert len(live) <= 1
            assert [p.tier for p in live] in ([], [after.tier]), "no permit at a tier that was raised meanwhile"


def _do(house: House, record: SubmissionRecord, by: Person, act: str) -> None:
    """One act of one person on a submission."""
    changes = house.service.tier_changes
    if act in list(Verdict):
        house.verdict(record, Verdict(act), by)
    elif act == "delegate":
        if by.name not in {person.name for person in house.service.people.everyone()} and by.role is Role.DSO:
            house.service.people.add(by.name, Role.DSO)
        until = house.clock.now + timedelta(days=1)
        house.service.delegations.give(Tier.L2, by=by, reason="for a day", until=until, models=[record.model])
    elif act == "raise":
        changes.change(record.id, Tier.L4, by=by, reason="graver than it looks")
    elif act == "lower":
        changes.change(record.id, Tier.L2, by=by, reason="milder than it looks")
    elif act == "confirm":
        changes.confirm(
            changes.of(record.id, OFFICER)[-1].id if changes.of(record.id, OFFICER) else "", by=by, reason="so it is"
        )
    elif act == "suspend":
        house.service.suspensions.suspend(record.model, by=by, reason="a drill failed")
    elif act == "declare":
        told = Asked(description=f"Will people be harmed by release {house.clock.now:%H%M%S%f}?")
        house.service.use_changes.change(record.id, told, by=someone(Role.ML_ENGINEER, "zhao"), reason="said anew")
    else:
        house.service.suspensions.resume(record.model, by=by, reason="it was mended")


def _next_of(house: House, impact: dict[str, str]) -> SubmissionRecord:
    """Submit by wang, under a name and an artifact that no earlier path has touched."""
    return house.submitted(
        by=someone(Role.ML_ENGINEER, "wang"),
        name=f"model-{house.made}",
        seed=100 + house.made,
        only_holding=True,
        impact=impact,
    )


def _together(acts: list[Any]) -> list[Any]:
    """Do all at once and return what each gave or raised."""
    start = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        start.wait()
        try:
            outcomes[place] = acts[place]()
        except Fault as fault:
            outcomes[place] = fault

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
