"""Stores to run promises against; MLflow's own tables are made once and copied."""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from model_registry.deferred_store import DeferredStore
from model_registry.memory_store import MemoryStore
from model_registry.mlflow_store import MlflowStore, embedded_store
from model_registry.store import ModelStore

with warnings.catch_warnings():
    # when its flavours are first imported, MLflow warns of a type hint of its own; the tests write models with them
    warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
    for flavour in ("lightgbm", "pyfunc", "sklearn", "xgboost"):
        importlib.import_module(f"mlflow.{flavour}")


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which MLflow has made its tables, to be copied."""
    folder = tmp_path_factory.mktemp("registry")
    assert embedded_store(folder).versions() == ()
    return folder / "mlflow.db"


@pytest.fixture
def mlflow_store(empty_registry: Path, tmp_path: Path) -> MlflowStore:
    """An embedded MLflow store without versions."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(empty_registry, data / "mlflow.db")
    return embedded_store(data)


@pytest.fixture(params=["memory", "mlflow", "deferred"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    """Every store in turn."""
    makers: dict[str, Callable[[], ModelStore]] = {
        "memory": lambda: MemoryStore(tmp_path / "models"),
        "mlflow": lambda: request.getfixturevalue("mlflow_store"),
        "deferred": lambda: DeferredStore(lambda: MemoryStore(tmp_path / "models")),
    }
    return makers[request.param]()
