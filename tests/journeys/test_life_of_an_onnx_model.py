"""A neural network as ONNX, from the folder to the replay; and its process, killed in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from api.cli import run
from audit.verify import verify_bundle
from model_registry.mlflow_store import embedded_store
from tests.governance.factories import ENGINEER, SENSORS, House, a_directory, a_house, rows
from tests.journeys.real_data import SENSORS as CIRCUIT
from tests.journeys.real_data import skab
from tests.model_registry.onnx_makers import exported


def an_onnx_directory(folder: Path) -> Path:
    """A submission of a network over the two sensors of the made-up plant."""
    lines = {'artifact = "model.ubj"\nflavour = "xgboost"': 'artifact = "model.onnx"\nflavour = "onnx"'}
    made = a_directory(folder, lines=lines)
    training = rows(600, seed=1000)
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), alpha=1.0, random_state=0, tol=1e-3))
    model.fit(training[list(SENSORS)].to_numpy(np.float32), training["harmed"])
    (made / "model.ubj").unlink()
    (made / "model.onnx").write_bytes(exported(model, len(SENSORS)))
    return made


@pytest.fixture(scope="module")
def circuit(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission of a network that tells anomalies of a water circuit."""
    made = skab(shared_data, tmp_path_factory.mktemp("circuit") / "handed")
    names = [name.replace(" ", "_") for name in CIRCUIT]
    training = pd.read_csv(made / "training.csv")
    model = make_pipeline(StandardScaler(), MLPClassifier((16,), alpha=1.0, random_state=0, tol=1e-3))
    model.fit(training[names].to_numpy(np.float32), training["anomaly"])
    (made / "model.ubj").unlink()
    (made / "model.onnx").write_bytes(exported(model, len(names)))
    text = (made / "submission.toml").read_text(encoding="utf-8")
    text = text.replace("model.ubj", "model.onnx").replace('flavour = "xgboost"', 'flavour = "onnx"')
    (made / "submission.toml").write_text(text, encoding="utf-8")
    return made


@pytest.fixture
def mlflow_house(tmp_path: Path) -> Iterator[House]:
    """A house whose models lie in MLflow."""
    (tmp_path / "registry").mkdir()
    with a_house(tmp_path / "house", store=embedded_store(tmp_path / "registry")) as made:
        yield made


def test_it_is_examined_permitted_served_explained_and_replayed(mlflow_house: House) -> None:
    house, service = mlflow_house, mlflow_house.service
    readings = rows(60, seed=9)[list(SENSORS)]

    # It comes in: judged by our reader, run in a process of its own, put through every check, kept in MLflow.
    record = service.submit(an_onnx_directory(house.folder / "handed"), by=ENGINEER)
    found = {finding["check"]: finding for finding in record.findings}
    assert found["artifact_safety"]["holds"] is True
    assert found["explanation_fidelity"]["holds"] is True
    house.approve(record)

    # It decides: each row with a durable trace, sampled contributions that add up, and their error bars.
    decided = house.decide(record.model, readings)
    assert not decided.problems
    trace = service.telling.trace_of(decided.ids[0])[1]
    assert (trace.method, trace.unit) == ("permutation", "probability")
    assert trace.standard_error is not None
    assert trace.standard_error.max() > 0
    assert trace.base + trace.contributions.sum() == pytest.approx(trace.margin, rel=1e-5)

    # Its process is killed: the next call starts another one and is answered alike.
    worker = service.models.predictor(record).function.worker  # type: ignore[attr-defined]
    os.kill(worker.pid, signal.SIGKILL)
    again = house.decide(record.model, readings)
    np.testing.assert_allclose(again.scores, decided.scores, atol=1e-6)
    np.testing.assert_allclose(again.contributions, decided.contributions, atol=1e-6)

    # The sealed input gives the sealed score again, and the bundle proves itself without us.
    replayed = service.telling.replay(decided.ids[0])
    assert replayed["same"] is True
    assert replayed["artifact_digest"] == record.artifact_digest
    assert verify_bundle(service.telling.evidence(decided.ids[0])).holds


def test_a_network_over_a_real_circuit_is_checked_from_the_command_line(
    circuit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(circuit), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {f["check"] for f in report["findings"]} >= {"artifact_safety", "robustness", "explanation_fidelity"}

    broken = tmp_path / "broken"
    shutil.copytree(circuit, broken)
    (broken / "model.onnx").write_bytes((circuit / "model.onnx").read_bytes()[:-40])
    assert run(["check", str(broken)]) == 2
    assert "the ONNX file cannot be read" in capsys.readouterr().err
