"""Makes a valid submission in a word; a test changes only what it is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

from model_registry.submission import Submission, read_submission

FEATURES = ("temperature", "pressure", "age")

TOML = """
[model]
name = "{name}"
artifact = "model.ubj"
flavour = "{flavour}"
threshold = 0.5
protective = "at_or_above"

[use]
purpose = "risk_intervention"
description = "Will people be harmed by this release?"
site = "plant-07"
owner = "process-safety-ml"

[data]
evaluation = "evaluation.csv"
training = "training.csv"
label = "harmed"
time = "occurred_at"
subject = "worker_id"
groups = ["sex"]

[features.temperature]
unit = "degC"

[features.pressure]
unit = "kPa"

[features.age]
unit = "a"
"""


def rows(n: int = 120, seed: int = 0) -> pd.DataFrame:
    """Rows of a small made-up plant, harm following temperature and pressure."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "temperature": rng.normal(20, 8, n).round(3),
            "pressure": rng.normal(100, 15, n).round(3),
            "age": rng.integers(18, 65, n),
        }
    )
    harm = (frame.temperature - 20) / 8 + (frame.pressure - 100) / 15 + rng.normal(0, 0.5, n) > 0
    frame["harmed"] = harm.astype(int)
    frame["sex"] = rng.choice(["f", "m"], n)
    frame["worker_id"] = [f"w{i}" for i in range(n)]
    frame["occurred_at"] = pd.date_range("2024-01-01", periods=n, freq="h").astype(str)
    return frame


def a_booster(seed: int = 0, objective: str = "binary:logistic") -> xgb.Booster:
    """A small trained XGBoost model of the three features."""
    training = rows(300, seed=seed + 1)
    data = xgb.DMatrix(training[list(FEATURES)], label=training["harmed"])
    return xgb.train({"max_depth": 3, "objective": objective, "nthread": 1, "seed": seed}, data, num_boost_round=8)


def a_directory(
    folder: Path,
    *,
    name: str = "gas-leak",
    model: bytes | None = None,
    toml: str | None = None,
    evaluation: pd.DataFrame | None = None,
) -> Path:
    """Write a whole submission directory and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "submission.toml").write_text(toml or TOML.format(name=name, flavour="xgboost"), encoding="utf-8")
    (rows() if evaluation is None else evaluation).to_csv(folder / "evaluation.csv", index=False)
    rows(200, seed=1).to_csv(folder / "training.csv", index=False)
    (folder / "model.ubj").write_bytes(bytes(a_booster().save_raw("ubj")) if model is None else model)
    return folder


def a_submission(folder: Path, **changes: object) -> Submission:
    """Write a submission directory and read it."""
    return read_submission(a_directory(folder, **changes))  # type: ignore[arg-type]
