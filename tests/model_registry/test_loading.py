"""Artifacts become predictors: declarative formats only, judged by content, compared with their library."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost as xgb
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from explainers.linear import LinearModel
from model_registry.inputs import ColumnsMissing, inputs_of
from model_registry.limits import Limits
from model_registry.loading import (
    NATIVE_DIFFERENCE,
    LabelsCut,
    NotComparable,
    NotServed,
    compare_with_library,
    load_predictor,
)
from model_registry.sniffing import NotItsFlavour, RunsCode
from policies.declaration import Declaration, read_declaration
from policies.errors import Fault, Malformed
from tests.model_registry.makers import FEATURES, TOML, a_booster, rows


def declared(flavour: str = "xgboost") -> Declaration:
    """A declaration of this flavour."""
    if flavour in ("predictions", "endpoint"):
        toml = TOML.format(name="m", flavour=flavour).replace('artifact = "model.ubj"\n', "")
        if flavour == "endpoint":
            return read_declaration(toml + '\n[endpoint]\nurl = "http://127.0.0.1:9/invocations"\n')
        return read_declaration(toml.replace('label = "harmed"', 'label = "harmed"\nprediction = "score"'))
    return read_declaration(TOML.format(name="m", flavour=flavour))


def a_file(folder: Path, content: bytes, name: str = "model") -> Path:
    """A file of these bytes."""
    path = folder / name
    path.write_bytes(content)
    return path


def a_lightgbm(**more: Any) -> lgb.Booster:
    """A small trained LightGBM model."""
    data = rows(300, seed=1)
    return lgb.train(
        {"objective": "binary", "num_threads": 1, "verbose": -1, **more},
        lgb.Dataset(data[list(FEATURES)], data["harmed"]),
        5,
    )


def a_skops(model: Any, frame: pd.DataFrame | None = None) -> bytes:
    """A fitted scikit-learn model as skops bytes."""
    data = rows(300, seed=1)
    return bytes(skops.io.dumps(model.fit(data[list(FEATURES)] if frame is None else frame, data["harmed"])))


class TestLoadPredictor:
    """Formats that are read."""

    @pytest.mark.parametrize("kind", ["ubj", "json"])
    def test_xgboost(self, tmp_path: Path, kind: str) -> None:
        path = a_file(tmp_path, bytes(a_booster().save_raw(kind)))
        loaded = load_predictor(path, declared())
        inputs = inputs_of(rows(), loaded.predictor)
        expected = a_booster().predict(xgb.DMatrix(rows()[list(FEATURES)]))
        assert loaded.predictor.scores(inputs) == pytest.approx(expected, abs=1e-6)
        assert loaded.feature_names == FEATURES
        assert loaded.facts["format"] == f"xgboost-{kind}"
        assert (loaded.facts["trees"], loaded.facts["features"], loaded.facts["bytes"]) == (8, 3, path.stat().st_size)

    def test_lightgbm(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, a_lightgbm().model_to_string().encode())
        loaded = load_predictor(path, declared("lightgbm"))
        inputs = inputs_of(rows(), loaded.predictor)
        assert loaded.predictor.scores(inputs) == pytest.approx(a_lightgbm().predict(inputs), abs=1e-12)

    def test_linear_model_with_a_background(self, tmp_path: Path) -> None:
        model = make_pipeline(StandardScaler(), LogisticRegression())
        path = a_file(tmp_path, a_skops(model))
        background = rows(50, seed=5)
        loaded = load_predictor(path, declared("sklearn"), background=background)
        assert isinstance(loaded.predictor, LinearModel)
        assert loaded.predictor.reference.tolist() == pytest.approx(background[list(FEATURES)].mean().tolist())
        inputs = inputs_of(rows(), loaded.predictor)
        assert loaded.predictor.scores(inputs) == pytest.approx(model.predict_proba(rows()[list(FEATURES)])[:, 1])

    def test_names_from_the_declaration(self, tmp_path: Path) -> None:
        data = xgb.DMatrix(rows()[list(FEATURES)].to_numpy(), label=rows()["harmed"])
        nameless = xgb.train({"objective": "binary:logistic", "nthread": 1}, data, 2)
        path = a_file(tmp_path, bytes(nameless.save_raw("ubj")))
        assert load_predictor(path, declared()).feature_names == FEATURES

    def test_nameless_and_undeclared(self, tmp_path: Path) -> None:
        data = xgb.DMatrix(rows()[list(FEATURES)].to_numpy(), label=rows()["harmed"])
        nameless = xgb.train({"objective": "binary:logistic", "nthread": 1}, data, 2)
        loaded = load_predictor(a_file(tmp_path, bytes(nameless.save_raw("ubj"))), replace(declared(), features={}))
        with pytest.raises(ColumnsMissing) as refusal:
            inputs_of(rows(), loaded.predictor)
        assert refusal.value.says.en == (
            "the model was trained on 'f0', 'f1', 'f2', which evaluation data does not have; the model file does not "
            "say which columns it was trained on: train it on a DataFrame, or declare one [features.NAME] table per "
            "feature, in the order of training"
        )

    @pytest.mark.parametrize("flavour", ["predictions", "endpoint"])
    def test_flavours_without_a_model_of_ours(self, tmp_path: Path, flavour: str) -> None:
        with pytest.raises(NotServed, match=f"flavour '{flavour}' hands over no model that runs here"):
            load_predictor(a_file(tmp_path, b"x"), declared(flavour))

    def test_larger_than_the_limit(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed, match="the artifact model has 100 bytes; at most 99 are accepted"):
            load_predictor(a_file(tmp_path, bytes(100)), declared(), limits=Limits(artifact_bytes=99))


class TestCompareWithLibrary:
    """The training library runs once, elsewhere."""

    @pytest.mark.parametrize(
        ("flavour", "make"),
        [
            ("xgboost", lambda: bytes(a_booster().save_raw("ubj"))),
            ("xgboost", lambda: bytes(a_booster(objective="binary:hinge").save_raw("ubj"))),
            ("lightgbm", lambda: a_lightgbm(boosting="dart").model_to_string().encode()),
            ("sklearn", lambda: a_skops(IsolationForest(n_estimators=5, random_state=0))),
        ],
        ids=["xgboost", "xgboost-hinge", "lightgbm-dart", "isolation-forest"],
    )
    def test_same_scores(self, tmp_path: Path, flavour: str, make: Callable[[], bytes]) -> None:
        loaded = load_predictor(a_file(tmp_path, make()), declared(flavour))
        frame = rows()
        if flavour != "sklearn":
            frame.loc[3, "temperature"] = np.nan
        compared = compare_with_library(loaded, inputs_of(frame, loaded.predictor))
        assert compared.facts["native_rows"] == 120
        assert 0 <= float(str(compared.facts[NATIVE_DIFFERENCE])) < 1e-6
        assert NATIVE_DIFFERENCE not in loaded.facts

    def test_text_categories(self, tmp_path: Path) -> None:
        data = rows(300, seed=1)
        frame = data[list(FEATURES)].assign(shift=pd.Categorical(np.where(data["harmed"] == 1, "night", "day")))
        raw = a_skops(HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype"), frame)
        loaded = load_predictor(a_file(tmp_path, raw), declared("sklearn"))
        evaluation = rows().assign(shift=np.where(rows()["harmed"] == 1, "night", "day"))
        inputs = inputs_of(evaluation, loaded.predictor)
        assert np.unique(inputs[:, 3]).tolist() == [0, 1]
        compared = compare_with_library(loaded, inputs)
        assert float(str(compared.facts[NATIVE_DIFFERENCE])) < 1e-12

    @pytest.mark.parametrize(("flavour", "night"), [("xgboost", "night"), ("lightgbm", "夜班")])
    def test_text_categories_of_boosters(self, tmp_path: Path, flavour: str, night: str) -> None:
        data, evaluation = rows(300, seed=1), rows()
        for frame in (data, evaluation):
            frame["shift"] = np.where(frame["harmed"] == 1, night, np.where(frame["age"] > 40, "day", "late"))
        trained = data[list(FEATURES)].assign(shift=pd.Categorical(data["shift"]))
        if flavour == "xgboost":
            matrix = xgb.DMatrix(trained, label=data["harmed"], enable_categorical=True)
            booster = xgb.train({"objective": "binary:logistic", "nthread": 1, "max_cat_to_onehot": 1}, matrix, 3)
            raw = bytes(booster.save_raw("ubj"))
        else:
            parameters = {"objective": "binary", "num_threads": 1, "verbose": -1, "min_data_per_group": 5}
            raw = lgb.train(parameters, lgb.Dataset(trained, data["harmed"]), 3).model_to_string().encode()
        loaded = load_predictor(a_file(tmp_path, raw), declared(flavour))
        inputs = inputs_of(evaluation, loaded.predictor)
        assert sorted(np.unique(inputs[:, 3])) == [0, 1, 2]
        compared = compare_with_library(loaded, inputs)
        assert float(str(compared.facts[NATIVE_DIFFERENCE])) < 1e-6
        scores = loaded.predictor.scores(inputs)
        at_night = (evaluation["shift"] == night).to_numpy()
        assert scores[at_night].min() > scores[~at_night].max()

    def test_labels_that_xgboost_cut(self, tmp_path: Path) -> None:
        data = rows(300, seed=1)
        trained = data[list(FEATURES)].assign(shift=pd.Categorical(np.where(data["harmed"] == 1, "夜班", "白班")))
        matrix = xgb.DMatrix(trained, label=data["harmed"], enable_categorical=True)
        booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, matrix, 1)
        with pytest.raises(LabelsCut) as refusal:
            load_predictor(a_file(tmp_path, bytes(booster.save_raw("ubj")), "model.ubj"), declared())
        assert refusal.value.says.en == (
            "model.ubj: XGBoost keeps labels that are not plain ASCII in part only, and 'shift' has such labels; "
            "give it codes (0, 1, 2, …) or ASCII labels and train again"
        )

    def test_a_difference_is_seen(self, tmp_path: Path) -> None:
        loaded = load_predictor(a_file(tmp_path, bytes(a_booster().save_raw("ubj"))), declared())
        other = load_predictor(a_file(tmp_path, bytes(a_booster(3).save_raw("ubj")), "other"), declared())
        mixed = replace(loaded, native=other.native)
        inputs = inputs_of(rows(), loaded.predictor)
        expected = np.abs(loaded.predictor.scores(inputs) - other.predictor.scores(inputs)).max()
        found = float(str(compare_with_library(mixed, inputs).facts[NATIVE_DIFFERENCE]))
        assert found == pytest.approx(expected, abs=1e-6) and found > 0.01

    def test_other_number_of_outputs(self, tmp_path: Path) -> None:
        loaded = load_predictor(a_file(tmp_path, bytes(a_booster().save_raw("ubj"))), declared())
        data = xgb.DMatrix(rows()[list(FEATURES)], label=rows()["age"] // 22)
        three = xgb.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1}, data, 1)
        other = a_file(tmp_path, bytes(three.save_raw("ubj")), "three.ubj")
        inputs = inputs_of(rows(), loaded.predictor)
        with pytest.raises(NotComparable) as refusal:
            compare_with_library(replace(loaded, native=other), inputs)
        assert refusal.value.says.en == (
            "the library gives an array of shape (120, 3) for three.ubj where (120,) was expected; "
            "save the model again with the library's own function"
        )


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.place, "w"))


def joblib_zip(raw: bytes) -> bytes:
    """A torch-like zip that holds a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", raw)
    return buffer.getvalue()


