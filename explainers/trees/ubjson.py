"""Reads Universal Binary JSON, the form in which XGBoost keeps its models; refuses everything that does not fit."""

from __future__ import annotations

import struct

import numpy as np

from policies.errors import Malformed, Sentence

DEEPEST = 64
"""Containers inside containers; XGBoost needs fewer than ten."""

_NUMBERS = {b"U": ">u1", b"i": ">i1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_FIXED = {b"Z": None, b"T": True, b"F": False}


class NotUbjson(Malformed):
    """The bytes are not Universal Binary JSON."""

    def __init__(self, position: int, found: str) -> None:
        super().__init__(
            Sentence(
                en=f"the model file is damaged at byte {position}: {found}",
                zh=f"模型文件在第 {position} 字节处损坏：{found}",
            )
        )
        self.position = position


def decode_ubjson(raw: bytes) -> object:
    """Return the value that `raw` holds; typed arrays of numbers become numpy arrays.

    Raises
    ------
    NotUbjson
        At the first byte that does not fit, or when bytes are left over.

    Examples
    --------
    >>> decode_ubjson(b"{U\\x01a[#U\\x02U\\x01U\\x02}")
    {'a': [1, 2]}
    """
    reader = _Reader(raw)
    value = reader.value(reader.marker(), 0)
    if reader.at != len(raw):
        raise NotUbjson(reader.at, f"{len(raw) - reader.at} bytes are left over")
    return value


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.raw):
            raise NotUbjson(self.at, f"{count} bytes are announced, {len(self.raw) - self.at} are there")
        taken = self.raw[self.at : self.at + count]
        self.at += count
        return taken

    def marker(self) -> bytes:
        marker = self.take(1)
        while marker == b"N":
            marker = self.take(1)
        return marker

    def peek(self) -> bytes:
        return self.raw[self.at : self.at + 1]

    def length(self) -> int:
        marker = self.marker()
        if marker not in b"UiIlL":
            raise NotUbjson(self.at, f"a length is expected, found {marker!r}")
        size = self.number(marker)
        if not isinstance(size, int) or size < 0:
            raise NotUbjson(self.at, f"a length of {size}")
        return size

    def number(self, marker: bytes) -> int | float:
        kind = _NUMBERS[marker]
        code = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "f4": "f", "f8": "d"}[kind[1:]]
        (value,) = struct.unpack(">" + code, self.take(int(kind[2])))
        return value  # type: ignore[no-any-return]

    def text(self) -> str:
        size = self.length()
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as problem:
            raise NotUbjson(self.at, "a name that is not UTF-8") from problem

    def value(self, marker: bytes, depth: int) -> object:
        if depth > DEEPEST:
            raise NotUbjson(self.at, f"more than {DEEPEST} containers inside each other")
        if marker in _NUMBERS:
            return self.number(marker)
        if marker in _FIXED:
            return _FIXED[marker]
        if marker in (b"S", b"H"):
            return self.text()
        if marker == b"C":
            return self.take(1).decode("latin-1")
        if marker == b"[":
            return self.array(depth)
        if marker == b"{":
            return self.mapping(depth)
        raise NotUbjson(self.at - 1, f"an unknown marker {marker!r}")

    def header(self) -> tuple[bytes | None, int | None]:
        kind, count = None, None
        if self.peek() == b"$":
            self.at += 1
            kind = self.take(1)
        if self.peek() == b"#":
            self.at += 1
            count = self.length()
        if kind is not None and count is None:
            raise NotUbjson(self.at, "a typed container without a count")
        return kind, count

    def array(self, depth: int) -> object:
        kind, count = self.header()
        if kind in _NUMBERS and count is not None:
            dtype = np.dtype(_NUMBERS[kind])
            raw = self.take(count * dtype.itemsize)
            return np.frombuffer(raw, dtype=dtype).astype(dtype.newbyteorder("="))
        made: list[object] = []
        if count is not None:
            if count > len(self.raw):
                raise NotUbjson(self.at, f"an array of {count} values in a file of {len(self.raw)} bytes")
            for _ in range(count):
                made.append(self.value(kind or self.marker(), depth + 1))
            return made
        while (marker := self.marker()) != b"]":
            made.append(self.value(marker, depth + 1))
        return made

    def mapping(self, depth: int) -> dict[str, object]:
        kind, count = self.header()
        made: dict[str, object] = {}
        while count != 0 and not (count is None and self.peek() == b"}"):
            name = self.text()
            made[name] = self.value(kind or self.marker(), depth + 1)
            if count is not None:
                count -= 1
        if count is None:
            self.take(1)
        return made
