"""Runs in the box alone: opens a model that is code, whatever that runs, and lets it score rows.

Started by `model_registry.code_models` inside bubblewrap; not for people. Besides the interpreter and its packages it
finds there the few files of ours that it needs, and the one artifact. Nothing it says is trusted on the other side.
"""

from __future__ import annotations

import io
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_registry.answering import Answer, Question, answer_frames
from model_registry.bundle import Array
from model_registry.digests import artifact_digest
from policies.errors import Conflict, Malformed, Sentence

Floats = npt.NDArray[np.float64]
Ask = Callable[[Any], Any]

THREADS = 64
PROBABILITY, VALUE = "probability", "value"


def main(artifact: str, idle_seconds: float, call_seconds: float) -> None:
    """Make the artifact ready when told its digest, then answer until nobody asks any more."""
    resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))

    def begin(arrays: Mapping[str, Array], said: Mapping[str, object]) -> Answer:
        return answering(Path(artifact), str(said["digest"]))

    answer_frames(begin, idle_seconds=idle_seconds, call_seconds=call_seconds)


def answering(artifact: Path, digest: str) -> Answer:
    """Open the artifact, if its bytes are those that were examined, and return what answers questions about it.

    A question without rows is answered with the names of the model's columns (none where it keeps none), how many there
    are, and the unit of its answer; one with `rows` with `answer`, one number per row.
    """
    if artifact.is_dir():
        _require_same(artifact_digest(artifact), digest)
        model = _opened_folder(artifact)
    else:
        raw = artifact.read_bytes()
        _require_same(artifact_digest(artifact), digest)
        model = _opened(raw)
    names, width = _names_of(model), _width_of(model)
    ask, unit = _question_of(model)

    def answer(arrays: Mapping[str, Array], said: Mapping[str, object]) -> Question:
        if "rows" not in arrays:
            return {}, {"names": names, "width": width, "unit": unit}
        rows = arrays["rows"]
        columns = names or [str(name) for name in _listed(said.get("columns"))]
        as_frame = bool(names) or artifact.is_dir()
        scores = _one_per_row(ask(_frame(rows, columns) if as_frame else rows), len(rows))
        return {"answer": scores}, {}

    return answer


def _require_same(found: str, digest: str) -> None:
    if found != digest:
        raise Conflict(
            Sentence(
                en=f"the artifact has SHA-256 {found} now, and {digest} was examined; it is not opened",
                zh=f"模型文件的 SHA-256 现为 {found}，而检查时为 {digest}，因此不予打开",
            )
        )


def _opened(raw: bytes) -> Any:
    """Return the object in a pickle, packed or not. This line is what the box is for."""
    try:
        import joblib  # type: ignore[import-untyped]
    except ImportError:
        import pickle

        return pickle.loads(raw)  # noqa: S301, TID251 - in the box alone
    return joblib.load(io.BytesIO(raw))  # noqa: TID251 - in the box alone


def _opened_folder(folder: Path) -> Any:
    """Return the Python function in an MLflow model folder; its loader and its code run here too."""
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


def _names_of(model: Any) -> list[str]:
    known = getattr(model, "feature_names_in_", None)
    if known is not None:
        return [str(name) for name in known]
    metadata: Any = getattr(model, "metadata", None)
    inputs = metadata.get_input_schema() if hasattr(metadata, "get_input_schema") else None
    return [str(name) for name in inputs.input_names()] if inputs is not None and inputs.has_input_names() else []


def _width_of(model: Any) -> int:
    return len(_names_of(model)) or int(getattr(model, "n_features_in_", 0))


def _question_of(model: Any) -> tuple[Ask, str]:
    """Return what is asked for scores, and what they are: the probability of the second class, or a value."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba, PROBABILITY
    if hasattr(model, "predict"):
        return model.predict, VALUE
    if callable(model):
        return model, VALUE
    raise Malformed(
        Sentence(
            en=f"the artifact holds a {type(model).__name__}, which has neither predict_proba nor predict",
            zh=f"模型文件中是 {type(model).__name__}，既没有 predict_proba 也没有 predict",
        )
    )


def _frame(rows: Floats, columns: list[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows, columns=columns or None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _one_per_row(said: Any, rows: int) -> Floats:
    """Return one number per row: of probabilities of two classes the second."""
    found = np.asarray(said, dtype=np.float64)
    if found.ndim == 2 and found.shape[1] in (1, 2):
        found = found[:, -1]
    if found.shape != (rows,):
        raise Malformed(
            Sentence(
                en=f"the model answered {rows} rows with an array of shape {found.shape}; expected one score per row, "
                "or the probabilities of two classes",
                zh=f"模型对 {rows} 行数据返回了形状为 {found.shape} 的数组，应为每行一个分数，或两个类别的概率",
            )
        )
    return np.ascontiguousarray(found)
