"""An ONNX file is judged before anything runs it: what it is made of, what it takes, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from explainers.trees.nodes import ModelRefused
from model_registry.onnx_graph import DOUBLE, FLOAT, INT64, NAMES, Graph, Node, Port, Tensor, read_graph
from model_registry.onnx_operations import LEARNING_DOMAIN, OPERATIONS, RANDOM, REPEATS
from model_registry.onnx_trees import tree_faults
from model_registry.onnx_widths import widths_of
from policies.errors import Sentence

MOST_NODES = 20_000
MOST_FEATURES = 10_000
LONGEST_NAME = 500
MOST_FAULTS = 20
TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
LABELS = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")


class OnnxRefused(ModelRefused):
    """An ONNX file that is no sound model of one table of numbers; every fault at once."""

    def __init__(self, name: str, faults: list[Sentence]) -> None:
        shown = [Sentence(en=f"{name}: {fault.en}", zh=f"{name}：{fault.zh}") for fault in faults[:MOST_FAULTS]]
        left = len(faults) - len(shown)
        if left > 0:
            shown.append(Sentence(en=f"{name}: and {left:,} more faults", zh=f"{name}：另有 {left:,} 处问题"))
        super().__init__(*shown)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is known of a sound file: its features in order, the unit of its score, and how large it is."""

    feature_names: tuple[str, ...]
    unit: str
    nodes: int
    weights: int


def judge_onnx(name: str, raw: bytes, declared: tuple[str, ...]) -> Judged:
    """Return what a file is, or refuse it with every fault.

    Parameters
    ----------
    name : str
        Of the file, for sentences.
    raw : bytes
    declared : tuple of str
        Names of the features in the order of training; an ONNX file knows only how many there are. Where their number
        is another one, features are called f0, f1, ….

    Raises
    ------
    OnnxRefused, OnnxBroken
    """
    graph, faults = read_graph(raw)
    for check in (_operations, _names, _numbers, _inputs, _outputs, _labels):
        faults += check(graph)
    features = _features(graph, declared)
    faults += _shapes(graph, features)
    if faults:
        raise OnnxRefused(name, faults)
    positions = tuple(f"f{place}" for place in range(features))
    return Judged(
        feature_names=declared if len(declared) == features else positions,
        unit="probability" if _is_probability(graph.outputs) else "value",
        nodes=len(graph.nodes),
        weights=_weights(graph),
    )


def _weights(graph: Graph) -> int:
    """How many numbers the model holds, in constants and in lists of its nodes."""
    lists = [value for node in graph.nodes for value in node.attributes.values()]
    arrays = [value.values if isinstance(value, Tensor) else value for value in [*graph.constants.values(), *lists]]
    return sum(int(array.size) for array in arrays if isinstance(array, np.ndarray))


def _operations(graph: Graph) -> Iterator[Sentence]:
    if not 0 < len(graph.nodes) <= MOST_NODES:
        yield Sentence(
            en=f"it has {len(graph.nodes):,} nodes; expected 1 to {MOST_NODES:,}",
            zh=f"节点数为 {len(graph.nodes):,}，应为 1 到 {MOST_NODES:,}",
        )
    for domain in [*graph.domains, *(node.domain for node in graph.nodes if node.domain not in graph.domains)]:
        if domain not in OPERATIONS:
            yield Sentence(
                en=f"it uses operations of '{domain[:80]}'; only those of ai.onnx and ai.onnx.ml are run",
                zh=f"使用了“{domain[:80]}”的运算；仅运行 ai.onnx 和 ai.onnx.ml 的运算",
            )
    for op, domain in dict.fromkeys((node.op, node.domain) for node in graph.nodes):
        if op not in OPERATIONS.get(domain, {op}):
            why, why_zh = _why_not(op)
            yield Sentence(en=f"the operation {op[:80]} {why}", zh=f"运算 {op[:80]} {why_zh}")
    if any(node.op == "Dropout" and len(node.inputs) > 2 for node in graph.nodes):
        yield Sentence(
            en="Dropout in training draws random numbers; export the model for inference",
            zh="训练模式的 Dropout 会产生随机数，请按推理模式导出模型",
        )


def _why_not(op: str) -> tuple[str, str]:
    if op in REPEATS:
        return "loops or branches, and how long it runs cannot be told", "含循环或分支，无法确定其运行时间"
    if op in RANDOM:
        return "draws random numbers; the same row would get two scores", "会产生随机数，同一行会得到不同分数"
    return "is not among those that are run here", "不在可运行的范围内"


def _names(graph: Graph) -> Iterator[Sentence]:
    """Names are made once and used afterwards: then nothing goes in circles."""
    known = set(graph.constants) | {""}
    for port in graph.inputs:
        if port.name in known:
            yield Sentence(en=f"the name '{port.name[:80]}' is used twice", zh=f"名称“{port.name[:80]}”重复使用")
        known.add(port.name)
    for node in graph.nodes:
        for name in node.inputs:
            if name not in known:
                yield Sentence(
                    en=f"{node.called[:120]} uses '{name[:80]}' before it is made (a cycle, or a wrong order)",
                    zh=f"{node.called[:120]} 使用了尚未产生的“{name[:80]}”（成环或顺序错误）",
                )
        made = [name for name in node.outputs if name]
        for name in made:
            if name in known or made.count(name) > 1:
                yield Sentence(
                    en=f"{node.called[:120]} makes '{name[:80]}', which there is already",
                    zh=f"{node.called[:120]} 产生的“{name[:80]}”已存在",
                )
        known |= set(made)
    for port in graph.outputs:
        if port.name not in known or not port.name:
            yield Sentence(en=f"nothing makes the output '{port.name[:80]}'", zh=f"没有节点产生输出“{port.name[:80]}”")
    if any(len(name) > LONGEST_NAME for name in known):
        yield Sentence(en=f"a name has more than {LONGEST_NAME} characters", zh=f"有名称超过 {LONGEST_NAME} 个字符")