class TestPickles:
    """Refused by content, never opened."""

    @pytest.mark.parametrize("protocol", range(6))
    @pytest.mark.parametrize("flavour", ["xgboost", "lightgbm", "sklearn"])
    @pytest.mark.parametrize("name", ["model.ubj", "model.skops", "model.pkl"])
    def test_every_protocol(self, tmp_path: Path, protocol: int, flavour: str, name: str) -> None:
        sprung = tmp_path / "sprung"
        raw = pickle.dumps(Trap(str(sprung)), protocol)
        with pytest.raises(RunsCode) as refusal:
            load_predictor(a_file(tmp_path, raw, name), declared(flavour))
        assert refusal.value.says.en.startswith(
            f"{name} is a pickle (pickle, joblib or cloudpickle); loading one runs code, so it is not opened: "
            "save the model with "
        )
        assert not sprung.exists()

    @pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "lzma", "xz", 0])
    def test_joblib(self, tmp_path: Path, method: str | int) -> None:
        import joblib

        sprung = tmp_path / "sprung"
        joblib.dump(Trap(str(sprung)), tmp_path / "model.ubj", compress=(method, 3) if method else 0)
        with pytest.raises(RunsCode):
            load_predictor(tmp_path / "model.ubj", declared())
        assert not sprung.exists()

    def test_inside_a_zip(self, tmp_path: Path) -> None:
        raw = joblib_zip(pickle.dumps(Trap(str(tmp_path / "sprung"))))
        with pytest.raises(RunsCode):
            load_predictor(a_file(tmp_path, raw), declared("sklearn"))

    def test_of_a_real_model(self, tmp_path: Path) -> None:
        with pytest.raises(RunsCode, match=r"save the model with booster\.save_model\('model\.ubj'\)"):
            load_predictor(a_file(tmp_path, pickle.dumps(a_booster())), declared())


