"""The MLflow door: what `mlflow.pyfunc.load_model` runs when it opens a folder that `mingjing wrap` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from api.python_door import governed
from governance.governed_model import GovernedModel, table_of
from model_registry.mlflow_flavour import GovernedPyfunc, write_governed_folder

LOADER = __name__


def wrap(name: str, data: Path, folder: Path, *, purpose: str) -> None:
    """Write a folder that MLflow loads and serves as a model, and that decides under the permit of this house.

    It holds no model: name, data folder and purpose alone. Raises Conflict where the folder exists.
    """
    said = {"model": name, "data": str(data.resolve()), "purpose": purpose}
    write_governed_folder(folder, loader=LOADER, said=said)


def _load_pyfunc(path: str) -> GovernedPyfunc:
    """Open the house that a folder names. MLflow calls this by its name."""
    said = json.loads(Path(path).read_text(encoding="utf-8"))
    model = governed(said["model"], data=said["data"])
    return GovernedPyfunc(lambda rows, params: _answer(model, rows, said["purpose"], params))


def _answer(model: GovernedModel, rows: object, purpose: str, params: dict[str, Any]) -> object:
    """Return scores, None where a row was refused; with the parameter `records` one record per row."""
    decided = model.predict(rows, purpose=purpose)
    if not params.get("records"):
        return [None if decision is None else decision.score for decision in decided.decisions]
    table = table_of(decided).astype(object)
    return table.where(pd.notna(table), None).to_dict("records")
