"""Rows of one regime: the night, the winter, the start-up, the small plants, the newest tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from audit.checks.columns import numbers
from audit.checks.examined import Bools, Floats
from audit.checks.times import is_time_like, times_of
from policies.errors import Sentence
from policies.probes import SELECTORS

DAY = 86_400.0


def has_regime(told: Mapping[str, Any]) -> bool:
    """Whether the parameters of a probe name a regime."""
    return any(key in told for key in SELECTORS)


def rows_of_regime(column: pd.Series, told: Mapping[str, Any]) -> tuple[Bools, Bools] | None:
    """Return which rows are in the regime and in which rows that is known; None where the column cannot tell."""
    if "values" in told:
        texts = column.astype("string").str.strip().str.casefold()
        wanted = {value.casefold() for value in told["values"]}
        return texts.isin(wanted).fillna(False).to_numpy(dtype=bool), texts.notna().to_numpy(dtype=bool)
    if "hours" in told or "months" in told:
        clock = hours_of(column) if "hours" in told else months_of(column)
        if clock is None:
            return None
        start, end = told.get("hours") or told["months"]
        with np.errstate(invalid="ignore"):
            inside = (clock >= start) & (clock < end) if start <= end else (clock >= start) | (clock < end)
        return np.asarray(inside & np.isfinite(clock)), np.asarray(np.isfinite(clock))
    values = numbers(column)
    if values is None or not np.isfinite(values).any():
        return None
    known = np.isfinite(values)
    return np.asarray(_beyond(values, known, told) & known), np.asarray(known)


def _beyond(values: Floats, known: Bools, told: Mapping[str, Any]) -> Bools:
    with np.errstate(invalid="ignore"):
        if "above" in told:
            return np.asarray(values > told["above"])
        if "below" in told:
            return np.asarray(values < told["below"])
        if "highest" in told:
            return np.asarray(values > np.quantile(values[known], 1 - told["highest"]))
        return np.asarray(values < np.quantile(values[known], told["lowest"]))


def hours_of(column: pd.Series) -> Floats | None:
    """Return the hour of day, with its fraction: from times, or from numbers that are hours already."""
    return _clock(column, 24.0, lambda seconds: seconds % DAY / 3600)


def months_of(column: pd.Series) -> Floats | None:
    """Return the month from 1 to 12: from times, or from numbers that are months already."""
    return _clock(column, 12.0, _month)


def _month(seconds: Floats) -> Floats:
    found = pd.to_datetime(pd.Series(seconds), unit="s", errors="coerce").dt.month
    return np.asarray(found.to_numpy(dtype=np.float64, na_value=np.nan))


def _clock(column: pd.Series, top: float, of_times: Any) -> Floats | None:
    values = numbers(column)
    if values is not None:
        known = values[np.isfinite(values)]
        if len(known) and known.min() >= 0 and known.max() <= top:
            return values
        return np.asarray(of_times(values)) if len(known) and known.min() > 1e8 else None
    if not is_time_like(column, "time"):
        return None
    seconds = times_of(column)
    known = seconds[np.isfinite(seconds)]
    if top == 24.0 and len(known) and not (known % DAY).any():
        return None  # days without a time of day
    return np.asarray(of_times(seconds))


def regime_said(told: Mapping[str, Any]) -> Sentence:
    """Return how a regime reads."""
    if "hours" in told:
        start, end = told["hours"]
        return Sentence(en=f"from {start}:00 to {end}:00", zh=f"处于 {start} 时至 {end} 时")
    if "months" in told:
        start, end = told["months"]
        return Sentence(en=f"from month {start} until month {end}", zh=f"处于 {start} 月至 {end} 月之前")
    if "values" in told:
        shown = told["values"][:3]
        return Sentence(en=f"being {' or '.join(shown)}", zh=f"为{'、'.join(shown)}")
    for key, en, zh in (("above", "above", "高于"), ("below", "below", "低于")):
        if key in told:
            return Sentence(en=f"{en} {told[key]:g}", zh=f"{zh} {told[key]:g}")
    key, en, zh = ("highest", "highest", "最高的") if "highest" in told else ("lowest", "lowest", "最低的")
    return Sentence(en=f"among the {en} {told[key]:.0%}", zh=f"处于{zh} {told[key]:.0%}")
