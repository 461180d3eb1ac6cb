"""From a folder to the registry and back, on real data."""

from __future__ import annotations

from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

from model_registry.inputs import inputs_of
from model_registry.loading import NATIVE_DIFFERENCE, compare_with_library, load_predictor
from model_registry.mlflow_store import MlflowStore
from model_registry.submission import read_submission
from policies.declaration import read_declaration
from policies.tiers import Tier

EPA = """
[model]
name = "chemical-release-harm"
artifact = "model.ubj"
flavour = "xgboost"
threshold = 0.5
[use]
purpose = "risk_intervention"
[data]
evaluation = "evaluation.csv"
training = "training.parquet"
label = "harmed"
time = "AccidentDate"
groups = ["NAICSCode"]
"""

SEISMIC = """
[model]
name = "煤矿冲击地压"
artifact = "model.txt"
flavour = "lightgbm"
[use]
purpose = "risk_intervention"
[data]
evaluation = "评估.csv"
label = "class"
groups = ["shift"]
"""


def epa(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Reported releases, with what is known at the moment of release and whether anyone was harmed."""
    frame = pd.read_csv(folder / "epa_rmp_accidents" / "accidents.csv", low_memory=False)
    harm = [name for name in frame.columns if name.startswith(("Deaths", "Injuries"))]
    harm += ["OffsiteDeaths", "Hospitalization", "MedicalTreatment"]
    frame["harmed"] = (frame[harm].apply(pd.to_numeric, errors="coerce").fillna(0).sum(axis=1) > 0).astype(int)
    features = [name for name in frame.columns if name.startswith(("RE_", "RS_"))] + ["WindSpeed", "Temperature"]
    frame[features] = frame[features].apply(pd.to_numeric, errors="coerce").astype(float)
    return frame[[*features, "harmed", "AccidentDate", "NAICSCode"]], features


class TestReleases:
    """XGBoost on the releases of the EPA, split in time."""

    def test_there_and_back(self, shared_data: Path, tmp_path: Path, mlflow_store: MlflowStore) -> None:
        frame, features = epa(shared_data)
        late = frame["AccidentDate"].str.slice(0, 4) >= "2015"
        folder = tmp_path / "in"
        folder.mkdir()
        frame[late].to_csv(folder / "evaluation.csv", index=False)
        frame[~late].to_parquet(folder / "training.parquet")
        data = xgb.DMatrix(frame.loc[~late, features], label=frame.loc[~late, "harmed"])
        booster = xgb.train({"objective": "binary:logistic", "max_depth": 4, "eta": 0.1, "nthread": 1}, data, 60)
        booster.save_model(folder / "model.ubj")
        (folder / "submission.toml").write_text(EPA, encoding="utf-8")

        submission = read_submission(folder)
        assert len(submission.evaluation) == late.sum() > 1_000
        assert submission.truth.mean() == frame.loc[late, "harmed"].mean()
        loaded = load_predictor(submission.artifact or folder, submission.declaration, background=submission.training)
        inputs = inputs_of(submission.evaluation, loaded.predictor)
        assert np.isnan(inputs).mean() > 0.01
        compared = compare_with_library(loaded, inputs)
        assert float(str(compared.facts[NATIVE_DIFFERENCE])) < 1e-6

        made = mlflow_store.register(submission, submission_id="s", tier=Tier.L3, tags={}, documents={})
        kept = mlflow_store.artifact(made.name, made.version)
        declared = read_declaration(mlflow_store.document(made.name, made.version, "submission.toml"))
        again = load_predictor(kept, declared)
        assert again.artifact_digest == made.artifact_digest
        assert again.predictor.margins(inputs).tobytes() == loaded.predictor.margins(inputs).tobytes()


class TestSeismicBumps:
    """LightGBM on the shifts of a coal mine, its hazard ratings as text categories."""

    def test_there_and_back(self, shared_data: Path, tmp_path: Path, mlflow_store: MlflowStore) -> None:
        frame = pd.read_csv(shared_data / "seismic_bumps" / "seismic-bumps.csv")
        texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
        assert "shift" in texts
        folder = tmp_path / "in"
        folder.mkdir()
        cut = int(len(frame) * 0.7)
        frame.iloc[cut:].to_csv(folder / "评估.csv", index=False)
        trained = frame.drop(columns="class").iloc[:cut].astype(dict.fromkeys(texts, "category"))
        data = lgb.Dataset(trained, frame["class"].iloc[:cut])
        booster = lgb.train({"objective": "binary", "num_threads": 1, "verbose": -1, "num_leaves": 8}, data, 40)
        booster.save_model(folder / "model.txt")
        (folder / "submission.toml").write_text(SEISMIC, encoding="utf-8")

        submission = read_submission(folder)
        loaded = load_predictor(submission.artifact or folder, submission.declaration)
        inputs = inputs_of(submission.evaluation, loaded.predictor)
        compared = compare_with_library(loaded, inputs)
        assert float(str(compared.facts[NATIVE_DIFFERENCE])) < 1e-9
        expected = booster.predict(frame.drop(columns="class").iloc[cut:].astype(dict.fromkeys(texts, "category")))
        assert np.abs(loaded.predictor.scores(inputs) - expected).max() < 1e-9

        made = mlflow_store.register(submission, submission_id="s", tier=Tier.L4, tags={}, documents={})
        assert mlflow_store.versions("煤矿冲击地压") == (made,)
