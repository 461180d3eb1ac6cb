"""ONNX files that mean harm: graphs that loop, name files, lie about sizes, or say two things to two readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.model_registry.hostile import Build, Case, with_model
from tests.model_registry.makers import FEATURES
from tests.model_registry.onnx_makers import attribute, changed, network, node_of, onnx_line, onnx_network, onnx_trees

ONNX_CASES: list[Case] = []
ENSEMBLE = "TreeEnsembleClassifier"


def _add(tries: str, make: Callable[[], bytes]) -> None:
    def build(folder: Any, canary: Any) -> None:
        with_model("onnx", make())(folder, canary)

    made: Build = build
    ONNX_CASES.append(Case("ONNX", tries, made))


def _changed(tries: str, make: Callable[[], bytes], change: Callable[[Any], object]) -> None:
    _add(tries, lambda: changed(make(), change))


# ── Trees ─────────────────────────────────────────────────────────────────────────────────────────


def _tree(name: str, place: int, value: Any) -> Callable[[Any], None]:
    """Set one number of one list of the ensemble."""

    def change(model: Any) -> None:
        found = attribute(node_of(model, ENSEMBLE), name)
        (found.ints if len(found.ints) else found.floats if len(found.floats) else found.strings)[place] = value

    return change


def _shorter(model: Any) -> None:
    del attribute(node_of(model, ENSEMBLE), "nodes_featureids").ints[5:]


def _chain(model: Any) -> None:
    """One tree of five thousand branches, each below the last."""
    node, depth = node_of(model, ENSEMBLE), 5_000
    count = 2 * depth + 1
    lists: dict[str, list[Any]] = {
        "nodes_treeids": [0] * count,
        "nodes_nodeids": list(range(count)),
        "nodes_featureids": [0] * count,
        "nodes_truenodeids": [at + 1 if at % 2 == 0 and at < count - 1 else 0 for at in range(count)],
        "nodes_falsenodeids": [at + 2 if at % 2 == 0 and at < count - 1 else 0 for at in range(count)],
        "nodes_missing_value_tracks_true": [0] * count,
        "class_treeids": [0],
        "class_nodeids": [count - 1],
        "class_ids": [0],
    }
    for name, values in lists.items():
        found = attribute(node, name)
        del found.ints[:]
        found.ints.extend(values)
    for name, value, length in (
        ("nodes_values", 0.5, count),
        ("nodes_hitrates", 1.0, count),
        ("class_weights", 1.0, 1),
    ):
        found = attribute(node, name)
        del found.floats[:]
        found.floats.extend([value] * length)
    modes = attribute(node, "nodes_modes")
    del modes.strings[:]
    modes.strings.extend(b"BRANCH_LEQ" if at % 2 == 0 and at < count - 1 else b"LEAF" for at in range(count))


for _tries, _change in (
    ("a tree whose branch leads to its root", _tree("nodes_truenodeids", 1, 0)),
    ("a tree whose root leads to itself", _tree("nodes_falsenodeids", 0, 0)),
    ("two branches that lead to one node", _tree("nodes_falsenodeids", 0, 1)),
    ("a branch that leads to no node", _tree("nodes_truenodeids", 0, 9_999)),
    ("a branch that leads before the first node", _tree("nodes_truenodeids", 0, -1)),
    ("a branch to a node of eight exabytes", _tree("nodes_truenodeids", 0, 2**63 - 1)),
    ("a threshold that is not a number", _tree("nodes_values", 0, float("nan"))),
    ("a leaf weight that is infinite", _tree("class_weights", 0, float("inf"))),
    ("a column behind the last", _tree("nodes_featureids", 0, len(FEATURES))),
    ("column four billion", _tree("nodes_featureids", 0, 4_000_000_000)),
    ("a column before the first", _tree("nodes_featureids", 0, -1)),
    ("a leaf that adds to a class nobody named", _tree("class_ids", 0, 77)),
    ("a weight of a node that is no leaf", _tree("class_nodeids", 0, 0)),
    ("a weight of a tree that is not there", _tree("class_treeids", 0, 5_000)),
    ("two nodes of one number", _tree("nodes_nodeids", 1, 0)),
    ("a node in another tree than its neighbours", _tree("nodes_treeids", 2, 3)),
    ("a node of a negative tree", _tree("nodes_treeids", 0, -5)),
    ("a way to decide nobody knows", _tree("nodes_modes", 0, b"BRANCH_EVIL")),
    ("lists of nodes of different lengths", _shorter),
    ("a tree five thousand nodes deep", _chain),
    (
        "classes in the other order",
        lambda model: attribute(node_of(model, ENSEMBLE), "classlabels_int64s").ints.reverse(),
    ),
):
    _changed(_tries, onnx_trees, _change)

# ── Graphs ────────────────────────────────────────────────────────────────────────────────────────


def _inner() -> Any:
    """A graph to put inside a node."""
    made = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    return helper.make_graph([helper.make_node("Identity", ["score"], ["inner"])], "inside", [], [made])


def _node(op: str, inputs: list[str], outputs: list[str], **options: Any) -> Callable[[Any], None]:
    return lambda model: model.graph.node.append(helper.make_node(op, inputs, outputs, **options))


def _in_circles(model: Any) -> None:
    model.graph.node[0].input[0] = "s"


def _function(model: Any) -> None:
    made = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(helper.make_function("mine", "Own", ["a"], ["b"], [made], [helper.make_opsetid("", 18)]))


def _many(model: Any) -> None:
    model.graph.node.extend(helper.make_node("Identity", ["score"], [f"n{at}"]) for at in range(30_000))


def _trillion(model: Any) -> None:
    """A constant that is made at run time: nothing in the file is large."""
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "large"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, 1], np.int64), "column"))
    fresh = [
        helper.make_node("ConstantOfShape", ["large"], ["ones"]),
        helper.make_node("ReduceSum", ["ones"], ["total"]),
        helper.make_node("Mul", ["z", "total"], ["y"]),
    ]
    for place, node in enumerate(fresh):
        model.graph.node.insert(1 + place, node)
    model.graph.node[4].input[0] = "y"


for _tries, _change in (
    ("an operation of its maker's own", _node("Own", ["score"], ["more"], domain="com.example")),
    ("an operation nobody knows", _node("Explode", ["score"], ["more"])),
    ("a loop", _node("Loop", ["", ""], ["more"], body=_inner())),
    ("a branch that holds graphs", _node("If", ["score"], ["more"], then_branch=_inner(), else_branch=_inner())),
    ("a scan", _node("Scan", ["score"], ["more"], body=_inner(), num_scan_inputs=1)),
    ("a function of its own", _function),
    ("random numbers", _node("RandomUniformLike", ["score"], ["more"])),
    ("Dropout that goes on training", _node("Dropout", ["score", "", "b"], ["more"])),
    ("nodes in a circle", _in_circles),
    ("a name that is made twice", _node("Identity", ["s"], ["score"])),
    ("a name that nothing makes", _node("Identity", ["nothing"], ["more"])),
    ("an output that nothing makes", lambda model: setattr(model.graph.output[0], "name", "nothing")),
    ("thirty thousand nodes", _many),
    ("a trillion numbers made at run time", _trillion),
    ("a picture as input", lambda model: model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=3)),
    ("texts as input", lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", TensorProto.STRING)),
    (
        "a table of one row only",
        lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1),
    ),
    ("a second input", lambda model: model.graph.input.append(helper.make_tensor_value_info("Y", 1, [None, 3]))),
    (
        "a thousand scores a row",
        lambda model: setattr(model.graph.output[0].type.tensor_type.shape.dim[1], "dim_value", 1000),
    ),
    ("a second graph for training", lambda model: model.training_info.add()),
    ("a sparse constant", lambda model: model.graph.sparse_initializer.add()),
    ("a way to quantise", lambda model: model.graph.quantization_annotation.add()),
):
    _changed(_tries, onnx_network, _change)

_changed(
    "a line with too few coefficients", onnx_line, lambda m: attribute(m.graph.node[0], "coefficients").floats.pop()
)

# ── Constants ─────────────────────────────────────────────────────────────────────────────────────


def _constant(change: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda model: change(model.graph.initializer[0])


def _elsewhere(path: str) -> Callable[[Any], object]:
    def change(tensor: Any) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=path)

    return _constant(change)


def _only_flag(tensor: Any) -> None:
    tensor.data_location = TensorProto.EXTERNAL


def _shape(*lengths: int) -> Callable[[Any], object]:
    def change(tensor: Any) -> None:
        del tensor.dims[:]
        tensor.dims.extend(lengths)

    return _constant(change)


for _tries, _change in (
    ("numbers in a file above the folder", _elsewhere("../../../../etc/passwd")),
    ("numbers in a file of the system", _elsewhere("/etc/passwd")),
    ("numbers in a file nobody names", _constant(_only_flag)),
    ("a constant of a trillion numbers that are not there", _shape(10**6, 10**6)),
    ("a shape that overflows to what is there", _shape(2**32, 2**32, 3)),
    ("a negative length", _shape(-1, -3)),
    ("a hundred axes", _shape(*[1] * 100)),
    ("a constant cut in the middle of a number", _constant(lambda t: setattr(t, "raw_data", t.raw_data[:5]))),
    ("numbers kept twice", _constant(lambda t: t.float_data.extend([1.0, 2.0, 3.0]))),
    ("a kind of number nobody knows", _constant(lambda t: setattr(t, "data_type", 99))),
    (
        "weights that are not numbers",
        _constant(lambda t: setattr(t, "raw_data", np.full(3, np.nan, np.float32).tobytes())),
    ),
    ("a constant without a name", _constant(lambda t: setattr(t, "name", ""))),
    ("one constant twice", lambda model: model.graph.initializer.append(model.graph.initializer[0])),
):
    _changed(_tries, onnx_network, _change)

# ── Bytes ─────────────────────────────────────────────────────────────────────────────────────────


def _field(number: int, content: bytes) -> bytes:
    size, length = bytearray(), len(content)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2]) + bytes([*size, length]) + content


def _nested() -> bytes:
    """A type inside a type, two thousand times, written from the inside."""
    raw = b""
    for _ in range(2_000):
        raw = _field(4, _field(1, raw))
    port = _field(1, b"X") + _field(2, raw)
    return b"\x08\x0a" + _field(7, _field(11, port))


def _first_text_broken() -> bytes:
    return onnx_network().replace(b"first", b"\xff\xfe\xff\xfe\xff")


for _tries, _raw in (
    ("a second graph that other readers would merge", lambda: onnx_network() + _field(7, _field(2, b"other"))),
    ("a version that is said twice", lambda: onnx_network() + b"\x08\x0a"),
    ("a field nobody knows", lambda: onnx_network() + b"\x9a\x06\x04evil"),
    ("a group, which ONNX does not use", lambda: onnx_network() + b"\x0b\x0c"),
    ("a number that does not end", lambda: b"\x08\x0a" + b"\x28" + b"\xff" * 40),
    ("a part longer than the file", lambda: b"\x08\x0a\x3a\xff\xff\xff\xff\x7f" + b"x" * 100),
    ("a part of sixteen exabytes", lambda: b"\x08\x0a\x3a" + b"\xff" * 9 + b"\x01x"),
    ("a file cut in the middle", lambda: onnx_trees()[:400]),
    ("no graph at all", lambda: b"\x08\x0a\x12\x07pytorch"),
    ("types two thousand deep", _nested),
    ("a name that is no text", _first_text_broken),
):
    _add(_tries, _raw)

_add("nothing to compute", lambda: network(nodes=[]).SerializeToString())
