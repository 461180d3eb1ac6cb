"""A frozen value as plain JSON: the form in which page, PDF and file share the same figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum

import numpy as np

from policies.errors import Sentence


def plain(value: object) -> object:
    """Return `value` as dicts, lists, texts, numbers, booleans and None.

    Sentences become `{"en", "zh"}`, enumerations their name or value, dates ISO 8601, arrays lists; numbers that
    are not finite become None, because JSON knows none. Raises TypeError for anything else.

    Examples
    --------
    >>> plain({"when": date(2026, 11, 22), "rate": float("nan")})
    {'when': '2026-11-22', 'rate': None}
    """
    match value:
        case Sentence():
            return value.as_json()
        case Enum():
            return value.value if isinstance(value.value, str) else str(value)
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float() | np.floating():
            return float(value) if math.isfinite(value) else None
        case np.integer() | np.bool_():
            return value.item()
        case datetime() | date():
            return value.isoformat()
        case np.ndarray():
            return [plain(item) for item in value.tolist()]
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | frozenset():
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no plain JSON form")
