"""MLflow loads and serves a governed model as it serves any other, and no model lies in the folder it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import wiring
from api.clock import system_clock
from api.pyfunc_door import wrap
from policies.errors import Conflict
from tests.governance.factories import OFFICER, PURPOSE, SENSORS, House, a_directory, rows

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # MLflow warns about its own type hints

FRAME = rows(5, seed=9)[list(SENSORS)]
REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def wrapped(house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a model with a permit. The house's models lie in memory, so its own store stands behind it."""
    house.clock.now = system_clock()
    house.approved()
    monkeypatch.setattr(wiring, "model_store", lambda _: house.service.store)
    folder = house.folder / "governed"
    wrap("gas-leak", house.folder / "data", folder, purpose=PURPOSE)
    return folder


@pytest.fixture
def loaded(wrapped: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What MLflow makes of it."""
    import mlflow.pyfunc

    from api import pyfunc_door

    opened = []
    whole = pyfunc_door.governed
    monkeypatch.setattr(pyfunc_door, "governed", lambda *a, **k: opened.append(whole(*a, **k)) or opened[-1])
    yield mlflow.pyfunc.load_model(str(wrapped))
    for model in opened:
        model.close()


def scores(house: House) -> list[float]:
    """What the model itself says."""
    predictor = house.service.models.predictor(house.service.telling.record_of("gas-leak"))
    return predictor.scores(FRAME.to_numpy()).tolist()


class TestLoadModel:
    def test_answers_with_the_scores_of_record_and_leaves_traces(self, house: House, loaded: Any) -> None:
        assert loaded.predict(FRAME) == scores(house)
        entries = house.service.log.search(kind="decision").entries
        assert len(entries) == 5
        assert entries[0].actor == "local-service"

    def test_gives_records_when_asked(self, house: House, loaded: Any) -> None:
        records = loaded.predict(FRAME, params={"records": True})
        assert [record["score"] for record in records] == scores(house)
        assert all(house.service.log.entry(record["decision_id"]).score == record["score"] for record in records)

    def test_a_suspended_model_answers_nothing(self, house: House, loaded: Any) -> None:
        from mlflow.exceptions import MlflowException

        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="drift")
        house.clock.go(seconds=1)
        time.sleep(0.3)  # the other process's picture of the permits lasts a quarter of a second
        with pytest.raises(MlflowException, match="version 1 is suspended; fall back to manual control") as refused:
            loaded.predict(FRAME)
        assert refused.value.error_code == "PERMISSION_DENIED"

    def test_a_column_the_model_does_not_know_is_refused_where_mlflow_drops_it(self, loaded: Any) -> None:
        from mlflow.exceptions import MlflowException

        with pytest.raises(MlflowException, match="column 'salary' is unknown to the model") as refused:
            loaded.predict(FRAME.assign(salary=1.0))
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


class TestWrap:
    def test_holds_the_name_and_no_model(self, house: House, wrapped: Path) -> None:
        assert sorted(file.name for file in wrapped.iterdir()) == ["MLmodel", "governed.json"]
        said = json.loads((wrapped / "governed.json").read_text())
        assert said == {"model": "gas-leak", "data": str(house.folder / "data"), "purpose": PURPOSE}

    def test_does_not_write_into_a_folder_that_is_there(self, house: House, wrapped: Path) -> None:
        with pytest.raises(Conflict, match="exists; name another folder"):
            wrap("gas-leak", house.folder / "data", wrapped, purpose=PURPOSE)


@pytest.mark.long
class TestServer:
    def test_mlflow_models_serve_runs_governed(self, tmp_path: Path) -> None:
        """The whole way: submit, approve, wrap on the command line, then MLflow's own server."""

        outside = dict(os.environ)  # noqa: TID251 - handed on to processes; MLflow looks for python there
        path = f"{Path(sys.executable).parent}:{outside['PATH']}"
        environment = {**outside, "PYTHONPATH": str(REPOSITORY), "PATH": path}

        def run(*words: str) -> Any:
            whole = [sys.executable, "-m", "api.cli", *words, "--data", str(tmp_path / "data")]
            return subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)

        made = json.loads(run("submit", str(a_directory(tmp_path / "handed")), "--json").stdout)
        assert run("verdict", made["submission"], "approve", "--reason", "looked at").returncode == 0
        assert run("wrap", "gas-leak", "--out", str(tmp_path / "governed")).returncode == 0
        words = ["mlflow", "models", "serve", "-m", str(tmp_path / "governed"), "--env-manager", "local", "--port"]
        with subprocess.Popen(
            [sys.executable, "-m", *words, "5719"], env=environment, start_new_session=True
        ) as server:
            try:
                answer = ask_until_it_answers("http://127.0.0.1:5719/invocations")
            finally:
                os.killpg(server.pid, 15)
        assert len(answer["predictions"]) == 5
        assert all(isinstance(score, float) for score in answer["predictions"])


def ask_until_it_answers(url: str) -> Any:
    """Ask a server that is starting."""
    body = json.dumps({"dataframe_split": FRAME.to_dict("split")}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    for _ in range(600):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer")
