"""What somebody changed in the registry by hand binds nothing, is put back where it can be, and is reported once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.wiring import open_service
from governance.permits import MayNotRun
from governance.registry_watch import LOGGING_LASTS
from governance.stages import Stage
from model_registry.mlflow_store import MlflowStore, embedded_store
from policies.roles import NotAllowed, Role
from policies.tiers import Tier
from tests.governance.factories import OFFICER, House, a_house, someone


def incidents(house: House) -> list[bytes]:
    """What the incidents of the log say, newest first."""
    log = house.service.log
    return [log.payload(entry.id) or b"" for entry in log.search(kind="incident").entries]


class TestLook:
    def test_finds_nothing_in_a_registry_that_nobody_touched(self, house: House) -> None:
        house.veto(house.submitted(name="gas-peak", seed=1))
        house.approved()
        assert house.service.registry_watch.look() == 0
        assert incidents(house) == []

    def test_a_status_changed_by_hand_is_reported_and_put_back(self, house: House) -> None:
        record = house.submitted()
        house.veto(record)
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        with pytest.raises(MayNotRun, match="was vetoed"):
            house.decide()
        assert house.service.registry_watch.look() == 1
        assert b"as 'approved', decided was 'vetoed'; it was put back" in incidents(house)[0]
        assert house.service.store.version(record.model, record.version).status == "vetoed"
        assert house.service.registry_watch.look() == 0

    def test_an_artifact_changed_on_disk_is_reported_once(self, house: House) -> None:
        record = house.approved()
        file = Path(house.service.store.artifact(record.model, record.version))
        file.chmod(0o600)
        file.write_bytes(file.read_bytes() + b" ")
        assert house.service.registry_watch.look() == 1
        assert house.service.registry_watch.look() == 0
        assert b"artifact altered" in incidents(house)[0]
        assert house.service.registry_watch.standing(OFFICER)[0].says.en in incidents(house)[0].decode()

    def test_a_call_that_found_it_first_reports_it_alone(self, house: House) -> None:
        record = house.approved()
        file = Path(house.service.store.artifact(record.model, record.version))
        file.chmod(0o600)
        file.write_bytes(file.read_bytes() + b" ")
        for _ in range(3):
            with pytest.raises(MayNotRun):
                house.decide()
        assert house.service.registry_watch.look() == 0
        assert len(incidents(house)) == 1

    def test_what_was_told_is_not_told_again_by_another_process(self, house: House) -> None:
        record = house.submitted()
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        assert house.service.registry_watch.look() == 1
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        other = open_service(house.service.settings, clock=house.clock, store=house.service.store)
        try:
            assert other.registry_watch.look() == 0
        finally:
            other.close()
        assert len(incidents(house)) == 1

    def test_a_process_that_died_before_it_told_leaves_it_to_the_next(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = house.submitted()
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})

        def dies(*_: Any) -> None:
            raise OSError("killed")

        monkeypatch.setattr(house.service.log, "append", dies)
        with pytest.raises(OSError, match="killed"):
            house.service.registry_watch.look()
        monkeypatch.undo()
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        assert house.service.registry_watch.look() == 0, "it may still be telling"
        house.clock.now += LOGGING_LASTS
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        assert house.service.registry_watch.look() == 1

    def test_a_tier_that_people_changed_is_shown_and_no_incident(self, house: House) -> None:
        record = house.submitted()
        house.service.tier_changes.change(record.id, Tier.L4, by=OFFICER, reason="it is beside a school")
        assert house.service.registry_watch.look() == 0
        assert house.service.store.version(record.model, record.version).tier is Tier.L4

    def test_another_sites_faults_are_not_shown(self, house: House) -> None:
        record = house.submitted()
        house.service.store.set_tags(record.model, record.version, {"status": "approved"})
        house.service.registry_watch.look()
        watch = house.service.registry_watch
        assert len(watch.standing(OFFICER)) == 1
        assert watch.standing(someone(Role.DSO, site="plant-08")) == ()
        with pytest.raises(NotAllowed):
            watch.standing(someone(Role.SERVICE))


@pytest.fixture(scope="module")
def made_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a real MLflow registry, made once."""
    folder = tmp_path_factory.mktemp("registry")
    assert embedded_store(folder).versions() == ()
    return folder / "mlflow.db"


