"""What the decision page says in sentences and draws: caps, the smallest change, values in their units, both widths."""

from __future__ import annotations

import numpy as np
import pytest

from api.console import pictures
from api.console.decision_words import cap_words, change_lines, contribution_lines, flip_rows, in_words
from explainers.counterfactual import Change, Counterfactual
from reports.charts import to_svg
from reports.readings import Reading, exactly
from reports.wording import LANGUAGES, Language
from tests.reports.factories import a_declaration, a_trace, some_decision_figures, some_model_figures


class TestContributionLines:
    def test_heaviest_first_with_its_signed_contribution(self) -> None:
        lines = contribution_lines(some_decision_figures(), "en")
        assert lines[0].contribution == "+0.91"
        assert lines[2].contribution.startswith("−0.33")
        assert len(lines) == 7

    def test_says_what_is_missing_and_marks_what_is_capped(self) -> None:
        lines = {line.name: line for line in contribution_lines(some_decision_figures(), "en")}
        assert any(line.value == "not there" for line in lines.values())
        assert [name for name in lines if name.endswith("(capped)")] != []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_an_employee_reads_no_exact_contribution(self, language: Language) -> None:
        lines = contribution_lines(some_decision_figures().for_view("employee"), language)
        assert {line.contribution for line in lines} == {""}


class TestCapWords:
    def test_empty_where_nothing_is_capped(self) -> None:
        trace = a_trace(cap_shares={}, capped_contributions=None, capped_score=None, flags=())
        assert cap_words(some_decision_figures(trace=trace), "en") == ""

    def test_clipped(self) -> None:
        said = cap_words(some_decision_figures(), "en")
        assert said.startswith("In this case personal features weighed more than the rulebook allows")
        assert "13.4%" in said

    def test_handed_over(self) -> None:
        trace = a_trace(capped_contributions=None, capped_score=None, flags=("handed_over",))
        assert "handed over to a person" in cap_words(some_decision_figures(trace=trace), "en")

    def test_within_the_caps(self) -> None:
        trace = a_trace(capped_contributions=None, capped_score=None, flags=(), cap_shares={"age": 0.05})
        assert "stayed within their caps" in cap_words(some_decision_figures(trace=trace), "en")


class TestChangeLines:
    def test_from_and_to(self) -> None:
        assert change_lines(some_decision_figures(), "en")[0].endswith("from 3 to 1.5")

    def test_what_is_too_small_to_write_is_said_in_words(self) -> None:
        change = Counterfactual(
            changes=(Change("injury_kind", 3.0, 2.99999999),),
            score_before=0.7,
            score_after=0.4,
            distance=0.1,
            exact=True,
        )
        assert "somewhat lower than 3" in change_lines(some_decision_figures(change=change), "en")[0]

    def test_none(self) -> None:
        assert change_lines(some_decision_figures(change=None), "zh") == ()


class TestFlipRows:
    def test_tells_each_kind_of_flip(self) -> None:
        said = [row.flips for row in flip_rows(some_decision_figures(), "en")]
        assert said[:3] == ["flips at 1.5", "holds over the whole range", "flips at 905"]

    def test_an_employee_reads_a_band(self) -> None:
        said = [row.flips for row in flip_rows(some_decision_figures().for_view("employee"), "en")]
        assert said[2].startswith("flips between")


class TestInWords:
    def test_a_value_and_a_band_carry_the_unit(self) -> None:
        assert in_words(exactly(12.5), "kPa", "en") == "12.5 kPa"
        assert in_words(Reading(low=10, high=20), "kPa", "zh") == "10–20 kPa"

    def test_what_is_missing_carries_none(self) -> None:
        assert in_words(None, "kPa", "en") == "not there"


class TestPictures:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("view", ["employee", "reviewer", "regulator"])
    def test_of_a_decision_are_drawn_for_both_widths(self, language: Language, view: str) -> None:
        figures = some_decision_figures().for_view(view)  # type: ignore[arg-type]
        for draw in (pictures.contributions, pictures.flips, pictures.plane):
            made = draw(figures, language)
            assert made is not None
            assert made.narrow.width <= pictures.NARROW < made.wide.width <= pictures.WIDE
            assert to_svg(made.wide).startswith("<svg")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_of_a_model_are_drawn_for_both_widths(self, language: Language) -> None:
        figures = some_model_figures()
        made = [
            pictures.importance(figures, language),
            pictures.confusion(figures, language),
            pictures.tradeoff(figures, language),
            *pictures.groups(figures, language),
        ]
        assert len(made) == 7
        assert all(each is not None and each.narrow.width < each.wide.width for each in made)

    def test_of_a_model_without_findings_are_none(self) -> None:
        figures = some_model_figures(findings=[])
        assert pictures.importance(figures, "en") is None
        assert pictures.confusion(figures, "en") is None
        assert pictures.tradeoff(figures, "en") is None
        assert pictures.groups(figures, "en") == ()

    def test_a_decision_whose_explanation_is_pending_has_no_contributions(self) -> None:
        nothing = np.zeros(0)
        trace = a_trace(
            contributions=nothing,
            capped_contributions=None,
            capped_score=None,
            cap_shares={},
            flags=("explanation_pending",),
        )
        assert pictures.contributions(some_decision_figures(trace=trace), "en") is None

    def test_text_in_a_picture_is_escaped(self) -> None:
        hostile = a_declaration(**{"Weekly wage": "<script>alert(1)</script>"})
        drawn = pictures.contributions(some_decision_figures(declaration=hostile), "en")
        assert drawn is not None
        assert "alert" in to_svg(drawn.wide)
        assert "<script" not in to_svg(drawn.wide) + to_svg(drawn.narrow)
