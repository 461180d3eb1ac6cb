"""A predictor as plain bytes: how one leaves the process that ran a foreign library, and nothing else does.

The bytes are a header in JSON (what the arrays are called, their types and shapes, and a few plain words) and
the arrays one after another. The reader takes nothing on trust: types come from a short list, sizes are added
up before anything is made, and the predictor checks its own structure as it does for any file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.linear import LinearModel
from explainers.links import UNITS, Link
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.nodes import Nodes
from policies.errors import Malformed, Sentence

FORMAT = b"MJP1"
"""First bytes of a bundle. It lives as long as one call to the worker; it is never stored."""

TYPES = ("<f8", "<i4", "<u4", "|u1", "|b1")
LARGEST_HEADER = 100_000_000
Readable = TreeEnsemble | LinearModel
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


def pack_predictor(predictor: Readable) -> bytes:
    """Return a tree ensemble or a linear model as a bundle."""
    names = list(predictor.feature_names)
    link = [predictor.link.name, predictor.link.slope]
    if isinstance(predictor, LinearModel):
        arrays = {name: np.asarray(getattr(predictor, name)) for name in ("weights", "intercept", "reference")}
        return pack(arrays, {"is": "linear", "names": names, "link": link})
    trees = {field.name: getattr(predictor.nodes, field.name) for field in fields(Nodes)}
    said = {
        "is": "trees",
        "names": names,
        "link": link,
        "digest": predictor.digest,
        "made_by": predictor.made_by,
        "categories": [[column, list(labels)] for column, labels in predictor.categories],
    }
    return pack(trees | {"offset": predictor.offset}, said)


def unpack_predictor(raw: bytes) -> Readable:
    """Return the predictor in a bundle, checked as if it had been read from a file.

    Raises
    ------
    NotPortable
        When it is no bundle of a predictor.
    Malformed
        When the predictor's own structure is broken.
    """
    arrays, said = unpack(raw)
    try:
        names = tuple(str(name) for name in said["names"])
        link = Link(str(said["link"][0]), float(said["link"][1]))
        if link.name not in UNITS or not math.isfinite(link.slope) or link.slope <= 0:
            raise NotPortable("its link is unknown")
        if said["is"] == "linear":
            return LinearModel(
                weights=_floats(arrays, "weights"),
                intercept=_floats(arrays, "intercept"),
                reference=_floats(arrays, "reference"),
                feature_names=names,
                link=link,
            )
        nodes = Nodes(**{field.name: arrays.pop(field.name) for field in fields(Nodes)})
        _check_types(nodes)
        return TreeEnsemble(
            nodes=nodes,
            offset=_floats(arrays, "offset"),
            feature_names=names,
            link=link,
            digest=str(said["digest"]),
            made_by=str(said["made_by"]),
            categories=tuple((int(column), tuple(labels)) for column, labels in said["categories"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise NotPortable(f"{type(error).__name__} in {error}") from error


NODE_TYPES = {"threshold": "<f8", "value": "<f8", "cover": "<f8", "rule": "|u1", "default_left": "|b1"}
NODE_TYPES |= {"listed_left": "|b1", "sets": "<u4"}


def _check_types(nodes: Nodes) -> None:
    for field in fields(Nodes):
        array = getattr(nodes, field.name)
        if array.dtype.str != NODE_TYPES.get(field.name, "<i4") or array.ndim != 1:
            raise NotPortable(f"{field.name} has another type")


def _floats(arrays: Mapping[str, Array], name: str) -> npt.NDArray[np.float64]:
    array = arrays[name]
    if array.dtype.str != "<f8":
        raise NotPortable(f"{name} has another type")
    return array
