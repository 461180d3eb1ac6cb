"""Valid examinations in a word; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost

from audit.checks.check import Check, Finding
from audit.examination import Examined, examined_from
from explainers.predictor import Predictor
from explainers.trees.xgboost_reader import read_xgboost
from policies.declaration import (
    DataPart,
    Declaration,
    Feature,
    Flavour,
    ModelPart,
    Protective,
    Source,
    Task,
    UsePart,
)
from policies.rulebook import Rulebook, read_rulebook
from policies.tiers import Tier

RULES: Rulebook = read_rulebook()

MODEL = {"name", "artifact", "flavour", "task", "threshold", "protective"}
USE = {"purpose", "description", "site", "owner"}


def a_declaration(features: Sequence[Feature] = (), **said: Any) -> Declaration:
    """Return a complete declaration; keywords replace any field of its parts."""
    model: dict[str, Any] = {
        "name": "a-model", "artifact": "model.ubj", "flavour": Flavour.XGBOOST, "task": Task.CLASSIFICATION,
        "threshold": 0.5, "protective": Protective.AT_OR_ABOVE,
    }  # fmt: skip
    use: dict[str, Any] = {
        "purpose": "risk_intervention", "description": "Will this harm people?", "site": "plant-07", "owner": "safety",
    }  # fmt: skip
    data: dict[str, Any] = {
        "evaluation": "evaluation.csv", "training": "training.csv", "label": "harmed", "prediction": None, "time": None,
        "subject": None, "groups": (), "labels_by": {}, "sources": (Source(name="own", period="", licence="own"),),
    }  # fmt: skip
    impact = said.pop("impact", {"severity": "injury"})
    for key, value in said.items():
        (model if key in MODEL else use if key in USE else data)[key] = value
    return Declaration(
        model=ModelPart(**model),
        use=UsePart(**use),
        data=DataPart(**data),
        features={feature.name: feature for feature in features},
        impact=impact,
    )


def of_predictions(
    truth: npt.ArrayLike, scores: npt.ArrayLike, columns: Mapping[str, object] | None = None, **said: Any
) -> Examined:
    """Return an examination of predictions alone; `columns` stand beside label and score."""
    frame = pd.DataFrame({"harmed": np.asarray(truth), "score": np.asarray(scores), **(columns or {})})
    said = {"flavour": Flavour.PREDICTIONS, "prediction": "score", "artifact": None, "training": None, **said}
    return examined_from(declaration=a_declaration(**said), rulebook=RULES, tier=Tier.L2, evaluation=frame)


def trained(training: pd.DataFrame, features: Sequence[str], label: str, **settings: Any) -> Predictor:
    """Return XGBoost trained on these features, read by our own reader."""
    chosen = {"n_estimators": 60, "max_depth": 3, "learning_rate": 0.15, "n_jobs": 1, "random_state": 0, **settings}
    model = xgboost.XGBClassifier(**chosen).fit(training[list(features)], training[label])
    return read_xgboost(bytes(model.get_booster().save_raw("ubj")))


def of_model(
    evaluation: pd.DataFrame,
    predictor: Predictor,
    *,
    training: pd.DataFrame | None = None,
    tier: Tier = Tier.L2,
    features: Sequence[Feature] = (),
    seed: int = 0,
    **said: Any,
) -> Examined:
    """Return an examination of a model."""
    return examined_from(
        declaration=a_declaration(features, **said),
        rulebook=RULES,
        tier=tier,
        evaluation=evaluation,
        training=training,
        predictor=predictor,
        seed=seed,
    )


def run(check: Check, examined: Examined, **changed: object) -> tuple[Finding, ...]:
    """Run one check with the rulebook's limits, some of them changed."""
    return check.run(examined, {**RULES.limits(check.name, examined.tier), **changed})


def faults_of(finding: Finding, kind: str) -> list[Mapping[str, object]]:
    """Return the lines of one kind of fault."""
    return [line for line in finding.groups if line.get("fault") == kind]
