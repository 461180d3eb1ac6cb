"""Every sentence the reports say, looked up in a catalogue per language and filled with figures.

The catalogues are `phrases/zh.toml` and `phrases/en.toml`. A placeholder names how its value is written:

=================  =====================================================  ==================
`{x:percent}`      a share in [0, 1], one decimal                         26.4%
`{x:points}`       the same without the sign                              26.4
`{x:whole}`        a share in [0, 1], no decimals                         26%
`{x:signed}`       a number with its sign, three significant digits       +0.42
`{x:number}`       a number, four significant digits                      12.35
`{n:count}`        how many, with thousands marked                        7,150
`{t:day}`          a date                                                 2026-11-22 spelled out
`{t:moment}`       a date and time, in UTC                                the same with 14:05 UTC
`{n:of a b}`       `a` when n is 1, else `b` (English number)             alarm / alarms
=================  =====================================================  ==================
"""

from __future__ import annotations

import math
import re
import string
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from policies.errors import Sentence
from reports.plain_text import code_of

Language: TypeAlias = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
CATALOGUES = Path(__file__).parent / "phrases"
MINUS = "\u2212"
EDGE = "\ue000"
"""Marks where a name was filled in, until the spaces around it are set."""
LATIN_MEETS_CHINESE = re.compile(f"(?<=[一-鿿]){EDGE}(?=[A-Za-z0-9])|(?<=[A-Za-z0-9]){EDGE}(?=[一-鿿])")


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return all phrases of one language by their dotted key."""
    document = tomllib.loads((CATALOGUES / f"{language}.toml").read_text(encoding="utf-8"))
    return MappingProxyType(dict(_flat("", document)))


def say(language: Language, key: str, **values: object) -> str:
    """Return the phrase `key` in `language`, with every placeholder filled.

    Raises KeyError when the phrase or a value for it is missing: a report with a hole in a sentence is not
    written.

    Examples
    --------
    >>> say("en", "card.checks", n=19, fails=2, open=0)
    'of 19 findings hold; 2 do not, 0 cannot conclude'
    >>> say("zh", "number.at_least", value=0.3)
    '不低于 30.0%'
    """
    filled = _Filler(language).vformat(catalogue(language)[key], (), values)
    return _spaced(filled) if language == "zh" else filled


def name_of(language: Language, family: str, name: str) -> str:
    """Return what people call `name`, such as a check or a rate; a name without a phrase stands for itself.

    Examples
    --------
    >>> name_of("en", "rate", "precision"), name_of("en", "rate", "brier")
    ('Alarms that were right', 'brier')
    """
    return catalogue(language).get(f"{family}.{name}", name)


def as_number(value: float, digits: int = 4) -> str:
    """Return a number with at most `digits` significant digits and no trailing zeros.

    Examples
    --------
    >>> [as_number(x) for x in (1234567.0, 12.3456, -0.00012346, 40.0, float("nan"))]
    ['1,234,567', '12.35', '−0.0001235', '40', '–']
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    written = f"{abs(value):,.{min(decimals, 12)}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return (MINUS if value < 0 and written != "0" else "") + written


def as_percent(value: float, decimals: int = 1) -> str:
    """Return a share as a percentage; a share that is not a number is a dash.

    Examples
    --------
    >>> as_percent(0.2641), as_percent(0.2641, 0)
    ('26.4%', '26%')
    """
    return f"{100 * value:.{decimals}f}%".replace("-", MINUS) if math.isfinite(value) else "–"


def as_day(value: date | datetime, language: Language) -> str:
    """Return a date as people write it: 22 November 2026, 2026年11月22日. Moments are taken in UTC."""
    day = value.astimezone(UTC) if isinstance(value, datetime) else value
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def as_moment(value: datetime, language: Language) -> str:
    """Return a date with its time of day, in UTC and saying so."""
    moment = value.astimezone(UTC)
    return f"{as_day(moment, language)} {moment:%H:%M} UTC"


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class _Filler(string.Formatter):
    """Fills placeholders the way one language writes numbers."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Sentence):
            return self._written(value.in_language(self.language), "")
        if format_spec.startswith("of "):
            one, many = format_spec.removeprefix("of ").split(" ")
            return one if value == 1 else many
        return self._written(value, format_spec)

    def _written(self, value: Any, spec: str) -> str:
        match spec:
            case "":
                return f"{EDGE}{str(value).replace(EDGE, code_of(EDGE))}{EDGE}" if self.language == "zh" else str(value)
            case "percent":
                return as_percent(value)
            case "points":
                return as_percent(value).removesuffix("%")
            case "whole":
                return as_percent(value, 0)
            case "number":
                return as_number(value)
            case "signed":
                return ("+" if value > 0 else "") + as_number(value, 3)
            case "count":
                return f"{value:,}"
            case "day":
                return as_day(value, self.language)
            case "moment":
                return as_moment(value, self.language)
        raise ValueError(f"a phrase asks for '{spec}', which no figure is written as")


def _spaced(filled: str) -> str:
    """Return a filled phrase with a space where a Chinese word meets a Latin name that was filled in."""
    return LATIN_MEETS_CHINESE.sub(" ", filled).replace(EDGE, "")


def _flat(prefix: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        key = f"{prefix}.{name}" if prefix else name
        found.extend(_flat(key, value) if isinstance(value, dict) else [(key, value)])
    return found
