from __future__ import annotations

from audit.checks.purpose import Purpose
from tests.audit.checks.factories import of_predictions, run


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
