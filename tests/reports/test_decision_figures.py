"""The figures of a decision, and how little of them an employee's letter holds."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from reports.readings import Reading
from tests.reports.factories import a_declaration, a_map, a_trace, some_decision_figures


class TestDecisionFigures:
    def test_contributions_come_largest_first(self) -> None:
        sizes = [abs(c.contribution.low) for c in some_decision_figures().contributions if c.contribution]
        assert sizes == sorted(sizes, reverse=True)
        assert len(sizes) == 7

    def test_contributions_in_force_are_the_clipped_ones(self) -> None:
        (age,) = [c for c in some_decision_figures().contributions if c.feature == "age"]
        assert age.contribution == Reading(low=0.22, high=0.22)
        assert age.capped

    def test_base_and_contributions_add_up_to_the_margin(self) -> None:
        figures = some_decision_figures()
        assert figures.base is not None
        assert figures.margin is not None
        total = figures.base.low + sum(c.contribution.low for c in figures.contributions if c.contribution)
        assert total == pytest.approx(figures.margin.low)

    def test_shares_add_up_to_one(self) -> None:
        assert sum(c.share.low for c in some_decision_figures().contributions) == pytest.approx(1.0)

    def test_without_a_clip_the_raw_score_stands(self) -> None:
        figures = some_decision_figures(trace=a_trace(capped_contributions=None, capped_score=None, flags=()))
        assert not figures.clipped
        assert figures.score == Reading(low=0.745, high=0.745)
        assert figures.score_before_clip is None

    def test_a_pending_explanation_leaves_no_contributions(self) -> None:
        pending = a_trace(contributions=np.zeros(0), capped_contributions=None, flags=("explanation_pending",))
        figures = some_decision_figures(trace=pending)
        assert not figures.explained
        assert figures.contributions == ()

    def test_a_missing_input_has_no_value(self) -> None:
        (gas,) = [c for c in some_decision_figures().contributions if c.feature == "gas_reading"]
        assert gas.value is None

    def test_towards_the_alarm_depends_on_the_protective_side(self) -> None:
        below = some_decision_figures(declaration=a_declaration(at_or_above="below"))
        above = some_decision_figures()
        assert [c.towards_alarm for c in below.contributions] == [not c.towards_alarm for c in above.contributions]

    def test_what_the_model_alone_says_may_differ_from_the_answer_given(self) -> None:
        standing = some_decision_figures(trace=a_trace(score=0.40, verdict=True))
        assert standing.alarmed
        assert not standing.model_alarms

    def test_the_deadline_counts_from_the_decision(self) -> None:
        assert some_decision_figures().contest_by == date(2026, 12, 18)

    def test_json_can_be_written_for_every_view(self) -> None:
        for view in ("employee", "reviewer", "regulator"):
            assert json.loads(json.dumps(some_decision_figures().for_view(view).as_json()))["view"] == view


class TestPlane:
    def test_a_yes_or_no_feature_spans_no_plane(self) -> None:
        found = a_map()
        two_places = np.zeros_like(found.supported)
        two_places[:, [0, 1, -2, -1]] = True
        assert some_decision_figures(plane=replace(found, supported=two_places)).plane is None
        assert some_decision_figures(plane=replace(found, supported=two_places.T)).plane is None

    def test_without_data_there_is_no_plane(self) -> None:
        found = a_map()
        assert some_decision_figures(plane=replace(found, supported=np.zeros_like(found.supported))).plane is None

    def test_the_boundary_lies_where_the_score_crosses_the_threshold(self) -> None:
        plane = some_decision_figures().plane
        assert plane is not None
        points = np.array([point for line in plane.boundary for point in line])
        margin = 0.9 * (points[:, 0] - 2.4) - (points[:, 1] - 700) / 420
        assert 1 / (1 + np.exp(-margin)) == pytest.approx(plane.threshold, abs=0.01)


EXACT = {412.0, 0.722, 0.745, 0.134, 0.91, 0.62, -0.33, -0.71, 905.0, 71.0}


def numbers_in(value: object) -> set[float]:
    match value:
        case dict():
            return {n for item in value.values() for n in numbers_in(item)}
        case list():
            return {n for item in value for n in numbers_in(item)}
        case float():
            return {round(value, 6)}
    return set()


class TestForView:
    def test_an_employee_sees_no_exact_input_score_or_contribution(self) -> None:
        seen = some_decision_figures().for_view("employee").as_json()
        seen.pop("plane")
        assert numbers_in(seen) & EXACT == set()
        assert numbers_in(some_decision_figures().as_json()) >= EXACT

    def test_an_employee_sees_no_names_of_people_or_systems(self) -> None:
        written = json.dumps(some_decision_figures().for_view("employee").as_json())
        assert not any(name in written for name in ("zhang.min", "svc-claims", "p-6b1f"))

    def test_an_employee_sees_no_scores_in_the_plane(self) -> None:
        plane = some_decision_figures().for_view("employee").plane
        assert plane is not None
        assert set(np.unique(plane.scores)) <= {0.0, 1.0}
        assert plane.case_x is not None
        assert not plane.case_x.exact

    def test_bands_hold_the_exact_values(self) -> None:
        exact = some_decision_figures().contributions
        banded = some_decision_figures().for_view("employee").contributions
        for one, other in zip(exact, banded, strict=True):
            assert other.contribution is None
            assert other.share.low <= one.share.low <= other.share.high
            if one.value is not None and other.value is not None:
                assert other.value.low <= one.value.low <= other.value.high

    def test_a_code_of_two_values_is_kept_back_altogether(self) -> None:
        (hospital,) = [c for c in some_decision_figures().for_view("employee").contributions if c.feature == "hospital"]
        assert hospital.value is not None
        assert hospital.value.ends == (0.0, 1.0)

    def test_a_reviewer_sees_figures_but_not_whom_they_are_about(self) -> None:
        seen = some_decision_figures().for_view("reviewer")
        assert seen.subject is None
        assert seen.score == Reading(low=0.722, high=0.722)
        assert seen.caller == "svc-claims"

    def test_a_regulator_sees_all(self) -> None:
        figures = some_decision_figures()
        assert json.dumps(figures.for_view("regulator").as_json()) == json.dumps(figures.as_json())

    def test_a_score_on_another_scale_is_banded_by_its_size(self) -> None:
        trace = a_trace(score=1834.2, capped_score=None, capped_contributions=None)
        score = some_decision_figures(trace=trace).for_view("employee").score
        assert score is not None
        assert score.low <= 1834.2 <= score.high
        assert math.log10(score.high - score.low) >= 2
