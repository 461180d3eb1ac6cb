"""What really happened: handed in whole or not at all, by who may, for decisions within his sight."""

from __future__ import annotations

from datetime import date

import pytest

from governance.outcomes import AT_ONCE, Outcome
from governance.statements import read_statement
from policies.errors import Malformed
from policies.roles import NotAllowed, Role
from tests.governance.factories import ENGINEER, OFFICER, PLANT, SENSORS, House, rows, someone

ABSENT = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def decided(house: House) -> list[str]:
    """Two decisions."""
    house.approved()
    return [decision.id for decision in house.decide(X=rows(2, seed=9)[list(SENSORS)]).decisions]


def an_outcome(decision: str, harmed: bool = True, source: str = "inspection") -> Outcome:
    return Outcome(decision=decision, harmed=harmed, source=source)


class TestHandIn:
    def test_keeps_each_as_a_statement_about_its_decision(self, house: House, decided: list[str]) -> None:
        receipts = house.service.outcomes.hand_in(
            [Outcome(decision=decided[0], harmed=False, source=" inspection ", observed=date(2026, 3, 1))], by=PLANT
        )
        (entry,) = house.service.log.statements_about(decided[0])
        assert (entry.id, entry.kind, entry.verdict, entry.site) == (receipts[0].id, "outcome", False, "plant-07")
        raw = house.service.log.payload(entry.id)
        assert raw is not None
        said = read_statement(raw)
        assert (said["harmed"], said["source"], said["observed"]) == (False, "inspection", "2026-03-01")

    def test_leaves_the_decision_as_it_was(self, house: House, decided: list[str]) -> None:
        before = house.service.log.entry(decided[0])
        house.service.outcomes.hand_in([an_outcome(decided[0])], by=PLANT)
        assert house.service.log.entry(decided[0]) == before

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.DSO, Role.REVIEWER, Role.SERVICE)])
    def test_is_for_plant_systems_reviewers_and_officers(self, house: House, decided: list[str], role: Role) -> None:
        with pytest.raises(NotAllowed):
            house.service.outcomes.hand_in([an_outcome(decided[0])], by=someone(role))

    def test_says_every_fault_at_once_and_keeps_nothing(self, house: House, decided: list[str]) -> None:
        with pytest.raises(Malformed) as refused:
            house.service.outcomes.hand_in(
                [an_outcome(decided[0]), an_outcome(decided[0]), an_outcome(decided[1], source=" ")], by=OFFICER
            )
        assert [fault.en for fault in refused.value.faults] == [
            f"decision {decided[0]} is named 2 times; hand in one outcome for it",
            "outcome 3: the source has 0 characters; say in 1 to 200 who or what established it",
        ]
        assert house.service.log.statements_about(decided[0]) == ()

    def test_a_foreign_decision_looks_like_one_that_is_not_there(self, house: House, decided: list[str]) -> None:
        elsewhere = someone(Role.SERVICE, site="plant-08")
        said = []
        for decision in (decided[0], ABSENT, "no id at all", house.service.log.search(kind="approve").entries[0].id):
            with pytest.raises(Malformed) as refused:
                house.service.outcomes.hand_in([an_outcome(decision)], by=elsewhere)
            said.append(refused.value.says.en.replace(decision, "X"))
        assert set(said) == {"there is no decision 'X' here, or it is outside your scope"}

    def test_one_that_is_not_there_keeps_the_others_out(self, house: House, decided: list[str]) -> None:
        with pytest.raises(Malformed):
            house.service.outcomes.hand_in([an_outcome(decided[0]), an_outcome(ABSENT)], by=PLANT)
        assert house.service.log.statements_about(decided[0]) == ()

    @pytest.mark.parametrize("n", [0, AT_ONCE + 1])
    def test_takes_some_and_not_too_many(self, house: House, n: int) -> None:
        with pytest.raises(Malformed, match=f"{n:,} outcomes in one call; expected 1 to 10,000"):
            house.service.outcomes.hand_in([an_outcome(str(at)) for at in range(n)], by=PLANT)

    def test_the_team_that_made_the_model_does_not_say_how_it_did(self, house: House, decided: list[str]) -> None:
        with pytest.raises(NotAllowed):
            house.service.outcomes.hand_in([an_outcome(decided[0])], by=ENGINEER)


class TestOf:
    def test_the_last_word_counts(self, house: House, decided: list[str]) -> None:
        for harmed, source in ((True, "first look"), (False, "insurer")):
            house.service.outcomes.hand_in([an_outcome(decided[0], harmed, source)], by=PLANT)
        known = house.service.outcomes.of(decided[0])
        assert known is not None
        assert (known.harmed, known.source) == (False, "insurer")

    def test_nobody_has_said(self, house: House, decided: list[str]) -> None:
        assert house.service.outcomes.of(decided[0]) is None

    def test_is_no_review_of_the_decision(self, house: House, decided: list[str]) -> None:
        house.service.outcomes.hand_in([an_outcome(decided[0])], by=PLANT)
        assert house.service.reviews.about(decided[0]) == ()
