"""The figures of a model: read from findings, never made up, the same for page, PDF and JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.errors import Sentence
from tests.reports.factories import (
    a_declaration,
    a_group,
    a_group_bias,
    a_performance,
    a_plain_finding,
    some_findings,
    some_model_figures,
)


class TestModelFigures:
    def test_errors_are_counted_in_whole_cases_of_100(self) -> None:
        found = some_model_figures().performance
        assert found is not None
        assert (found.of_100_alarms_false, found.of_100_harms_missed, found.of_100_harmless_alarmed) == (26, 34, 12)

    def test_nothing_is_said_of_alarms_that_were_never_raised(self) -> None:
        found = some_model_figures(findings=[a_performance(tp=0, fp=0)]).performance
        assert found is not None
        assert found.of_100_alarms_false is None
        assert found.of_100_harms_missed == 100

    def test_a_check_without_a_result_leaves_its_figures_out(self) -> None:
        empty = a_plain_finding("performance", None, "too few rows", "行数太少")
        figures = some_model_figures(findings=[empty])
        assert figures.performance is None
        assert figures.holds is None
        assert figures.findings[0].says == Sentence(en="too few rows", zh="行数太少")

    def test_all_findings_of_a_check_are_heard(self) -> None:
        second = a_plain_finding("performance", False, "too many false alarms", "误报过多")
        found = some_model_figures(findings=[a_performance(), second]).performance
        assert found is not None
        assert found.holds is False
        assert [said.zh for said in found.says][1] == "误报过多"

    def test_one_finding_that_fails_outweighs_all_that_hold(self) -> None:
        assert some_model_figures().holds is False
        assert some_model_figures(findings=some_findings(group_bias=None, weight_caps=None, leakage=None)).holds is True

    def test_limits_are_those_of_the_tier(self) -> None:
        found = some_model_figures().performance
        assert found is not None
        assert found.limits["least_detection_rate"] == 0.30

    def test_features_come_by_importance_with_their_labels_and_caps(self) -> None:
        figures = some_model_figures()
        assert [f.name for f in figures.features][:2] == ["injury_kind", "hospital"]
        assert figures.features[-1].name == "gas_reading"  # declared, never measured
        assert figures.features[-1].share is None
        assert figures.named("age") == Sentence(en="Age", zh="年龄")
        assert figures.named("unheard_of").en == "unheard_of"

    def test_caps_carry_their_share_after_enforcement(self) -> None:
        figures = some_model_figures()
        assert [(cap.feature, cap.share, cap.after, cap.holds) for cap in figures.caps] == [
            ("age", 0.108, 0.082, False),
            ("male", 0.031, 0.031, True),
        ]
        assert figures.caps_total is not None
        assert figures.caps_total.after == 0.118

    @pytest.mark.parametrize(
        "broken",
        [
            {"evidence": {"confusion": {"tp": 1}, "rates": {"precision": None}, "curve": [{"threshold": "x"}]}},
            {"evidence": None},
            {"groups": None, "evidence": {"confusion": [], "rates": 3}},
        ],
    )
    def test_evidence_with_holes_breaks_nothing(self, broken: dict[str, Any]) -> None:
        figures = some_model_figures(findings=[{**a_performance(), **broken}])
        assert figures.performance is None or figures.performance.rates == {}

    def test_a_group_without_rates_stays_without(self) -> None:
        bare = a_group("sex", "men", miss_rate=None, false_alarm_rate={"value": float("nan")}, impact_ratio=None)
        (group,) = some_model_figures(findings=[a_group_bias([bare])]).groups
        assert group.miss_rate is None
        assert group.false_alarm_rate is None
        assert group.impact_ratio is None

    def test_the_deciding_cells_are_those_of_the_assessment(self) -> None:
        figures = some_model_figures()
        assert figures.tier == "L2"
        assert any(cell.decides for cell in figures.cells)

    def test_json_holds_every_figure_and_nothing_python(self) -> None:
        figures = some_model_figures()
        held = json.loads(json.dumps(figures.as_json()))
        assert held["performance"]["tp"] == 268
        assert held["version"]["name"] == "long-absence"
        assert held["prepared"] == "2026-11-22T09:30:00+00:00"
        assert held["format"] == 1

    def test_the_same_inputs_give_the_same_json(self) -> None:
        assert json.dumps(some_model_figures().as_json()) == json.dumps(some_model_figures().as_json())

    def test_a_model_that_grants_permits_says_so(self) -> None:
        figures = some_model_figures(declaration=a_declaration(at_or_above="below"))
        assert figures.protective == "below"
