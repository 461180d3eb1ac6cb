"""Our own MLflow flavour: a model folder that MLflow shows, and that only this house can run."""

from __future__ import annotations

from pathlib import Path

from mlflow.models import Model

from model_registry.keeping import stage_artifact
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.submission import Submission

FLAVOUR = "mingjing"


def write_model_folder(submission: Submission, run_id: str, folder: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Write the `MLmodel` file and, byte for byte, the artifact under `artifact/`.

    There is no `python_function` beside our flavour on purpose: with it `mlflow models serve` would run a model
    past its permit.

    Raises
    ------
    ArtifactAltered
        When the artifact changed since it was read.
    """
    folder.mkdir()
    model = Model(artifact_path="model", run_id=run_id)
    said = {"flavour": str(submission.declaration.model.flavour)}
    if submission.artifact is not None:
        stage_artifact(submission, folder / "artifact" / submission.artifact.name, limits)
        said |= {"artifact": f"artifact/{submission.artifact.name}", "sha256": submission.artifact_digest}
    model.add_flavor(FLAVOUR, **said)
    model.save(str(folder / "MLmodel"))
