"""The line at which a field crosses a level lies where it must."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.charts.contours import contour

Floats = npt.NDArray[np.float64]


def grid(size: int = 41) -> tuple[Floats, Floats, Floats]:
    axis = np.linspace(-2, 2, size)
    across, up = np.meshgrid(axis, axis)
    return axis, across, up


class TestContour:
    @given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.9, 0.9))
    def test_points_on_a_plane_lie_on_the_level(self, a: float, b: float, level: float) -> None:
        axis, across, up = grid(9)
        for line in contour(axis, axis, a * across + b * up, level):
            for x, y in line:
                assert a * x + b * y == pytest.approx(level, abs=1e-9)

    def test_a_circle_is_one_closed_line_at_its_radius(self) -> None:
        axis, across, up = grid()
        (line,) = contour(axis, axis, across**2 + up**2, 1.0)
        assert line[0] == line[-1]
        assert np.hypot(*np.array(line).T) == pytest.approx(1.0, abs=0.01)

    def test_a_field_on_one_side_has_no_line(self) -> None:
        axis, across, _ = grid(5)
        assert contour(axis, axis, np.zeros_like(across), 0.5) == ()

    def test_a_saddle_gives_two_lines(self) -> None:
        axis = np.array([0.0, 1.0])
        lines = contour(axis, axis, np.array([[1.0, 0.0], [0.0, 1.0]]), 0.6)
        assert len(lines) == 2

    def test_no_line_where_there_are_no_data(self) -> None:
        axis, across, _ = grid()
        left = across < -1
        assert contour(axis, axis, across, 0.0, left) == ()

    def test_squares_with_an_unknown_corner_are_left_out(self) -> None:
        axis, across, up = grid()
        field = across.copy()
        field[up > 0] = np.nan
        (line,) = contour(axis, axis, field, 0.05)
        assert max(y for _, y in line) <= 0.0

    @given(st.integers(0, 10_000))
    def test_line_ends_meet_or_lie_on_the_border(self, seed: int) -> None:
        axis = np.arange(7.0)
        field = np.random.default_rng(seed).normal(size=(7, 7))
        for line in contour(axis, axis, field, 0.0):
            closed = line[0] == line[-1]
            assert closed or all(min(*end, 6 - end[0], 6 - end[1]) == 0 for end in (line[0], line[-1]))
