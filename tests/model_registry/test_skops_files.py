"""Our own list of types decides what is made of a skops file; the file's own list is never asked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVR

from model_registry.limits import Limits
from model_registry.skops_files import UnknownTypes, check_skops, load_skops
from model_registry.sniffing import NotItsFlavour
from tests.model_registry.makers import FEATURES, rows

DATA = rows(80, seed=1)
X, Y = DATA[list(FEATURES)], DATA["harmed"]


def dumped(model: Any) -> bytes:
    """A fitted model as skops bytes."""
    return bytes(skops.io.dumps(model.fit(X, Y)))


def changed(raw: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The same file with another schema."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    return buffer.getvalue()


class TestLoadSkops:
    """Trees and linear models come through."""

    @pytest.mark.parametrize(
        "model",
        [
            RandomForestClassifier(n_estimators=2, random_state=np.random.RandomState(0), class_weight="balanced"),
            ExtraTreesRegressor(n_estimators=2),
            GradientBoostingClassifier(n_estimators=2, loss="exponential", init="zero"),
            GradientBoostingClassifier(n_estimators=2, subsample=0.5),
            HistGradientBoostingRegressor(max_iter=2, loss="poisson", early_stopping=True),
            IsolationForest(n_estimators=2),
            LogisticRegression(),
            Ridge(),
            Lasso(),
            PoissonRegressor(),
            LinearSVR(max_iter=100_000, dual=False, loss="squared_epsilon_insensitive"),
            make_pipeline(StandardScaler(), RobustScaler(), LogisticRegression()),
        ],
        ids=lambda model: type(model).__name__,
    )
    def test_same_predictions(self, model: Any) -> None:
        again = load_skops("m.skops", dumped(model))
        assert again.predict(X).tolist() == model.predict(X).tolist()


class TestCheckSkops:
    """Everything else is refused before any object is made."""

    @pytest.mark.parametrize(
        ("model", "unknown"),
        [
            (SVC(), "sklearn.svm._classes.SVC"),
            (MLPClassifier(max_iter=2000), "sklearn.neural_network._multilayer_perceptron.MLPClassifier"),
            (KNeighborsClassifier(), "sklearn.neighbors._classification.KNeighborsClassifier"),
            (make_pipeline(FunctionTransformer(np.absolute), Ridge()), "numpy.absolute"),
        ],
        ids=["svc", "mlp", "neighbours", "function"],
    )
    def test_estimators_that_are_not_on_the_list(self, model: Any, unknown: str) -> None:
        with pytest.raises(UnknownTypes) as refusal:
            check_skops("m.skops", dumped(model))
        assert unknown in refusal.value.types
        assert refusal.value.says.en.startswith("m.skops asks for types that are not loaded: ")

    @pytest.mark.parametrize(
        ("loader", "module", "name"),
        [
            ("FunctionNode", "os", "system"),
            ("FunctionNode", "sklearn.utils.validation", "joblib"),
            ("TypeNode", "subprocess", "Popen"),
            ("ObjectNode", "builtins", "eval"),
            ("MethodNode", "builtins", "str"),
            ("OperatorFuncNode", "operator", "methodcaller"),
            ("ConstructorFromReduceNode", "os", "system"),
            ("ObjectNode", "sklearn.datasets._base", "load_files"),
            ("JsonNode", "os", "system"),
            ("SomethingNew", "builtins", "str"),
        ],
    )
    def test_planted_node(self, loader: str, module: str, name: str) -> None:
        planted = {"__class__": name, "__module__": module, "__loader__": loader, "content": {}}
        raw = changed(dumped(Ridge()), lambda schema: schema["content"]["content"].update(alpha=planted))
        with pytest.raises(UnknownTypes) as refusal:
            check_skops("m.skops", raw)
        assert refusal.value.types == (f"{module}.{name}",)

    def test_a_list_of_trusted_types_in_the_file_changes_nothing(self) -> None:
        raw = changed(dumped(SVC()), lambda schema: schema.update(trusted=["sklearn.svm._classes.SVC"]))
        with pytest.raises(UnknownTypes):
            check_skops("m.skops", raw)

    def test_half_a_node(self) -> None:
        raw = changed(dumped(Ridge()), lambda schema: schema["content"].update(x={"__loader__": "ObjectNode"}))
        with pytest.raises(UnknownTypes, match=r"None\.None"):
            check_skops("m.skops", raw)

    @pytest.mark.parametrize(
        "schema", [b"", b"{", b"\xff", b"[" * 200_000], ids=["empty", "cut off", "not text", "too deep"]
    )
    def test_schema_that_cannot_be_read(self, schema: bytes) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("schema.json", schema)
        with pytest.raises(NotItsFlavour, match="a zip whose schema cannot be read"):
            check_skops("m.skops", buffer.getvalue())

    def test_bomb(self) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("schema.json", b"{}")
            archive.writestr("1.npy", bytes(50_000_000))
        with pytest.raises(NotItsFlavour, match="2 entries of 50,000,002 bytes once unpacked"):
            check_skops("m.skops", buffer.getvalue())

    def test_larger_than_the_limit(self) -> None:
        with pytest.raises(NotItsFlavour, match="bytes once unpacked"):
            check_skops("m.skops", dumped(Ridge()), Limits(artifact_bytes=100))

    def test_nothing_is_imported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "innocent.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Model: pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        planted = {"__class__": "Model", "__module__": "innocent", "__loader__": "ObjectNode", "content": {}}
        raw = changed(dumped(Ridge()), lambda schema: schema["content"]["content"].update(alpha=planted))
        with pytest.raises(UnknownTypes, match=r"innocent\.Model"):
            load_skops("m.skops", raw)
        assert not (tmp_path / "sprung").exists()
