"""Foreign libraries in a process of their own: whatever they do, it is one refused submission."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import skops.io
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier

from model_registry.limits import Limits
from model_registry.sandbox import (
    LibraryCrashed,
    LibraryHung,
    LibraryRefused,
    RefusedInside,
    read_in_worker,
    score_in_worker,
)
from policies.declaration import Flavour
from tests.model_registry.makers import FEATURES, a_booster, rows

REPOSITORY = Path(__file__).resolve().parents[2]
X = np.asarray(rows()[list(FEATURES)], dtype=np.float64)


def a_changed_booster(folder: Path, **changes: int) -> Path:
    """An XGBoost file whose first tree says something impossible at its root."""
    model: dict[str, Any] = json.loads(bytes(a_booster().save_raw("json")))
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    for key, value in changes.items():
        tree[key][0] = value
    path = folder / "model.json"
    path.write_text(json.dumps(model))
    return path


class TestScoreInWorker:
    """One call of the training library."""

    def test_scores_of_the_library(self, tmp_path: Path) -> None:
        path = tmp_path / "model.ubj"
        path.write_bytes(bytes(a_booster().save_raw("ubj")))
        kind, scores = score_in_worker(Flavour.XGBOOST, path, X)
        assert kind == "scores"
        assert scores.tolist() == a_booster().predict(xgb.DMatrix(X), validate_features=False).astype(float).tolist()

    def test_index_that_crashes_the_library(self, tmp_path: Path) -> None:
        with pytest.raises(LibraryCrashed) as refusal:
            score_in_worker(Flavour.XGBOOST, a_changed_booster(tmp_path, left_children=10**8), X)
        assert refusal.value.says.en == (
            "model.json crashed the library that should run it (SIGSEGV); "
            "the model is refused, nothing else was touched"
        )

    def test_loop_that_never_ends(self, tmp_path: Path) -> None:
        data = rows(300, seed=1)
        trained = lgb.train(
            {"objective": "binary", "num_threads": 1, "verbose": -1},
            lgb.Dataset(data[list(FEATURES)], data["harmed"]),
            1,
        )
        text = re.sub(r"(left|right)_child=-?\d+", r"\1_child=0", trained.model_to_string())
        path = tmp_path / "model.txt"
        path.write_text(re.sub(r"tree_sizes=.*\n", "", text))
        with pytest.raises(LibraryHung) as refusal:
            score_in_worker(Flavour.LIGHTGBM, path, X, limits=Limits(worker_seconds=6))
        assert refusal.value.says.en == (
            "model.txt kept the library that should run it busy for more than 6 s; the model is refused"
        )

    def test_not_a_model(self, tmp_path: Path) -> None:
        path = tmp_path / "model.json"
        path.write_text('{"learner": 7}')
        with pytest.raises(LibraryRefused, match=r"xgboost cannot run model\.json: \w+: "):
            score_in_worker(Flavour.XGBOOST, path, X)

    def test_too_little_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "model.json"
        path.write_text("{}")
        with pytest.raises(LibraryCrashed, match=r"model\.json crashed the library that should run it"):
            score_in_worker(Flavour.XGBOOST, path, X, limits=Limits(worker_bytes=100_000_000))


class TestReadInWorker:
    """Objects in a skops file become arrays."""

    def test_forest(self, tmp_path: Path) -> None:
        data = rows(300, seed=1)
        forest = RandomForestClassifier(n_estimators=5, max_depth=4, random_state=0)
        forest.fit(data[list(FEATURES)], data["harmed"])
        skops.io.dump(forest, tmp_path / "model.skops")
        read = read_in_worker(tmp_path / "model.skops")
        assert read.feature_names == FEATURES
        expected = forest.predict_proba(rows()[list(FEATURES)])[:, 1]
        assert read.scores(X) == pytest.approx(expected, abs=1e-12)

    def test_refused_by_our_own_reader(self, tmp_path: Path) -> None:
        data = rows(300, seed=1)
        forest = RandomForestClassifier(n_estimators=2, random_state=0)
        forest.fit(data[list(FEATURES)], np.ones(300, dtype=int))
        skops.io.dump(forest, tmp_path / "model.skops")
        with pytest.raises(RefusedInside, match="the model knows one class only") as refusal:
            read_in_worker(tmp_path / "model.skops")
        assert "该模型只见过一个类别" in refusal.value.says.zh


IN_A_CHILD = """
import socket, sys
from model_registry import worker
{program}
"""


def in_a_child(program: str) -> str:
    """What a program that uses the worker's functions prints."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD.format(program=program)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class TestWorker:
    """What the process gives up before it does anything."""

    def test_memory_is_bounded(self) -> None:
        program = "worker.limit(500_000_000, 60, 1000)\ntry: bytearray(10**9)\nexcept MemoryError: print('bounded')"
        assert in_a_child(program) == "bounded"

    def test_files_are_bounded(self, tmp_path: Path) -> None:
        write = f"Path({str(tmp_path / 'f')!r}).write_bytes(bytes(2000))"
        program = f"from pathlib import Path\nworker.limit(2_000_000_000, 60, 1000)\ntry: {write}\n"
        program += "except OSError: print('bounded')"
        assert in_a_child(program) == "bounded"

    def test_no_line_out(self) -> None:
        program = (
            "there = socket.create_server(('127.0.0.1', 0))\n"
            "left = worker.leave_the_network()\n"
            "try: socket.create_connection(there.getsockname(), timeout=5); print('connected')\n"
            "except OSError: print('alone')\n"
            "print(left)"
        )
        answer, left = in_a_child(program).split()
        if left == "False":
            pytest.skip("this kernel lets no process leave the network")
        assert answer == "alone"

    def test_nothing_of_our_environment_and_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "model.ubj"
        path.write_bytes(bytes(a_booster().save_raw("ubj")))
        (tmp_path / "numpy.py").write_text("raise SystemExit('a file beside the artifact was imported')")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PYTHONHOME", str(tmp_path / "absent"))  # an interpreter that inherits it does not start
        assert len(score_in_worker(Flavour.XGBOOST, path, X[:2])[1]) == 2
