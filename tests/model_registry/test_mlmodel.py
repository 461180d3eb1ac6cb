"""MLflow model folders: read as data, code refused in every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm as lgb
import mlflow
import pytest
from sklearn.ensemble import RandomForestClassifier

from model_registry.mlmodel import ModelFolderRefused, native_file
from model_registry.sniffing import Kind, RunsCode, check_kind, kind_of
from policies.declaration import Flavour
from policies.errors import Malformed
from tests.model_registry.makers import FEATURES, rows

DATA = rows(100, seed=1)

GOOD = """artifact_path: model
flavors:
  python_function:
    data: model.ubj
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.xgboost
    python_version: 3.11.7
  xgboost:
    code: null
    data: model.ubj
    model_class: xgboost.core.Booster
    model_format: ubj
    xgb_version: 3.2.0
mlflow_version: 3.17.2
model_size_bytes: 9986
model_uuid: m-1
prompts: null
run_id: r
signature:
  inputs: '[]'
utc_time_created: '2026-11-22 13:01:44'
"""


def a_folder(tmp_path: Path, mlmodel: str | bytes = GOOD, **files: bytes) -> Path:
    """A model folder with this MLmodel file."""
    folder = tmp_path / "m"
    for name, content in {"MLmodel": mlmodel, "model.ubj": b"x", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def faults_of(folder: Path, flavour: Flavour = Flavour.XGBOOST) -> list[str]:
    """Every English sentence of the refusal."""
    with pytest.raises(ModelFolderRefused) as refusal:
        native_file(folder, flavour)
    assert all(fault.zh.strip() for fault in refusal.value.faults)
    return [fault.en for fault in refusal.value.faults]


class TestNativeFile:
    """The file inside the folder."""

    def test_found(self, tmp_path: Path) -> None:
        folder = a_folder(tmp_path)
        assert native_file(folder, Flavour.XGBOOST) == (folder / "model.ubj").resolve()

    def test_sklearn_names_it_otherwise(self, tmp_path: Path) -> None:
        text = "flavors:\n  sklearn:\n    pickled_model: model.skops\n    serialization_format: skops\n"
        folder = a_folder(tmp_path, text, **{"model.skops": b"x"})
        assert native_file(folder, Flavour.SKLEARN).name == "model.skops"

    def test_our_own_layout(self, tmp_path: Path) -> None:
        text = "flavors:\n  mingjing:\n    artifact: artifact/model.ubj\n    flavour: xgboost\n"
        folder = a_folder(tmp_path, text, **{"artifact/model.ubj": b"y"})
        assert native_file(folder, Flavour.XGBOOST).read_bytes() == b"y"

    def test_no_mlmodel(self, tmp_path: Path) -> None:
        folder = a_folder(tmp_path)
        (folder / "MLmodel").unlink()
        with pytest.raises(Malformed, match="the folder m holds no MLmodel; hand over the model file itself"):
            native_file(folder, Flavour.XGBOOST)

    def test_another_flavour(self, tmp_path: Path) -> None:
        assert faults_of(a_folder(tmp_path), Flavour.LIGHTGBM) == [
            "MLmodel holds no flavour 'lightgbm' (it holds python_function, xgboost), and model.flavour is 'lightgbm'"
        ]

    @pytest.mark.parametrize("name", ["/etc/passwd", "../model.ubj", "absent.ubj", "."])
    def test_native_file_elsewhere(self, tmp_path: Path, name: str) -> None:
        (fault,) = faults_of(
            a_folder(tmp_path, GOOD.replace("data: model.ubj\n    model_class", f"data: {name}\n    m"))
        )
        assert fault.startswith("MLmodel: flavors.xgboost.data names ")

    def test_native_file_not_named(self, tmp_path: Path) -> None:
        (fault,) = faults_of(a_folder(tmp_path, "flavors:\n  xgboost:\n    code: null\n"))
        assert fault.startswith("MLmodel: flavors.xgboost.data names None")


class TestCode:
    """Every way in which a folder brings code."""

    def test_code_key(self, tmp_path: Path) -> None:
        folder = a_folder(tmp_path, GOOD.replace("code: null", "code: lib"))
        assert faults_of(folder) == ["MLmodel: flavors.xgboost.code brings code; models come as data alone"]

    def test_python_model(self, tmp_path: Path) -> None:
        text = GOOD.replace(
            "loader_module: mlflow.xgboost", "loader_module: mlflow.pyfunc.model\n    python_model: p.pkl"
        )
        assert faults_of(a_folder(tmp_path, text)) == [
            "MLmodel: flavors.python_function.python_model brings code; models come as data alone",
            "MLmodel: loader_module is 'mlflow.pyfunc.model'; "
            "expected one of mlflow.lightgbm, mlflow.onnx, mlflow.sklearn, mlflow.xgboost",
        ]

    def test_own_loader(self, tmp_path: Path) -> None:
        (fault,) = faults_of(a_folder(tmp_path, GOOD.replace("mlflow.xgboost", "evil")))
        assert fault.startswith("MLmodel: loader_module is 'evil'; expected one of")

    @pytest.mark.parametrize("name", ["code/evil.txt", "evil.py", "lib/evil.so", "run.sh", "x/evil.pyc"])
    def test_files_of_code(self, tmp_path: Path, name: str) -> None:
        assert faults_of(a_folder(tmp_path, **{name: b""})) == [
            f"the model folder brings code ({name}); models come as data alone"
        ]

    def test_unknown_keys_and_flavours(self, tmp_path: Path) -> None:
        text = GOOD.replace("  xgboost:", "  spark:\n    code: null\n  xgboost:") + "hook: 1\n"
        assert faults_of(a_folder(tmp_path, text)) == [
            "MLmodel: hook is not on the list of what is read",
            "MLmodel: flavors.spark is not on the list of what is read",
        ]

    def test_flavour_that_is_no_table(self, tmp_path: Path) -> None:
        assert faults_of(a_folder(tmp_path, "flavors:\n  xgboost: 7\n"))[0] == (
            "MLmodel: flavors.xgboost (no table) is not on the list of what is read"
        )


class TestYaml:
    """Files that are no plain YAML."""

    @pytest.mark.parametrize(
        "text",
        [
            "!!python/object/apply:os.system ['true']",
            "flavors: !!python/name:os.system",
            "a: &a [1]\nb: *a\nflavors: {}",
            "flavors: {",
            b"\xff\xfe",
            "a: " + "[" * 5000,
            "x" * 2_000_000,
        ],
        ids=["object", "name", "alias", "cut off", "not text", "too deep", "too large"],
    )
    def test_cannot_be_read(self, tmp_path: Path, text: str | bytes) -> None:
        with pytest.raises(Malformed, match="MLmodel cannot be read: "):
            native_file(a_folder(tmp_path, text), Flavour.XGBOOST)

    @pytest.mark.parametrize("text", ["", "[]", "flavors: 7", "flavors:"])
    def test_no_flavors(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(Malformed, match="MLmodel names no flavors"):
            native_file(a_folder(tmp_path, text), Flavour.XGBOOST)


class TestRealFolders:
    """Folders as MLflow's own functions write them."""

    def test_scikit_learn_in_skops(self, tmp_path: Path) -> None:
        forest = RandomForestClassifier(n_estimators=2).fit(DATA[list(FEATURES)], DATA["harmed"])
        mlflow.sklearn.save_model(
            forest,
            str(tmp_path / "m"),
            serialization_format="skops",
            skops_trusted_types=["sklearn.tree._tree.Tree"],
            conda_env={"dependencies": []},
        )
        assert kind_of(native_file(tmp_path / "m", Flavour.SKLEARN).read_bytes()) is Kind.SKOPS

    def test_scikit_learn_in_a_pickle(self, tmp_path: Path) -> None:
        forest = RandomForestClassifier(n_estimators=2).fit(DATA[list(FEATURES)], DATA["harmed"])
        mlflow.sklearn.save_model(
            forest, str(tmp_path / "m"), serialization_format="cloudpickle", conda_env={"dependencies": []}
        )
        found = native_file(tmp_path / "m", Flavour.SKLEARN)
        with pytest.raises(RunsCode, match=r"model\.pkl is a pickle"):
            check_kind(found.name, found.read_bytes(), Flavour.SKLEARN)

    def test_lightgbm(self, tmp_path: Path) -> None:
        data = lgb.Dataset(DATA[list(FEATURES)], DATA["harmed"])
        booster = lgb.train({"objective": "binary", "num_threads": 1, "verbose": -1}, data, 2)
        mlflow.lightgbm.save_model(booster, str(tmp_path / "m"), conda_env={"dependencies": []})
        assert kind_of(native_file(tmp_path / "m", Flavour.LIGHTGBM).read_bytes()) is Kind.LIGHTGBM_TEXT

    def test_python_function(self, tmp_path: Path) -> None:
        class Guess(mlflow.pyfunc.PythonModel):
            def predict(self, context: Any, model_input: list[float], params: Any = None) -> list[float]:
                return [0.5]

        mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=Guess(), conda_env={"dependencies": []})
        with pytest.raises(ModelFolderRefused) as refusal:
            native_file(tmp_path / "m", Flavour.SKLEARN)
        assert any("loader_module is 'mlflow.pyfunc.model'" in fault.en for fault in refusal.value.faults)
