"""The Python door, and that all three doors refuse alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import api
from api import wiring
from api.cli import run
from api.clock import system_clock
from api.tokens import NotSignedIn
from governance.permits import MayNotRun
from model_registry.memory_store import MemoryStore
from policies.errors import Fault, Malformed
from policies.permitted_use import PurposeRefused
from policies.roles import NotAllowed, Role
from tests.api.doors import Doors, open_doors
from tests.governance.factories import OFFICER, PURPOSE, SENSORS, House, a_directory, a_house, rows

FRAME = rows(5, seed=9)[list(SENSORS)]


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house with a model at work, whose registry the Python door and the command line share."""
    store = MemoryStore(tmp_path / "models")
    monkeypatch.setattr(wiring, "model_store", lambda _settings: store)
    monkeypatch.delenv("MINGJING_TOKEN", raising=False)
    with a_house(tmp_path / "house", store=store) as house:
        house.clock.now = system_clock()  # the doors under test read the real one
        house.approved()
        yield house


def data_of(house: House) -> Path:
    """The data folder of a house."""
    return house.folder / "data"


class TestImport:
    def test_is_light(self) -> None:
        """Whoever imports `api` pays for nothing until a door opens."""
        said = "import api, sys; print(sorted({'pandas', 'mlflow', 'fastapi', 'numba'} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_offers_what_the_contract_says(self) -> None:
        assert {"check", "governed"} <= set(api.__all__)

    def test_has_nothing_else(self) -> None:
        with pytest.raises(AttributeError, match="module 'api' has no attribute 'ungoverned'"):
            _ = api.ungoverned


class TestCheck:
    def test_returns_the_findings(self, tmp_path: Path) -> None:
        findings = api.check(str(a_directory(tmp_path / "handed")))
        assert {"performance", "leakage", "weight_caps"} <= {finding.check for finding in findings}

    def test_refuses_with_every_fault(self, tmp_path: Path) -> None:
        with pytest.raises(Malformed, match="is not a directory"):
            api.check(tmp_path / "none")


class TestGoverned:
    def test_decides_explains_and_traces(self, at_work: House) -> None:
        with api.governed("gas-leak", data=data_of(at_work)) as risk:
            decided = risk.predict(FRAME, purpose=PURPOSE, subjects=["a", "b", "c", "d", "e"])
        for decision in decided.decisions:
            assert decision is not None
            assert at_work.service.log.entry(str(decision.id)).actor == "local-service"
            assert decision.contributions.shape == (len(SENSORS),)

    def test_asks_for_the_permit_at_every_call(self, at_work: House) -> None:
        with api.governed("gas-leak", data=data_of(at_work)) as risk:
            risk.predict(FRAME, purpose=PURPOSE)
            at_work.veto(at_work.service.telling.record_of("gas-leak"))
            import time

            time.sleep(0.3)  # what another process decided is seen within a quarter of a second
            with pytest.raises(MayNotRun, match="was vetoed"):
                risk.predict(FRAME, purpose=PURPOSE)

    def test_an_unknown_model_is_a_clear_refusal(self, at_work: House) -> None:
        with pytest.raises(MayNotRun, match="there is no model of this name here") as refused:
            api.governed("none", data=data_of(at_work))
        assert refused.value.fallback == "manual_control"

    def test_needs_a_purpose(self, at_work: House) -> None:
        with api.governed("gas-leak", data=data_of(at_work)) as risk, pytest.raises(PurposeRefused):
            risk.predict(FRAME)

    def test_under_a_token_acts_as_its_holder(self, at_work: House) -> None:
        plant = at_work.service.people.add("plant", Role.SERVICE).token
        with api.governed("gas-leak", data=data_of(at_work), token=plant) as risk:
            (decision, *_) = risk.predict(FRAME).decisions
        assert decision is not None
        assert at_work.service.log.entry(str(decision.id)).actor == "plant"

    def test_a_wrong_token_opens_nothing(self, at_work: House) -> None:
        with pytest.raises(NotSignedIn):
            api.governed("gas-leak", data=data_of(at_work), token="mj_wrong")

    def test_another_role_opens_nothing(self, at_work: House) -> None:
        officer = at_work.service.people.add("mei", Role.DSO).token
        with pytest.raises(NotAllowed):
            api.governed("gas-leak", data=data_of(at_work), token=officer)


class TestThreeDoors:
    """HTTP, command line and Python give the same refusal, word for word."""

    @pytest.fixture
    def doors(self, at_work: House) -> Doors:
        return open_doors(at_work)

    @staticmethod
    def refusals(
        doors: Doors, capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str, purpose: str, frame: Any
    ) -> list[str]:
        body = {"dataframe_split": {"columns": list(frame.columns), "data": frame.to_numpy().tolist()}}
        headers = {"X-Mingjing-Purpose": purpose}
        said = doors.ask("post", f"/v1/models/{model}/invocations", Role.TESTER, json=body, headers=headers)
        over_http = [fault["en"] for fault in said.json()["faults"]]
        frame.to_csv(tmp_path / "rows.csv", index=False)
        capsys.readouterr()
        data = str(data_of(doors.house))
        arguments = ["predict", model, "--input", str(tmp_path / "rows.csv"), "--purpose", purpose, "--data", data]
        assert run(arguments) == 2
        over_the_command_line = capsys.readouterr().err.strip().splitlines()
        with pytest.raises(Fault) as refused, api.governed(model, data=data) as risk:
            risk.predict(frame, purpose=purpose)
        from_python = [fault.en for fault in refused.value.faults]
        assert over_http == over_the_command_line == from_python
        return from_python

    def test_for_the_same_reasons(self, doors: Doors, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        for model, purpose, frame in (
            ("none", PURPOSE, FRAME),
            ("gas-peak", PURPOSE, FRAME),
            ("gas-leak", "reward", FRAME),
            ("gas-leak", PURPOSE, FRAME.assign(salary=1.0)),
            ("gas-leak", PURPOSE, FRAME[["pressure"]]),
        ):
            assert self.refusals(doors, capsys, tmp_path, model, purpose, frame)
        doors.house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="a drill failed")
        assert "suspended" in self.refusals(doors, capsys, tmp_path, "gas-leak", PURPOSE, FRAME)[0]
        doors.house.veto(doors.house.service.telling.record_of("gas-leak"))
        assert "vetoed" in self.refusals(doors, capsys, tmp_path, "gas-leak", PURPOSE, FRAME)[0]
