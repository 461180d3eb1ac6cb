"""One comparison for all libraries: every numeric split becomes `float64 x <= threshold`.

XGBoost asks `float32(x) < float32 t`, scikit-learn's trees `float32(x) <= float64 t`, LightGBM and
HistGradientBoosting `float64 x <= float64 t`. Rounding to float32 never reverses an order, so each of them is
the same as comparing x itself with the largest float64 that still passes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def largest_rounding_to(limit: npt.NDArray[np.float32]) -> Floats:
    """Return the largest float64 that round-to-nearest-even turns into a float32 <= `limit`.

    Examples
    --------
    >>> edge = largest_rounding_to(np.array([0.1], dtype=np.float32))[0]
    >>> bool(np.float32(edge) <= np.float32(0.1)), bool(np.float32(np.nextafter(edge, 1)) <= np.float32(0.1))
    (True, False)
    """
    limit = np.asarray(limit, dtype=np.float32)
    with np.errstate(over="ignore", under="ignore"):
        above = np.nextafter(limit, np.float32(np.inf)).astype(np.float64)
    # past the largest float32, rounding to infinity starts half a step of the last binade further on
    above = np.where(np.isposinf(above) & np.isfinite(limit), 2.0**128, above)
    low = limit.astype(np.float64)
    with np.errstate(invalid="ignore"):
        middle = low + (above - low) / 2
    even = (limit.view(np.uint32) & 1) == 0
    edge = np.where(even, middle, np.nextafter(middle, -np.inf))
    return np.asarray(np.where(np.isfinite(limit), edge, low))


def below_float32(threshold: npt.NDArray[np.float32]) -> Floats:
    """Return t64 such that `x <= t64` is `float32(x) < threshold`."""
    return largest_rounding_to(_next_below(np.asarray(threshold, dtype=np.float32)))


def at_most_float64(threshold: Floats) -> Floats:
    """Return t64 such that `x <= t64` is `float32(x) <= threshold` for a float64 threshold."""
    threshold = np.asarray(threshold, dtype=np.float64)
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    above = nearest.astype(np.float64) > threshold
    return largest_rounding_to(np.where(above, _next_below(nearest), nearest))


def _next_below(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        return np.nextafter(values, np.float32(-np.inf))
