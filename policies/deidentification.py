"""What must not reach a model or a trace in the clear: identifiers dropped, quasi-identifiers banded.

These are the rules; `audit.deidentify` applies them. One plan belongs to one model version and is the
same at check, at scoring and at replay.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.column_names import goes_by


@dataclass(frozen=True, kw_only=True)
class Band:
    """A quasi-identifier and the width of the bands its numbers are rounded down to."""

    columns: tuple[str, ...]
    width: float


@dataclass(frozen=True, kw_only=True)
class DeidentificationRules:
    """Column names that are forbidden outright, and those that are banded.

    `on_forbidden` says what happens to a call that brings a forbidden column along: "refuse" it, or "drop" the column
    before anything is scored or kept. A model never learns from one, whatever is said here.
    """

    forbidden: tuple[str, ...]
    bands: tuple[Band, ...]
    on_forbidden: str = "refuse"


@dataclass(frozen=True, kw_only=True)
class DeidentificationPlan:
    """What happens to each column of one model: forbidden names found, and band width by feature."""

    forbidden: tuple[str, ...]
    bands: Mapping[str, float]


def plan_for(columns: Iterable[str], rules: DeidentificationRules) -> DeidentificationPlan:
    """Return what the rules ask for these columns. Names are compared without regard to case."""
    names = list(columns)
    bands = {}
    for name in names:
        widths = [band.width for band in rules.bands if goes_by(name, band.columns)]
        if widths:
            bands[name] = max(widths)
    return DeidentificationPlan(
        forbidden=tuple(name for name in names if goes_by(name, rules.forbidden)),
        bands=bands,
    )


def banded(value: float, width: float) -> float:
    """Return the lower end of the band that holds `value`; NaN stays NaN.

    Examples
    --------
    >>> banded(47.0, 5.0)
    45.0
    """
    return value if math.isnan(value) else math.floor(value / width) * width
