"""One float64 comparison answers like the float32 comparison of the library."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from explainers.trees.thresholds import at_most_float64, below_float32

SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)


def around(value: float) -> np.ndarray:
    """Values next to `value` in float64 and in float32, and the halfway points between float32 neighbours."""
    single = np.float32(value)
    with np.errstate(all="ignore"):
        up, down = np.nextafter(single, np.float32(np.inf)), np.nextafter(single, np.float32(-np.inf))
        marks = np.array([value, single, up, down, (float(single) + float(up)) / 2, (float(single) + float(down)) / 2])
    marks = marks[np.isfinite(marks)]
    with np.errstate(under="ignore"):
        return np.concatenate([marks, np.nextafter(marks, np.inf), np.nextafter(marks, -np.inf)])


class TestBelowFloat32:
    @given(SINGLES)
    @example(0.0)
    @example(-0.0)
    @example(3.4028234663852886e38)
    @example(-3.4028234663852886e38)
    @example(1.401298464324817e-45)
    def test_answers_as_xgboost(self, threshold: float) -> None:
        edge = below_float32(np.array([threshold], dtype=np.float32))[0]
        x = around(threshold)
        with np.errstate(over="ignore"):
            assert ((x <= edge) == (x.astype(np.float32) < np.float32(threshold))).all()


class TestAtMostFloat64:
    @given(st.floats(-1e39, 1e39))
    @example(0.1)
    @example(0.5)
    def test_answers_as_scikit_learn(self, threshold: float) -> None:
        edge = at_most_float64(np.array([threshold]))[0]
        x = around(min(max(threshold, -3e38), 3e38))
        with np.errstate(over="ignore"):
            assert ((x <= edge) == (x.astype(np.float32).astype(np.float64) <= threshold)).all()

    def test_infinite_thresholds_stay(self) -> None:
        assert at_most_float64(np.array([np.inf, -np.inf])).tolist() == [np.inf, -np.inf]
