"""The letter about one decision, read back from its PDF, for each of its readers."""

from __future__ import annotations

import re
from typing import Any, get_args

import numpy as np
import pytest

from policies.errors import Sentence
from reports.charts import to_svg
from reports.decision_figures import View
from reports.decision_letter import boundary_drawings, decision_letter
from reports.facts import OutcomeFacts, ReviewFacts
from reports.wording import LANGUAGES, Language, say
from tests.reports.factories import DECIDED, DIGEST, ROOT, a_declaration, a_trace, some_decision_figures
from tests.reports.pdf_text import reader, squeezed, words_of

VIEWS: tuple[View, ...] = get_args(View)
LONG = "average_hydrogen_sulphide_concentration_upstream_of_valve_07"


def letter(view: View = "regulator", language: Language = "en", **changed: Any) -> str:
    return words_of(decision_letter(some_decision_figures(**changed), language, view))


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> View:
    chosen: View = request.param
    return chosen


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


class TestEveryView:
    def test_same_figures_same_bytes(self, view: View, language: Language) -> None:
        figures = some_decision_figures()
        assert decision_letter(figures, language, view) == decision_letter(figures, language, view)

    def test_it_says_what_was_decided_and_how_to_contest_it(self, view: View) -> None:
        text = letter(view)
        assert squeezed("On 18 November 2026 06:05 UTC the system raised an alarm.") in text
        assert squeezed("You can contest this decision until 18 December 2026.") in text
        assert squeezed("answers within 15 days") in text

    def test_it_says_so_in_chinese(self, view: View) -> None:
        text = letter(view, "zh")
        assert squeezed("系统于 2026年11月18日 06:05 UTC 发出报警。") in text
        assert squeezed("您可以在2026年12月18日之前对本次判定提出申诉。") in text

    def test_it_names_the_five_features_that_mattered_most(self, view: View) -> None:
        text = letter(view)
        for name in (
            "Kind of injury",
            "Treated in hospital",
            "Weekly wage before the injury",
            "Age (capped)",
            "Industry",
        ):
            assert squeezed(name) in text
        assert "412USD" in text or "400–600USD" in text

    def test_it_carries_the_proof(self, view: View) -> None:
        text = letter(view)
        for proof in (DIGEST, ROOT, "01941f29-7c00-7b1e-9d2a-3f5c8e0a4b77", "17,411", "mingjingverifybundle.json"):
            assert proof in text

    def test_it_names_what_was_missing(self, view: View) -> None:
        assert squeezed("Values that were not there: Gas concentration at the time.") in letter(view)

    def test_its_outline_and_language(self, view: View, language: Language) -> None:
        opened = reader(decision_letter(some_decision_figures(), language, view))
        assert opened.root_object["/Lang"] == ("zh-CN" if language == "zh" else "en")
        assert len(opened.outline) == 8


class TestEmployee:
    @pytest.mark.parametrize("exact", ["0.722", "0.745", "13.4%", "+0.91", "−0.71", "412", "905", "0.95"])
    def test_no_exact_figure(self, exact: str, language: Language) -> None:
        figures = re.sub("[0-9a-f]{16,}", "", letter("employee", language))  # a digest may hold any digits
        assert exact not in figures
        assert exact in letter("regulator", language)

    @pytest.mark.parametrize("name", ["zhang.min", "svc-claims", "p-6b1f"])
    def test_no_names(self, name: str, language: Language) -> None:
        assert name not in letter("employee", language)
        assert name in letter("regulator", language)

    def test_bands_instead(self) -> None:
        text = letter("employee")
        assert squeezed("Score 0.7–0.8; the threshold is 0.42.") in text
        assert squeezed("45–50 years") in text
        assert squeezed("Kind of injury: from 3–4 to 1–2") in text

    def test_the_clip_is_told_without_scores(self) -> None:
        assert squeezed("personal features weighed more than the rulebook allows: Age 10%–20% (cap 10%).") in letter(
            "employee"
        )


class TestReviewer:
    def test_exact_figures_but_no_pseudonym(self) -> None:
        text = letter("reviewer")
        assert squeezed("from 0.745 to 0.722") in text
        assert "zhang.min" in text
        assert "p-6b1f" not in text


class TestWhatBecameKnown:
    @pytest.mark.parametrize("harmed", [True, False])
    def test_is_told_with_its_day(self, harmed: bool, language: Language, view: View) -> None:
        known = OutcomeFacts(harmed=harmed, source="insurer Wang", time=DECIDED)
        text = words_of(decision_letter(some_decision_figures(outcome=known), language, view))
        key = "decided.harmed" if harmed else "decided.unharmed"
        assert squeezed(say(language, key, time=DECIDED)) in text
        assert ("insurerWang" in text) is (view != "employee")

    def test_nothing_is_said_while_nothing_is_known(self, language: Language) -> None:
        assert squeezed(say(language, "decided.unharmed", time=DECIDED)) not in letter("regulator", language)


class TestRequests:
    def test_are_told_with_their_answers(self, language: Language) -> None:
        said = [
            ReviewFacts(kind="explanation", time=DECIDED, actor="w", says="why?"),
            ReviewFacts(kind="human_decision", time=DECIDED, actor="w", says="a person, please"),
            ReviewFacts(kind="answer", time=DECIDED, actor="li.na", says="we looked", outcome="changed"),
        ]
        text = words_of(decision_letter(some_decision_figures(reviews=said), language, "employee"))
        for words in (
            say(language, "reviewed.explanation"),
            say(language, "reviewed.human_decision"),
            say(
                language,
                "reviewed.came_to",
                act=say(language, "reviewed.answer"),
                outcome=say(language, "counted.changed"),
            ),
        ):
            assert squeezed(words) in text
        assert "li.na" not in text


