from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checks.purpose import Purpose
from policies.declaration import Feature
from policies.protected_acts import protected_among
from tests.audit.checks.factories import of_predictions, run

FEATURE = Feature(name="any")


class TestPurpose:
    def test_risk_intervention_is_allowed(self) -> None:
        assert run(Purpose(), of_predictions([0, 1], [0.1, 0.9]))[0].holds is True

    def test_reward_is_refused(self) -> None:
        found = run(Purpose(), of_predictions([0, 1], [0.1, 0.9], purpose="reward"))[0]
        assert found.holds is False
        assert found.says.en == (
            "purpose 'reward' is refused: a risk model is not a basis for reward; allowed: risk_intervention"
        )

    def test_unknown_purpose_is_refused(self) -> None:
        assert run(Purpose(), of_predictions([0, 1], [0.1, 0.9], purpose="marketing"))[0].holds is False

    def test_a_description_that_speaks_of_pay_is_asked_about(self) -> None:
        said = "预测风险高的员工，扣罚当月绩效"
        found = run(Purpose(), of_predictions([0, 1], [0.1, 0.9], description=said))[0]
        assert found.holds is None
        assert [line["word"] for line in found.groups] == ["绩效", "扣罚"]

    @pytest.mark.parametrize(
        ("changes", "columns"),
        [
            ({"features": {"override_count": FEATURE, "temperature": FEATURE}}, ["override_count"]),
            ({"label": "stop_work_by_worker"}, ["stop_work_by_worker"]),
            ({"groups": ("sex", "申诉次数")}, ["申诉次数"]),
        ],
        ids=["feature", "label", "group"],
    )
    def test_acts_the_law_protects_are_never_held_against_people(
        self, changes: dict[str, Any], columns: list[str]
    ) -> None:
        examined = of_predictions([0, 1], [0.1, 0.9])
        declared = examined.declaration
        features = changes.pop("features", declared.features)
        declared = replace(declared, features=features, data=replace(declared.data, **changes))
        found = run(Purpose(), replace(examined, declaration=declared))[0]
        assert found.holds is False
        assert [line["field"] for line in found.groups] == columns
        assert "acts against people that the law protects" in found.says.en

    @given(st.sampled_from(["temperature", "pressure", "evacuated", "shift", "interlock_override", "accuracy", "压力"]))
    def test_readings_of_a_plant_are_no_such_acts(self, name: str) -> None:
        assert protected_among([name]) == {}
