"""Bands hold what they hide, and stay within what is possible."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from reports.readings import Reading, band_width, exactly, in_band

numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


class TestExactly:
    def test_nothing_is_made_of_a_missing_value(self) -> None:
        assert exactly(None) is None
        assert exactly(math.nan) is None

    def test_a_value_is_exact(self) -> None:
        reading = exactly(3.5)
        assert reading is not None
        assert reading.exact


class TestBandWidth:
    @given(st.floats(min_value=1e-6, max_value=1e6))
    def test_about_ten_bands(self, span: float) -> None:
        assert 4 <= span / band_width(span) <= 20


class TestInBand:
    @given(numbers, st.tuples(numbers, numbers).filter(lambda ends: ends[1] - ends[0] > 1e-3))
    def test_the_band_holds_a_value_within_the_limits(self, value: float, limits: tuple[float, float]) -> None:
        low, high = limits
        inside = min(max(value, low), high)
        band = in_band(exactly(inside), limits)
        assert band is not None
        assert band.low - 1e-6 <= inside <= band.high + 1e-6
        assert low - 1e-6 <= band.low <= band.high <= high + 1e-6

    @given(numbers.filter(lambda value: abs(value) > 1e-3))
    def test_without_limits_the_band_hides_the_value(self, value: float) -> None:
        band = in_band(exactly(value))
        assert band is not None
        assert not band.exact
        assert band.low <= value + 1e-6
        assert value <= band.high + 1e-6

    def test_no_band_is_narrower_than_asked(self) -> None:
        assert in_band(Reading(low=1.0, high=1.0), (0.0, 1.0), least=1.0) == Reading(low=0.0, high=1.0)

    def test_values_of_one_band_look_alike(self) -> None:
        assert in_band(exactly(45.0), (16.0, 70.0)) == in_band(exactly(49.9), (16.0, 70.0))
