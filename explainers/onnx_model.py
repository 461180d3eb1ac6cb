"""ONNX models: asked through onnxruntime, explained by sampling like every function that cannot be read.

An ONNX graph is data, but the runtime that executes it is native code. `read_onnx` runs it in this process and is for
models one's own team trained; a model from a stranger is judged and run in a process of its own by
`model_registry.onnx_model`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.black_box import BlackBox
from explainers.trees.nodes import ModelRefused
from policies.errors import Sentence, Unavailable

Floats = npt.NDArray[np.float64]

KINDS: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(double)": np.float64}
"""What a model may take as its matrix."""


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
    session = open_session(raw)
    inputs = session.get_inputs()
    width = inputs[0].shape[-1] if len(inputs) == 1 and len(inputs[0].shape) == 2 else None
    if width is None or inputs[0].type not in KINDS:
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

    def answers(X: Floats) -> Floats:
        return scores_by_row(session, X)

    outputs = session.get_outputs()
    unit = "probability" if len(outputs) > 1 else "value"
    return BlackBox(function=answers, feature_names=names, background=background, seed=seed, pairs=pairs, unit=unit)


def open_session(raw: bytes) -> Any:
    """Return a session of onnxruntime with one thread. Native code reads the bytes.

    Raises
    ------
    ModelRefused, OnnxRuntimeMissing
    """
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


def scores_by_row(session: Any, X: Floats) -> Floats:
    """Return the score of each row of `X`: the probability of class 1, or the only output.

    The last output holds it: a column, the probabilities of both classes, or a mapping of class to probability per row.

    Raises
    ------
    ModelRefused
        When there are more than two columns, so nobody knows which is meant.
    """
    taken, last = session.get_inputs()[0], session.get_outputs()[-1].name
    answer = session.run([last], {taken.name: np.ascontiguousarray(X, dtype=KINDS[taken.type])})[0]
    if isinstance(answer, list):  # ZipMap gives one mapping of class to probability per row
        answer = [[row[label] for label in sorted(row)] for row in answer]
    matrix = np.asarray(answer, dtype=np.float64)
    if matrix.ndim == 1:
        return matrix
    if matrix.ndim != 2 or matrix.shape[1] not in (1, 2):
        raise ModelRefused(
            Sentence(
                en=f"the ONNX model answers {len(X)} rows with an array of shape {matrix.shape}; "
                "expected a score per row, or the probabilities of two classes",
                zh=f"该 ONNX 模型对 {len(X)} 行返回形状为 {matrix.shape} 的数组；应为每行一个分数，或两类的概率",
            )
        )
    return matrix[:, -1].copy()