class TestCases:
    def test_no_alarm(self) -> None:
        trace = a_trace(verdict=False, score=0.2, capped_contributions=None, capped_score=None, cap_shares={})
        assert squeezed("the system raised no alarm") in letter(trace=trace)

    @pytest.mark.parametrize(
        ("verdict", "said"), [(True, "refused a clearance"), (False, "stands against the clearance")]
    )
    def test_a_model_that_grants_permits(self, verdict: bool, said: str) -> None:
        declared = a_declaration(at_or_above="below")
        assert squeezed(said) in letter(declaration=declared, trace=a_trace(verdict=verdict, protective="below"))

    def test_a_pending_explanation(self) -> None:
        pending = a_trace(contributions=np.zeros(0), capped_contributions=None, capped_score=None, cap_shares={})
        assert squeezed("an alarm never waits") in letter(trace=pending, flips=(), plane=None, change=None)

    def test_nothing_flips_it(self) -> None:
        assert squeezed("no small change leads to the other answer") in letter(change=None)

    def test_nobody_looked_for_a_change(self) -> None:
        assert squeezed("It was not computed which change") in letter(change=None, searched=False)

    def test_no_boundary(self) -> None:
        assert squeezed("No boundary was computed for this decision.") in letter(flips=(), plane=None)

    def test_an_override_is_said_before_anything_is_explained(self, view: View) -> None:
        changed = ReviewFacts(kind="override", time=DECIDED, actor="zhao", says="The surgeon gives two weeks.")
        text = letter(view, reviews=(changed,))
        assert text.index(squeezed("A person changed this decision")) < text.index(squeezed("What mattered most"))

    def test_nobody_has_reviewed_it(self) -> None:
        assert squeezed("No person has reviewed this decision yet.") in letter(reviews=())

    def test_handed_over(self) -> None:
        trace = a_trace(flags=("handed_over",), capped_contributions=None, capped_score=None)
        assert squeezed("so the decision was handed over to a person") in letter(trace=trace)

    def test_an_alarm_that_the_clip_would_clear_stands(self, view: View) -> None:
        text = letter(view, trace=a_trace(capped_score=0.40, flags=("capped", "clip_kept_alarm", "handed_over")))
        assert squeezed("so the alarm stands and a person was called") in text
        assert squeezed("the decision was handed over to a person") not in text

    @pytest.mark.parametrize("flag", ["review_required", "permit_lapsed", "replay_clock"])
    def test_marks_that_matter_are_said(self, flag: str, language: Language) -> None:
        assert squeezed(say(language, f"decided.{flag}")) in letter("employee", language, trace=a_trace(flags=(flag,)))

    def test_marks_are_said_in_words(self) -> None:
        assert squeezed("Marks clipped to a cap, made_tomorrow") in letter(
            trace=a_trace(flags=("capped", "made_tomorrow"))
        )

    def test_caps_that_were_kept(self) -> None:
        trace = a_trace(capped_contributions=None, capped_score=None, cap_shares={"age": 0.04}, flags=())
        assert squeezed("Personal features stayed within their caps: Age 4.0% (cap 10%).") in letter(trace=trace)

    def test_caps_of_a_rulebook_that_has_moved_on_are_not_shown(self) -> None:
        trace = a_trace(rulebook_digest="0" * 64)
        assert squeezed("than the rulebook allows: Age 13.4%, Sex 2.0%.") in letter(trace=trace)

    def test_sampled_contributions_say_that_they_are_estimates(self) -> None:
        assert squeezed("estimated by sampling (permutation)") in letter(trace=a_trace(method="permutation"))

    def test_no_checkpoint(self) -> None:
        assert squeezed(say("en", "proof.no_root")) in letter(log=None)

    def test_names_with_markup_and_sixty_characters(self, view: View, language: Language) -> None:
        declared = a_declaration(**{"Kind of injury": "<b>R&D</b>", "伤害类型": "<b>R&D</b>"})
        assert "<b>R&D</b>" in letter(view, language, declaration=declared)
        declared = a_declaration(**{"Kind of injury": LONG, "伤害类型": LONG})
        assert letter(view, language, declaration=declared).count(LONG) >= 3

    def test_words_that_are_no_numbers(self) -> None:
        trace = a_trace(texts={"injury_kind": "fracture"})
        assert "fracture" in letter(trace=trace)


class TestBoundaryDrawings:
    def test_page_and_pdf_draw_the_same_words(self, view: View, language: Language) -> None:
        figures = some_decision_figures().for_view(view)
        text = words_of(decision_letter(some_decision_figures(), language, view))
        for drawing in boundary_drawings(figures, language):
            assert to_svg(drawing)
            for label in drawing.labels:
                assert squeezed(label.text) in text

    def test_without_ranges_there_is_no_picture(self) -> None:
        assert boundary_drawings(some_decision_figures(flips=(), plane=None), "en") == ()

    def test_labels_are_those_people_use(self) -> None:
        lines, _ = boundary_drawings(some_decision_figures(), "zh")
        assert Sentence(en="Kind of injury", zh="伤害类型").zh in [label.text for label in lines.labels]
