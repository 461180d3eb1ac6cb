"""What only the MLflow store has to prove: genuine layout, nothing half-registered, artifacts of other teams."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import xgboost as xgb
from mlflow import MlflowClient
from mlflow.models import Model

from model_registry.addresses import NothingThere
from model_registry.digests import artifact_digest
from model_registry.inputs import inputs_of
from model_registry.keeping import NotKept
from model_registry.limits import Limits
from model_registry.loading import load_predictor
from model_registry.mlflow_artifacts import OthersArtifacts
from model_registry.mlflow_store import MlflowStore, embedded_store
from model_registry.submission import Submission, read_submission
from model_registry.version import ArtifactAltered, VersionNotFound
from policies.errors import Malformed, Unavailable
from policies.tiers import Tier
from tests.model_registry.makers import FEATURES, TOML, a_booster, a_directory, a_submission, rows

REPOSITORY = Path(__file__).resolve().parents[2]


def keep(store: MlflowStore, submission: Submission, submission_id: str = "s-1") -> str:
    """Register with what the test is not about."""
    made = store.register(submission, submission_id=submission_id, tier=Tier.L3, tags={}, documents={"a.txt": b"a"})
    return made.version


def runs_of(store: MlflowStore) -> list[mlflow.entities.Run]:
    """Every run that is not deleted."""
    experiment = store.client.get_experiment_by_name("mingjing")
    return [] if experiment is None else list(store.client.search_runs([experiment.experiment_id]))


class TestRegister:
    """What MLflow itself shows of a version."""

    def test_mlflow_reads_the_folder_as_a_model(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(mlflow_store, submission)
        version = mlflow_store.client.get_model_version("gas-leak", "1")
        assert version.source == f"runs:/{version.run_id}/model"
        folder = mlflow_store.client.download_artifacts(version.run_id, "model", str(tmp_path))
        flavours = Model.load(folder).flavors
        assert flavours == {
            "mingjing": {"flavour": "xgboost", "artifact": "artifact/model.ubj", "sha256": submission.artifact_digest}
        }
        assert artifact_digest(Path(folder) / "artifact" / "model.ubj") == submission.artifact_digest

    def test_tags_are_on_the_version(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(mlflow_store, submission)
        tags = mlflow_store.client.get_model_version("gas-leak", "1").tags
        assert tags["mingjing.artifact_digest"] == submission.artifact_digest
        assert (tags["mingjing.tier"], tags["mingjing.status"]) == ("L3", "submitted")
        assert submission.data_digests["evaluation"] in tags["mingjing.data_digests"]

    def test_the_run_is_finished(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        keep(mlflow_store, a_submission(tmp_path / "in"))
        assert [run.info.status for run in runs_of(mlflow_store)] == ["FINISHED"]

    def test_a_second_store_over_the_same_database(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(mlflow_store, submission)
        again = MlflowStore(mlflow_store.tracking_uri, mlflow_store.registry_uri, tmp_path / "other-cache")
        assert again.versions() == mlflow_store.versions()
        assert artifact_digest(again.artifact("gas-leak", "1")) == submission.artifact_digest

    def test_nothing_global_is_set(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
        keep(mlflow_store, a_submission(tmp_path / "in"))
        assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before


SMALL_DISK = 6_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 6 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.getuid() or mount is None:
        pytest.skip("mounting a small file system needs root; the file size limit below is tested everywhere")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", place], check=False)
    if made.returncode:
        pytest.skip("this machine allows no mounts; the file size limit below is tested everywhere")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


class TestDiskFull:
    """A version is there whole or not at all, wherever the disk fills up."""

    def test_at_every_stage(self, small_disk: Path, empty_registry: Path, tmp_path: Path) -> None:
        shutil.copy(empty_registry, small_disk / "mlflow.db")
        store = embedded_store(small_disk)
        directory = a_directory(tmp_path / "in")
        refused = 0
        for size in range(5_600_000, 0, -200_000):
            (directory / "model.ubj").write_bytes(os.urandom(size))
            submission = read_submission(directory)
            try:
                number = keep(store, submission)
            except NotKept as refusal:
                refused += 1
                said = refusal.says.en
                complete = said.endswith("nothing was registered, try again when there is room")
                assert (said[:27], complete) == ("gas-leak could not be kept:", True)
                assert store.versions() == ()
            else:
                break
        assert refused > 10
        assert [version.version for version in store.versions()] == [number] == ["1"]
        assert artifact_digest(store.artifact("gas-leak", number)) == submission.artifact_digest

    @pytest.mark.parametrize("kind", ["memory", "mlflow"])
    def test_file_size_limit(self, kind: str, empty_registry: Path, tmp_path: Path) -> None:
        data = tmp_path / "data"
        data.mkdir()
        shutil.copy(empty_registry, data / "mlflow.db")
        directory = a_directory(tmp_path / "in", model=os.urandom(4_000_000))
        program = f"""
