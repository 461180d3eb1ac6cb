"""A model behind an address is examined like any other, and a service calls only where its operator said it may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from governance.intake import examine_directory
from model_registry.endpoint import EndpointRefused
from model_registry.mlflow_store import embedded_store
from policies.rulebook import read_rulebook
from policies.tiers import Tier
from tests.governance.factories import ENGINEER, House, a_directory, a_house, an_examination
from tests.model_registry.endpoint_server import Handler, hanging, honest, rows_in, serving, told


def behind(folder: Path, url: str, wait: float = 10.0) -> Path:
    """A submission whose model is not handed over."""
    lines = {
        'artifact = "model.ubj"\nflavour = "xgboost"': 'flavour = "endpoint"',
        "[impact]": f'[endpoint]\nurl = "{url}"\ntimeout_seconds = {wait}\n[impact]',
    }
    return a_directory(folder, lines=lines)


class TestExamined:
    def test_like_predictions(self, tmp_path: Path) -> None:
        with serving(honest) as server:
            examination = examine_directory(behind(tmp_path / "handed", server.url), read_rulebook())
        answers = {finding.check: finding.holds for finding in examination.findings}
        assert examination.loaded is None
        assert answers["performance"] is True
        assert answers["robustness"] is None

    def test_scores_that_are_no_probabilities_are_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def answer(handler: Handler, asked: dict[str, Any]) -> None:
            handler.send(json.dumps({"predictions": [7.5 for _ in rows_in(asked)]}).encode())

        with serving(answer) as server:
            assert run(["check", str(behind(tmp_path / "handed", server.url))]) == 2
        assert "200 scores lie outside [0, 1] (first: row 1 with 7.5)" in capsys.readouterr().err


class TestService:
    def test_calls_nobody_by_itself(self, house: House, tmp_path: Path) -> None:
        with serving(honest) as server:
            with pytest.raises(EndpointRefused, match="this service does not call 127"):
                house.service.intake.submit(behind(tmp_path / "handed", server.url), by=ENGINEER)
            assert server.asked == []
        assert house.kinds() == []

    def test_calls_whom_the_operator_named(self, tmp_path: Path) -> None:
        with serving(honest) as server:
            host = server.url.split("/")[2]
            with a_house(tmp_path / "house", endpoint_hosts=(host,), endpoint_token="secret") as house:
                record = house.service.intake.submit(behind(tmp_path / "handed", server.url), by=ENGINEER)
            assert record.version
            assert {one["headers"]["Authorization"] for one in server.asked} == {"Bearer secret"}


class TestCommand:
    def test_an_endpoint_that_hangs_is_3(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with serving(hanging) as server:
            assert run(["check", str(behind(tmp_path / "handed", server.url, 0.3))]) == 3
        assert "did not answer within 0.3 s" in capsys.readouterr().err

    def test_an_endpoint_that_lies_is_2(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with serving(told(predictions=[0.5])) as server:
            assert run(["check", str(behind(tmp_path / "handed", server.url))]) == 2
        assert "answered with 1 scores for 200 rows" in capsys.readouterr().err


class TestRegistryAddress:
    def test_check_fetches_a_model_that_is_named_in_the_registry(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submission = an_examination(tmp_path / "first").submission
        store = embedded_store(tmp_path / "data")
        version = store.register(submission, submission_id="s-1", tier=Tier.L2, tags={}, documents={})
        named = f'artifact = "models:/gas-leak/{version.version}"'
        second = a_directory(tmp_path / "second", lines={'artifact = "model.ubj"': named})
        monkeypatch.setenv("MINGJING_DATA", str(tmp_path / "data"))
        assert run(["check", str(second)]) == 0
        assert f"artifact {submission.artifact_digest[:12]}" in capsys.readouterr().out
