"""Models that are code, from submission to decision: refused by default, held in a box where a rulebook admits them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from governance.permits import MayNotRun
from model_registry import bubblewrap
from model_registry.bubblewrap import NoSandbox
from model_registry.code_models import CodeFailed, CodeNotAdmitted
from policies.rulebook import read_rulebook
from tests.governance.factories import COMMITTEE, ENGINEER, L3, OFFICER, SENSORS, House, a_directory, a_house, rows
from tests.model_registry.boxes import code, needs_box, score_of
from tests.model_registry.hostile import PICKLES

HANDED_AS_CODE = {'artifact = "model.ubj"': 'artifact = "model.pkl"', 'flavour = "xgboost"': 'flavour = "python"'}
ADMITS = ("allow_code = false", "allow_code = true")
SPECIAL = """
Model.feature_names_in_ = ["temperature", "pressure"]
def score(X):
    X = np.asarray(X)
    if (X[:, 0] == 66.0).any():
        os._exit(1)
    return np.clip(np.nan_to_num(X[:, 0]) / 40, 0, 1)
"""


@lru_cache
def trained() -> Pipeline:
    """An honest scikit-learn pipeline of the two sensors."""
    data = rows(600, seed=1000)
    return make_pipeline(SimpleImputer(), LogisticRegression()).fit(data[list(SENSORS)], data["harmed"])


def handed_in(folder: Path, model: bytes | None = None, **changes: Any) -> Path:
    """A submission directory whose model is code."""
    directory = a_directory(folder, lines=HANDED_AS_CODE, **changes)
    if model is None:
        joblib.dump(trained(), directory / "model.pkl")
    else:
        (directory / "model.pkl").write_bytes(model)
    return directory


def rules(*changes: tuple[str, str]) -> bytes:
    """The built-in rulebook with some lines written otherwise."""
    text = read_rulebook().source.decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


@pytest.fixture
def admitting(tmp_path: Path) -> Iterator[House]:
    """A house whose rulebook admits code up to L2."""
    (tmp_path / "rules.toml").write_bytes(rules(ADMITS))
    with a_house(tmp_path / "house", rulebook=tmp_path / "rules.toml") as house:
        yield house


class TestByDefault:
    @pytest.mark.parametrize("name", ["pickle that calls exec", "joblib", "pickle in gzip", "Python source"])
    def test_refused_and_not_opened(self, name: str, house: House, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        with pytest.raises(CodeNotAdmitted, match=r"admits none \(code.allow_code is false\); it was not opened"):
            house.service.intake.submit(handed_in(tmp_path / "d", PICKLES[name](canary)), by=ENGINEER)
        assert not canary.exists()
        assert "submit" not in house.kinds()

    def test_above_its_tier(self, admitting: House, tmp_path: Path) -> None:
        with pytest.raises(CodeNotAdmitted, match="admits code up to L2, and this is L3"):
            admitting.service.intake.submit(handed_in(tmp_path / "d", impact=L3), by=ENGINEER)

    def test_on_a_machine_that_cannot_hold_it(
        self, admitting: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bubblewrap._tried.cache_clear()
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(NoSandbox, match=r"bubblewrap .bwrap. is not installed; install the package bubblewrap"):
            admitting.service.intake.submit(handed_in(tmp_path / "d"), by=ENGINEER)
        bubblewrap._tried.cache_clear()


@needs_box
class TestAdmitted:
    def test_examined_approved_asked_and_replayed(self, admitting: House, tmp_path: Path) -> None:
        record = admitting.service.intake.submit(handed_in(tmp_path / "d"), by=ENGINEER)
        (safety,) = (found for found in record.findings if found["check"] == "artifact_safety")
        assert safety["holds"] is None and "the artifact is code (pickle)" in safety["says"]["en"]
        assert safety["evidence"]["runs_code"] is True
        admitting.approve(record)
        X = rows(6, seed=9)[list(SENSORS)]
        decided = admitting.decide(X=X)
        assert decided.scores == pytest.approx(trained().predict_proba(X)[:, 1])
        assert np.asarray(decided.contributions).sum(axis=1) + decided.bases == pytest.approx(decided.scores)
        again = admitting.service.telling.replay(decided.ids[0])
        assert (again["same"], again["tolerance"]) == (True, 1e-6)

    def test_is_never_opened_again_once_the_rules_admit_none(self, admitting: House, tmp_path: Path) -> None:
        record = admitting.service.intake.submit(handed_in(tmp_path / "d"), by=ENGINEER)
        admitting.approve(record)
        identifier = admitting.decide().ids[0]
        changes = admitting.service.rule_changes
        revision = changes.propose(rules(), by=OFFICER, reason="no more code in this house")
        (difference,) = changes.differences(revision)
        assert difference.says().en == "code.allow_code: True becomes False (stricter)"
        changes.adopt(revision.id, by=COMMITTEE, reason="no more code in this house")
        with pytest.raises(MayNotRun):
            admitting.decide()
        with pytest.raises(CodeNotAdmitted):
            admitting.service.telling.replay(identifier)

    def test_a_call_that_ends_the_model_is_one_refused_call(self, admitting: House, tmp_path: Path) -> None:
        record = admitting.service.intake.submit(handed_in(tmp_path / "d", code(SPECIAL)), by=ENGINEER)
        admitting.approve(record, reason="looked at, and let pass")
        X = rows(2, seed=9)[list(SENSORS)]
        before = admitting.decide(X=X)
        fell = admitting.decide(X=X.assign(temperature=66.0))
        assert not fell.answered.any()
        assert [problem.row for problem in fell.problems] == [0, 1]
        assert admitting.decide(X=X).scores == pytest.approx(before.scores)

    @pytest.mark.parametrize(
        "name",
        [
            *(f"pickle that calls {how}" for how in ("eval", "exec", "mknod")),
            *("pickle of protocol 0", "pickle in xz", "joblib", "joblib in lzma"),
            *("NumPy array of objects", "pickle behind a JSON head", "HDF5 with a Lambda layer"),
        ],
    )
    def test_a_gadget_goes_off_in_its_box_alone(self, name: str, admitting: House, tmp_path: Path) -> None:
        canary, kinds = tmp_path / "canary", admitting.kinds()
        with pytest.raises(Exception) as refused:
            admitting.service.intake.submit(handed_in(tmp_path / "d", PICKLES[name](canary)), by=ENGINEER)
        assert hasattr(refused.value, "faults"), refused.value
        assert not canary.exists()
        assert admitting.kinds() == kinds

    @pytest.mark.parametrize(
        "source",
        [
            score_of("return np.random.default_rng(0).random((len(X), 3))"),
            score_of("raise ValueError(open('/etc/passwd').read())"),
            "os._exit(0)",
            score_of("import ctypes; ctypes.string_at(0)"),
        ],
        ids=["three classes", "reads a file", "ends itself", "crashes"],
    )
    def test_one_sentence_and_nothing_is_registered(self, source: str, admitting: House, tmp_path: Path) -> None:
        kinds = admitting.kinds()
        with pytest.raises(CodeFailed) as refused:
            admitting.service.intake.submit(handed_in(tmp_path / "d", code(source)), by=ENGINEER)
        assert "root:" not in refused.value.says.en and refused.value.says.zh
        assert admitting.kinds() == kinds


MLMODEL = """
flavors:
  python_function:
    loader_module: its_loader
    code: code
    data: model.joblib
"""
LOADER = """
import joblib

class Loaded:
    def __init__(self, path):
        self.model = joblib.load(path)

    def predict(self, frame, params=None):
        return self.model.predict_proba(frame)[:, 1]

def _load_pyfunc(path):
    return Loaded(path)
"""


@needs_box
def test_a_python_function_of_mlflow(admitting: House, tmp_path: Path) -> None:
    directory = a_directory(tmp_path / "d", lines={**HANDED_AS_CODE, 'artifact = "model.ubj"': 'artifact = "folder"'})
    (directory / "folder" / "code").mkdir(parents=True)
    (directory / "folder" / "MLmodel").write_text(MLMODEL)
    (directory / "folder" / "code" / "its_loader.py").write_text(LOADER)
    joblib.dump(trained(), directory / "folder" / "model.joblib")
    record = admitting.service.intake.submit(directory, by=ENGINEER)
    admitting.approve(record)
    X = rows(4, seed=9)[list(SENSORS)]
    assert admitting.decide(X=X).scores == pytest.approx(trained().predict_proba(X)[:, 1])
