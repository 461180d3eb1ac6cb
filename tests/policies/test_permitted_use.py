"""Only intervention against a risk is served; every refusal says why."""

from __future__ import annotations

import pytest

from policies.permitted_use import PurposeRefused, PurposeRules, require_permitted
from policies.rulebook import read_rulebook
from tests.policies.factories import a_sentence

RULES = PurposeRules(
    allowed={"risk_intervention": a_sentence("to intervene"), "drill": a_sentence("to practise")},
    refused={"reward": a_sentence("nobody is rewarded")},
)


class TestRequirePermitted:
    def test_allowed_is_returned(self) -> None:
        assert require_permitted("risk_intervention", RULES) == "risk_intervention"

    def test_refused_says_why_and_what_is_allowed(self) -> None:
        with pytest.raises(PurposeRefused) as refused:
            require_permitted("reward", RULES)
        assert refused.value.says.en == (
            "purpose 'reward' is refused: nobody is rewarded; allowed: risk_intervention, drill"
        )
        assert refused.value.says.zh == (
            "用途“reward”被拒绝：（nobody is rewarded）；允许的用途：risk_intervention, drill"
        )

    def test_unknown_is_refused(self) -> None:
        with pytest.raises(PurposeRefused) as refused:
            require_permitted("curiosity", RULES)
        assert refused.value.says.en == "purpose 'curiosity' is not known; allowed: risk_intervention, drill"
        assert refused.value.says.zh == "未知用途“curiosity”，允许的用途：risk_intervention, drill"

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_not_stated_is_refused(self, nothing: str | None) -> None:
        with pytest.raises(PurposeRefused) as refused:
            require_permitted(nothing, RULES)
        assert refused.value.says.en == "no purpose was stated; state one of: risk_intervention, drill"
        assert refused.value.says.zh == "未说明用途，请说明用途，可用：risk_intervention, drill"

    def test_keeps_what_was_asked_for(self) -> None:
        with pytest.raises(PurposeRefused) as refused:
            require_permitted("curiosity", RULES)
        assert refused.value.purpose == "curiosity"

    def test_another_spelling_is_another_purpose(self) -> None:
        with pytest.raises(PurposeRefused, match="'Risk_Intervention' is not known"):
            require_permitted("Risk_Intervention", RULES)


class TestBuiltIn:
    def test_serves_one_purpose(self) -> None:
        assert list(read_rulebook().purposes.allowed) == ["risk_intervention"]

    @pytest.mark.parametrize("purpose", ["reward", "punishment", "ranking", "dismissal"])
    def test_refuses_what_would_turn_on_people(self, purpose: str) -> None:
        with pytest.raises(PurposeRefused, match="is refused"):
            require_permitted(purpose, read_rulebook().purposes)
