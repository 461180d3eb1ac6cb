"""Identifiers are named and quasi-identifiers banded, whatever their spelling."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.deidentification import Band, DeidentificationRules, banded, plan_for
from policies.rulebook import read_rulebook

RULES = DeidentificationRules(
    forbidden=("name", "phone*", "姓名"),
    bands=(Band(columns=("birth_year", "出生年份"), width=5.0), Band(columns=("birth_*",), width=10.0)),
)


class TestPlanFor:
    def test_a_reading_is_left_alone(self) -> None:
        plan = plan_for(["temperature"], RULES)
        assert (plan.forbidden, plan.bands) == ((), {})

    def test_names_every_forbidden_column_in_its_order(self) -> None:
        assert plan_for(["Phone_Home", "x", "姓名", "NAME"], RULES).forbidden == ("Phone_Home", "姓名", "NAME")

    def test_bands_a_quasi_identifier(self) -> None:
        assert plan_for(["出生年份"], RULES).bands == {"出生年份": 5.0}

    def test_of_two_bands_the_wider_holds(self) -> None:
        assert plan_for(["Birth_Year"], RULES).bands == {"Birth_Year": 10.0}

    def test_reads_the_columns_once(self) -> None:
        assert plan_for(iter(["name", "birth_year"]), RULES).bands == {"birth_year": 10.0}


class TestBanded:
    @pytest.mark.parametrize(
        ("value", "width", "lower"), [(47.0, 5.0, 45.0), (45.0, 5.0, 45.0), (-1.0, 5.0, -5.0), (0.0, 5.0, 0.0)]
    )
    def test_is_the_lower_end(self, value: float, width: float, lower: float) -> None:
        assert banded(value, width) == lower

    def test_missing_stays_missing(self) -> None:
        assert math.isnan(banded(math.nan, 5.0))

    @given(st.integers(-10_000, 10_000), st.integers(1, 100))
    def test_twice_is_once(self, value: int, width: int) -> None:
        assert banded(banded(value, width), width) == banded(value, width)

    @given(st.integers(-10_000, 10_000), st.integers(1, 100))
    def test_lies_within_one_width_below(self, value: int, width: int) -> None:
        assert 0 <= value - banded(value, width) < width

    @given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000), st.integers(1, 100))
    def test_keeps_the_order(self, one: int, other: int, width: int) -> None:
        assume(one <= other)
        assert banded(one, width) <= banded(other, width)


class TestBuiltIn:
    @pytest.mark.parametrize("column", ["Name", "身份证号", "手机号码", "E_Mail", "id_card_no", "车牌", "bank_card_1"])
    def test_forbids_direct_identifiers(self, column: str) -> None:
        assert plan_for([column], read_rulebook().deidentification).forbidden == (column,)

    @pytest.mark.parametrize("column", ["temperature", "nameplate_power", "addressed_by_valve", "设备名称"])
    def test_leaves_readings_alone(self, column: str) -> None:
        assert plan_for([column], read_rulebook().deidentification).forbidden == ()