import resource
from pathlib import Path
from model_registry.keeping import NotKept
from model_registry.submission import read_submission
from policies.tiers import Tier
if {kind!r} == "memory":
    from model_registry.memory_store import MemoryStore
    store = MemoryStore(Path({str(data)!r}))
else:
    from model_registry.mlflow_store import embedded_store
    store = embedded_store(Path({str(data)!r}))
submission = read_submission(Path({str(directory)!r}))
assert store.versions() == ()
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    store.register(submission, submission_id="s", tier=Tier.L3, tags={{}}, documents={{}})
except NotKept as refusal:
    assert refusal.says.en.startswith("gas-leak could not be kept: the disk is full; nothing was registered"), refusal
    assert store.versions() == ()
    print("refused")
"""
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert (done.stdout.strip(), done.returncode) == ("refused", 0), done.stderr
        assert not list(data.rglob("model.ubj"))


class TestSweep:
    """After a crash."""

    def test_unfinished_run_is_taken_back(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        keep(mlflow_store, a_submission(tmp_path / "in"))
        program = f"""
import os
from pathlib import Path
from model_registry.mlflow_store import MlflowStore, embedded_store
from model_registry.submission import read_submission
from policies.tiers import Tier

class DyingStore(MlflowStore):
    # loses its power when everything is written and nothing is registered yet
    def _verify_logged(self, submission, run_id, folder):
        os._exit(9)

known = embedded_store(Path({str(tmp_path / "data")!r}))
store = DyingStore(known.tracking_uri, known.registry_uri, known.cache)
submission = read_submission(Path({str(tmp_path / "in")!r}))
store.register(submission, submission_id="s-2", tier=Tier.L3, tags={{}}, documents={{}})
"""
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 9, done.stderr
        assert sorted(run.info.status for run in runs_of(mlflow_store)) == ["FINISHED", "RUNNING"]
        assert [version.version for version in mlflow_store.versions()] == ["1"]
        assert mlflow_store.sweep() == 1
        assert mlflow_store.sweep() == 0
        assert len(list((tmp_path / "data" / "mlflow-artifacts").rglob("model.ubj"))) == 1
        assert mlflow_store.artifact("gas-leak", "1").is_file()

    def test_registering_takes_back_what_was_left_long_ago(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(mlflow_store, submission)
        (finished,) = runs_of(mlflow_store)
        for minutes in (10, 70):
            mlflow_store.client.create_run(
                finished.info.experiment_id,
                start_time=finished.info.start_time - minutes * 60_000,
                run_name=f"left {minutes} minutes ago",
                tags={"mingjing.submission_id": "s-0"},
            )
        keep(mlflow_store, submission, "s-2")
        assert sorted(run.info.run_name for run in runs_of(mlflow_store)) == ["left 10 minutes ago", "s-1", "s-2"]


class TestCache:
    """Copies that were handed out."""

    def test_spoilt_copy_is_replaced(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(mlflow_store, submission)
        mlflow_store.artifact("gas-leak", "1").write_bytes(b"spoilt")
        assert artifact_digest(mlflow_store.artifact("gas-leak", "1")) == submission.artifact_digest

    def test_no_scratch_is_left(self, mlflow_store: MlflowStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(mlflow_store, submission)
        mlflow_store.artifact("gas-leak", "1")
        assert [path.name for path in mlflow_store.cache.iterdir()] == [submission.artifact_digest]


@pytest.fixture
def theirs(mlflow_store: MlflowStore, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> str:
    """A model that another team logged with MLflow's own function, as `mlflow.xgboost.log_model` does."""
    client: MlflowClient = mlflow_store.client
    experiment = client.create_experiment("theirs", artifact_location=(tmp_path / "theirs").as_uri())
    run = client.create_run(experiment)
    folder = tmp_path / "saved"
    mlflow.xgboost.save_model(
        a_booster(), str(folder), model_format="ubj", conda_env={"dependencies": []}, mlflow_model=Model()
    )
    client.log_artifacts(run.info.run_id, str(folder), "model")
    client.log_artifact(run.info.run_id, str(folder / "model.ubj"), "plain")
    client.create_registered_model("theirs")
    client.create_model_version("theirs", f"runs:/{run.info.run_id}/model", run.info.run_id)
    client.set_registered_model_alias("theirs", "champion", "1")
    return str(run.info.run_id)


