"""Runs inside the worker: the library that trained a model scores rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_registry.skops_files import load_skops
from policies.declaration import Flavour

Floats = npt.NDArray[np.float64]
Categories = tuple[tuple[int, tuple[object, ...]], ...]

SCORES, MARGINS = "scores", "margins"
CLASS_ANSWERS = {"multi:softmax", "binary:hinge"}
"""XGBoost objectives that answer with a class; only their margins can be compared."""


def score_natively(flavour: Flavour, artifact: Path, rows: Floats, categories: Categories) -> tuple[str, Floats]:
    """Return what the training library says about rows, and whether these are scores or margins.

    Parameters
    ----------
    flavour : Flavour
    artifact : Path
        A file in the native format of the flavour.
    rows : array of shape (n_rows, n_features)
        In the order of the model's features; categories as codes.
    categories : pairs of column and labels
        For libraries that want the label instead of the code.
    """
    scorers: dict[Flavour, Callable[[Path, Floats, Categories], tuple[str, Floats]]] = {
        Flavour.XGBOOST: _score_xgboost,
        Flavour.LIGHTGBM: _score_lightgbm,
        Flavour.SKLEARN: _score_sklearn,
        Flavour.ONNX: _score_onnx,
    }
    kind, answer = scorers[flavour](artifact, rows, categories)
    return kind, np.asarray(answer, dtype=np.float64)


def _score_xgboost(artifact: Path, rows: Floats, categories: Categories) -> tuple[str, Floats]:
    import xgboost as xgb

    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(artifact.read_bytes()))
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    kinds = booster.feature_types
    data = xgb.DMatrix(rows, missing=np.nan, feature_types=kinds, enable_categorical=bool(kinds), nthread=1)
    as_margin = objective in CLASS_ANSWERS
    found = booster.predict(data, output_margin=as_margin, validate_features=False)
    return MARGINS if as_margin else SCORES, found


def _score_lightgbm(artifact: Path, rows: Floats, categories: Categories) -> tuple[str, Floats]:
    import lightgbm as lgb

    booster = lgb.Booster(model_str=artifact.read_text(encoding="utf-8"))
    return SCORES, np.asarray(booster.predict(rows, num_threads=1))


def _score_sklearn(artifact: Path, rows: Floats, categories: Categories) -> tuple[str, Floats]:
    model = load_skops(artifact.name, artifact.read_bytes())
    frame = _as_trained(model, rows, categories)
    if hasattr(model, "predict_proba"):
        found = np.asarray(model.predict_proba(frame))
        return SCORES, found[:, 1] if found.shape[1] == 2 else found
    if hasattr(model, "score_samples"):
        return SCORES, -np.asarray(model.score_samples(frame))  # an isolation forest: larger is more unusual
    if hasattr(model, "decision_function"):
        return MARGINS, np.asarray(model.decision_function(frame))
    return SCORES, np.asarray(model.predict(frame))


def _score_onnx(artifact: Path, rows: Floats, categories: Categories) -> tuple[str, Floats]:
    from explainers.onnx_model import open_session, scores_by_row

    return SCORES, scores_by_row(open_session(artifact.read_bytes()), rows)


def _as_trained(model: Any, rows: Floats, categories: Categories) -> Any:
    """Return rows as the estimator saw them at training: under its column names, labels instead of codes."""
    import pandas as pd

    names = getattr(model, "feature_names_in_", None)
    if names is None and not categories:
        return rows
    frame = pd.DataFrame(rows, columns=None if names is None else [str(name) for name in names])
    for column, labels in categories:
        codes = rows[:, column]
        texts = [None if np.isnan(code) else labels[int(code)] for code in codes]
        frame.isetitem(column, pd.Categorical(texts, categories=list(labels)))
    return frame