class TestNotItsFlavour:
    """One clear sentence for a file of another kind."""

    @pytest.mark.parametrize(
        ("flavour", "content", "found"),
        [
            ("xgboost", b"tree\nversion=v4\n", "lightgbm-text"),
            ("lightgbm", b'{"learner": {}}', "xgboost-json"),
            ("lightgbm", b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "xgboost-ubj"),
            ("sklearn", b'{"learner": {}}', "xgboost-json"),
            ("xgboost", b"", "unknown"),
            ("xgboost", b"\x89HDF\r\n\x1a\n", "unknown"),
            ("xgboost", b"temperature,harmed\n1,0\n", "unknown"),
            ("lightgbm", b"\x08\x09\x12\x07pytorch", "onnx"),
            ("sklearn", b"PK\x03\x04....", "unknown"),
        ],
    )
    def test_sentence(self, tmp_path: Path, flavour: str, content: bytes, found: str) -> None:
        with pytest.raises(NotItsFlavour) as refusal:
            load_predictor(a_file(tmp_path, content), declared(flavour))
        assert refusal.value.says.en.startswith(
            f"model is not a model of flavour '{flavour}' (its content is {found}); expected what "
        )

    def test_right_kind_wrong_content(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed):
            load_predictor(a_file(tmp_path, b'{"name": "not a model"}'), declared())

    def test_linear_booster(self, tmp_path: Path) -> None:
        data = xgb.DMatrix(rows()[list(FEATURES)], label=rows()["harmed"])
        linear = xgb.train({"booster": "gblinear", "updater": "coord_descent", "nthread": 1}, data, 2)
        with pytest.raises(Malformed):
            load_predictor(a_file(tmp_path, bytes(linear.save_raw("ubj"))), declared())


