"""Small ONNX models of the made-up plant: trees, a line, a network; and how to change one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from tests.model_registry.makers import FEATURES, rows

OPSETS = {"": 18, "ai.onnx.ml": 3}
Change = Callable[[Any], object]


def exported(model: Any, width: int = len(FEATURES), *, zipmap: bool = False) -> bytes:
    """A fitted scikit-learn model as ONNX bytes."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    options = {"zipmap": zipmap} if hasattr(model, "predict_proba") else None
    types = [("X", FloatTensorType([None, width]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter calls what NumPy and onnx will drop
        made = to_onnx(model, initial_types=types, options=options, target_opset=OPSETS)
    raw: bytes = made.SerializeToString()
    return raw


def _trained(model: Any) -> Any:
    frame = rows(300, seed=1)
    return model.fit(frame[list(FEATURES)].to_numpy(np.float32), frame["harmed"])


@lru_cache
def onnx_trees() -> bytes:
    """Gradient-boosted trees."""
    return exported(_trained(GradientBoostingClassifier(n_estimators=6, max_depth=2, random_state=0)))


@lru_cache
def onnx_line(*, zipmap: bool = False) -> bytes:
    """A logistic regression, with its probabilities as a table or as mappings."""
    return exported(_trained(LogisticRegression()), zipmap=zipmap)


def network(
    nodes: list[Any] | None = None, constants: dict[str, Any] | None = None, *, takes: Any = None, answers: Any = None
) -> Any:
    """A network of one layer, as a protobuf: `X` to `score`, the probability of harm."""
    weights = {"W": np.array([[0.12], [0.06], [0.0]], np.float32), "b": np.array([-8.5], np.float32)}
    held = weights if constants is None else weights | constants
    plain = [
        helper.make_node("MatMul", ["X", "W"], ["z"], name="first"),
        helper.make_node("Add", ["z", "b"], ["s"], name="second"),
        helper.make_node("Sigmoid", ["s"], ["score"], name="third"),
    ]
    graph = helper.make_graph(
        plain if nodes is None else nodes,
        "plant",
        takes or [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, len(FEATURES)])],
        answers or [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def onnx_network() -> bytes:
    """The network as bytes."""
    raw: bytes = network().SerializeToString()
    return raw


def changed(raw: bytes, change: Change) -> bytes:
    """The same model with something changed in its protobuf."""
    model = onnx.load_from_string(raw)
    change(model)
    made: bytes = model.SerializeToString()
    return made


def node_of(model: Any, op: str) -> Any:
    """The first node of an operation."""
    return next(node for node in model.graph.node if node.op_type == op)


def attribute(node: Any, name: str) -> Any:
    """One attribute of a node."""
    return next(each for each in node.attribute if each.name == name)
