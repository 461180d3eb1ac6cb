"""ONNX models: asked through onnxruntime, explained by sampling like every function that cannot be read.

An ONNX graph is data, but the runtime that executes it is native code; a model from a stranger belongs into the worker
process of `model_registry.sandbox`. This module is for models one's own team trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.black_box import BlackBox
from explainers.trees.nodes import ModelRefused
from policies.errors import Sentence, Unavailable

Floats = npt.NDArray[np.float64]


class OnnxRuntimeMissing(Unavailable):
    """The package that runs ONNX is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="onnxruntime is not installed; install mingjing with the extra 'onnx'",
                zh="未安装 onnxruntime，请安装 mingjing 的 onnx 附加组件",
            )
        )


def read_onnx(
    raw: bytes, background: Floats, *, feature_names: tuple[str, ...] | None = None, seed: int = 0, pairs: int = 32
) -> BlackBox:
    """Return a predictor around an ONNX model with one matrix as input.

    Parameters
    ----------
    raw : bytes
        The model file.
    background : array of shape (n_background, n_features)
        What an absent feature is replaced with.
    feature_names : tuple of str, optional
        ONNX keeps none; None numbers them.

    Returns
    -------
    BlackBox
        The probability of the positive class for a classifier, the value for a regression.

    Raises
    ------
    ModelRefused
        When the bytes are no ONNX model, or its input is not one matrix of numbers.
    OnnxRuntimeMissing
    """
    session = _session(raw)
    inputs = session.get_inputs()
    width = inputs[0].shape[-1] if len(inputs) == 1 and len(inputs[0].shape) == 2 else None
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    if width is None or inputs[0].type not in kinds:
        shown = ", ".join(f"{found.name}: {found.type} {found.shape}" for found in inputs)
        raise ModelRefused(
            Sentence(
                en=f"the ONNX model takes {shown}; expected one matrix of floats with a row per case",
                zh=f"该 ONNX 模型的输入为 {shown}；应为单个浮点矩阵，每行一个样本",
            )
        )
    names = feature_names or tuple(f"f{j}" for j in range(background.shape[1]))
    if isinstance(width, int) and width != len(names):
        raise ModelRefused(
            Sentence(
                en=f"the ONNX model takes {width} features, {len(names)} were named",
                zh=f"该 ONNX 模型需要 {width} 个特征，实际给出 {len(names)} 个",
            )
        )
    name, dtype = inputs[0].name, kinds[inputs[0].type]
    outputs = [found.name for found in session.get_outputs()]

    def answers(X: Floats) -> Floats:
        return _scores(session.run(outputs, {name: np.ascontiguousarray(X, dtype=dtype)}))

    unit = "probability" if len(outputs) > 1 else "value"
    return BlackBox(function=answers, feature_names=names, background=background, seed=seed, pairs=pairs, unit=unit)


def _session(raw: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as missing:
        raise OnnxRuntimeMissing() from missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as wrong:
        raise ModelRefused(
            Sentence(
                en=f"these bytes are no ONNX model that can be run: {str(wrong).splitlines()[0][:160]}",
                zh=f"这些字节不是可运行的 ONNX 模型：{str(wrong).splitlines()[0][:160]}",
            )
        ) from wrong


def _scores(said: list[Any]) -> Floats:
    """Return one number per row: the last column of the probabilities, or the only output."""
    answer = said[-1]
    if isinstance(answer, list):  # ZipMap gives one mapping of class to probability per row
        return np.array([list(row.values())[-1] for row in answer], dtype=np.float64)
    matrix = np.asarray(answer, dtype=np.float64)
    return matrix[:, -1] if matrix.ndim == 2 else matrix
