"""Every sentence the console says of its own; what reports already say is taken from their catalogue.

Placeholders are written as in `reports.wording`: `{x:percent}`, `{x:number}`, `{n:count}`, `{t:day}`, `{t:moment}` and
`{n:of one many}`.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.errors import Sentence
from reports import wording
from reports.wording import LANGUAGES, Language, as_day, as_moment, as_number, as_percent

CATALOGUES = Path(__file__).parent / "phrases"


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return the console's own phrases of one language by their dotted key."""
    document = tomllib.loads((CATALOGUES / f"{language}.toml").read_text(encoding="utf-8"))
    return MappingProxyType(dict(_flat("", document)))


def say(language: Language, key: str, **values: object) -> str:
    """Return a phrase of the console, else the reports' phrase of that key. Raises KeyError when neither has it.

    Examples
    --------
    >>> say("en", "check.leakage"), say("zh", "check.leakage")
    ('Leakage', '信息泄漏')
    """
    own = catalogue(language).get(key)
    if own is None:
        return wording.say(language, key, **values)
    return _Filler(language).vformat(own, (), values)


def knows(key: str) -> bool:
    """Return whether `say` has this phrase in every language."""
    return all(key in catalogue(language) or key in wording.catalogue(language) for language in LANGUAGES)


def name_of(language: Language, family: str, name: str) -> str:
    """Return what people call `name`; a name without a phrase stands for itself."""
    return say(language, f"{family}.{name}") if knows(f"{family}.{name}") else name


class _Filler(string.Formatter):
    """Fills placeholders the way one language writes numbers."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Sentence):
            return value.in_language(self.language)
        if format_spec.startswith("of "):
            one, many = format_spec.removeprefix("of ").split(" ")
            return one if value == 1 else many
        match format_spec:
            case "percent":
                return as_percent(value)
            case "number":
                return as_number(value)
            case "count":
                return f"{value:,}"
            case "day":
                return as_day(value, self.language)
            case "moment":
                return as_moment(value, self.language)
            case "":
                return str(value)
        raise ValueError(f"a phrase asks for '{format_spec}', which no value is written as")


def stamp(moment: datetime) -> str:
    """Return a moment as tables write it, in UTC.

    Examples
    --------
    >>> from datetime import UTC
    >>> stamp(datetime(2026, 3, 1, 8, 30, tzinfo=UTC))
    '2026-03-01 08:30'
    """
    return f"{moment:%Y-%m-%d %H:%M}"


def _flat(prefix: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        key = f"{prefix}.{name}" if prefix else name
        found.extend(_flat(key, value) if isinstance(value, dict) else [(key, value)])
    return found
