from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checks.identifiers import WEIGHTS, count_identifiers, identifiers_in, is_bank_card, is_id_card


class TestIdentifiersIn:
    @pytest.mark.parametrize(
        ("text", "kinds"),
        [
            ("身份证11010519491231002X已登记", {"id_card"}),
            ("请拨打13812345678联系班组", {"phone"}),
            ("call +86 13912345678", {"phone"}),
            ("reach him at (304) 555-0175 tonight", {"phone"}),
            ("SSN 219-09-9999 on file", {"social_security"}),
            ("卡号 4111 1111 1111 1111", {"bank_card"}),
            ("车辆京A·F0236入场", {"licence_plate"}),
            ("新能源车粤BD12345", {"licence_plate"}),
            ("write to li.wei@plant-07.example.cn", {"mail"}),
            ("伤者：王小明，右手挤压伤", {"name"}),
            ("由李师傅更换阀门", {"name"}),
            ("Mr. John Carter slipped", {"name"}),
            ("Foreman Davis saw it", {"name"}),
        ],
    )
    def test_what_names_a_person(self, text: str, kinds: set[str]) -> None:
        assert identifiers_in(text) == kinds

    @pytest.mark.parametrize(
        "text",
        [
            "110105194912310021",  # wrong check character
            "压力 1.38123 MPa，流量 12345 m3/h",
            "2021-06-21 08:30:00",
            "EMPLOYEE WAS LIFTING A CABLE AND STRAINED HIS BACK",
            "设备编号 A12345，阀门 V-203",
            "序列号 1234567890123456",
            "班长检查了现场",
            "高温报警后人员撤离",
            "pump P-101 at 219-9-99",
        ],
    )
    def test_what_does_not(self, text: str) -> None:
        assert identifiers_in(text) == frozenset()


class TestChecksums:
    @given(st.integers(110000, 659999), st.dates(), st.integers(0, 999))
    @settings(deadline=None)
    def test_exactly_one_check_character_fits(self, region: int, born: object, order: int) -> None:
        digits = f"{region}{born:%Y%m%d}"[:14].ljust(14, "1") + f"{order:03d}"
        fitting = [letter for letter in "0123456789X" if is_id_card(digits + letter)]
        assert len(fitting) == 1 and len(WEIGHTS) == 17

    @given(st.integers(4 * 10**14, 5 * 10**14 - 1))
    @settings(deadline=None)
    def test_exactly_one_luhn_digit_fits(self, number: int) -> None:
        assert sum(is_bank_card(f"{number}{digit}") for digit in range(10)) == 1


class TestCountIdentifiers:
    def test_numbers_read_as_numbers_are_seen_too(self) -> None:
        assert count_identifiers(pd.Series([13812345678, 13912345678, np.nan])) == {"phone": 2}

    def test_measurements_are_not(self) -> None:
        assert count_identifiers(pd.Series(np.random.default_rng(0).normal(1e11, 1e10, 500))) == {}
        assert count_identifiers(pd.Series([True, False])) == {}