def changed_bytes(raw: bytes, seed: int) -> bytes:
    """The same file with a few bytes changed, cut, doubled or moved."""
    rng = random.Random(seed)
    made = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(made))
        match rng.randrange(4):
            case 0:
                made[at] = rng.randrange(256)
            case 1:
                del made[at : at + rng.randint(1, 30)]
            case 2:
                made[at:at] = made[at : at + rng.randint(1, 30)]
            case 3:
                made[at : at + 8] = rng.randbytes(8)
    return bytes(made)


def changed_numbers(raw: bytes, seed: int) -> bytes:
    """The same JSON model with one number of one tree changed to something absurd."""
    rng = random.Random(seed)
    model = json.loads(raw)
    tree = rng.choice(model["learner"]["gradient_booster"]["model"]["trees"])
    key = rng.choice([key for key, value in tree.items() if isinstance(value, list) and value])
    tree[key][rng.randrange(len(tree[key]))] = rng.choice([-1, -2, 10**9, 2**40, 1e300, -1e300, 0, 7, None, "x", []])
    return json.dumps(model).encode()


class TestHostileFiles:
    """A thousand broken files: each is a predictor or one refusal, and this process lives."""

    @pytest.mark.parametrize("kind", ["ubj", "json", "numbers", "lightgbm"])
    def test_changed_models(self, tmp_path: Path, kind: str) -> None:
        flavour = "lightgbm" if kind == "lightgbm" else "xgboost"
        if kind == "lightgbm":
            raw = a_lightgbm().model_to_string().encode()
        else:
            raw = bytes(a_booster().save_raw("ubj" if kind == "ubj" else "json"))
        change = changed_numbers if kind == "numbers" else changed_bytes
        inputs = np.asarray(rows()[list(FEATURES)], dtype=np.float64)
        refused = 0
        for seed in range(250):
            path = a_file(tmp_path, change(raw, seed))
            try:
                predictor = load_predictor(path, declared(flavour)).predictor
            except Fault as fault:
                refused += 1
                complete = all(said.en.strip() and said.zh.strip() for said in fault.faults)
                assert complete
                continue
            if len(predictor.feature_names) == len(FEATURES):
                assert len(predictor.scores(inputs)) == len(inputs)
        assert refused > 50

    def test_deep_nesting(self, tmp_path: Path) -> None:
        for content in (b'{"learner":' + b"[" * 100_000, b"{L\x01a" + b"[" * 100_000, b"{" * 100_000):
            with pytest.raises(Fault):
                load_predictor(a_file(tmp_path, content), declared())

    def test_array_that_claims_to_be_huge(self, tmp_path: Path) -> None:
        content = b"{L\x00\x00\x00\x00\x00\x00\x00\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"
        with pytest.raises(Fault):
            load_predictor(a_file(tmp_path, content), declared())
