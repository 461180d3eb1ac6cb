"""Registered versions in memory: loaded once, their artifacts compared with the digest each time they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from explainers.predictor import Predictor
from governance.background import DOCUMENT, read_background
from governance.submissions import SubmissionRecord
from model_registry.code_models import require_admitted
from model_registry.loading import load_predictor
from model_registry.version import ArtifactAltered
from policies.declaration import WITHOUT_ARTIFACT, Flavour
from policies.terms import CodeRules


class Artifacts(Protocol):
    """What is needed of a store to run its versions."""

    def artifact(self, name: str, version: str) -> Path:
        """See `ModelStore.artifact`."""
        ...

    def document(self, name: str, version: str, path: str) -> bytes:
        """See `ModelStore.document`."""
        ...


class Models:
    """Loads the predictor of any registered version, permitted or not, for serving, replay and explanation.

    `code` tells whether the rules of this moment open models that are code; without it none is.
    """

    def __init__(self, store: Artifacts, code: Callable[[], CodeRules] = CodeRules) -> None:
        self._store = store
        self._code = code
        self._loaded: dict[str, Predictor] = {}
        self._backgrounds: dict[str, pd.DataFrame] = {}
        self._lock = threading.Lock()

    def predictor(self, record: SubmissionRecord) -> Predictor:
        """Return the predictor of a version after comparing its artifact with the digest on record.

        Raises
        ------
        ArtifactAltered
            When the registry no longer holds the bytes that were submitted.
        CodeNotAdmitted, NoSandbox
            For a model that is code, also when it was admitted before.
        """
        rules = self._code()
        if record.declaration.model.flavour is Flavour.PYTHON:
            require_admitted(f"{record.model}:{record.version}", rules, record.tier)
        path = self._store.artifact(record.model, record.version)
        with self._lock:
            known = self._loaded.get(record.id)
            if known is not None:
                return known
            rows = self._rows(record)
            found = load_predictor(
                path, record.declaration, background=rows, code=rules, tier=record.tier, serving=True
            )
            if found.artifact_digest != record.artifact_digest:
                what = f"{record.model}:{record.version}"
                raise ArtifactAltered(what, record.artifact_digest, found.artifact_digest)
            self._loaded[record.id] = found.predictor
            return found.predictor

    def background(self, record: SubmissionRecord) -> npt.NDArray[np.float64]:
        """Return the rows that were kept to show where data lie, shape (n_rows, n_features)."""
        return self._rows(record).to_numpy(dtype=np.float64)

    def features(self, record: SubmissionRecord) -> tuple[str, ...]:
        """Return the names of a model's features; what was declared where no model was handed in."""
        if record.declaration.model.flavour in WITHOUT_ARTIFACT:
            return tuple(record.declaration.features)
        return tuple(map(str, self._rows(record).columns))

    def _rows(self, record: SubmissionRecord) -> pd.DataFrame:
        known = self._backgrounds.get(record.id)
        if known is None:
            known = read_background(self._store.document(record.model, record.version, DOCUMENT))
            self._backgrounds[record.id] = known
        return known
