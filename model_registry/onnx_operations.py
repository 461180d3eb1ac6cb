"""Which operations of ONNX are run: arithmetic on one table of numbers, trees and lines; nothing that loops."""

from __future__ import annotations

_BY_CELL = """
    Abs Cast CastLike Ceil Celu Clip Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu
    Log Mish Neg Not PRelu Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu
"""
_BY_ROW = "BatchNormalization LayerNormalization LogSoftmax Softmax"
_OF_SEVERAL = "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mul Or Pow Sub Sum Where Xor"
_OTHERS = """
    ArgMax ArgMin Concat Constant ConstantOfShape Expand Flatten Gather GatherElements Gemm MatMul ReduceL1 ReduceL2
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape Shape Slice Split
    Squeeze TopK Transpose Unsqueeze
"""
_PREPARING = "Binarizer Imputer Normalizer Scaler"
_LEARNT = """
    ArrayFeatureExtractor LinearClassifier LinearRegressor TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
"""

LEARNING_DOMAIN = "ai.onnx.ml"
OPERATIONS: dict[str, frozenset[str]] = {
    "": frozenset(f"{_BY_CELL} {_BY_ROW} {_OF_SEVERAL} {_OTHERS}".split()),
    LEARNING_DOMAIN: frozenset(f"{_PREPARING} {_LEARNT}".split()),
}
"""By domain. Left out on purpose: what loops or branches (Loop, Scan, If), draws random numbers, reads texts, repeats
or pads without bound (Tile, Range, Pad, Resize), and everything made for images and sequences."""

REPEATS = frozenset({"Loop", "Scan", "If", "SequenceMap"})
RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)

KEEPS_WIDTH = frozenset(f"{_BY_CELL} {_BY_ROW} {_PREPARING}".split())
"""Whose output has as many columns as their first input."""

JOINS_WIDTHS = frozenset(_OF_SEVERAL.split())
"""Whose inputs are stretched to each other's columns."""
