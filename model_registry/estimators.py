"""Runs inside the worker: the objects in a `.skops` file become a predictor of ours."""

from __future__ import annotations

from pathlib import Path

from explainers.linear import LOG_LINK, LOGISTIC, PLAIN, read_linear
from explainers.trees.sklearn_reader import read_sklearn
from model_registry.portable import Readable
from model_registry.skops_files import load_skops

LINEAR = {*LOGISTIC, *LOG_LINK, *PLAIN}


def read_estimator(artifact: Path) -> Readable:
    """Return the predictor inside a `.skops` file.

    Raises
    ------
    UnknownTypes, NotItsFlavour
        When the file asks for anything but trees and linear models.
    Malformed
        When our own readers refuse the model.
    """
    model = load_skops(artifact.name, artifact.read_bytes())
    steps = [step for _, step in model.steps] if type(model).__name__ == "Pipeline" else [model]
    return read_linear(model) if type(steps[-1]).__name__ in LINEAR else read_sklearn(model)
