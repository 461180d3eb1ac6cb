"""A team may be stricter than the rulebook about a feature, never laxer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.declaration import Feature
from policies.feature_caps import CapRule, CapRules, OnExceed, caps_for
from policies.rulebook import read_rulebook
from tests.policies.factories import a_declaration

RULES = CapRules(
    features=(
        CapRule(kind="age", columns=("age", "age_*", "年龄"), cap=0.10),
        CapRule(kind="origin", columns=("age_of_arrival",), cap=0.0),
    ),
    total=0.25,
    on_exceed=OnExceed.HAND_OVER,
)
SHARES = st.floats(0.0, 1.0)


class TestCapsFor:
    def test_a_feature_no_rule_names_has_no_cap(self) -> None:
        assert caps_for(["temperature"], RULES, a_declaration()).caps == {}

    def test_a_rule_names_it(self) -> None:
        assert caps_for(["age", "pressure"], RULES, a_declaration()).caps == {"age": 0.10}

    @pytest.mark.parametrize("name", ["AGE", "Age_Band", "年龄"])
    def test_case_and_language_do_not_hide_it(self, name: str) -> None:
        assert caps_for([name], RULES, a_declaration()).caps == {name: 0.10}

    def test_of_two_rules_the_stricter_holds(self) -> None:
        assert caps_for(["age_of_arrival"], RULES, a_declaration()).caps == {"age_of_arrival": 0.0}

    def test_a_stricter_declared_cap_counts(self) -> None:
        said = a_declaration(features={"age": Feature(name="age", cap=0.02)})
        assert caps_for(["age"], RULES, said).caps == {"age": 0.02}

    def test_a_laxer_declared_cap_is_ignored(self) -> None:
        said = a_declaration(features={"age": Feature(name="age", cap=0.60)})
        assert caps_for(["age"], RULES, said).caps == {"age": 0.10}

    def test_a_team_may_cap_what_the_rulebook_does_not(self) -> None:
        said = a_declaration(features={"shift": Feature(name="shift", cap=0.3)})
        assert caps_for(["shift"], RULES, said).caps == {"shift": 0.3}

    def test_a_cap_declared_for_a_feature_the_model_does_not_use_is_nobodys(self) -> None:
        said = a_declaration(features={"age": Feature(name="age", cap=0.02)})
        assert caps_for(["pressure"], RULES, said).caps == {}

    def test_total_and_consequence_are_the_rulebooks(self) -> None:
        found = caps_for(["age"], RULES, a_declaration())
        assert (found.total, found.on_exceed) == (0.25, OnExceed.HAND_OVER)

    @given(SHARES, SHARES)
    def test_never_laxer_than_either(self, ruled: float, declared: float) -> None:
        rules = CapRules(
            features=(CapRule(kind="age", columns=("age",), cap=ruled),), total=1.0, on_exceed=OnExceed.CLIP
        )
        said = a_declaration(features={"age": Feature(name="age", cap=declared)})
        assert caps_for(["age"], rules, said).caps["age"] == min(ruled, declared)


class TestBuiltIn:
    @pytest.mark.parametrize(
        ("name", "cap"),
        [
            ("age", 0.10),
            ("LAGE", 0.10),
            ("年龄", 0.10),
            ("TOT_EXPER", 0.10),
            ("工龄", 0.10),
            ("male", 0.05),
            ("性别", 0.05),
            ("MARRIED", 0.05),
            ("婚姻状况", 0.05),
            ("民族", 0.0),
            ("户籍所在地", 0.0),
            ("race", 0.0),
        ],
    )
    def test_knows_personal_features(self, name: str, cap: float) -> None:
        assert caps_for([name], read_rulebook().caps, a_declaration()).caps == {name: cap}

    @pytest.mark.parametrize("name", ["voltage", "stage", "sextant_angle", "temperature", "温度", "trace_h2s"])
    def test_takes_no_reading_for_a_person(self, name: str) -> None:
        assert caps_for([name], read_rulebook().caps, a_declaration()).caps == {}