class TestMlflow:
    """The same with a real MLflow, changed past this house by MLflow's own client."""

    @pytest.fixture
    def house(self, made_registry: Path, tmp_path: Path) -> Iterator[House]:
        registry = tmp_path / "registry"
        registry.mkdir()
        shutil.copy(made_registry, registry / "mlflow.db")
        with a_house(tmp_path / "house", store=embedded_store(registry)) as made:
            yield made

    @pytest.fixture
    def client(self, house: House) -> Any:
        """MLflow's own client, as somebody with access to the registry has it."""
        store = house.service.store
        assert isinstance(store, MlflowStore)
        return store.client

    def test_an_alias_moved_to_a_version_without_permit_stands_until_it_is_moved_back(
        self, house: House, client: Any
    ) -> None:
        house.approved()
        waits = house.submitted(seed=5)
        client.set_registered_model_alias("gas-leak", "champion", "1")
        watch = house.service.registry_watch
        assert watch.look() == 0, "an alias on the permitted version misleads nobody"
        client.set_registered_model_alias("gas-leak", "champion", waits.version)
        assert (watch.look(), watch.look()) == (1, 0)
        (fault,) = watch.standing(OFFICER)
        assert fault.says.en.startswith(
            "the alias 'champion' of gas-leak points at version 2, which has no live permit"
        )
        assert [decided.id for decided in house.decide().decisions], "the permitted version goes on deciding"
        assert house.service.log.search(kind="decision").entries[0].version == "1"
        client.set_registered_model_alias("gas-leak", "champion", "1")
        assert (watch.look(), watch.standing(OFFICER)) == (0, ())
        assert len(incidents(house)) == 1
        put_right = house.service.log.search(kind="health").entries[0]
        assert (put_right.about, put_right.model) == (fault.entry, "gas-leak")
        client.set_registered_model_alias("gas-leak", "champion", waits.version)
        assert watch.look() == 1, "done once more it is told once more"

    def test_an_alias_is_reported_once_its_version_lost_the_permit(self, house: House, client: Any) -> None:
        house.approved()
        client.set_registered_model_alias("gas-leak", "champion", "1")
        assert house.service.registry_watch.look() == 0
        house.service.suspensions.suspend("gas-leak", by=OFFICER, reason="drift")
        assert house.service.registry_watch.look() == 1

    def test_an_alias_on_a_version_registered_past_this_house(self, house: House, client: Any) -> None:
        record = house.approved()
        source = client.get_model_version(record.model, record.version).source
        past = client.create_model_version(record.model, source)
        client.set_registered_model_alias(record.model, "champion", past.version)
        assert house.service.registry_watch.look() == 1
        assert b"not known here" in incidents(house)[0]
        assert house.decide().decisions

    @pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")
    def test_a_stage_set_by_hand(self, house: House, client: Any) -> None:
        record = house.submitted()
        client.transition_model_version_stage(record.model, record.version, "Production")
        assert (house.service.registry_watch.look(), house.service.registry_watch.look()) == (1, 0)
        with pytest.raises(MayNotRun):
            house.decide()
        client.transition_model_version_stage(record.model, record.version, "None")
        assert house.service.registry_watch.look() == 0
        assert house.service.registry_watch.standing(OFFICER) == ()
        client.transition_model_version_stage(record.model, record.version, "Archived")
        assert house.service.registry_watch.look() == 0, "of a version without permit that is so"

    @pytest.mark.parametrize(
        ("tag", "value"),
        [("artifact_digest", "0" * 64), ("owner", "somebody-else"), ("site", "plant-99"), ("submission_id", "none")],
    )
    def test_a_tag_changed_by_hand(self, house: House, client: Any, tag: str, value: str) -> None:
        record = house.approved()
        was = client.get_model_version("gas-leak", "1").tags[f"mingjing.{tag}"]
        client.set_model_version_tag("gas-leak", "1", f"mingjing.{tag}", value)
        assert house.service.registry_watch.look() >= 1
        assert f"tag '{tag}' of gas-leak:1".encode() in b"".join(incidents(house))
        assert house.service.registry_watch.look() == 0
        client.set_model_version_tag("gas-leak", "1", f"mingjing.{tag}", was)
        assert house.service.registry_watch.look() == 0
        assert house.service.registry_watch.standing(OFFICER) == ()
        assert house.service.book.get(record.id).stage is Stage.APPROVED

    @pytest.mark.parametrize("value", ["L1", "no tier at all"])
    def test_a_tier_changed_by_hand_is_put_back(self, house: House, client: Any, value: str) -> None:
        record = house.submitted()
        client.set_model_version_tag("gas-leak", "1", "mingjing.tier", value)
        assert house.service.registry_watch.look() == 1
        assert client.get_model_version("gas-leak", "1").tags["mingjing.tier"] == str(record.tier)

    @pytest.mark.parametrize("tag", ["artifact_digest", "status", "tier", "data_digests", "submission_id"])
    def test_a_tag_taken_away_breaks_nothing(self, house: House, client: Any, tag: str) -> None:
        house.approved()
        client.delete_model_version_tag("gas-leak", "1", f"mingjing.{tag}")
        house.service.registry_watch.look()
        assert house.service.registry_watch.look() == 0

    def test_an_artifact_changed_in_the_store(self, house: House, client: Any) -> None:
        record = house.approved()
        run = client.get_run(client.get_model_version("gas-leak", "1").run_id)
        folder = Path(urlsplit(run.info.artifact_uri).path) / "model" / "artifact"
        (file,) = [path for path in folder.rglob("*") if path.is_file()]
        sound = file.read_bytes()
        file.write_bytes(sound + b" ")
        assert (house.service.registry_watch.look("gas-leak"), house.service.registry_watch.look()) == (1, 0)
        assert not house.service.serving.recheck(record.model)
        with pytest.raises(MayNotRun):
            house.decide()
        assert len(incidents(house)) == 1
        file.write_bytes(sound)
        house.service.registry_watch.look()
        assert house.service.registry_watch.standing(OFFICER) == ()
        assert house.decide().decisions