class TestResolve:
    """Artifacts of other teams, named by address."""

    def test_not_a_version_of_ours(self, mlflow_store: MlflowStore, theirs: str) -> None:
        assert mlflow_store.versions() == ()
        with pytest.raises(VersionNotFound):
            mlflow_store.version("theirs", "1")

    @pytest.mark.parametrize("address", ["models:/theirs/1", "models:/theirs@champion", "runs:/{run}/model"])
    def test_model_folder(self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path, address: str) -> None:
        found = mlflow_store.resolve(address.format(run=theirs), tmp_path / "out")
        assert (found / "MLmodel").is_file()
        loaded = load_predictor(found, a_submission(tmp_path / "in").declaration)
        frame = rows(20, seed=9)
        expected = a_booster().predict(xgb.DMatrix(frame[list(FEATURES)]))
        assert loaded.predictor.scores(inputs_of(frame, loaded.predictor)) == pytest.approx(expected, abs=1e-6)

    def test_plain_file_of_a_run(self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path) -> None:
        found = mlflow_store.resolve(f"runs:/{theirs}/plain/model.ubj", tmp_path / "out")
        assert found.read_bytes() == (tmp_path / "saved" / "model.ubj").read_bytes()

    def test_submission_by_address(self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path) -> None:
        toml = TOML.format(name="gas-leak", flavour="xgboost").replace("model.ubj", "models:/theirs/1")
        directory = a_directory(tmp_path / "in", toml=toml)
        submission = read_submission(directory, resolve=lambda uri: mlflow_store.resolve(uri, tmp_path / "fetched"))
        keep(mlflow_store, submission)
        kept = mlflow_store.artifact("gas-leak", "1")
        assert artifact_digest(kept) == submission.artifact_digest
        assert load_predictor(kept, submission.declaration).feature_names == FEATURES

    def test_larger_than_the_limit(self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path) -> None:
        small = MlflowStore(
            mlflow_store.tracking_uri, mlflow_store.registry_uri, tmp_path / "c", limits=Limits(artifact_bytes=1000)
        )
        with pytest.raises(Malformed, match=r"models:/theirs/1 has [\d,]+ bytes; at most 1,000 are accepted"):
            small.resolve("models:/theirs/1", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_leaves_nothing_in_the_working_folder(
        self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = tmp_path / "here"
        here.mkdir()
        monkeypatch.chdir(here)
        mlflow_store.resolve("models:/theirs/1", tmp_path / "a")
        mlflow_store.resolve(f"runs:/{theirs}/model", tmp_path / "b")
        assert list(here.iterdir()) == []


class TestFiles:
    """Data files of other teams, beside their models."""

    @pytest.mark.parametrize(
        "address",
        [
            "models:/theirs/1/data/rows.csv",
            "models:/theirs@champion/data/rows.csv",
            "runs:/{run}/data/rows.csv",
            "models:/theirs/1/inside.csv",
            "models:/theirs/1/model/inside.csv",
        ],
    )
    def test_of_the_run_or_in_the_model(
        self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path, address: str
    ) -> None:
        logged(mlflow_store, theirs, "data", "rows.csv", tmp_path)
        logged(mlflow_store, theirs, "model", "inside.csv", tmp_path)
        found = mlflow_store.resolve(address.format(run=theirs), tmp_path / "out")
        assert found.read_text() == "a,b\n1,2\n"

    @pytest.mark.parametrize("address", ["models:/theirs/1/absent.csv", "models:/theirs/2/x.csv", "runs:/{run}/x.csv"])
    def test_absent(self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path, address: str) -> None:
        with pytest.raises(NothingThere, match="there is nothing at"):
            mlflow_store.resolve(address.format(run=theirs), tmp_path / "out")

    def test_larger_than_the_limit_is_not_fetched(self, mlflow_store: MlflowStore, theirs: str, tmp_path: Path) -> None:
        logged(mlflow_store, theirs, "data", "rows.csv", tmp_path)
        small = MlflowStore(
            mlflow_store.tracking_uri, mlflow_store.registry_uri, tmp_path / "c", limits=Limits(artifact_bytes=5)
        )
        with pytest.raises(Malformed, match="has 8 bytes; at most 5 are accepted"):
            small.resolve(f"runs:/{theirs}/data/rows.csv", tmp_path / "out")
        assert list((tmp_path / "out").iterdir()) == []

    @pytest.mark.parametrize("path", ["model/MLmodel", "documents/a.txt"])
    def test_what_this_house_keeps_is_not_data(self, mlflow_store: MlflowStore, tmp_path: Path, path: str) -> None:
        keep(mlflow_store, a_submission(tmp_path / "in"))
        run = mlflow_store.client.get_model_version("gas-leak", "1").run_id
        for address in (f"models:/gas-leak/1/{path}", f"runs:/{run}/{path}"):
            with pytest.raises(NothingThere):
                mlflow_store.resolve(address, tmp_path / "out")

    @pytest.mark.parametrize(
        "source",
        [
            "http://127.0.0.1:9/latest/meta-data",
            "https://example.org/model",
            "ftp://10.0.0.1/x",
            "mlflow-artifacts://other/x",
        ],
    )
    def test_a_version_cannot_lead_to_another_host(
        self, mlflow_store: MlflowStore, tmp_path: Path, source: str
    ) -> None:
        mlflow_store.client.create_registered_model("lure")
        mlflow_store.client.create_model_version("lure", source)
        for address in ("models:/lure/1", "models:/lure/1/rows.csv"):
            with pytest.raises(Malformed, match="nothing is fetched from there"):
                mlflow_store.resolve(address, tmp_path / "out")

    def test_a_distant_registry_cannot_name_files_of_this_machine(self, tmp_path: Path) -> None:
        others = OthersArtifacts(
            MlflowClient("http://127.0.0.1:9"), "http://127.0.0.1:9", "http://127.0.0.1:9", Limits()
        )
        for place in ("/etc", "file:///etc"):
            with pytest.raises(Malformed, match="nothing is fetched from there"):
                others._fetch("models:/lure/1", place, "passwd", tmp_path / "out")


def logged(store: MlflowStore, run: str, folder: str, name: str, tmp_path: Path) -> None:
    """Log a small table beside a model."""
    (tmp_path / name).write_text("a,b\n1,2\n")
    store.client.log_artifact(run, str(tmp_path / name), folder)


class TestAway:
    """A registry that does not answer is away, which is neither an answer nor a crash."""

    def test_no_server(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        store = MlflowStore(address, address, tmp_path / "cache")
        submission = a_submission(tmp_path / "in")
        for ask in (store.versions, lambda: store.artifact("gas-leak", "1"), lambda: keep(store, submission)):
            with pytest.raises(Unavailable, match="the model registry did not answer: "):
                ask()

    def test_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_bytes(os.urandom(5000))
        with pytest.raises(Unavailable, match="file is not a database"):
            embedded_store(tmp_path).versions()


@pytest.mark.long
class TestServer:
    """The same store over a tracking server of its own."""

    def test_register_and_fetch(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        served = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ]
        served += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}", "--serve-artifacts"]
        served += ["--artifacts-destination", str(tmp_path / "kept")]
        with (tmp_path / "server.txt").open("wb") as said:
            server = subprocess.Popen(served, cwd=tmp_path, stdout=said, stderr=said, start_new_session=True)
        try:
            for _ in range(240):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                threading.Event().wait(0.5)
            store = MlflowStore(address, address, tmp_path / "cache")
            submission = a_submission(tmp_path / "in", name="燃气泄漏")
            assert keep(store, submission) == "1"
            assert artifact_digest(store.artifact("燃气泄漏", "1")) == submission.artifact_digest
            store.add_documents("燃气泄漏", "1", {"reports/zh.pdf": b"%PDF"})
            assert store.documents("燃气泄漏", "1") == ("a.txt", "reports/zh.pdf", "submission.toml")
            assert store.set_tags("燃气泄漏", "1", {"status": "approved"}).status == "approved"
            with pytest.raises(VersionNotFound):
                store.version("燃气泄漏", "2")
            assert store.resolve("models:/燃气泄漏/1", tmp_path / "out").name == "model.ubj"
            (kept,) = (tmp_path / "kept").rglob("model.ubj")
            kept.write_bytes(b"another model")
            with pytest.raises(ArtifactAltered):
                store.artifact("燃气泄漏", "1")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)
