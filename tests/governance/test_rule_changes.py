"""Rulebooks change by two people, bind at once in every process, and stop what no longer holds under them."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.approvals import Raced, StandsInTheWay, Verdict
from governance.compliance import ForTheWholeHouse
from governance.intake import RulesChanged
from governance.permits import MayNotRun, PermitState
from governance.rule_changes import Adopted, NothingNew, NotProposed, Outdated, OwnProposal
from governance.rulebooks import Revision, RevisionState, Rulebooks
from governance.stages import Stage
from policies.errors import Malformed, NotFound
from policies.permitted_use import PurposeRefused
from policies.roles import NotAllowed, Role
from policies.rulebook import read_rulebook
from tests.governance.factories import (
    COMMITTEE,
    ENGINEER,
    L3,
    NOW,
    OFFICER,
    SENSORS,
    WITH_AGE,
    House,
    a_house,
    an_examination,
    rows,
    someone,
)

REASON = "the incident of May asks for it"


def rules(*changes: tuple[str, str]) -> bytes:
    """The built-in rulebook with some lines written otherwise."""
    text = read_rulebook().source.decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


REWARD = "[purposes.refused.reward]"
DRILL = (REWARD, f'[purposes.allowed.drill]\nen = "a drill"\nzh = "演练"\n{REWARD}')
SHORTER = ("L1 = 730, L2 = 365", "L1 = 730, L2 = 30")
SHORTER_TOO = ("L3 = 365, L4 = 180", "L3 = 30, L4 = 30")
INJURY_IS_L3 = ('answer = "injury", points = 3', 'answer = "injury", points = 4')
PRESSURE = ('"name", "full_name"', '"name", "pressure", "full_name"')
BANDS = "[[deidentification.bands]]"
BANDED = (BANDS, f'{BANDS}\ncolumns = ["pressure"]\nwidth = 20.0\n{BANDS}')
ACCURATE = tuple(
    (f"least_balanced_accuracy = {old}", f"least_balanced_accuracy = {new}")
    for old, new in (("0.55", "0.95"), ("0.60", "0.96"), ("0.65", "0.97"))
)


NEAR_L3 = {"severity": "injury", "autonomy": "permit", "reversibility": "easy", "persons": "none"}
"""Eight points, where L3 begins at nine."""


def proposed(house: House, *changes: tuple[str, str], by: Any = OFFICER) -> Revision:
    """A rulebook before the committee."""
    return house.service.rule_changes.propose(rules(*changes), by=by, reason=REASON)


def adopted(house: House, *changes: tuple[str, str]) -> Adopted:
    """A rulebook in force."""
    return house.service.rule_changes.adopt(proposed(house, *changes).id, by=COMMITTEE, reason=REASON)


def another_process(house: House, clock: Any = None) -> Rulebooks:
    """The rulebooks as another worker process sees them."""
    service = house.service
    return Rulebooks(service.database, read_rulebook(), clock or house.clock, house.clock.seconds)


class TestInForce:
    def test_the_one_of_the_settings_comes_first(self, house: House) -> None:
        (first,) = house.service.rulebooks.history()
        assert (first.number, first.digest, first.proposed_by) == (0, read_rulebook().digest, "mingjing")
        assert house.service.rulebook.digest == first.digest

    def test_the_settings_do_not_change_what_is_in_force(self, tmp_path: Path) -> None:
        file = tmp_path / "rules.toml"
        file.write_bytes(rules(DRILL))
        with a_house(tmp_path / "house") as house:
            before = house.service.rulebook.digest
            again = Rulebooks(house.service.database, read_rulebook(file), house.clock, house.clock.seconds)
            assert again.in_force().digest == before
            assert len(again.history()) == 1

    def test_begins_with_the_file_of_the_settings(self, tmp_path: Path) -> None:
        file = tmp_path / "rules.toml"
        file.write_bytes(rules(DRILL))
        with a_house(tmp_path / "house", rulebook=file) as house:
            assert "drill" in house.service.rulebook.purposes.allowed

    def test_another_process_follows_within_a_second(self, house: House) -> None:
        other = another_process(house)
        new = adopted(house, DRILL).revision.digest
        assert other.in_force().digest != new
        house.clock.go(seconds=0.3)
        assert other.in_force().digest == new

    def test_every_one_that_was_stays_readable_by_its_digest(self, house: House) -> None:
        first, other = house.service.rulebook, another_process(house)
        second = adopted(house, DRILL).revision
        assert [book.digest for book in house.service.rulebooks.history()] == [second.digest, first.digest]
        assert other.by_digest(second.digest) == house.service.rulebook
        assert other.by_digest("0" * 64) is None

    def test_stays_while_the_database_is_away(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        before = house.service.rulebook
        monkeypatch.setattr(house.service.database.engine, "connect", _away)
        house.clock.go(seconds=10)
        assert house.service.rulebook is before


def _away(*_: Any, **__: Any) -> Any:
    from sqlalchemy.exc import OperationalError

    raise OperationalError("SELECT", {}, OSError("gone"))


class TestPropose:
    def test_waits_for_the_committee_and_binds_nobody(self, house: House) -> None:
        before = house.service.rulebook.digest
        made = proposed(house, DRILL)
        assert (made.state, made.number, made.base) == (RevisionState.PROPOSED, None, before)
        assert [one.id for one in house.service.rulebooks.proposals()] == [made.id]
        assert house.service.rulebook.digest == before
        entry = house.service.log.search(kind="propose").entries[0]
        assert (entry.actor, entry.rulebook_digest) == (OFFICER.name, made.digest)
        assert b"purposes.allowed.drill.en" in (house.service.log.payload(entry.id) or b"")

    def test_says_what_differs_and_what_it_touches(self, house: House) -> None:
        record = house.approved(impact=NEAR_L3)
        made = proposed(house, INJURY_IS_L3)
        assert [one.path for one in house.service.rule_changes.differences(made)] == [
            "impact.questions.severity.options.injury.points"
        ]
        (touched,) = house.service.rule_changes.touched_by(made.book)
        assert (touched.submission, str(touched.tier), touched.holds) == (record.id, "L3", False)

    def test_of_what_is_in_force_or_waits_is_nothing_new(self, house: House) -> None:
        made = proposed(house, DRILL)
        for toml in (read_rulebook().source, made.book.source):
            with pytest.raises(NothingNew, match="is in force or waits for the committee already"):
                house.service.rule_changes.propose(toml, by=OFFICER, reason=REASON)

    def test_a_broken_one_is_refused_with_every_fault(self, house: House) -> None:
        broken = rules(("total = 0.25", "total = 2.5"), ("answer_appeal_days = 15", "answer_appeal_days = 0"))
        with pytest.raises(Malformed) as refused:
            house.service.rule_changes.propose(broken, by=OFFICER, reason=REASON)
        assert len(refused.value.faults) == 2

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.DSO])
    def test_is_for_the_officer(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            proposed(house, DRILL, by=someone(role))


class TestAdopt:
    def test_puts_it_in_force_and_in_every_trace(self, house: House) -> None:
        house.approved()
        house.decide()
        done = adopted(house, DRILL)
        assert house.service.rulebook.digest == done.revision.digest
        decision = house.decide(purpose="drill").decisions[0]
        assert house.service.log.entry(decision.id).rulebook_digest == done.revision.digest
        entry = house.service.log.entry(str(done.revision.entry))
        assert (entry.kind, entry.actor) == ("adopt", COMMITTEE.name)
        assert done.revision.book.source[:60] in (house.service.log.payload(entry.id) or b"").replace(b'\\"', b'"')

    def test_a_purpose_that_is_gone_is_refused_at_the_next_call(self, house: House) -> None:
        house.approved()
        adopted(house, DRILL)
        assert house.decide(purpose="drill").decisions[0]
        house.service.rule_changes.adopt(
            house.service.rule_changes.propose(read_rulebook().source, by=OFFICER, reason=REASON).id,
            by=COMMITTEE,
            reason=REASON,
        )
        with pytest.raises(PurposeRefused):
            house.decide(purpose="drill")

    def test_its_caps_hold_at_the_next_call(self, house: House) -> None:
        house.approved(features=WITH_AGE)
        frame = rows(40, seed=9)[list(WITH_AGE)]
        before = [d.flags for d in house.decide(X=frame).decisions if d]
        adopted(house, ('"年龄", "工龄段"]\ncap = 0.10', '"年龄", "工龄段"]\ncap = 0.0'))
        after = [d.flags for d in house.decide(X=frame).decisions if d]
        capped = [sum("capped" in flags for flags in found) for found in (before, after)]
        assert capped[1] > capped[0]

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.COMMITTEE])
    def test_is_for_the_committee(self, house: House, role: Role) -> None:
        made = proposed(house, DRILL)
        for revision in (made.id, "no-such"):
            with pytest.raises(NotAllowed):
                house.service.rule_changes.adopt(revision, by=someone(role), reason=REASON)

    def test_is_not_for_who_proposed_it_though_his_role_changed(self, house: House) -> None:
        made = proposed(house, DRILL)
        with pytest.raises(OwnProposal, match="a-dso proposed this rulebook and cannot adopt it"):
            house.service.rule_changes.adopt(made.id, by=someone(Role.COMMITTEE, OFFICER.name), reason=REASON)

    def test_of_one_that_is_outdated_is_refused(self, house: House) -> None:
        first, second = proposed(house, DRILL), proposed(house, SHORTER, SHORTER_TOO)
        house.service.rule_changes.adopt(first.id, by=COMMITTEE, reason=REASON)
        with pytest.raises(Outdated, match="propose it anew, so that its differences are the ones that count"):
            house.service.rule_changes.adopt(second.id, by=COMMITTEE, reason=REASON)

    def test_twice_and_of_what_is_absent_is_refused(self, house: House) -> None:
        done = adopted(house, DRILL).revision
        with pytest.raises(NotProposed):
            house.service.rule_changes.adopt(done.id, by=COMMITTEE, reason=REASON)
        with pytest.raises(NotFound):
            house.service.rule_changes.adopt("no-such", by=COMMITTEE, reason=REASON)

    def test_of_several_at_the_same_moment_one_wins(self, house: House) -> None:
        made = [proposed(house, ("grace_hours = 24", f"grace_hours = {hours}")) for hours in (1, 2, 3, 4)]
        outcomes: list[str] = []

        def adopt(revision: Revision) -> None:
            try:
                house.service.rule_changes.adopt(revision.id, by=COMMITTEE, reason=REASON)
                outcomes.append("adopted")
            except (Raced, Outdated):
                outcomes.append("refused")

        threads = [threading.Thread(target=adopt, args=(revision,)) for revision in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["adopted", "refused", "refused", "refused"]
        assert [revision.number for revision in house.service.rulebooks.history()] == [1, 0]

    def test_needs_a_reason(self, house: House) -> None:
        made = proposed(house, DRILL)
        with pytest.raises(Malformed):
            house.service.rule_changes.adopt(made.id, by=COMMITTEE, reason=" ")


class TestWholeHouse:
    def test_an_account_of_one_site_changes_no_rules_of_the_house(self, house: House) -> None:
        made, changes = proposed(house, DRILL), house.service.rule_changes
        officer, committee = (someone(role, "far", site="plant-07") for role in (Role.DSO, Role.COMMITTEE))
        with pytest.raises(ForTheWholeHouse):
            proposed(house, SHORTER, SHORTER_TOO, by=officer)
        with pytest.raises(ForTheWholeHouse):
            changes.adopt(made.id, by=committee, reason=REASON)
        with pytest.raises(ForTheWholeHouse):
            changes.decline(made.id, by=committee, reason=REASON)
        assert house.service.rulebooks.get(made.id).state is RevisionState.PROPOSED


class TestDecline:
    def test_by_the_committee_or_taken_back_by_who_proposed_it(self, house: House) -> None:
        for by in (COMMITTEE, OFFICER):
            made = proposed(house, DRILL)
            done = house.service.rule_changes.decline(made.id, by=by, reason=REASON)
            assert (done.state, done.decided_by) == (RevisionState.DECLINED, by.name)
        assert house.service.rulebooks.proposals() == ()

    def test_another_officer_does_not_take_it_back(self, house: House) -> None:
        made = proposed(house, DRILL)
        with pytest.raises(NotAllowed):
            house.service.rule_changes.decline(made.id, by=someone(Role.DSO, "another"), reason=REASON)


class TestTouched:
    """Each way in which a permit can stop holding; the next call is refused and the log says why."""

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ((INJURY_IS_L3,), "it is L3 under these rules and was judged as L2; raise its tier, or hand it in again"),
            ((PRESSURE,), "its feature 'pressure' identifies a person under these rules"),
            ((BANDED,), "these rules band its features otherwise than it was examined with; hand it in again"),
            (
                (('L2 = ["dso"], L3', 'L2 = ["dso", "committee"], L3'),),
                "L2 asks for an approval by committee under these rules",
            ),
            (ACCURATE, "performance: measured"),
        ],
        ids=["tier", "forbidden", "banded", "deciders", "limit"],
    )
    def test_what_no_longer_holds_is_refused_at_the_next_call(
        self, house: House, changes: tuple[tuple[str, str], ...], sentence: str
    ) -> None:
        record = house.approved(impact=NEAR_L3)
        house.decide()
        (touched,) = adopted(house, *changes).touched
        assert touched.fails[0].says.en.startswith(sentence)
        with pytest.raises(MayNotRun, match="is suspended"):
            house.decide()
        assert house.service.book.get(record.id).stage is Stage.SUSPENDED
        assert house.service.store.version(record.model, record.version).status == "suspended"
        entry = house.service.log.search(kind="suspend").entries[0]
        assert (entry.actor, entry.artifact_digest) == ("mingjing", record.artifact_digest)

    def test_what_still_holds_runs_on(self, house: House) -> None:
        house.approved()
        assert adopted(house, DRILL).touched == ()
        assert house.decide().decisions[0]

    def test_another_process_refuses_within_a_second(self, house: House) -> None:
        house.approved()
        from governance.permits import PermitBook

        other = PermitBook(house.service.database, house.clock, house.clock.seconds)
        assert other.live("gas-leak", timedelta(0))
        adopted(house, PRESSURE)
        house.clock.go(seconds=0.3)
        with pytest.raises(MayNotRun, match="is suspended"):
            other.live("gas-leak", timedelta(0))

    def test_a_permit_ends_when_the_new_rules_end_it(self, house: House) -> None:
        house.approved()
        adopted(house, SHORTER, SHORTER_TOO)
        (permit,) = house.service.permits.permits()
        assert (permit.state, permit.until) == (PermitState.LIVE, NOW + timedelta(days=30))

    def test_a_permit_older_than_the_new_rules_allow_is_suspended(self, house: House) -> None:
        house.approved()
        house.clock.go(days=31)
        (touched,) = adopted(house, SHORTER, SHORTER_TOO).touched
        assert touched.fails[0].says.en == "a permit at L2 ends after 30 days under these rules: on 2026-04-01"

    def test_what_cannot_be_told_has_to_be_examined_again(self, house: House) -> None:
        record = house.approved()
        assert house.service.rule_changes.to_examine_again() == ()
        (touched,) = adopted(house, ("too_good_auc = 0.995", "too_good_auc = 0.98")).touched
        assert touched.holds
        assert touched.open[0].en.startswith("leakage: too_good_auc becomes 0.98 (was 0.995); what is kept does not")
        (again,) = house.service.rule_changes.to_examine_again()
        assert again.submission == record.id
        assert house.decide().decisions[0]

    def test_one_examined_again_is_off_the_list(self, house: House) -> None:
        house.approved()
        book = adopted(house, DRILL).revision.book
        examination = replace(an_examination(house.folder / "again"), rulebook=book)
        record = house.service.intake.take_in(examination, by=ENGINEER)
        house.approve(record)
        assert house.service.rule_changes.to_examine_again() == ()
        (live,) = (permit for permit in house.service.permits.permits() if permit.state is PermitState.LIVE)
        assert live.rulebook_digest == book.digest


class TestResume:
    def test_is_refused_while_it_does_not_hold(self, house: House) -> None:
        house.approved()
        adopted(house, PRESSURE)
        with pytest.raises(StandsInTheWay, match="its feature 'pressure' identifies a person under these rules"):
            house.service.suspensions.resume("gas-leak", by=OFFICER, reason=REASON)

    def test_is_the_officers_where_a_reason_may_pass_it(self, house: House) -> None:
        house.approved()
        adopted(house, *ACCURATE)
        with pytest.raises(MayNotRun):
            house.decide()
        house.service.suspensions.resume("gas-leak", by=OFFICER, reason="the misses were looked at one by one")
        assert house.decide().decisions[0]

    def test_once_the_rules_are_back(self, house: House) -> None:
        house.approved()
        adopted(house, PRESSURE)
        back = house.service.rule_changes.propose(read_rulebook().source, by=OFFICER, reason=REASON)
        house.service.rule_changes.adopt(back.id, by=COMMITTEE, reason=REASON)
        house.service.suspensions.resume("gas-leak", by=OFFICER, reason=REASON)
        assert house.decide(X=rows(1, seed=9)[list(SENSORS)]).decisions[0]


class TestSubmissions:
    def test_examined_under_the_old_rules_are_judged_by_the_new_ones(self, house: House) -> None:
        record = house.submitted()
        adopted(house, PRESSURE)
        with pytest.raises(StandsInTheWay, match="its feature 'pressure' identifies a person"):
            house.approve(record)
        assert house.verdict(record, Verdict.RETURN, OFFICER).stage is Stage.RETURNED

    def test_that_still_hold_are_approved_under_the_rules_in_force(self, house: House) -> None:
        record = house.submitted(impact=L3)
        now = adopted(house, DRILL).revision.digest
        permit = house.approve(record).permit
        assert permit is not None and permit.rulebook_digest == now

    def test_examined_under_other_rules_are_not_registered(self, house: House) -> None:
        examination = an_examination(house.folder / "early")
        adopted(house, DRILL)
        with pytest.raises(RulesChanged, match=r"is in force now; examine it again"):
            house.service.intake.take_in(examination, by=ENGINEER)


class TestReports:
    def test_show_the_rules_a_submission_and_a_decision_were_made_under(self, house: House) -> None:
        record = house.approved()
        decision = house.decide().decisions[0]
        before = house.service.rulebook
        adopted(house, DRILL)
        assert house.service.telling.model_figures(record).rulebook_digest == before.digest
        bundle = house.service.telling.evidence(decision.id)
        assert bundle["rulebook"] == before.source.decode()
