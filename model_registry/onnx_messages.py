"""The messages of onnx.proto: what is read of each, what is skipped, and what is never accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One field of a message: its name and what it holds.

    `kind` is "int", "float", "text", "bytes", a message's name, "ints", "floats" or "doubles" (whole lists), "skip" for
    what says nothing about the scores, or "refuse" for what is known and never accepted.
    """

    name: str
    kind: str
    many: bool = False


MESSAGES: Mapping[str, Mapping[int, Field]] = {
    "ModelProto": {
        1: Field("ir_version", "int"),
        2: Field("producer_name", "text"),
        3: Field("producer_version", "text"),
        4: Field("domain", "text"),
        5: Field("model_version", "int"),
        6: Field("doc_string", "skip"),
        7: Field("graph", "GraphProto"),
        8: Field("opset_import", "OperatorSetIdProto", many=True),
        14: Field("metadata_props", "skip", many=True),
        20: Field("training_info", "refuse", many=True),
        25: Field("functions", "refuse", many=True),
        26: Field("configuration", "refuse", many=True),
    },
    "OperatorSetIdProto": {1: Field("domain", "text"), 2: Field("version", "int")},
    "GraphProto": {
        1: Field("node", "NodeProto", many=True),
        2: Field("name", "text"),
        5: Field("initializer", "TensorProto", many=True),
        10: Field("doc_string", "skip"),
        11: Field("input", "ValueInfoProto", many=True),
        12: Field("output", "ValueInfoProto", many=True),
        13: Field("value_info", "skip", many=True),
        14: Field("quantization_annotation", "refuse", many=True),
        15: Field("sparse_initializer", "refuse", many=True),
        16: Field("metadata_props", "skip", many=True),
    },
    "NodeProto": {
        1: Field("input", "text", many=True),
        2: Field("output", "text", many=True),
        3: Field("name", "text"),
        4: Field("op_type", "text"),
        5: Field("attribute", "AttributeProto", many=True),
        6: Field("doc_string", "skip"),
        7: Field("domain", "text"),
        8: Field("overload", "refuse"),
        9: Field("metadata_props", "skip", many=True),
        10: Field("device_configurations", "refuse", many=True),
    },
    "AttributeProto": {
        1: Field("name", "text"),
        2: Field("f", "float"),
        3: Field("i", "int"),
        4: Field("s", "bytes"),
        5: Field("t", "TensorProto"),
        6: Field("g", "refuse"),
        7: Field("floats", "floats"),
        8: Field("ints", "ints"),
        9: Field("strings", "bytes", many=True),
        10: Field("tensors", "refuse", many=True),
        11: Field("graphs", "refuse", many=True),
        13: Field("doc_string", "skip"),
        14: Field("tp", "refuse"),
        15: Field("type_protos", "refuse", many=True),
        20: Field("type", "int"),
        21: Field("ref_attr_name", "refuse"),
        22: Field("sparse_tensor", "refuse"),
        23: Field("sparse_tensors", "refuse", many=True),
    },
    "TensorProto": {
        1: Field("dims", "ints"),
        2: Field("data_type", "int"),
        3: Field("segment", "refuse"),
        4: Field("float_data", "floats"),
        5: Field("int32_data", "ints"),
        6: Field("string_data", "bytes", many=True),
        7: Field("int64_data", "ints"),
        8: Field("name", "text"),
        9: Field("raw_data", "bytes"),
        10: Field("double_data", "doubles"),
        11: Field("uint64_data", "ints"),
        12: Field("doc_string", "skip"),
        13: Field("external_data", "refuse", many=True),
        14: Field("data_location", "int"),
        16: Field("metadata_props", "skip", many=True),
    },
    "ValueInfoProto": {
        1: Field("name", "text"),
        2: Field("type", "TypeProto"),
        3: Field("doc_string", "skip"),
        4: Field("metadata_props", "skip", many=True),
    },
    "TypeProto": {
        1: Field("tensor_type", "TensorType"),
        4: Field("sequence_type", "SequenceType"),
        5: Field("map_type", "MapType"),
        6: Field("denotation", "text"),
        7: Field("opaque_type", "refuse"),
        8: Field("sparse_tensor_type", "refuse"),
        9: Field("optional_type", "refuse"),
    },
    "TensorType": {1: Field("elem_type", "int"), 2: Field("shape", "TensorShapeProto")},
    "SequenceType": {1: Field("elem_type", "TypeProto")},
    "MapType": {1: Field("key_type", "int"), 2: Field("value_type", "TypeProto")},
    "TensorShapeProto": {1: Field("dim", "Dimension", many=True)},
    "Dimension": {1: Field("dim_value", "int"), 2: Field("dim_param", "text"), 3: Field("denotation", "text")},
}
"""What is read of the messages of onnx.proto, by field number."""
