"""Arrays and plain words as one run of bytes: all that passes between us and a process that ran foreign code.

A bundle is a header in JSON (what the arrays are called, their types and shapes, and a few plain words) and the
arrays one after another. The reader takes nothing on trust: types come from a short list, and sizes are added up
before anything is made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.errors import Malformed, Sentence

FORMAT = b"MJP1"
"""First bytes of a bundle. It lives as long as one call to the worker; it is never stored."""

TYPES = ("<f8", "<i4", "<u4", "|u1", "|b1")
LARGEST_HEADER = 100_000_000
Array = npt.NDArray[Any]


class NotPortable(Malformed):
    """The worker handed back something that is no bundle."""

    def __init__(self, because: str) -> None:
        super().__init__(
            Sentence(
                en=f"the worker handed back no readable model: {because}", zh=f"工作进程未返回可读取的模型：{because}"
            )
        )


def pack(arrays: Mapping[str, Array], said: Mapping[str, object]) -> bytes:
    """Return arrays and plain words as one run of bytes."""
    parts, described = [], []
    for name, array in arrays.items():
        kind = np.dtype(array.dtype).newbyteorder("<").str
        if kind not in TYPES:
            raise TypeError(f"{name} is {array.dtype}; bundles hold {', '.join(TYPES)}")
        parts.append(np.ascontiguousarray(array, dtype=kind).tobytes())
        described.append([name, kind, list(array.shape)])
    header = json.dumps({"arrays": described, "said": said}, ensure_ascii=True, allow_nan=False).encode()
    return b"".join([FORMAT, len(header).to_bytes(8, "little"), header, *parts])


def unpack(raw: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return what `pack` was given.

    Raises
    ------
    NotPortable
        For anything `pack` did not write.
    """
    length = int.from_bytes(raw[4:12], "little")
    if raw[:4] != FORMAT or length > min(LARGEST_HEADER, len(raw) - 12):
        raise NotPortable("it does not start like one")
    try:
        header = json.loads(raw[12 : 12 + length])
        described = [(str(name), str(kind), tuple(shape)) for name, kind, shape in header["arrays"]]
        said = dict(header["said"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotPortable("its header cannot be read") from error
    arrays: dict[str, Array] = {}
    at = 12 + length
    for name, kind, shape in described:
        if kind not in TYPES or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 3:
            raise NotPortable(f"{name} has no array type")
        size = math.prod(shape) * np.dtype(kind).itemsize
        if at + size > len(raw):
            raise NotPortable(f"{name} is cut off")
        arrays[name] = np.frombuffer(raw, kind, count=math.prod(shape), offset=at).reshape(shape).copy()
        at += size
    return arrays, said
