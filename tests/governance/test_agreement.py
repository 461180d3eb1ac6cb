"""What waits comes in the right order, agreement is counted, nobody is scored, and labels name no person."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from audit.entries import Draft
from audit.trace_log import TraceLog
from governance.agreement import OverReliance, agreement, agreement_by_model, over_reliance
from governance.relabelling import relabelled_rows
from governance.reviews import Judgement
from policies.roles import NotAllowed, Role
from tests.governance.factories import (
    L3,
    NOW,
    OFFICER,
    PLANT,
    REVIEWER,
    SENSORS,
    House,
    rows,
    someone,
)

REASON = "it was looked at on the spot"
WINDOW = NOW - timedelta(days=1), NOW + timedelta(days=30)
REVIEW_ALARMS = [{"kind": "review_alarms"}]


def alarms(house: House, n: int = 12, model: str = "gas-leak") -> list[str]:
    """Ids of the alarms among a few decisions, each of which asks for a person."""
    decided = house.decide(model, rows(n, seed=9)[list(SENSORS)], subjects=[f"w-{i}" for i in range(n)])
    return [decision.id for decision in decided.decisions if decision.verdict]


class TestQueue:
    def test_holds_what_asks_for_a_person_until_he_spoke(self, house: House) -> None:
        house.approved(REVIEW_ALARMS)
        waiting = alarms(house)
        assert {line.decision.id for line in house.service.review_queue.waiting(REVIEWER)} == set(waiting)
        house.service.reviews.review(waiting[0], Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        house.service.reviews.review(waiting[1], Judgement.OVERRIDE, by=REVIEWER, reason=REASON)
        assert {line.decision.id for line in house.service.review_queue.waiting(REVIEWER)} == set(waiting[2:])

    def test_what_asks_for_nobody_is_not_in_it(self, house: House) -> None:
        house.approved()
        alarms(house)
        assert house.service.review_queue.waiting(REVIEWER) == ()

    def test_the_gravest_tier_comes_first_then_the_longest_wait(self, house: House) -> None:
        house.approved(REVIEW_ALARMS)
        house.approved(REVIEW_ALARMS, name="gas-peak", impact=L3, seed=1)
        first = alarms(house, 6)
        house.clock.go(hours=1)
        grave = alarms(house, 6, "gas-peak")
        later = alarms(house, 6)
        queue = house.service.review_queue.waiting(REVIEWER)
        assert [line.decision.id for line in queue] == [*grave, *first, *later]
        assert queue[0].due - queue[0].decision.time == timedelta(hours=24)
        assert [line.decision.id for line in house.service.review_queue.waiting(REVIEWER, limit=1)] == grave[:1]

    def test_says_what_is_overdue(self, house: House) -> None:
        house.approved(REVIEW_ALARMS)
        alarms(house)
        house.clock.go(hours=72)
        assert not house.service.review_queue.waiting(REVIEWER)[0].overdue
        house.clock.go(seconds=1)
        assert all(line.overdue for line in house.service.review_queue.waiting(REVIEWER))

    def test_another_sites_wait_elsewhere(self, house: House) -> None:
        house.approved(REVIEW_ALARMS)
        alarms(house)
        assert house.service.review_queue.waiting(someone(Role.REVIEWER, site="plant-08")) == ()

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.DSO, Role.REVIEWER)])
    def test_is_for_those_who_review(self, house: House, role: Role) -> None:
        with pytest.raises(NotAllowed):
            house.service.review_queue.waiting(someone(role))


class TestAgreement:
    def test_counts_the_last_word_about_each_decision(self, house: House) -> None:
        house.approved(REVIEW_ALARMS)
        waiting = alarms(house)
        house.clock.go(hours=2)
        house.service.reviews.review(waiting[0], Judgement.OVERRIDE, by=REVIEWER, reason=REASON)
        house.service.reviews.review(waiting[0], Judgement.CONFIRM, by=OFFICER, reason=REASON)
        house.service.reviews.review(
            waiting[1], Judgement.OVERRIDE, by=REVIEWER, reason=REASON, labels={"equipment": "sound", "safety": "hurt"}
        )
        found = agreement(house.service.log, *WINDOW)
        assert (found.decisions, found.asked_for, found.unanswered) == (12, len(waiting), len(waiting) - 2)
        assert (found.reviewed, found.confirmed, found.overridden, found.alarms_overridden) == (2, 1, 1, 1)
        assert found.agreed == 0.5
        assert found.interval is not None and 0 < found.interval[0] < 0.5 < found.interval[1] < 1
        assert (found.median_hours, found.labelled, found.labels_differ) == (2.0, 1, 1)
        assert found.says().en.startswith("2 of 12 decisions were reviewed, 50.0% of them confirmed; 1 alarms")

    def test_counts_decisions_of_the_time_whenever_the_word_was_said(self, house: House) -> None:
        house.approved()
        (decision,) = house.decide(X=rows(1, seed=9)[list(SENSORS)]).decisions
        house.clock.go(days=40)
        house.service.reviews.review(decision.id, Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        assert agreement(house.service.log, *WINDOW).reviewed == 1
        later = house.clock.now - timedelta(days=1), house.clock.now + timedelta(days=1)
        assert agreement(house.service.log, *later).reviewed == 0

    def test_says_when_nothing_was_reviewed(self, house: House) -> None:
        house.approved()
        house.decide()
        found = agreement(house.service.log, *WINDOW)
        assert (found.agreed, found.interval, found.median_hours) == (None, None, None)
        assert found.says().zh == "6 次决策均未经人工复核"

    def test_of_each_model_by_itself(self, house: House) -> None:
        house.approved()
        house.approved(name="gas-peak", seed=1)
        for model in ("gas-leak", "gas-peak"):
            decision = house.decide(model).decisions[0]
            house.service.reviews.review(decision.id, Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        assert [one.model for one in agreement_by_model(house.service.log, *WINDOW)] == ["gas-leak", "gas-peak"]
        assert agreement(house.service.log, *WINDOW, site="plant-08").decisions == 0


def reviewed(house: House, names: list[str], each: int, override_of: str | None = None) -> OverReliance:
    """Let some people review some decisions each, and look for signs of over-reliance."""
    decisions = house.decide(X=rows(len(names) * each, seed=9)[list(SENSORS)]).decisions
    for place, decision in enumerate(decisions):
        name = names[place % len(names)]
        by = someone(Role.REVIEWER, name)
        house.service.reviews.note_access(house.service.log.entry(decision.id), by, "decision")
        house.clock.go(seconds=4 if name == "a" else 30)
        judgement = Judgement.OVERRIDE if name == override_of else Judgement.CONFIRM
        house.service.reviews.review(decision.id, judgement, by=by, reason=REASON)
    rules = replace(house.service.rulebook.reviews, least_reviews=each)
    return over_reliance(house.service.log, rules, *WINDOW, by=OFFICER)


class TestOverReliance:
    def test_is_told_about_many_together(self, house: House) -> None:
        house.approved()
        found = reviewed(house, ["a", "b", "c"], 3, override_of="c")
        assert (found.reviewers, found.reviews, found.with_enough_reviews, found.always_confirming) == (3, 9, 3, 2)
        assert found.confirmed_share == pytest.approx(2 / 3)
        assert (found.timed, found.median_seconds, found.hurried_share) == (9, 30.0, pytest.approx(1 / 3))
        told = str(found.as_json()) + str(found.says())
        assert not any(f"'{name}'" in told for name in ("a", "b", "c")), "no name, no score of a person"

    def test_is_withheld_where_it_would_speak_of_a_person(self, house: House) -> None:
        house.approved()
        found = reviewed(house, ["a", "b"], 3)
        assert found.withheld
        assert {name for name, value in found.as_json().items() if value is not None} == {
            "reviewers",
            "least_reviewers",
            "withheld",
        }
        assert found.says().en == (
            "2 people reviewed; signs of over-reliance are told about 3 or more together, never about one"
        )

    def test_is_for_the_officer(self, house: House) -> None:
        for role in Role:
            if role is not Role.DSO:
                with pytest.raises(NotAllowed):
                    over_reliance(house.service.log, house.service.rulebook.reviews, *WINDOW, by=someone(role))

    def test_a_review_without_a_look_has_no_time(self, house: House) -> None:
        house.approved()
        (decision,) = house.decide(X=rows(1, seed=9)[list(SENSORS)]).decisions
        house.service.reviews.review(decision.id, Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        (word,) = house.service.log.statements_about(decision.id)
        assert b'"seconds":null' in (house.service.log.payload(word.id) or b"")


class TestRelabelledRows:
    def test_hold_inputs_and_what_was_true_and_no_person(self, house: House) -> None:
        house.approved()
        decisions = house.decide(X=rows(4, seed=9)[list(SENSORS)], subjects=["w-1", "w-2", "w-3", "w-4"]).decisions
        for decision in decisions[:3]:
            house.service.reviews.review(
                decision.id, Judgement.OVERRIDE, by=REVIEWER, reason=REASON, label="x", labels={"safety": "unharmed"}
            )
        raw = relabelled_rows(house.service.log, "gas-leak", *WINDOW, by=OFFICER)
        table = pd.read_csv(io.BytesIO(raw))
        assert list(table.columns) == [
            *SENSORS,
            "score",
            "alarm",
            "alarm_after_review",
            "label",
            "label_equipment",
            "label_safety",
        ]
        assert len(table) == 3
        assert (table.alarm_after_review == 1 - table.alarm).all()
        assert set(table.label_safety) == {"unharmed"}
        of = house.service.serving.pseudonym_of
        for told in (REVIEWER.name, PLANT.name, "w-1", of("w-1"), *(d.id for d in decisions), "2026"):
            assert told.encode() not in raw
        (noted,) = house.service.log.search(kind="publish").entries
        assert noted.actor == OFFICER.name

    def test_twice_are_the_same_bytes(self, house: House) -> None:
        house.approved()
        for decision in house.decide().decisions:
            house.service.reviews.review(decision.id, Judgement.CONFIRM, by=REVIEWER, reason=REASON)
        first, second = (relabelled_rows(house.service.log, "gas-leak", *WINDOW, by=OFFICER) for _ in range(2))
        assert first == second

    def test_of_nothing_reviewed_are_none(self, house: House) -> None:
        house.approved()
        house.decide()
        for model in ("gas-leak", "gas-leek"):
            raw = relabelled_rows(house.service.log, model, *WINDOW, by=OFFICER)
            assert raw == b"score,alarm,alarm_after_review,label,label_equipment,label_safety\n"

    def test_are_handed_out_by_the_officer(self, house: House) -> None:
        with pytest.raises(NotAllowed):
            relabelled_rows(house.service.log, "gas-leak", *WINDOW, by=REVIEWER)


def test_the_log_finds_what_nobody_spoke_about(house: House) -> None:
    log: TraceLog = house.service.log
    house.approved(REVIEW_ALARMS)
    about = alarms(house)[0]
    log.append([Draft(kind="access", payload=b"{}", about=about)])
    assert about in {line.decision.id for line in house.service.review_queue.waiting(REVIEWER)}, "a look is no word"
