from __future__ import annotations

from dataclasses import replace

import pytest

from audit.checks.artifact_safety import ArtifactSafety
from audit.examination import Examined
from explainers.predictor import Predictor
from tests.audit.checks.conftest import Split
from tests.audit.checks.factories import of_model, of_predictions, run

SOUND = {"format": "xgboost-ubj", "largest_native_difference": 4e-8, "native_rows": 300, "digest": "ab"}


@pytest.fixture(scope="module")
def examined(injury: Split, injury_model: Predictor) -> Examined:
    return of_model(injury[1], injury_model, label="off_long")


class TestArtifactSafety:
    def test_declarative_and_equal_to_its_library(self, examined: Examined) -> None:
        found = run(ArtifactSafety(), replace(examined, artifact=SOUND))[0]
        assert found.holds is True and found.measured == 4e-8 and found.n == 300
        assert found.evidence["digest"] == "ab"

    def test_a_pickle_fails(self, examined: Examined) -> None:
        found = run(ArtifactSafety(), replace(examined, artifact={**SOUND, "format": "pickle"}))[0]
        assert found.holds is False and "the artifact is pickle, which may run code when it is opened" in found.says.en

    def test_code_that_was_admitted_leaves_it_open(self, examined: Examined) -> None:
        facts = {"digest": "ab", "format": "pickle", "runs_code": True, "held_by": "bubblewrap"}
        (found,) = run(ArtifactSafety(), replace(examined, artifact=facts))
        assert found.holds is None and found.measured is None
        assert "it was opened and scored in a box alone (bubblewrap: no network" in found.says.en

    def test_a_difference_fails(self, examined: Examined) -> None:
        found = run(ArtifactSafety(), replace(examined, artifact={**SOUND, "largest_native_difference": 0.02}))[0]
        assert found.holds is False and "what we would serve is not what was trained" in found.says.en

    def test_an_infinite_difference_fails_and_can_be_told(self, examined: Examined) -> None:
        facts = {**SOUND, "largest_native_difference": float("inf")}
        found = run(ArtifactSafety(), replace(examined, artifact=facts))[0]
        assert found.holds is False and found.as_json()["measured"] is None

    def test_facts_that_were_not_handed_down_leave_it_open(self, examined: Examined) -> None:
        assert run(ArtifactSafety(), replace(examined, artifact={}))[0].holds is None

    def test_predictions_alone_have_no_file(self) -> None:
        assert run(ArtifactSafety(), of_predictions([0, 1], [0.1, 0.9]))[0].holds is None
