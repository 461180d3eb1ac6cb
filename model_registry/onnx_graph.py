"""An ONNX model as plain values: nodes, constants, what goes in and what comes out. Read, not yet judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model_registry.onnx_wire import OnnxBroken, Reading, read_message
from policies.errors import Sentence

Array = npt.NDArray[Any]

FLOAT, INT32, INT64, STRING, BOOL, DOUBLE = 1, 6, 7, 8, 9, 11
RAW_TYPES = {1: "<f4", 2: "|u1", 3: "|i1", 6: "<i4", 7: "<i8", 9: "|b1", 10: "<f2", 11: "<f8"}
"""Element types of tensors that hold their numbers as bytes, by their number in onnx.proto."""

LISTED = {FLOAT: "float_data", DOUBLE: "double_data", INT64: "int64_data"} | dict.fromkeys(
    (2, 3, INT32, BOOL), "int32_data"
)
"""In which list an element type is kept when it is not kept as bytes."""

MOST_AXES = 8
NAMES = {
    1: "float",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "double",
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant. `values` has the shape that was declared; None for texts, of which only the shape counts."""

    name: str
    shape: tuple[int, ...]
    values: Array | None


@dataclass(frozen=True, eq=False)
class Node:
    """One operation. Attributes are numbers, bytes, arrays, lists of bytes or a tensor."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What sentences call it."""
        return f"{self.op} '{self.name}'" if self.name else self.op


@dataclass(frozen=True)
class Port:
    """What goes in or comes out. `shape` holds an int where a length is fixed, None where any will do.

    `element` is the number of the element type; None where it is no tensor, and `maps` says that it is a list of
    mappings from class to probability.
    """

    name: str
    element: int | None
    shape: tuple[int | None, ...] | None
    maps: bool = False

    @property
    def described(self) -> str:
        """Type and shape as one word."""
        if self.maps:
            return "a list of mappings"
        if self.element is None:
            return "no tensor"
        shape = (
            "?" if self.shape is None else ", ".join("?" if length is None else str(length) for length in self.shape)
        )
        return f"{NAMES.get(self.element, f'type {self.element}')} [{shape}]"


