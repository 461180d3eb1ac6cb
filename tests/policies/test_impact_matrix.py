"""A graver answer never lowers a tier, a floor holds, and what was not said is counted and said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Malformed
from policies.impact_matrix import Assessment, Floor, ImpactMatrix, assess
from policies.rulebook import read_rulebook
from policies.tiers import Tier
from tests.policies.factories import a_matrix, a_question, a_sentence, answers_to, matrices

BUILT_IN = read_rulebook().impact


class TestRank:
    def test_mildest_is_zero(self) -> None:
        assert a_question("harm", {"none": 0, "death": 4}, "death").rank("none") == 0

    def test_unknown_answer_has_none(self) -> None:
        with pytest.raises(KeyError, match="plague"):
            a_question("harm", {"none": 0, "death": 4}, "death").rank("plague")


class TestPoints:
    @pytest.mark.parametrize(
        ("harm", "speed", "tier"),
        [
            ("none", "days", Tier.L1),
            ("injury", "days", Tier.L2),
            ("death", "days", Tier.L3),
            ("death", "minutes", Tier.L4),
        ],
    )
    def test_reach_the_tier_that_begins_there(self, harm: str, speed: str, tier: Tier) -> None:
        assert assess(a_matrix(), {"harm": harm, "speed": speed}).tier is tier

    def test_one_point_short_stays_below(self) -> None:
        assert assess(a_matrix(), {"harm": "injury", "speed": "hours"}).tier is Tier.L2

    def test_are_added_up(self) -> None:
        assert assess(a_matrix(), {"harm": "injury", "speed": "minutes"}).points == 5

    def test_those_that_weigh_decide(self) -> None:
        found = assess(a_matrix(), {"harm": "injury", "speed": "days"})
        assert [cell.question for cell in found.because] == ["harm"]

    def test_cells_hold_every_question(self) -> None:
        found = assess(a_matrix(), {"harm": "none", "speed": "days"})
        assert [cell.question for cell in found.cells] == ["harm", "speed"]


class TestFloors:
    FLOOR = Floor(when={"harm": "injury", "speed": "hours"}, tier=Tier.L4, says=a_sentence("people, soon"))

    def test_lifts_what_points_leave_low(self) -> None:
        found = assess(a_matrix(floors=(self.FLOOR,)), {"harm": "injury", "speed": "hours"})
        assert found.tier is Tier.L4
        assert [cell.says.en for cell in found.because] == ["people, soon"]

    def test_graver_answers_reach_it_too(self) -> None:
        assert assess(a_matrix(floors=(self.FLOOR,)), {"harm": "death", "speed": "minutes"}).tier is Tier.L4

    def test_half_of_it_does_nothing(self) -> None:
        found = assess(a_matrix(floors=(self.FLOOR,)), {"harm": "injury", "speed": "days"})
        assert found.tier is Tier.L2
        assert len(found.cells) == 2

    def test_a_lower_one_is_told_but_does_not_decide(self) -> None:
        low = Floor(when={"harm": "death"}, tier=Tier.L2, says=a_sentence("low"))
        found = assess(a_matrix(floors=(low,)), {"harm": "death", "speed": "days"})
        assert found.tier is Tier.L3
        assert (found.cells[0].says.en, found.cells[0].decides) == ("low", False)

    def test_names_the_answers_given(self) -> None:
        found = assess(a_matrix(floors=(self.FLOOR,)), {"harm": "death", "speed": "hours"})
        assert (found.cells[0].question, found.cells[0].answer) == ("harm + speed", "death + hours")


class TestUnanswered:
    def test_is_counted_as_the_matrix_says(self) -> None:
        assert assess(a_matrix(), {"speed": "days"}).points == 4

    def test_is_said_in_both_languages(self) -> None:
        cell = assess(a_matrix(), {"speed": "days"}).cells[0]
        assert cell.says.en == "harm? death: 4 points (not answered, counted as this)"
        assert cell.says.zh == "（harm?）（death）：4 分（未回答，按此计分）"

    def test_answered_is_not_called_unanswered(self) -> None:
        assert assess(a_matrix(), {"harm": "death", "speed": "days"}).cells[0].says.en == "harm? death: 4 points"

    def test_nothing_answered_at_all_is_grave_in_the_built_in_matrix(self) -> None:
        assert assess(BUILT_IN, {}).tier is Tier.L4


class TestFaults:
    def test_unknown_question(self) -> None:
        with pytest.raises(Malformed) as refused:
            assess(a_matrix(), {"colour": "red"})
        (fault,) = refused.value.faults
        assert fault.en == "impact: there is no question 'colour'; the questions are harm, speed"
        assert fault.zh == "影响评估：没有“colour”这个问题，可答的问题为 harm、speed"

    def test_unknown_answer(self) -> None:
        with pytest.raises(Malformed) as refused:
            assess(a_matrix(), {"harm": "plague"})
        (fault,) = refused.value.faults
        assert fault.en == "impact: 'harm' was answered 'plague'; expected one of none, injury, death"
        assert fault.zh == "影响评估：“harm”的回答为“plague”，应为 none、injury、death 之一"

    def test_all_at_once(self) -> None:
        with pytest.raises(Malformed) as refused:
            assess(a_matrix(), {"colour": "red", "harm": "plague", "speed": "years"})
        assert [fault.en.split("'")[1] for fault in refused.value.faults] == ["colour", "harm", "speed"]


class TestJson:
    def test_holds_what_decided_and_why(self) -> None:
        cell = assess(a_matrix(), {"harm": "injury", "speed": "days"}).because[0]
        assert cell.as_json() == {
            "question": "harm",
            "answer": "injury",
            "points": 2,
            "decides": True,
            "says": {"en": "harm? injury: 2 points", "zh": "（harm?）（injury）：2 分"},
        }


class TestKept:
    @given(matrices().flatmap(lambda matrix: answers_to(matrix).map(lambda answers: assess(matrix, answers))))
    def test_an_assessment_is_read_back_as_it_was(self, found: Assessment) -> None:
        assert Assessment.from_json(json.loads(json.dumps(found.as_json()))) == found


def graver(draw: st.DrawFn, matrix: ImpactMatrix, answers: dict[str, str]) -> dict[str, str]:
    """Draw answers none of which is milder than in `answers`."""
    return {
        question.name: draw(st.sampled_from(question.options[question.rank(answers[question.name]) :])).answer
        for question in matrix.questions
    }


@st.composite
def comparisons(
    draw: st.DrawFn, matrix: ImpactMatrix | None = None
) -> tuple[ImpactMatrix, dict[str, str], dict[str, str]]:
    """Draw a matrix, answers to it, and answers at least as grave."""
    chosen = draw(matrices()) if matrix is None else matrix
    mild = draw(answers_to(chosen))
    return chosen, mild, graver(draw, chosen, mild)


class TestLaws:
    @given(comparisons())
    def test_a_graver_answer_never_lowers_the_tier(
        self, drawn: tuple[ImpactMatrix, dict[str, str], dict[str, str]]
    ) -> None:
        matrix, mild, grave = drawn
        assert assess(matrix, grave).tier >= assess(matrix, mild).tier

    @given(comparisons(BUILT_IN))
    def test_nor_in_the_built_in_matrix(self, drawn: tuple[ImpactMatrix, dict[str, str], dict[str, str]]) -> None:
        matrix, mild, grave = drawn
        assert assess(matrix, grave).tier >= assess(matrix, mild).tier

    @given(comparisons())
    def test_every_floor_that_is_reached_holds(
        self, drawn: tuple[ImpactMatrix, dict[str, str], dict[str, str]]
    ) -> None:
        matrix, answers, _ = drawn
        found = assess(matrix, answers)
        ranks = {question.name: question.rank for question in matrix.questions}
        for floor in matrix.floors:
            if all(ranks[name](answers[name]) >= ranks[name](least) for name, least in floor.when.items()):
                assert found.tier >= floor.tier

    @given(comparisons())
    def test_some_cell_decides_whatever_lies_above_l1(
        self, drawn: tuple[ImpactMatrix, dict[str, str], dict[str, str]]
    ) -> None:
        matrix, answers, _ = drawn
        found = assess(matrix, answers)
        lifted = found.tier > max(tier for tier in Tier if matrix.tier_from[tier] <= 0)
        assert bool(found.because) >= lifted

    @given(comparisons())
    def test_the_order_of_answers_means_nothing(
        self, drawn: tuple[ImpactMatrix, dict[str, str], dict[str, str]]
    ) -> None:
        matrix, answers, _ = drawn
        assert assess(matrix, dict(reversed(answers.items()))) == assess(matrix, answers)

    @given(st.data())
    def test_every_fault_is_named(self, data: st.DataObject) -> None:
        matrix = data.draw(matrices())
        wrong = data.draw(st.sets(st.sampled_from([question.name for question in matrix.questions])))
        strange = data.draw(st.sets(st.sampled_from(["colour", "weather"])))
        answers = {**dict.fromkeys(wrong, "nonsense"), **dict.fromkeys(strange, "a0")}
        if not answers:
            return
        with pytest.raises(Malformed) as refused:
            assess(matrix, answers)
        assert len(refused.value.faults) == len(wrong) + len(strange)


class TestBuiltIn:
    def test_a_possible_death_is_never_below_l3(self) -> None:
        answers = {question.name: question.options[0].answer for question in BUILT_IN.questions}
        assert assess(BUILT_IN, answers).tier is Tier.L1
        assert assess(BUILT_IN, answers | {"severity": "fatality"}).tier is Tier.L3

    def test_acting_alone_where_people_can_die_is_l4(self) -> None:
        answers = {question.name: question.options[0].answer for question in BUILT_IN.questions}
        assert assess(BUILT_IN, answers | {"severity": "fatality", "autonomy": "automatic_action"}).tier is Tier.L4

    def test_sensitive_personal_data_is_never_below_l2(self) -> None:
        answers = {question.name: question.options[0].answer for question in BUILT_IN.questions}
        assert assess(BUILT_IN, answers | {"persons": "sensitive"}).tier is Tier.L2
