"""The rows against which a model is explained: drawn by the house with a committed seed, never by the submitter.

A background chosen by whoever hands the model in can be rigged so that a feature seems to weigh nothing. The same rows
serve at check, at scoring and at replay, and show in boundary pictures where data lie.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from audit.deidentify import deidentified
from explainers.predictor import Predictor
from model_registry.inputs import inputs_of
from model_registry.submission import Submission
from policies.deidentification import plan_for
from policies.rulebook import Rulebook

DOCUMENT = "background.csv"
"""Under which name the rows are kept beside the registered version."""

ROWS = 512
SEED = 20260101
"""Seed of every sample the examination draws; committed, so that no submitter chooses it."""


def draw_background(submission: Submission, predictor: Predictor, rulebook: Rulebook) -> pd.DataFrame:
    """Return at most 512 rows of the training data (else of the evaluation), as the model sees them."""
    names = predictor.feature_names
    source = submission.training
    if source is None or not set(names) <= set(map(str, source.columns)):
        source = submission.evaluation
    rows = np.sort(np.random.default_rng(SEED).permutation(len(source))[:ROWS])
    inputs = inputs_of(source.iloc[rows], predictor)
    clean = deidentified(inputs, names, plan_for(names, rulebook.deidentification))
    return pd.DataFrame(clean, columns=list(names))


def write_background(rows: pd.DataFrame) -> bytes:
    """Return the rows as the document that is kept; floats in the shortest form that reads back to the same bits."""
    return rows.to_csv(index=False).encode()


def read_background(raw: bytes) -> pd.DataFrame:
    """Read the document back."""
    return pd.read_csv(io.BytesIO(raw), dtype=np.float64)
