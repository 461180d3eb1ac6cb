"""A declaration that came as fields, written as the `submission.toml` that says the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from policies.errors import FieldSentence, Sentence, refuse_all

BARE = re.compile(r"[A-Za-z0-9_-]+")
DEEPEST = 8
"""Tables within tables; a declaration needs three."""

LARGEST = 2**63
"""TOML keeps whole numbers in 64 bits."""

SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def declaration_text(document: Mapping[str, Any]) -> str:
    r"""Return TOML that reads back as `document`.

    A value that is None is left out, as TOML has no word for it.

    Parameters
    ----------
    document : mapping of text to text, bool, int, float, list or mapping
        Tables by name, as `submission.toml` has them.

    Raises
    ------
    Malformed
        With every value that TOML cannot hold: other types, numbers out of range, half characters, tables nested too
        deeply.

    Examples
    --------
    >>> print(declaration_text({"model": {"name": "gas-leak", "threshold": 0.5}}))
    [model]
    name = "gas-leak"
    threshold = 0.5
    <BLANKLINE>
    """
    refuse_all(_faults("", document, 0))
    return "\n".join(_table((), document))


def _faults(where: str, value: Any, depth: int) -> list[Sentence]:
    if depth > DEEPEST:
        return [_fault(where, "is nested too deeply", "嵌套层数过多")]
    if isinstance(value, Mapping):
        nested = [(f"{where}.{key}" if where else str(key), item) for key, item in value.items()]
        halves = [_fault(where, "holds half a character", "含有不完整的字符") for key in value if not _whole(str(key))]
        return halves + [fault for place, item in nested for fault in _faults(place, item, depth + 1)]
    if isinstance(value, list):
        return [fault for item in value for fault in _faults(where, item, depth + 1)]
    if isinstance(value, str):
        return [] if _whole(value) else [_fault(where, "holds half a character", "含有不完整的字符")]
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return [_fault(where, "is a number out of range", "数值超出范围")]
    if value is None or isinstance(value, bool | int | float):
        return []
    return [_fault(where, f"is a {type(value).__name__}", f"为 {type(value).__name__} 类型")]


def _fault(where: str, en: str, zh: str) -> Sentence:
    shown = where.encode("utf-8", "backslashreplace").decode()[:200] or "."
    return FieldSentence(
        en=f"{shown} {en}; expected a text, a number, true or false, or a list or table of those",
        zh=f"{shown} {zh}，应为文本、数值、true 或 false，或由其组成的列表或表",
        field=where,
    )


def _whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table: its own values first, then the tables in it."""
    plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    if path and (lines or not any(isinstance(value, Mapping) for value in table.values())):
        lines.insert(0, f"[{'.'.join(_key(part) for part in path)}]")
    if lines:
        lines.append("")
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _table((*path, key), value)
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value if item is not None) + "]"
    return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + " }"


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = repr(value)
    # TOML wants digits on both sides of a point, or an exponent
    return text if "." in text or "e" in text else f"{text}.0"


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return '"' + "".join(_character(character) for character in text) + '"'


def _character(character: str) -> str:
    if character in SHORT:
        return SHORT[character]
    return f"\\u{ord(character):04X}" if ord(character) < 32 or ord(character) == 127 else character
