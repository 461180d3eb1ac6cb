"""Reads figures out of the findings of the checks: whatever is not there, or not a number, is None."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.errors import Sentence


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share in [0, 1] with its interval; the ends are None where none was computed."""

    value: float
    lo: float | None = None
    hi: float | None = None


def number(value: object) -> float | None:
    """Return a finite float, or None. True and False are not numbers here."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(value: object) -> int:
    """Return a whole number of cases, 0 where there is none."""
    found = number(value)
    return 0 if found is None else round(found)


def text(value: object) -> str:
    """Return a text, empty for None."""
    return "" if value is None else str(value)


def table(value: object) -> Mapping[str, object]:
    """Return a mapping, empty for anything that is not one."""
    return value if isinstance(value, Mapping) else {}


def rows(value: object) -> Iterator[Mapping[str, object]]:
    """Yield the mappings of a list; nothing for anything that is not a list."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from (item for item in value if isinstance(item, Mapping))


def rate(value: object) -> Rate | None:
    """Return a rate from `{"value", "lo", "hi"}` or from a bare number; None without a value."""
    if not isinstance(value, Mapping):
        alone = number(value)
        return None if alone is None else Rate(value=alone)
    middle = number(value.get("value"))
    if middle is None:
        return None
    return Rate(value=middle, lo=number(value.get("lo")), hi=number(value.get("hi")))


def verdict(value: object) -> bool | None:
    """Return whether something holds; None for "cannot conclude"."""
    return value if isinstance(value, bool) else None


def sentence(value: object) -> Sentence:
    """Return `{"en", "zh"}` as a sentence; one language stands in for the other."""
    if isinstance(value, Sentence):
        return value
    said = table(value)
    en, zh = text(said.get("en")), text(said.get("zh"))
    return Sentence(en=en or zh, zh=zh or en)
