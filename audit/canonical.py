"""The one byte form of a JSON value: RFC 8785, with floats refused because they have no one form everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from policies.errors import Malformed, Sentence

LARGEST = 2**53 - 1
"""Beyond this a JavaScript reader loses digits, so RFC 8785 leaves it to strings."""

_quote = json.JSONEncoder(ensure_ascii=False).encode


class NotCanonical(Malformed):
    """A value that has no canonical form here."""

    def __init__(self, found: str, found_zh: str) -> None:
        super().__init__(
            Sentence(
                en=f"{found} has no canonical form; hand it over as a string or an integer",
                zh=f"{found_zh}没有唯一的字节形式；请改用字符串或整数",
            )
        )


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of a JSON value without floats.

    Parameters
    ----------
    value : None, bool, int, str, or sequences and string-keyed mappings of them
        Integers must lie within +-(2**53 - 1).

    Returns
    -------
    bytes
        UTF-8, no white space, keys in the order of their UTF-16 code units.

    Raises
    ------
    NotCanonical
        For a float, an integer beyond 2**53 - 1, a lone surrogate, a key that is no string, any other type.

    Examples
    --------
    >>> canonical({"b": [1, True, None], "a": "é"}).decode()
    '{"a":"é","b":[1,true,null]}'
    """
    try:
        return _written(value).encode("utf-8")
    except UnicodeEncodeError as wrong:
        raise NotCanonical("text with a lone surrogate", "含孤立代理码的文本") from wrong


def _written(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise NotCanonical(f"the integer {value}", f"整数 {value} ")
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quote(key)}:{_written(value[key])}" for key in _ordered(value)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ",".join(map(_written, value)) + "]"
    raise NotCanonical(f"a value of type {type(value).__name__}", f"类型为 {type(value).__name__} 的值")


def _ordered(value: Mapping[object, object]) -> list[str]:
    keys = []
    for key in value:
        if not isinstance(key, str):
            raise NotCanonical(f"the key {key!r}", f"键 {key!r} ")
        keys.append(key)
    return sorted(keys, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
