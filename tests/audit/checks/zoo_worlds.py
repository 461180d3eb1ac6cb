"""The real data sets the zoo lives in, and the words in which its cases are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.examination import Examined
from explainers.predictor import Predictor
from policies.declaration import Feature, Source
from tests.audit.checks import real_data
from tests.audit.checks.factories import of_model, trained

SOUND_FILE = {"format": "xgboost-ubj", "largest_native_difference": 3e-8, "native_rows": 1000}
DOCUMENTED = (Source(name="own", period="1970-2025", licence="internal"),)
SPLIT = tuple[pd.DataFrame, pd.DataFrame, list[str]]


@dataclass(frozen=True)
class Case:
    """One model. `planted` names the checks that have to fail it; none for a clean one."""

    name: str
    planted: tuple[str, ...]
    make: Callable[[], Examined]


@dataclass(frozen=True)
class World:
    """One real data set with its label and the groups it is judged by."""

    name: str
    split: SPLIT
    label: str
    threshold: float
    groups: tuple[str, ...] = ()
    said: tuple[tuple[str, Any], ...] = ()

    def model(
        self, features: list[str] | None = None, training: pd.DataFrame | None = None, **settings: Any
    ) -> Predictor:
        """Return a model trained on this world or on a changed copy of it."""
        rows = self.split[0] if training is None else training
        return trained(rows, features or self.split[2], self.label, **settings)

    def examined(
        self,
        predictor: Predictor,
        evaluation: pd.DataFrame | None = None,
        training: pd.DataFrame | None = None,
        features: tuple[Feature, ...] = (),
        artifact: dict[str, object] | None = None,
        **said: Any,
    ) -> Examined:
        """Return an examination with everything in order but what is changed."""
        told = {
            "label": self.label, "threshold": self.threshold, "groups": self.groups, "sources": DOCUMENTED,
            **dict(self.said), **said,
        }  # fmt: skip
        made = of_model(
            self.split[1] if evaluation is None else evaluation,
            predictor,
            training=self.split[0] if training is None else training,
            features=features,
            **told,
        )
        return replace(made, artifact=SOUND_FILE if artifact is None else artifact)

    def with_column(self, name: str, make: Callable[[pd.DataFrame], Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return training and evaluation with one more column."""
        return self.split[0].assign(**{name: make(self.split[0])}), self.split[1].assign(**{name: make(self.split[1])})

    def using(self, name: str, make: Callable[[pd.DataFrame], Any], **said: Any) -> Examined:
        """Return an examination of a model that uses one more column."""
        training, evaluation = self.with_column(name, make)
        model = self.model([*self.split[2], name], training)
        return self.examined(model, evaluation, training, **said)


def worlds(folder: Path) -> dict[str, World]:
    """Return the data sets, each with a threshold at which its honest model is useful."""
    return {
        "releases": World("releases", real_data.epa(folder), "harmed", 0.5, said=(("time", "occurred_at"),)),
        "claims": World("claims", real_data.injury(), "off_long", 0.25),
        "shifts": World("shifts", real_data.seismic(folder), "class", 0.08),
        "mines": World("mines", real_data.mines(folder), "lost_time", 0.4),
        "circuit": World("circuit", real_data.circuit(folder), "anomaly", 0.4),
    }


def noise(frame: pd.DataFrame, size: float, seed: int = 0) -> Any:
    """Return reproducible noise, one value per row."""
    return np.random.default_rng([seed, len(frame)]).normal(0, size, len(frame))


def cut(rows: pd.DataFrame, at: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows before and after a place, each numbered anew."""
    return rows.iloc[:at].reset_index(drop=True), rows.iloc[at:].reset_index(drop=True)


CALM: dict[str, Any] = {"max_depth": 3, "n_estimators": 50, "learning_rate": 0.08}
"""Settings under which none of these models learns its training rows by heart."""
