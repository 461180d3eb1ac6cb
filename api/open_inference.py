"""Tensors of the Open Inference Protocol, version 2: read into rows, and answers written back, as JSON or binary."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from audit.decided import Decided
from audit.served_model import ServedModel
from governance.callers_rows import NamedRows
from policies.declaration import Protective
from policies.errors import Malformed, Sentence, refuse_all

SUBJECTS = "subjects"
"""Input tensor with the ids of the persons concerned, one per row."""

NUMBERS: dict[str, str] = {
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
BEYOND = float(np.finfo(np.float64).max)
"""Stands for the score of a row that was refused, on the protective side: whoever compares it with a threshold
hands over to a person. A gap would compare as harmless."""

_LENGTH = struct.Struct("<I")


class _Tensor(msgspec.Struct, frozen=True):
    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class _Wanted(msgspec.Struct, frozen=True):
    name: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class _Request(msgspec.Struct, frozen=True):
    inputs: list[_Tensor]
    id: str | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    outputs: list[_Wanted] = msgspec.field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Inference:
    """What a client asks: rows, persons if any, and which outputs in which form; no names mean the usual ones."""

    id: str | None
    rows: pd.DataFrame | NamedRows
    subjects: Sequence[object] | None
    outputs: tuple[str, ...]
    binary: frozenset[str]


OUTPUTS: dict[str, str] = {
    "predict": "FP64",
    "verdict": "BOOL",
    "decision_id": "BYTES",
    "flags": "BYTES",
    "contributions": "FP64",
    "base": "FP64",
}
USUAL = ("predict", "verdict", "decision_id", "flags")


def read_inference(body: bytes, header_length: str | None) -> Inference:
    """Read a request.

    Parameters
    ----------
    body : bytes
    header_length : str or None
        `Inference-Header-Content-Length`: bytes of JSON before the binary tensors. None: all of it is JSON.

    Raises
    ------
    Malformed
        With every tensor that is wrong, at once.
    """
    head, tail = _parted(body, header_length)
    try:
        # orjson first: it refuses NaN, and a document nested too deeply
        asked = msgspec.convert(orjson.loads(head), _Request)
    except (orjson.JSONDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise Malformed(Sentence(en=f"this is no inference request: {error}", zh=f"这不是推理请求：{error}")) from error
    columns = _columns(asked.inputs, tail)
    subjects = columns.pop(SUBJECTS, None)
    outputs = tuple(wanted.name for wanted in asked.outputs)
    refuse_all(
        Sentence(
            en=f"there is no output '{name}'; there are {', '.join(OUTPUTS)}",
            zh=f"没有输出“{name}”，可用输出：{'、'.join(OUTPUTS)}",
        )
        for name in outputs
        if name not in OUTPUTS
    )
    binary = {wanted.name for wanted in asked.outputs if wanted.parameters.get("binary_data") is True}
    if asked.parameters.get("binary_data_output") is True:
        binary |= set(outputs or USUAL)
    return Inference(
        id=asked.id,
        rows=_rows(columns),
        subjects=None if subjects is None else subjects.reshape(-1).tolist(),
        outputs=outputs or USUAL,
        binary=frozenset(binary),
    )


def answer_inference(asked: Inference, decided: Decided, served: ServedModel) -> tuple[bytes, int | None]:
    """Return the body of the answer and, when tensors are binary, how many bytes of JSON come first."""
    head: dict[str, Any] = {
        "model_name": served.name,
        "model_version": served.version,
        "outputs": [],
        "problems": [
            {"row": problem.row, "says": problem.says.as_json(), "fallback": "manual_control"}
            for problem in decided.problems
        ],
    }
    if asked.id is not None:
        head["id"] = asked.id
    tail = []
    for name in asked.outputs:
        tensor = _output(name, decided, served)
        said: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name], "shape": list(tensor.shape)}
        if name in asked.binary:
            tail.append(_bytes_of(tensor))
            said["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            said["data"] = tensor.reshape(-1).tolist()
        head["outputs"].append(said)
    document = orjson.dumps(head)
    return b"".join((document, *tail)), len(document) if asked.binary else None


def status_of_inference(decided: Decided) -> int:
    """Return 200 while any row was answered, 422 when none was."""
    return 422 if len(decided) and not decided.answered.any() else 200


def metadata_of(served: ServedModel) -> dict[str, Any]:
    """Return what the protocol calls model metadata: one input per feature, and every output."""
    return {
        "name": served.name,
        "versions": [served.version],
        "platform": "mingjing",
        "inputs": [
            {"name": name, "datatype": "FP64", "shape": [-1]}
            if place not in dict(getattr(served.predictor, "categories", ()))
            else {"name": name, "datatype": "BYTES", "shape": [-1]}
            for place, name in enumerate(served.predictor.feature_names)
        ],
        "outputs": [
            {
                "name": name,
                "datatype": datatype,
                "shape": [-1, len(served.predictor.feature_names)] if name == "contributions" else [-1],
            }
            for name, datatype in OUTPUTS.items()
        ],
    }


def _parted(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    if not (header_length.isascii() and header_length.isdigit()) or int(header_length) > len(body):
        raise Malformed(
            Sentence(
                en=f"Inference-Header-Content-Length is {header_length!r}; the body has {len(body)} bytes",
                zh=f"Inference-Header-Content-Length 为 {header_length!r}，而请求正文为 {len(body)} 字节",
            )
        )
    return body[: int(header_length)], memoryview(body)[int(header_length) :]


def _columns(tensors: Sequence[_Tensor], tail: memoryview) -> dict[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {}
    faults = []
    for tensor in tensors:
        try:
            if tensor.name in found:
                raise ValueError("it is there twice")
            found[tensor.name], tail = _read(tensor, tail)
        except (ValueError, TypeError, OverflowError) as error:
            faults.append(Sentence(en=f"input '{tensor.name}': {error}", zh=f"输入“{tensor.name}”：{error}"))
    if not tensors:
        faults.append(Sentence(en="'inputs' is empty", zh="“inputs”为空"))
    if len(tail) and not faults:
        faults.append(
            Sentence(en=f"{len(tail)} bytes follow the last tensor", zh=f"最后一个张量之后还有 {len(tail)} 字节")
        )
    refuse_all(faults)
    return found


def _read(tensor: _Tensor, tail: memoryview) -> tuple[npt.NDArray[Any], memoryview]:
    if any(size < 0 for size in tensor.shape) or not 1 <= len(tensor.shape) <= 2:
        raise ValueError(f"its shape is {tensor.shape}; expected [rows] or [rows, columns]")
    if tensor.datatype not in (*NUMBERS, "BYTES"):
        raise ValueError(f"its datatype is {tensor.datatype}; expected one of {', '.join((*NUMBERS, 'BYTES'))}")
    count = math.prod(tensor.shape)
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return _from_json(tensor, count), tail
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(tail):
        raise ValueError(f"binary_data_size is {size!r}; {len(tail)} bytes are left")
    return _from_binary(tensor, count, tail[:size]), tail[size:]


def _from_binary(tensor: _Tensor, count: int, raw: memoryview) -> npt.NDArray[Any]:
    if tensor.datatype == "BYTES":
        texts = list(_texts(raw))
        if len(texts) != count:
            raise ValueError(f"it holds {len(texts)} texts, its shape says {count}")
        return np.array(texts, dtype=object).reshape(tensor.shape)
    dtype = np.dtype(NUMBERS[tensor.datatype])
    if len(raw) != count * dtype.itemsize:
        raise ValueError(f"it holds {len(raw)} bytes, its shape says {count * dtype.itemsize}")
    return np.frombuffer(raw, dtype=dtype).astype(np.float64).reshape(tensor.shape)


def _texts(raw: memoryview) -> Iterator[str]:
    while len(raw):
        if len(raw) < _LENGTH.size or len(raw) < _LENGTH.size + _LENGTH.unpack_from(raw)[0]:
            raise ValueError("a text is cut off")
        end = _LENGTH.size + _LENGTH.unpack_from(raw)[0]
        yield bytes(raw[_LENGTH.size : end]).decode("utf-8")
        raw = raw[end:]


def _from_json(tensor: _Tensor, count: int) -> npt.NDArray[Any]:
    if tensor.datatype != "BYTES" and (made := _numbers(tensor.data, tensor.shape)) is not None:
        return made
    cells = list(_flat(tensor.data, len(tensor.shape)))
    if len(cells) != count:
        raise ValueError(f"it holds {len(cells)} values, its shape says {count}")
    if tensor.datatype == "BYTES":
        strange = next((cell for cell in cells if not isinstance(cell, str | None)), None)
        if strange is not None:
            raise TypeError(f"a text or null is expected, found {strange!r}")
        return np.array(cells, dtype=object).reshape(tensor.shape)
    strange = next((c for c in cells if isinstance(c, bool) or not isinstance(c, int | float | None)), None)
    if strange is not None:
        raise TypeError(f"a number or null is expected, found {strange!r}")
    return np.array([math.nan if cell is None else float(cell) for cell in cells]).reshape(tensor.shape)


def _numbers(data: Any, shape: Sequence[int]) -> npt.NDArray[np.float64] | None:
    """Return numbers that lie flat or as their shape says, all at once; None for whatever has to be looked at."""
    for form in (list[float | None], list[list[float | None]]):
        try:
            made = np.array(msgspec.convert(data, form), dtype=np.float64)
        except (msgspec.ValidationError, ValueError, OverflowError):
            continue
        return made.reshape(shape) if made.size == math.prod(shape) else None
    return None


def _flat(data: Any, depth: int) -> Iterator[Any]:
    """Walk `data`, which may come flat or nested as its shape says."""
    if not isinstance(data, list):
        raise TypeError(f"'data' is a list, found {type(data).__name__}")
    for item in data:
        if isinstance(item, list) and depth > 1:
            yield from _flat(item, depth - 1)
        else:
            yield item


def _rows(columns: Mapping[str, npt.NDArray[Any]]) -> pd.DataFrame | NamedRows:
    """Return one table: a tensor per column by name, or a single one of several columns by position."""
    if len(columns) == 1:
        (only,) = columns.values()
        if only.ndim == 2 and only.shape[1] != 1 and only.dtype != object:
            return NamedRows(None, np.asarray(only, dtype=np.float64))
    wide = {name: column.shape for name, column in columns.items() if column.ndim == 2 and column.shape[1] != 1}
    lengths = sorted({column.shape[0] for column in columns.values()})
    if wide or len(lengths) != 1:
        shapes = ", ".join(f"'{name}' {list(column.shape)}" for name, column in columns.items())
        raise Malformed(
            Sentence(
                en=f"expected one tensor [rows, features], or one [rows] for each feature; found {shapes or 'none'}",
                zh=f"应为一个 [行, 特征] 张量，或每个特征一个 [行] 张量；实际为 {shapes or '无'}",
            )
        )
    flat = {name: column.reshape(-1) for name, column in columns.items()}
    if any(column.dtype == object for column in flat.values()):
        return pd.DataFrame(flat)
    return NamedRows(tuple(flat), np.column_stack(list(flat.values())))


def _output(name: str, decided: Decided, served: ServedModel) -> npt.NDArray[Any]:
    answered = decided.answered
    if name == "predict":
        beyond = BEYOND if served.protective is Protective.AT_OR_ABOVE else -BEYOND
        return np.where(answered, decided.scores, beyond)
    if name == "verdict":
        return ~answered | decided.verdicts
    if name == "base":
        return np.where(answered, decided.bases, 0.0)
    if name == "contributions":
        why = (answered & decided.explained)[:, None]
        if decided.contributions.shape[1] != len(served.predictor.feature_names):
            return np.zeros((len(decided), len(served.predictor.feature_names)))
        return np.where(why, decided.contributions, 0.0)
    if name == "decision_id":
        texts = [id or "" if told else "" for id, told in zip(decided.ids, answered.tolist(), strict=True)]
    else:
        texts = [
            " ".join(words) if told else "refused" for words, told in zip(decided.flags, answered.tolist(), strict=True)
        ]
    return np.array(texts, dtype=object)


def _bytes_of(tensor: npt.NDArray[Any]) -> bytes:
    if tensor.dtype == object:
        raw = [text.encode() for text in tensor.reshape(-1).tolist()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in raw)
    return tensor.tobytes()
