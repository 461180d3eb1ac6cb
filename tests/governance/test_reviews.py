"""What people say about decisions: added, never edited; own decisions only; foreign looks like absent."""

from __future__ import annotations

from typing import Any

import pytest

from audit.entries import Entry
from governance.reviews import Judgement
from policies.errors import Malformed, NotFound
from policies.roles import Action, NotAllowed, Person, Role
from tests.governance.factories import OFFICER, REVIEWER, SENSORS, House, rows, someone

REASON = "the valve was closed at the time"


@pytest.fixture
def decided(house: House) -> list[str]:
    """Two decisions, about w-1 and w-2."""
    house.approved()
    decisions = house.decide(X=rows(2, seed=9)[list(SENSORS)], subjects=["w-1", "w-2"]).decisions
    return [decision.id for decision in decisions]


def employee(house: House, subject: str | None = "w-1", **scope: Any) -> Person:
    """An employee tied to his id in the data."""
    pseudonym = house.service.serving.pseudonym_of(subject) if subject else None
    return someone(Role.EMPLOYEE, subject=pseudonym, **scope)


class TestReview:
    def test_confirm_agrees_and_override_turns_the_verdict(self, house: House, decided: list[str]) -> None:
        before = house.service.log.entry(decided[0])
        confirmed = house.service.reviews.review(decided[0], Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        overridden = house.service.reviews.review(decided[0], Judgement.OVERRIDE, by=OFFICER, reason=REASON)
        assert (confirmed.kind, confirmed.verdict) == ("review", before.verdict)
        assert (overridden.kind, overridden.verdict) == ("override", not before.verdict)

    def test_leaves_the_decision_as_it_was(self, house: House, decided: list[str]) -> None:
        before = house.service.log.entry(decided[0])
        house.service.reviews.review(decided[0], Judgement.OVERRIDE, by=REVIEWER, reason=REASON)
        after: Entry = house.service.log.entry(decided[0])
        assert (after.leaf, after.header, after.verdict) == (before.leaf, before.header, before.verdict)

    def test_reads_back_with_reason_and_person(self, house: House, decided: list[str]) -> None:
        made = house.service.reviews.review(
            decided[0], Judgement.CONFIRM, by=REVIEWER, reason=f"  {REASON} ", label="harmed"
        )
        (found,) = house.service.reviews.about(decided[0])
        assert found == made
        assert (found.by, found.reason, found.decision) == (REVIEWER.name, REASON, decided[0])

    @pytest.mark.parametrize("reason", ["", "  ", "ok"])
    def test_needs_a_reason(self, house: House, decided: list[str], reason: str) -> None:
        with pytest.raises(Malformed, match="needs a reason others can follow; found an empty one"):
            house.service.reviews.review(decided[0], Judgement.CONFIRM, by=REVIEWER, reason=reason)

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.DSO, Role.REVIEWER)])
    def test_is_for_reviewers_and_officers(self, house: House, decided: list[str], role: Role) -> None:
        for id in (decided[0], "no-such"):
            with pytest.raises(NotAllowed):
                house.service.reviews.review(id, Judgement.CONFIRM, by=someone(role), reason=REASON)

    def test_only_decisions_are_reviewed(self, house: House, decided: list[str]) -> None:
        for kind in ("approve", "submit"):
            entry = house.service.log.search(kind=kind).entries[0]
            with pytest.raises(NotFound, match=f"there is no decision '{entry.id}' here"):
                house.service.reviews.review(entry.id, Judgement.CONFIRM, by=REVIEWER, reason=REASON)

    def test_foreign_and_absent_look_the_same(self, house: House, decided: list[str]) -> None:
        far = someone(Role.REVIEWER, site="plant-08")
        said = []
        for id in (decided[0], "00000000-0000-7000-8000-000000000000", "no-such", ""):
            with pytest.raises(NotFound) as refused:
                house.service.reviews.review(id, Judgement.CONFIRM, by=far, reason=REASON)
            said.append(refused.value.says.en.replace(f"'{id}'", "'X'"))
        assert set(said) == {"there is no decision 'X' here, or it is outside your scope"}


class TestLabels:
    def test_are_kept_on_two_tracks(self, house: House, decided: list[str]) -> None:
        made = house.service.reviews.review(
            decided[0],
            Judgement.OVERRIDE,
            by=REVIEWER,
            reason=REASON,
            label="quiet",
            labels={"equipment": " sound ", "safety": "unharmed"},
        )
        (found,) = house.service.reviews.about(decided[0])
        assert found.labels == made.labels == {"": "quiet", "equipment": "sound", "safety": "unharmed"}

    def test_name_every_fault_at_once(self, house: House, decided: list[str]) -> None:
        with pytest.raises(Malformed) as refused:
            house.service.reviews.review(
                decided[0],
                Judgement.CONFIRM,
                by=REVIEWER,
                reason=REASON,
                labels={"bonus": "none", "safety": "a\x00b"},
            )
        assert [fault.en for fault in refused.value.faults] == [
            "there is no track 'bonus'; labels are given for equipment and safety",
            "the label of 'safety' is empty, too long or cannot be shown; give up to 200 plain characters",
        ]


class TestDecision:
    @pytest.mark.parametrize("role", list(Role))
    def test_is_shown_to_whom_the_table_names(self, house: House, decided: list[str], role: Role) -> None:
        by = someone(role)
        if by.may(Action.READ_DECISIONS):
            assert house.service.reviews.decision(decided[0], by).id == decided[0]
        elif by.may(Action.READ_OWN_DECISIONS):
            with pytest.raises(NotFound):
                house.service.reviews.decision(decided[0], by)
        else:
            for id in (decided[0], "no-such"):
                with pytest.raises(NotAllowed):
                    house.service.reviews.decision(id, by)

    def test_a_decision_about_nobody_is_nobodys(self, house: House, decided: list[str]) -> None:
        about_nobody = house.decide(X=rows(1, seed=9)[list(SENSORS)]).decisions[0].id
        with pytest.raises(NotFound):
            house.service.reviews.decision(about_nobody, employee(house, None))


class TestNoteAccess:
    def test_keeps_who_looked_at_what(self, house: House, decided: list[str]) -> None:
        entry = house.service.log.entry(decided[0])
        house.service.reviews.note_access(entry, REVIEWER, "letter")
        (noted,) = house.service.log.search(kind="access").entries
        assert noted.actor == REVIEWER.name
        assert b'"what":"letter"' in (house.service.log.payload(noted.id) or b"")
