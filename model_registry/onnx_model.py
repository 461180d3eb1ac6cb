"""An ONNX model that was handed in: its file judged by us, its graph run in a process of its own and only asked."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from explainers.black_box import BlackBox
from explainers.onnx_model import OnnxRuntimeMissing
from model_registry.bundle import NotPortable, pack
from model_registry.lasting_worker import LastingWorker, WorkerLimits
from model_registry.onnx_checks import Judged

Floats = npt.NDArray[np.float64]

ROWS_AT_ONCE = 4_096
"""Rows in one question: small enough that others get their turn while a large explanation is made."""

EVALUATIONS = 4_096
"""About how often the model is asked to explain one row; a wide model gets fewer orders, and says so by its error."""

FEWEST_PAIRS, MOST_PAIRS = 16, 64
SEED = 20260102
WORKER_BYTES = 3_000_000_000
"""Address space of the process; most of it is never touched."""

IDLE_SECONDS = 900.0
"""After which a process that nobody asks leaves; the next question starts it again."""

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
    "HOME": "/",
    "LC_ALL": "C.UTF-8",
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
}
"""Nothing of our own environment goes in: no token, no address, no proxy."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A function of rows that asks a lasting worker."""

    worker: LastingWorker

    def __call__(self, X: Floats) -> Floats:
        """Return one score per row.

        Raises
        ------
        ModelAway, ModelSaid
        """
        starts = range(0, len(X), ROWS_AT_ONCE)
        parts = [self._part(X[start : start + ROWS_AT_ONCE]) for start in starts]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _part(self, X: Floats) -> Floats:
        scores = self.worker.ask({"rows": X})[0].get("scores")
        if scores is None or scores.dtype != np.float64 or scores.shape != (len(X),):
            raise NotPortable("it holds no score for each row")
        return scores


def onnx_predictor(
    name: str,
    raw: bytes,
    judged: Judged,
    background: Floats | None,
    limits: WorkerLimits | None = None,
    *,
    memory: int = WORKER_BYTES,
) -> BlackBox:
    """Return a predictor around a file that was judged sound. Its process starts with the first question.

    Parameters
    ----------
    name : str
        What sentences call the file.
    background : array of shape (n_rows, n_features), optional
        What an absent feature is replaced with; None puts a row of zeros there, which explains nothing well.

    Raises
    ------
    OnnxRuntimeMissing
    """
    if find_spec("onnxruntime") is None:
        raise OnnxRuntimeMissing
    bounds = limits or WorkerLimits()
    module = ["-m", "model_registry.onnx_worker", str(memory), str(2 * bounds.start_seconds), str(IDLE_SECONDS)]
    worker = LastingWorker(
        [sys.executable, "-P", "-s", *module],
        pack({"model": np.frombuffer(raw, np.uint8)}, {}),
        bounds,
        name=name,
        environment=ENVIRONMENT,
    )
    width = len(judged.feature_names)
    return BlackBox(
        function=Asked(worker),
        feature_names=judged.feature_names,
        background=np.zeros((1, width)) if background is None else background,
        seed=SEED,
        pairs=int(np.clip(EVALUATIONS // (2 * (width + 1)), FEWEST_PAIRS, MOST_PAIRS)),
        unit=judged.unit,
    )
