"""How many columns the tables between the nodes of an ONNX graph have, as far as that can be told without running it.

A tree that looks at a column that is not there reads whatever lies behind the row: so it has to be known for trees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from model_registry.onnx_graph import Graph, Node, Tensor
from model_registry.onnx_operations import JOINS_WIDTHS, KEEPS_WIDTH

Widths = Mapping[str, int]
Constants = Mapping[str, Tensor]


def widths_of(graph: Graph, features: int) -> dict[str, int]:
    """Return the columns of every table that can be told, by its name; `features` is what the model takes."""
    constants = dict(graph.constants)
    found = {port.name: features for port in graph.inputs}
    for node in graph.nodes:
        if node.op == "Constant" and isinstance(made := node.attributes.get("value"), Tensor):
            constants.update(dict.fromkeys(node.outputs, made))
        width = _width(node, found, constants)
        if width is not None and node.outputs:
            found[node.outputs[0]] = width
    return found


def _width(node: Node, found: Widths, constants: Constants) -> int | None:
    if not node.inputs:
        return None
    if node.op in KEEPS_WIDTH:
        return found.get(node.inputs[0])
    if node.op in JOINS_WIDTHS:
        return _stretched([_columns(name, found, constants) for name in node.inputs])
    made = _MAKES_WIDTH.get(node.op)
    return None if made is None else made(node, found, constants)


def _columns(name: str, found: Widths, constants: Constants) -> int | None:
    """Columns of a table or of a constant that is stretched over the rows."""
    constant = constants.get(name)
    if constant is None:
        return found.get(name)
    return constant.shape[-1] if constant.shape and len(constant.shape) <= 2 else (1 if not constant.shape else None)


def _stretched(widths: list[int | None]) -> int | None:
    known = {width for width in widths if width is not None and width != 1}
    if None in widths or len(known) > 1:
        return None
    return known.pop() if known else 1


def _of_matrix(node: Node, found: Widths, constants: Constants) -> int | None:
    weights = constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if weights is None or len(weights.shape) != 2:
        return None
    return weights.shape[0] if node.op == "Gemm" and node.attributes.get("transB", 0) else weights.shape[1]


def _of_parts(node: Node, found: Widths, constants: Constants) -> int | None:
    widths = [found.get(name) for name in node.inputs]
    if node.attributes.get("axis") not in (1, -1) or None in widths:
        return None
    return sum(width for width in widths if width is not None)


def _of_chosen(node: Node, found: Widths, constants: Constants) -> int | None:
    chosen = constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if chosen is None or chosen.values is None or node.inputs[0] not in found:
        return None
    if node.op == "Gather" and (node.attributes.get("axis", 0) not in (1, -1) or len(chosen.shape) != 1):
        return None
    return int(chosen.values.size)


def _of_shape(node: Node, found: Widths, constants: Constants) -> int | None:
    shape = constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if shape is None or shape.values is None or shape.values.size != 2 or node.attributes.get("allowzero", 0):
        return None
    return int(shape.values[1]) if shape.values[0] == -1 and shape.values[1] > 0 else None


_MAKES_WIDTH: dict[str, Callable[[Node, Widths, Constants], int | None]] = {
    "MatMul": _of_matrix,
    "Gemm": _of_matrix,
    "Concat": _of_parts,
    "ArrayFeatureExtractor": _of_chosen,
    "Gather": _of_chosen,
    "Reshape": _of_shape,
}