@dataclass(frozen=True, eq=False)
class Graph:
    """The whole model."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    domains: Mapping[str, int]


@dataclass
class Noted:
    """Faults found while reading, and which names were used for constants."""

    faults: list[Sentence] = field(default_factory=list)

    def add(self, en: str, zh: str) -> None:
        """Note one fault."""
        self.faults.append(Sentence(en=en, zh=zh))


def read_graph(raw: bytes) -> tuple[Graph, list[Sentence]]:
    """Return the model in the bytes of a file, and what is wrong with its parts.

    Raises
    ------
    OnnxBroken
        Where the bytes are no ONNX model at all.
    """
    reading, noted = Reading(), Noted()
    said = read_message("ModelProto", memoryview(raw), reading)
    for place in dict.fromkeys(reading.refused):
        noted.add(
            f"it uses {place} ({REFUSED.get(place.rpartition('.')[2], 'a part')}), which is not accepted",
            f"文件使用了不予接受的 {place}（{REFUSED_ZH.get(place.rpartition('.')[2], '组成部分')}）",
        )
    graph = said.get("graph")
    if graph is None:
        raise OnnxBroken(Sentence(en="it holds no graph", zh="文件中没有计算图"))
    nodes = tuple(_node(each, noted) for each in graph["node"])
    constants = _constants(graph["initializer"], noted)
    return (
        Graph(
            nodes=nodes,
            constants=constants,
            inputs=tuple(port for each in graph["input"] if (port := _port(each)).name not in constants),
            outputs=tuple(_port(each) for each in graph["output"]),
            domains=_domains(said["opset_import"], noted),
        ),
        noted.faults,
    )


REFUSED = {
    "sparse_initializer": "a constant kept as its few numbers",
    "quantization_annotation": "a way to quantise",
    "functions": "operations defined in the file",
    "training_info": "a second graph for training",
    "external_data": "numbers kept in other files",
    "g": "a graph inside a node",
    "graphs": "graphs inside a node",
    "segment": "a tensor in pieces",
}
REFUSED_ZH = {
    "sparse_initializer": "稀疏存放的常量",
    "quantization_annotation": "量化标注",
    "functions": "文件自定义的运算",
    "training_info": "用于训练的另一计算图",
    "external_data": "存放在其他文件中的数值",
    "g": "节点内嵌的计算图",
    "graphs": "节点内嵌的计算图",
    "segment": "分段的张量",
}


def _domains(imports: Sequence[Mapping[str, Any]], noted: Noted) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in imports:
        domain, version = plain_domain(each.get("domain", "")), int(each.get("version", 0))
        if found.setdefault(domain, version) != version:  # exporters write the same line twice
            noted.add(
                f"it asks for versions {found[domain]} and {version} of the operations of '{domain or 'ai.onnx'}'",
                f"同时要求“{domain or 'ai.onnx'}”运算的 {found[domain]} 和 {version} 两个版本",
            )
    return found


def plain_domain(domain: str) -> str:
    """Return a domain under its one name: 'ai.onnx' is written as nothing by most."""
    return "" if domain == "ai.onnx" else domain


def _node(said: Mapping[str, Any], noted: Noted) -> Node:
    op, name = said.get("op_type", ""), said.get("name", "")
    attributes: dict[str, Any] = {}
    for each in said["attribute"]:
        key = each.get("name", "")
        if not key or key in attributes:
            noted.add(f"{op} says attribute '{key}' twice, or without a name", f"{op} 的属性“{key}”重复或没有名称")
        attributes[key] = _attribute(each, f"{op}.{key}", noted)
    return Node(
        op=op,
        domain=plain_domain(said.get("domain", "")),
        name=name,
        inputs=tuple(said["input"]),
        outputs=tuple(said["output"]),
        attributes=attributes,
    )


KINDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
"""In which field an attribute of a type is kept."""


def _attribute(said: Mapping[str, Any], where: str, noted: Noted) -> Any:
    """Return the value of an attribute; None, with a fault, where its type and what it holds do not agree."""
    held = [kind for kind in KINDS.values() if kind in said and (kind != "strings" or said[kind])]
    kind = KINDS.get(int(said.get("type", 0)))
    if kind is None or any(other != kind for other in held):
        noted.add(
            f"{where} has type {said.get('type', 0)} and holds {', '.join(held) or 'nothing'}",
            f"{where} 的类型为 {said.get('type', 0)}，内容为 {'、'.join(held) or '空'}",
        )
        return None
    if kind == "t":
        return _tensor(said["t"], where, noted) if "t" in said else None
    empty: dict[str, Any] = {
        "f": 0.0,
        "i": 0,
        "s": b"",
        "floats": np.zeros(0, np.float32),
        "ints": np.zeros(0, np.int64),
    }
    value = said.get(kind, empty.get(kind))
    return bytes(value) if kind == "s" else ([bytes(one) for one in value] if kind == "strings" else value)


def _constants(said: Sequence[Mapping[str, Any]], noted: Noted) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for each in said:
        name = each.get("name", "")
        if not name or name in found:
            noted.add(f"the constant '{name}' comes twice, or without a name", f"常量“{name}”重复或没有名称")
        found[name] = _tensor(each, name, noted)
    return found


def _tensor(said: Mapping[str, Any], where: str, noted: Noted) -> Tensor:
    """Return a constant whose numbers are exactly as many as its shape says; without them, and a fault, otherwise."""
    shape = tuple(int(length) for length in said.get("dims", ()))
    kind = int(said.get("data_type", 0))
    none = Tensor(said.get("name", ""), shape, None)
    if said.get("data_location", 0) != 0:
        noted.add(f"the numbers of '{where}' lie in another file", f"“{where}”的数值存放在其他文件中")
        return none
    if len(shape) > MOST_AXES or any(length < 0 for length in shape):
        noted.add(f"'{where}' has the impossible shape {list(shape)[:9]}", f"“{where}”的形状 {list(shape)[:9]} 不可能")
        return none
    if kind not in RAW_TYPES and kind != STRING:
        noted.add(f"'{where}' has an element type {kind} that is not read", f"“{where}”的元素类型 {kind} 不予读取")
        return none
    wanted = 1
    for length in shape:  # Python's numbers do not overflow
        wanted *= length
    values, found = _numbers(said, kind)
    if found is None:
        noted.add(
            f"the numbers of '{where}' are cut off, or kept in another way than type {kind} is",
            f"“{where}”的数值不完整，或其存放方式与类型 {kind} 不符",
        )
        return none
    if found != wanted:
        noted.add(
            f"'{where}' says shape {list(shape)}, {wanted:,} numbers, and holds {found:,}",
            f"“{where}”声明形状为 {list(shape)}，应有 {wanted:,} 个数，实际为 {found:,} 个",
        )
        return none
    if values is not None and values.dtype.kind == "f" and np.isnan(values).any():
        noted.add(f"'{where}' holds numbers that are not numbers (NaN)", f"“{where}”中含有非数值（NaN）")
        return none
    return Tensor(none.name, shape, None if values is None else values.reshape(shape))


def _numbers(said: Mapping[str, Any], kind: int) -> tuple[Array | None, int | None]:
    """Return the numbers of a tensor, flat, and how many; None where they are not kept in the one right way."""
    lists = [name for name in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data") if name in said]
    texts, raw = said.get("string_data", ()), said.get("raw_data")
    if len(lists) + bool(texts) + (raw is not None) > 1:
        return None, None
    if kind == STRING:
        return None, None if lists or raw is not None else len(texts)
    if raw is not None:
        size = np.dtype(RAW_TYPES[kind]).itemsize
        return (None, None) if len(raw) % size else (np.frombuffer(raw, RAW_TYPES[kind]), len(raw) // size)
    if not lists:
        return (None, None) if texts else (np.zeros(0, RAW_TYPES[kind]), 0)
    if lists[0] != LISTED.get(kind):
        return None, None
    values = np.asarray(said[lists[0]])
    return values, len(values)


def _port(said: Mapping[str, Any]) -> Port:
    kind = said.get("type", {})
    name = said.get("name", "")
    if "tensor_type" in kind and len(kind) == 1:
        tensor = kind["tensor_type"]
        shape = tensor.get("shape")
        lengths = None if shape is None else tuple(_length(each) for each in shape["dim"])
        return Port(name, int(tensor.get("elem_type", 0)), lengths)
    inner = kind.get("sequence_type", {}).get("elem_type", {}).get("map_type", {})
    element = inner.get("value_type", {}).get("tensor_type", {}).get("elem_type")
    return Port(name, None, None, maps=inner.get("key_type") == INT64 and element in (FLOAT, DOUBLE))


def _length(said: Mapping[str, Any]) -> int | None:
    value = said.get("dim_value")
    return None if value is None or (value == 0 and "dim_param" in said) else int(value)
