"""The bytes of an ONNX file: a protobuf reader of our own, for the messages we know and nothing else.

protobuf readers forgive: they skip what they do not know, let the last of two values win and merge a message that comes
twice. Two readers that forgive differently see two models in one file, and only one of them was checked. So nothing is
forgiven here: what `onnx.save` does not write is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.trees.nodes import ModelRefused
from model_registry.onnx_messages import MESSAGES, Field
from policies.errors import Sentence

Array = npt.NDArray[Any]

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
LONGEST_VARINT = 10
MOST_FIELDS = 6_000_000
"""Fields read one by one in a file; lists of numbers are read as one."""

LONGEST_TEXT = 1_000_000
"""Bytes of one text; documentation may be long, names are judged later."""

WIRES = {"int": {VARINT}, "float": {FOUR_BYTES}, "ints": {VARINT, LENGTH}, "floats": {FOUR_BYTES, LENGTH}}
WIRES |= {"doubles": {EIGHT_BYTES, LENGTH}}
LISTS = {"ints", "floats", "doubles"}


class OnnxBroken(ModelRefused):
    """The bytes are not what `onnx.save` writes. Nothing after the first broken place can be read."""

    def __init__(self, because: Sentence) -> None:
        super().__init__(
            Sentence(
                en=f"the ONNX file cannot be read: {because.en}; save it again with onnx.save",
                zh=f"ONNX 文件无法读取：{because.zh}；请用 onnx.save 重新保存",
            )
        )


DEEPEST = 12
"""Messages inside messages; a sound model has seven."""


@dataclass
class Reading:
    """One pass over a file: how many fields were read, and what was found that is never accepted."""

    fields: int = 0
    refused: list[str] = field(default_factory=list)


def read_message(message: str, raw: memoryview, reading: Reading, depth: int = 0) -> dict[str, Any]:
    """Return the fields of a message by name; those that may come several times as lists, absent ones left out.

    Raises
    ------
    OnnxBroken
        For bytes that end early, fields nobody knows, a field that comes twice, text that is not UTF-8.
    """
    if depth > DEEPEST:
        raise _broken(f"messages lie more than {DEEPEST} deep in each other", f"消息嵌套超过 {DEEPEST} 层")
    known, made = MESSAGES[message], _empty(message)
    at = 0
    while at < len(raw):
        tag, start = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        spec = known.get(number)
        if spec is None:
            raise _broken(
                f"{message} holds a field {number} that is not read", f"{message} 含有不予读取的字段 {number}"
            )
        if spec.kind in LISTS and wire != LENGTH:
            value, at = _run(raw, at, tag, spec)
        else:
            value, at = _value(raw, start, wire)
        _count(reading)
        _keep(made, spec, _read(spec, wire, value, message, reading, depth), message)
    return made


def _empty(message: str) -> dict[str, Any]:
    return {spec.name: [] for spec in MESSAGES[message].values() if spec.many and spec.kind not in ("skip", "refuse")}


def _count(reading: Reading) -> None:
    reading.fields += 1
    if reading.fields > MOST_FIELDS:
        raise _broken(f"it holds more than {MOST_FIELDS:,} fields", f"字段超过 {MOST_FIELDS:,} 个")


def _keep(made: dict[str, Any], spec: Field, value: object, message: str) -> None:
    if spec.kind in ("skip", "refuse"):
        return
    if spec.many:
        made[spec.name].append(value)
        return
    if spec.name in made:
        raise _broken(f"{message} says '{spec.name}' twice", f"{message} 中“{spec.name}”出现两次")
    made[spec.name] = value


def _read(spec: Field, wire: int, value: Any, message: str, reading: Reading, depth: int) -> object:
    if wire not in WIRES.get(spec.kind, {LENGTH}) and spec.kind not in ("skip", "refuse"):
        raise _broken(
            f"'{spec.name}' of {message} is written as type {wire}", f"{message} 的“{spec.name}”编码类型为 {wire}"
        )
    if spec.kind == "refuse":
        reading.refused.append(f"{message}.{spec.name}")
        return None
    if spec.kind in MESSAGES:
        return read_message(spec.kind, value, reading, depth + 1)
    if spec.kind == "text":
        return _text(value, spec.name)
    if spec.kind == "float":
        return float(np.frombuffer(value, "<f4")[0])
    if spec.kind == "int":
        return value if value < 1 << 63 else value - (1 << 64)
    if spec.kind in LISTS:
        return value if wire != LENGTH else _packed(value, spec)
    return value


def _text(value: memoryview, name: str) -> str:
    try:
        if len(value) > LONGEST_TEXT:
            raise ValueError
        return bytes(value).decode("utf-8")
    except ValueError as error:
        raise _broken(f"'{name}' is not UTF-8 text, or too long", f"“{name}”不是 UTF-8 文本，或过长") from error


def _varint(raw: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + LONGEST_VARINT, len(raw))):
        byte = raw[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                break
            return value, place + 1
        shift += 7
    raise _broken(f"a number at byte {at:,} does not end", f"第 {at:,} 字节处的数字没有结束")


def _value(raw: memoryview, at: int, wire: int) -> tuple[Any, int]:
    if wire == VARINT:
        return _varint(raw, at)
    if wire == LENGTH:
        size, at = _varint(raw, at)
    elif wire in (EIGHT_BYTES, FOUR_BYTES):
        size = 8 if wire == EIGHT_BYTES else 4
    else:
        raise _broken(f"type {wire} is not used by ONNX", f"ONNX 不使用编码类型 {wire}")
    if size > len(raw) - at:
        raise _broken(
            f"a part of {size:,} bytes is announced where {len(raw) - at:,} are left",
            f"声明长度 {size:,} 字节，实际仅剩 {len(raw) - at:,} 字节",
        )
    return raw[at : at + size], at + size


# ── Lists of numbers, read as one ─────────────────────────────────────────────────────────────────


def _run(raw: memoryview, at: int, tag: int, spec: Field) -> tuple[Array, int]:
    """Return numbers that follow each other, each behind the same tag of one byte, and where they end.

    A list that goes on elsewhere is refused by whoever keeps it, as a field that comes twice.
    """
    if tag > 0x7F or raw[at] != tag:
        raise _broken(f"'{spec.name}' has a tag nobody writes", f"“{spec.name}”的标记不合规范")
    wire = tag & 7
    rest = np.frombuffer(raw[at:], np.uint8)
    if wire == VARINT:
        return _tagged_varints(rest, tag, at)
    size = {FOUR_BYTES: 4, EIGHT_BYTES: 8}.get(wire, 0)
    if not size or (size == 4) != (spec.kind == "floats"):
        raise _broken(f"'{spec.name}' is written as type {wire}", f"“{spec.name}”编码类型为 {wire}")
    lines = rest[: len(rest) // (size + 1) * (size + 1)].reshape(-1, size + 1)
    other = np.flatnonzero(lines[:, 0] != tag)
    count = int(other[0]) if len(other) else len(lines)
    if not count:
        raise _broken(f"'{spec.name}' is cut off", f"“{spec.name}”不完整")
    values = np.ascontiguousarray(lines[:count, 1:]).view(f"<f{size}")[:, 0]
    return values, at + count * (size + 1)


def _tagged_varints(rest: Array, tag: int, at: int) -> tuple[Array, int]:
    """A tag is one byte below 128, so tags and numbers are told apart by where each ends."""
    ends = np.flatnonzero(rest < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1])
    is_tag = (ends[::2] == starts[::2]) & (rest[ends[::2]] == tag)
    other = np.flatnonzero(~is_tag)
    count = min(int(other[0]) if len(other) else len(is_tag), len(ends) // 2)
    if not count:
        raise _broken(f"a number at byte {at:,} does not end", f"第 {at:,} 字节处的数字没有结束")
    odd = slice(1, 2 * count, 2)
    return _joined(rest, starts[odd], ends[odd]), at + int(ends[2 * count - 1]) + 1


def _packed(raw: memoryview, spec: Field) -> Array:
    if spec.kind == "ints":
        rest = np.frombuffer(raw, np.uint8)
        ends = np.flatnonzero(rest < 0x80)
        if len(rest) and (not len(ends) or ends[-1] != len(rest) - 1):
            raise _broken(f"the last number of '{spec.name}' does not end", f"“{spec.name}”的最后一个数字没有结束")
        return _joined(rest, np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends, ends)
    kind = "<f4" if spec.kind == "floats" else "<f8"
    if len(raw) % np.dtype(kind).itemsize:
        raise _broken(f"'{spec.name}' is cut off", f"“{spec.name}”不完整")
    return np.frombuffer(raw, kind)


def _joined(rest: Array, starts: Array, ends: Array) -> Array:
    """Return the numbers whose bytes run from `starts` to `ends`, seven bits a byte, as int64."""
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    if longest > LONGEST_VARINT:
        raise _broken("a number has more than ten bytes", "数字超过十个字节")
    values = np.zeros(len(starts), np.uint64)
    for place in range(longest):
        there = lengths > place
        values[there] |= (rest[starts[there] + place] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
    return values.view(np.int64)


def _broken(en: str, zh: str) -> OnnxBroken:
    return OnnxBroken(Sentence(en=en, zh=zh))
