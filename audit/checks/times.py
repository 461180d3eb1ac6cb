"""Reading times out of columns, however far from our own century they lie."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

ISO = re.compile(r"\s*(\d{4})[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?)?(?:[T\s].*)?\s*")
"""Dates that begin with the year, as `2202-11-21`, `2202/11/21` or `2202年11月21日`."""

SECONDS_PER_YEAR = 365.2425 * 86400
SECONDS_FROM = 1e8
"""Numbers above this are seconds since 1970, not a count of rows or hours."""

SECONDS_TO = 1e10
"""Numbers above this are too large for seconds of any year that matters."""

LEAST_STEPS = 50
"""Steps under which nobody can say that times are regular."""

NAMES = re.compile(r"(date|time|_dt$|_at$|timestamp|日期|时间)", re.IGNORECASE)
"""Names under which text is tried as a time."""


def is_time_like(column: pd.Series, name: str) -> bool:
    """Whether a column holds times: by its type, or text under a telling name that mostly reads as dates."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if numeric(column) or not NAMES.search(name):
        return False
    some = column.dropna().astype("string").head(200)
    return len(some) > 0 and bool(some.str.fullmatch(ISO.pattern).mean() > 0.8)


def numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers or truth values."""
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def times_of(column: pd.Series) -> Floats:
    """Return seconds since 1970 (UTC), NaN where there is no readable time. Numbers are taken as seconds."""
    if numeric(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column.astype("string"), errors="coerce", utc=True, format="mixed")
    elif column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    else:
        column = column.dt.tz_localize(None)
    if column.dt.tz is not None:
        column = column.dt.tz_localize(None)
    micro = column.to_numpy(dtype="datetime64[us]")
    seconds = micro.astype(np.int64) / 1e6
    return np.asarray(np.where(np.isnat(micro), np.nan, seconds))


def usual_step(times: Floats) -> float | None:
    """Return the usual distance of regularly sampled times, in seconds.

    None where times are those of single events: nine steps in ten must lie within half of the median step, and
    there must be fifty.
    """
    steps = np.diff(np.sort(times[np.isfinite(times)]))
    steps = steps[steps > 0]
    if len(steps) < LEAST_STEPS:
        return None
    usual = float(np.median(steps))
    return usual if float(np.mean(np.abs(steps - usual) <= 0.5 * usual)) >= 0.9 else None


def year_of(column: pd.Series) -> Floats:
    """Return the year of every time, NaN where there is none.

    A column of whole numbers from 1000 to 9999 holds years, one of very large numbers seconds since 1970; any
    other numbers count something else, such as steps, and have no year.
    """
    if numeric(column):
        return _years_of_numbers(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_datetime64_any_dtype(column):
        return np.asarray(column.dt.year.to_numpy(dtype=np.float64, na_value=np.nan))
    texts = column.astype("string")
    told = texts.str.extract(ISO.pattern, expand=True)[0]
    years_told = pd.to_numeric(told, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    rest = np.isnan(years_told) & texts.notna().to_numpy()
    if rest.any():
        seconds = times_of(column[rest])
        years_told[rest] = np.floor(1970 + seconds / SECONDS_PER_YEAR)
    return np.asarray(years_told)


def _years_of_numbers(values: Floats) -> Floats:
    known = values[np.isfinite(values)]
    if len(known) and ((known >= 1000) & (known <= 9999) & (known == np.round(known))).all():
        return values
    if len(known) and np.median(known) > SECONDS_FROM:
        return np.asarray(np.floor(1970 + values / SECONDS_PER_YEAR))
    return np.full(len(values), np.nan)
