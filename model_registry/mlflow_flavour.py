"""Our own MLflow flavours: folders that MLflow shows and only this house can run, and such that run only governed."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)
from mlflow.types import DataType
from mlflow.types.schema import ParamSchema, ParamSpec

from model_registry.keeping import stage_artifact
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.submission import Submission
from policies.errors import Conflict, Fault, Malformed, NotFound, Sentence, Unavailable

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


GOVERNED = "governed.json"
CODES = (
    (Malformed, INVALID_PARAMETER_VALUE),
    (NotFound, RESOURCE_DOES_NOT_EXIST),
    (Unavailable, TEMPORARILY_UNAVAILABLE),
)


def write_governed_folder(folder: Path, *, loader: str, said: Mapping[str, str]) -> None:
    """Write a `python_function` that holds no model: only what `loader` needs to find the house that decides.

    There is no input schema: MLflow would drop columns that the model does not know, and here they are refused.

    Parameters
    ----------
    loader : str
        Module with `_load_pyfunc(path)`, which gets the path of a JSON file that holds `said`.

    Raises
    ------
    Conflict
        When the folder exists.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError as there:
        raise Conflict(
            Sentence(en=f"{folder} exists; name another folder", zh=f"{folder} 已存在，请指定其他目录")
        ) from there
    (folder / GOVERNED).write_text(json.dumps(dict(said), ensure_ascii=False, indent=1), encoding="utf-8")
    records = ParamSpec("records", DataType.boolean, False)
    model = Model(signature=ModelSignature(params=ParamSchema([records])))
    model.add_flavor("python_function", loader_module=loader, data=GOVERNED, python_version=platform.python_version())
    model.save(str(folder / "MLmodel"))


class GovernedPyfunc:
    """What MLflow holds and asks. Refusals become MLflow's own errors, which tell the caller why and no more.

    Parameters
    ----------
    answer : callable
        Takes rows and parameters; returns what MLflow can write as JSON.
    """

    def __init__(self, answer: Callable[[object, dict[str, Any]], object]) -> None:
        self._answer = answer

    def predict(self, model_input: object, params: dict[str, Any] | None = None) -> object:
        """Decide rows. Raises MlflowException with the sentence of the refusal."""
        try:
            return self._answer(model_input, params or {})
        except Fault as fault:
            code = next((code for kind, code in CODES if isinstance(fault, kind)), PERMISSION_DENIED)
            raise MlflowException(str(fault), error_code=code) from fault
