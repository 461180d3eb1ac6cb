"""A submission that lies in MLflow alone: complete from one address, or refused with everything that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.work import Worker
from governance.stages import Stage
from model_registry.mlflow_store import embedded_store
from policies.roles import Role
from tests.api.doors import Doors, open_doors
from tests.governance.factories import L2, SITE, a_booster, a_house, rows

USE = {"purpose": "risk_intervention", "description": "Will people be harmed?", "site": SITE, "owner": "team"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A house over a real registry, in which another program logged a model with its data."""
    folder = tmp_path_factory.mktemp("registry")
    store = embedded_store(folder / "mlflow")
    with a_house(folder / "house", store=store) as house:
        doors = open_doors(house)
        doors.asked = (log_run(doors, folder),)
        yield doors


def log_run(doors: Doors, folder: Any) -> str:
    client = doors.house.service.store.client  # type: ignore[attr-defined]
    experiment = client.create_experiment("theirs", artifact_location=(folder / "theirs").as_uri())
    run = str(client.create_run(experiment).info.run_id)
    (folder / "model.ubj").write_bytes(a_booster(seed=77))
    rows(200, seed=1).to_csv(folder / "evaluation.csv", index=False)
    rows(300, seed=2).to_csv(folder / "training.csv", index=False)
    for name, place in (("model.ubj", "model"), ("evaluation.csv", "data"), ("training.csv", "data")):
        client.log_artifact(run, str(folder / name), place)
    client.create_registered_model("theirs")
    client.create_model_version("theirs", f"runs:/{run}/model/model.ubj", run)
    return run


def said(uri: str, name: str, **data: Any) -> dict[str, Any]:
    return {
        "uri": uri,
        "model": {"name": name, "flavour": "xgboost"},
        "use": USE,
        "data": {"evaluation": "data/evaluation.csv", "training": "data/training.csv", "label": "harmed", **data},
        "features": {"temperature": {"unit": "degC"}, "pressure": {"unit": "kPa"}},
        "impact": L2,
    }


def ask(doors: Doors, body: Any, role: Role = Role.ML_ENGINEER, scope: str = "everywhere", **headers: str) -> Any:
    return doors.ask("post", "/v1/submissions", role, scope, json=body, headers=headers)


class TestByAddress:
    def test_is_complete_from_a_version_alone(self, registry: Doors) -> None:
        made = ask(registry, said("models:/theirs/1", "from-version"))
        assert made.status_code == 201, made.text
        record = registry.house.service.book.get(made.json()["id"])
        assert record.stage is Stage.EXAMINED
        assert record.declaration.model.artifact == "models:/theirs/1"
        assert record.declaration.data.evaluation == "models:/theirs/1/data/evaluation.csv"

    def test_goes_the_way_of_long_work(self, registry: Doors) -> None:
        run = registry.asked[0]
        again = said(f"runs:/{run}/model/model.ubj", "from-run")
        asked = ask(registry, again, Prefer="respond-async")
        assert asked.status_code == 202
        worker = Worker(registry.house.service)
        while registry.ask("get", asked.headers["location"], Role.ML_ENGINEER).json()["state"] == "queued":
            worker.work_once()
        job = registry.ask("get", asked.headers["location"], Role.ML_ENGINEER).json()
        assert job["state"] == "done", job
        assert registry.house.service.book.get(job["result"]).model == "from-run"

    def test_what_is_missing_in_the_registry_is_said_at_once(self, registry: Doors) -> None:
        wrong = said("models:/theirs/9", "nothing", evaluation="absent.csv", training="data")
        answer = ask(registry, wrong)
        assert answer.status_code == 422
        for part in ("models:/theirs/9 in", "models:/theirs/9/absent.csv in", "models:/theirs/9/data in"):
            assert f"there is nothing at {part} this registry" in answer.json()["detail"]

    def test_a_folder_is_no_table(self, registry: Doors) -> None:
        answer = ask(registry, said("models:/theirs/1", "folder", training="data"))
        assert "models:/theirs/1/data is a folder; expected a CSV or Parquet file" in answer.json()["detail"]

    def test_what_is_wrong_with_fields_is_said_before_anything_is_fetched(self, registry: Doors) -> None:
        wrong = {
            "uri": "http://169.254.169.254/latest",
            "model": {"name": "x y"},
            "data": {"evaluation": "../../etc/passwd"},
        }
        answer = ask(registry, wrong)
        assert answer.status_code == 422
        for part in ("is no artifact address", "may hold letters", "without '..'", "[use] is missing", "data.label"):
            assert part in answer.json()["detail"]

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"models:/a/1"', b"null", b"{}", b'{"uri": NaN}', b"\xff"])
    def test_what_is_no_object_is_422(self, registry: Doors, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = registry.ask("post", "/v1/submissions", Role.ML_ENGINEER, content=body, headers=headers)
        assert answer.status_code == 422

    def test_a_body_larger_than_a_declaration_is_422(self, registry: Doors) -> None:
        answer = ask(registry, {"uri": "models:/a/1", "x": "y" * 1_000_001})
        assert answer.status_code == 422
        assert "a declaration has at most 1,000,000" in answer.json()["detail"]

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.ML_ENGINEER])
    def test_is_for_engineers(self, registry: Doors, role: Role) -> None:
        assert ask(registry, said("models:/theirs/1", "not-theirs"), role).status_code == 403

    def test_a_model_of_another_site_is_as_good_as_absent(self, registry: Doors) -> None:
        use = {**USE, "site": "plant-08"}
        details = []
        for name in ("gas-leak", "gas-leek"):
            answer = ask(registry, {**said(f"models:/{name}/1", "copied"), "use": use}, scope="elsewhere")
            assert answer.status_code == 422
            details.append(answer.json()["detail"].replace(name, "X"))
        assert details[0] == details[1]
        assert "there is nothing at models:/X/1" in details[0]
