"""Who is touched by a decision can ask and contest; somebody else answers, in time; the figures are counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from audit.expiry import forget_subject
from governance.appeals import AnsweredAlready, AskedAlready, Asks, Outcome, OwnReview, Request, TooLate
from governance.reviews import Judgement
from policies.errors import Malformed, NotFound
from policies.roles import NotAllowed, Person, Role
from tests.governance.factories import NOW, OFFICER, REGULATOR, REVIEWER, SENSORS, House, rows, someone

REASON = "the valve was closed at the time"
OTHER = someone(Role.REVIEWER, "another-reviewer")
ALWAYS = NOW - timedelta(days=1), NOW + timedelta(days=400)


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


def asked(house: House, decision: str, asks: Asks = Asks.APPEAL, subject: str = "w-1") -> Request:
    """A request of the person concerned."""
    return house.service.appeals.ask(decision, asks, by=employee(house, subject), reason=REASON)


class TestAsk:
    @pytest.mark.parametrize(
        ("asks", "days"), [(Asks.EXPLANATION, 15), (Asks.HUMAN_DECISION, 5), (Asks.APPEAL, 15)], ids=str
    )
    def test_is_to_be_answered_by_the_day_of_the_rulebook(
        self, house: House, decided: list[str], asks: Asks, days: int
    ) -> None:
        made = asked(house, decided[0], asks)
        assert (made.asks, made.reason, made.outcome) == (asks, REASON, None)
        assert made.due == NOW + timedelta(days=days)
        assert [said.kind for said in house.service.reviews.about(decided[0])] == ["appeal"]

    @pytest.mark.parametrize("subject", ["w-2", "w-3", None])
    def test_nobody_elses_can_be_told_from_none(self, house: House, decided: list[str], subject: str | None) -> None:
        said = []
        for id in (decided[0], "00000000-0000-7000-8000-000000000000"):
            with pytest.raises(NotFound) as refused:
                house.service.appeals.ask(id, Asks.APPEAL, by=employee(house, subject), reason=REASON)
            said.append(refused.value.says.en.replace(id, "X"))
        assert said[0] == said[1]

    def test_at_another_site_is_absent(self, house: House, decided: list[str]) -> None:
        with pytest.raises(NotFound):
            house.service.appeals.ask(decided[0], Asks.APPEAL, by=employee(house, site="plant-08"), reason=REASON)

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.EMPLOYEE])
    def test_is_for_employees(self, house: House, decided: list[str], role: Role) -> None:
        with pytest.raises(NotAllowed):
            house.service.appeals.ask(decided[0], Asks.APPEAL, by=someone(role), reason=REASON)

    def test_after_its_days_only_an_explanation_is_left(self, house: House, decided: list[str]) -> None:
        house.clock.go(days=30)
        assert asked(house, decided[0], Asks.HUMAN_DECISION).id
        house.clock.go(seconds=1)
        with pytest.raises(TooLate, match=r"could be contested until 2026-04-01 08:00 UTC; an explanation can still"):
            asked(house, decided[0])
        assert asked(house, decided[0], Asks.EXPLANATION).id

    def test_the_same_again_waits_for_its_answer(self, house: House, decided: list[str]) -> None:
        first = asked(house, decided[0])
        assert asked(house, decided[0], Asks.EXPLANATION).id
        with pytest.raises(AskedAlready, match=r"the same request \(appeal\) about decision .* still waits"):
            asked(house, decided[0])
        house.service.appeals.answer(first.id, Outcome.STANDS, by=REVIEWER, reason=REASON)
        assert asked(house, decided[0]).id != first.id

    def test_needs_words(self, house: House, decided: list[str]) -> None:
        with pytest.raises(Malformed, match="needs a reason others can follow"):
            house.service.appeals.ask(decided[0], Asks.APPEAL, by=employee(house), reason=" ")

    def test_words_go_with_the_persons_other_records(self, house: House, decided: list[str]) -> None:
        made = asked(house, decided[0])
        entry = house.service.log.entry(made.id)
        assert entry.subject == house.service.log.entry(decided[0]).subject
        assert REASON.encode() not in entry.header
        forget_subject(house.service.log, str(entry.subject), approvers=["a", "b"], reason="he asked for it")
        after = house.service.appeals.get(made.id, OFFICER)
        assert (after.reason, after.asks) == ("", Asks.APPEAL), "restricted: stored and used for nothing"


class TestAnswer:
    def test_turns_the_verdict_where_a_person_decides_otherwise(self, house: House, decided: list[str]) -> None:
        before = house.service.log.entry(decided[0])
        made = house.service.appeals.answer(asked(house, decided[0]).id, Outcome.CHANGED, by=REVIEWER, reason=REASON)
        assert (made.outcome, made.answer, made.answered_by) == (Outcome.CHANGED, REASON, REVIEWER.name)
        answer = house.service.log.statements_about(made.id)[0]
        assert (answer.kind, answer.verdict) == ("answer", not before.verdict)
        assert house.service.log.entry(decided[0]).leaf == before.leaf
        assert [said.kind for said in house.service.reviews.about(decided[0])] == ["appeal", "answer"]

    def test_is_not_for_who_reviewed_the_decision(self, house: House, decided: list[str]) -> None:
        request = asked(house, decided[0])
        house.service.reviews.review(decided[0], Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        with pytest.raises(OwnReview, match=r"a-reviewer reviewed decision .* another person must answer"):
            house.service.appeals.answer(request.id, Outcome.STANDS, by=REVIEWER, reason=REASON)
        assert house.service.appeals.answer(request.id, Outcome.STANDS, by=OTHER, reason=REASON).outcome

    def test_is_not_for_who_asks_though_his_role_changed(self, house: House, decided: list[str]) -> None:
        request = asked(house, decided[0])
        risen = someone(Role.REVIEWER, employee(house).name)
        with pytest.raises(OwnReview):
            house.service.appeals.answer(request.id, Outcome.CHANGED, by=risen, reason=REASON)

    def test_is_given_once(self, house: House, decided: list[str]) -> None:
        request = asked(house, decided[0])
        house.service.appeals.answer(request.id, Outcome.STANDS, by=REVIEWER, reason=REASON)
        with pytest.raises(AnsweredAlready):
            house.service.appeals.answer(request.id, Outcome.CHANGED, by=OTHER, reason=REASON)

    def test_fits_what_was_asked(self, house: House, decided: list[str]) -> None:
        request = asked(house, decided[0], Asks.EXPLANATION)
        with pytest.raises(Malformed, match="explanation is answered by explained; found 'stands'"):
            house.service.appeals.answer(request.id, Outcome.STANDS, by=REVIEWER, reason=REASON)

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.DSO, Role.REVIEWER)])
    def test_is_for_reviewers_and_officers(self, house: House, decided: list[str], role: Role) -> None:
        request = asked(house, decided[0])
        for id in (request.id, "no-such"):
            with pytest.raises(NotAllowed):
                house.service.appeals.answer(id, Outcome.STANDS, by=someone(role), reason=REASON)

    def test_foreign_and_absent_look_the_same(self, house: House, decided: list[str]) -> None:
        request, far = asked(house, decided[0]), someone(Role.REVIEWER, site="plant-08")
        said = []
        for id in (request.id, decided[0], "00000000-0000-7000-8000-000000000000", "no-such"):
            with pytest.raises(NotFound) as refused:
                house.service.appeals.answer(id, Outcome.STANDS, by=far, reason=REASON)
            said.append(refused.value.says.en.replace(f"'{id}'", "'X'"))
        assert set(said) == {"there is no request 'X' here, or it is outside your scope"}


class TestList:
    def test_an_employee_finds_his_own_and_nobody_elses(self, house: House, decided: list[str]) -> None:
        mine, theirs = asked(house, decided[0]), asked(house, decided[1], subject="w-2")
        assert [one.id for one in house.service.appeals.list(employee(house))] == [mine.id]
        with pytest.raises(NotFound):
            house.service.appeals.get(theirs.id, employee(house))
        assert house.service.appeals.list(employee(house, None)) == ()

    def test_the_nearest_day_comes_first_and_the_answered_last(self, house: House, decided: list[str]) -> None:
        appeal = asked(house, decided[0])
        person = asked(house, decided[0], Asks.HUMAN_DECISION)
        why = asked(house, decided[1], Asks.EXPLANATION, subject="w-2")
        house.service.appeals.answer(person.id, Outcome.STANDS, by=REVIEWER, reason=REASON)
        assert [one.id for one in house.service.appeals.list(OFFICER)] == [appeal.id, why.id, person.id]
        assert [one.id for one in house.service.appeals.list(OFFICER, only_open=True)] == [appeal.id, why.id]

    def test_a_reviewer_does_not_learn_who_asks(self, house: House, decided: list[str]) -> None:
        asked(house, decided[0])
        assert house.service.appeals.list(REVIEWER)[0].by is None
        assert house.service.appeals.list(OFFICER)[0].by == employee(house).name

    @pytest.mark.parametrize("role", [Role.ML_ENGINEER, Role.SERVICE, Role.TESTER, Role.ADMIN])
    def test_is_closed_to_others(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            house.service.appeals.list(someone(role))


class TestDue:
    def test_calls_to_mind_what_is_near_or_past_its_day(self, house: House, decided: list[str]) -> None:
        request = asked(house, decided[0])
        assert house.service.appeals.due(REVIEWER) == ()
        house.clock.go(days=12, seconds=1)
        (near,) = house.service.appeals.due(REVIEWER)
        assert (near.id, near.overdue) == (request.id, False)
        house.clock.go(days=3)
        assert house.service.appeals.due(REVIEWER)[0].overdue
        house.service.appeals.answer(request.id, Outcome.STANDS, by=REVIEWER, reason=REASON)
        assert house.service.appeals.due(REVIEWER) == ()


class TestStatistics:
    def test_count_what_came_and_what_was_answered_in_time(self, house: House, decided: list[str]) -> None:
        first = asked(house, decided[0])
        second = asked(house, decided[1], subject="w-2")
        asked(house, decided[1], Asks.HUMAN_DECISION, subject="w-2")
        house.clock.go(days=2)
        house.service.appeals.answer(first.id, Outcome.CHANGED, by=REVIEWER, reason=REASON)
        house.clock.go(days=14)
        house.service.appeals.answer(second.id, Outcome.STANDS, by=REVIEWER, reason=REASON)
        why, person, appeal = house.service.appeals.statistics(*ALWAYS)
        assert (why.received, why.median_days) == (0, None)
        assert (person.received, person.open, person.overdue) == (1, 1, 1)
        assert (appeal.received, appeal.answered, appeal.in_time) == (2, 2, 1)
        assert (appeal.changed, appeal.stands, appeal.median_days) == (1, 1, 9.0)

    def test_show_in_the_report_of_the_model(self, house: House, decided: list[str]) -> None:
        request = asked(house, decided[0])
        asked(house, decided[0], Asks.EXPLANATION)
        house.service.appeals.answer(request.id, Outcome.CHANGED, by=REVIEWER, reason=REASON)
        counts = house.service.telling.model_figures(house.service.telling.record_of("gas-leak")).counts
        assert counts is not None
        assert (counts.appeals, counts.appeals_upheld) == (1, 1)

    def test_are_narrowed_to_a_site_and_a_model(self, house: House, decided: list[str]) -> None:
        asked(house, decided[0])
        received = [house.service.appeals.statistics(*ALWAYS, **w)[2].received for w in ({"site": "x"}, {"model": "x"})]
        assert received == [0, 0]
        assert house.service.appeals.statistics(*ALWAYS, site="plant-07", model="gas-leak")[2].received == 1


def test_a_regulator_reads_and_answers_nothing(house: House, decided: list[str]) -> None:
    request = asked(house, decided[0])
    assert house.service.appeals.get(request.id, REGULATOR).by == employee(house).name
    with pytest.raises(NotAllowed):
        house.service.appeals.answer(request.id, Outcome.STANDS, by=REGULATOR, reason=REASON)
