"""Which operations of ONNX are run: arithmetic on one table of numbers, tree ensembles and lines; nothing that loops."""

from __future__ import annotations

_ARITHMETIC = """
Abs Add And ArgMax ArgMin BatchNormalization Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Div Dropout Elu Equal
Erf Exp Expand Flatten Floor Gather GatherElements Gelu Gemm Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN
LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Mean Min Mish Mul Neg Not Or PRelu Pow Reciprocal
ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu
Shape Sigmoid Sign Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu TopK Transpose Unsqueeze
Where Xor
"""

_LEARNING = """
ArrayFeatureExtractor Binarizer Imputer LinearClassifier LinearRegressor Normalizer Scaler TreeEnsembleClassifier
TreeEnsembleRegressor ZipMap
"""

LEARNING_DOMAIN = "ai.onnx.ml"
OPERATIONS: dict[str, frozenset[str]] = {
    "": frozenset(_ARITHMETIC.split()),
    LEARNING_DOMAIN: frozenset(_LEARNING.split()),
}
"""By domain. Left out on purpose: what loops or branches (Loop, Scan, If), draws random numbers, reads texts, repeats or
pads without bound (Tile, Range, Pad, Resize), and everything made for images and sequences."""

REPEATS = frozenset({"Loop", "Scan", "If", "SequenceMap"})
RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)

KEEPS_WIDTH = frozenset(
    """
Abs Cast CastLike Ceil Celu Clip Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LayerNormalization
LeakyRelu Log LogSoftmax Mish Neg Not PRelu Reciprocal Relu Round Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh
ThresholdedRelu BatchNormalization Binarizer Imputer Normalizer Scaler
""".split()
)
"""Whose output has as many columns as their first input."""

JOINS_WIDTHS = frozenset(
    "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mul Or Pow Sub Sum Where Xor".split()
)
"""Whose inputs are stretched to each other's columns."""
