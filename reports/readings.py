"""A figure as one reader may see it: exact, or only the band it lies in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A value known to lie between `low` and `high`, both included; exact when they are equal."""

    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether it is one value and not a band."""
        return self.low == self.high

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, as drawings take them."""
        return self.low, self.high


def exactly(value: float | None) -> Reading | None:
    """Return an exact reading; None for a value that is missing or not finite."""
    return None if value is None or not math.isfinite(value) else Reading(low=float(value), high=float(value))


def band_width(span: float, about: int = 10) -> float:
    """Return a round width (1, 2 or 5 times a power of ten) that cuts `span` into about ten bands.

    Examples
    --------
    >>> band_width(50.0), band_width(1.0)
    (5.0, 0.1)
    """
    rough = abs(span) / about or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return min((power * factor for factor in (1.0, 2.0, 5.0, 10.0)), key=lambda width: abs(math.log(width / rough)))


def in_band(
    reading: Reading | None, limits: tuple[float, float] | None = None, *, least: float = 0.0
) -> Reading | None:
    """Return the band around a reading, cut at the limits of what is possible.

    Without limits the band is about a tenth of the value itself wide, so that it tells its size and no more.
    No band is narrower than `least`.

    Examples
    --------
    >>> in_band(exactly(47.3), (18.0, 68.0))
    Reading(low=45.0, high=50.0)
    """
    if reading is None:
        return None
    width = band_width(limits[1] - limits[0]) if limits else band_width(max(abs(reading.low), abs(reading.high)) * 2)
    width = max(width, least)
    low = math.floor(reading.low / width + 1e-9) * width
    high = (math.floor(reading.high / width + 1e-9) + 1) * width
    if limits:
        if low >= limits[1]:
            low, high = low - width, limits[1]
        low, high = max(low, limits[0]), min(high, limits[1])
    return Reading(low=round(low, 12), high=round(max(high, low), 12))