def _numbers(graph: Graph) -> Iterator[Sentence]:
    for node in graph.nodes:
        for key, value in node.attributes.items():
            if node.op in TREES:
                continue  # those have sentences of their own
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isnan(value).any():
                yield Sentence(
                    en=f"{node.called}: {key} holds numbers that are not numbers (NaN)",
                    zh=f"{node.called}：{key} 中含有非数值（NaN）",
                )
        if node.op == "Cast" and node.attributes.get("to") not in (set(NAMES) - {8}):
            yield Sentence(en=f"{node.called} makes no numbers", zh=f"{node.called} 的结果不是数值")


def _inputs(graph: Graph) -> Iterator[Sentence]:
    port = graph.inputs[0] if len(graph.inputs) == 1 else None
    shape = port.shape if port is not None else None
    sound = (
        port is not None
        and port.element in (FLOAT, DOUBLE)
        and shape is not None
        and len(shape) == 2
        and shape[0] is None
        and (shape[1] is None or 0 < shape[1] <= MOST_FEATURES)
    )
    if not sound:
        shown = "; ".join(f"{one.name[:80]}: {one.described[:80]}" for one in graph.inputs[:5]) or "nothing"
        yield Sentence(
            en=f"it takes {shown}; expected one table of floats, any number of rows and a column per feature",
            zh=f"其输入为 {shown}；应为单个浮点表，行数不限，每个特征一列",
        )


def _outputs(graph: Graph) -> Iterator[Sentence]:
    ports = graph.outputs
    label_first = len(ports) == 2 and ports[0].element == INT64
    if not ((len(ports) == 1 or label_first) and _is_score(ports[-1])):
        shown = "; ".join(f"{one.name[:80]}: {one.described[:80]}" for one in ports[:5]) or "nothing"
        yield Sentence(
            en=f"it answers {shown}; expected one score per row, "
            "or the label and then the probabilities of classes 0 and 1",
            zh=f"其输出为 {shown}；应为每行一个分数，或先标签后 0、1 两类的概率",
        )


def _is_score(port: Port) -> bool:
    if port.maps:
        return True
    shape = port.shape
    if port.element not in (FLOAT, DOUBLE) or not shape or shape[0] is not None:
        return False
    return len(shape) == 1 or (len(shape) == 2 and shape[1] in (1, 2))


def _is_probability(ports: tuple[Port, ...]) -> bool:
    last = ports[-1]
    return last.maps or (last.shape or ())[1:] == (2,)


def _labels(graph: Graph) -> Iterator[Sentence]:
    """The score is the probability of 1: labels in another order would turn safe and harmful around."""
    for node in graph.nodes:
        for key in LABELS:
            value: Any = node.attributes.get(key)
            if value is None or (isinstance(value, np.ndarray) and value.tolist() == [0, 1]):
                continue
            some = value[:5] if isinstance(value, list) else np.atleast_1d(value)[:5].tolist()
            shown = [one.decode("utf-8", "replace")[:20] if isinstance(one, bytes) else one for one in some]
            yield Sentence(
                en=f"{node.called} tells the classes {shown} apart; expected the labels 0 and 1, in this order",
                zh=f"{node.called} 区分的类别为 {shown}；应依次为标签 0 和 1",
            )


def _features(graph: Graph, declared: tuple[str, ...]) -> int:
    """How many columns the model takes: what its input says, else as many as were declared."""
    shape = graph.inputs[0].shape if graph.inputs else None
    said = shape[1] if shape is not None and len(shape) == 2 else None
    return len(declared) if said is None else said


def _shapes(graph: Graph, features: int) -> Iterator[Sentence]:
    widths = widths_of(graph, features)
    for node in graph.nodes:
        columns = widths.get(node.inputs[0]) if node.inputs else None
        if node.domain == LEARNING_DOMAIN and node.op in TREES:
            yield from tree_faults(node, columns)
        elif node.domain == LEARNING_DOMAIN and node.op in _LISTS:
            yield from _LISTS[node.op](node, columns)


def _line_faults(node: Node, columns: int | None) -> Iterator[Sentence]:
    weights, cuts = (_length(node, name) for name in ("coefficients", "intercepts"))
    lines = max(1, cuts)
    wrong = weights % lines if columns is None else weights != lines * columns
    if wrong or not weights:
        yield Sentence(
            en=f"{node.called}: it has {weights:,} coefficients for {lines} lines over {columns or 'some'} columns",
            zh=f"{node.called}：{lines} 条线、{columns or '若干'} 列，却有 {weights:,} 个系数",
        )


def _per_column_faults(node: Node, columns: int | None) -> Iterator[Sentence]:
    for name in ("offset", "scale", "imputed_value_floats"):
        found = _length(node, name)
        if found > 1 and columns is not None and found != columns:
            yield Sentence(
                en=f"{node.called}: {name} has {found:,} numbers for {columns} columns",
                zh=f"{node.called}：{name} 有 {found:,} 个数，而列数为 {columns}",
            )


def _length(node: Node, name: str) -> int:
    value = node.attributes.get(name)
    return len(value) if isinstance(value, np.ndarray) else 0


_LISTS: dict[str, Callable[[Node, int | None], Iterator[Sentence]]] = {
    "LinearClassifier": _line_faults,
    "LinearRegressor": _line_faults,
    "Scaler": _per_column_faults,
    "Imputer": _per_column_faults,
}
