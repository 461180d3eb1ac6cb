"""The model store in MLflow: embedded on SQLite, or any tracking server by its address."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion as Registered
from mlflow.environment_variables import (
    MLFLOW_DISABLE_TELEMETRY,
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.telemetry import set_telemetry_client
from sqlalchemy.exc import SADeprecationWarning, SQLAlchemyError

from model_registry.addresses import FileAddress, RunAddress, read_any_address
from model_registry.keeping import (
    NotKept,
    copy_artifact,
    digest_or_reason,
    replace_folder,
    saying_why,
    verify_artifact,
    write_documents,
)
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.mlflow_artifacts import OthersArtifacts
from model_registry.mlflow_flavour import write_model_folder
from model_registry.named_files import DECLARATION
from model_registry.submission import Submission
from model_registry.version import (
    SUBMITTED,
    ArtifactGone,
    DocumentNotFound,
    ModelVersion,
    NoArtifact,
    Pointers,
    VersionNotFound,
    checked_tags,
    document_path,
)
from policies.errors import Sentence, Unavailable
from policies.tiers import Tier

# usage figures of a plant's registry are nobody's business: MLflow would send them over the network
MLFLOW_DISABLE_TELEMETRY.set(True)
set_telemetry_client()
MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
# left alone, MLflow tries a server that is away for minutes; whoever decides has to know within seconds
MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(1)
MLFLOW_HTTP_REQUEST_TIMEOUT.set(20)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

PREFIX = "mingjing."
EXPERIMENT = "mingjing"
ABANDONED = timedelta(hours=1)
"""No registration lasts this long; a run that began before it was left by a process that died."""

NO_STAGE = "None"
"""The stage MLflow gives a version that was given none."""

SQLITE = "sqlite:///"
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}


class RegistryAway(Unavailable):
    """MLflow did not answer, or not with what was asked for."""

    def __init__(self, because: str) -> None:
        super().__init__(
            Sentence(
                en=f"the model registry did not answer: {because}; try again later",
                zh=f"模型库未能响应：{because}；请稍后重试",
            )
        )


def embedded_store(data: Path, limits: Limits = DEFAULT_LIMITS) -> MlflowStore:
    """Return the store of the embedded default: SQLite and artifacts under the data directory."""
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    uri = f"{SQLITE}{data / 'mlflow.db'}"
    return MlflowStore(uri, uri, data / "model-cache", artifacts=data / "mlflow-artifacts", limits=limits)


class MlflowStore:
    """A `ModelStore` in MLflow.

    A version is an MLflow model version; its run holds `model/` (an `MLmodel` file of flavour `mingjing` and the
    artifact, byte for byte) and `documents/`. The flavour is our own on purpose: MLflow shows the model, and
    `mlflow models serve` cannot run it past its permit.

    Parameters
    ----------
    tracking_uri, registry_uri : str
        `sqlite:////data/mlflow.db` or the address of a tracking server; usually the same.
    cache : Path
        Folder for verified copies of artifacts, one folder per digest.
    artifacts : Path or None
        Where runs keep their files; None leaves it to the server, or to a folder beside a SQLite file.
    limits : Limits
    """

    def __init__(
        self,
        tracking_uri: str,
        registry_uri: str,
        cache: Path,
        *,
        artifacts: Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.tracking_uri, self.registry_uri = tracking_uri, registry_uri
        self.cache = cache
        if artifacts is None and tracking_uri.startswith(SQLITE):
            artifacts = Path(tracking_uri.removeprefix(SQLITE)).resolve().parent / "mlflow-artifacts"
        self._artifacts = artifacts
        self._limits = limits
        self._lock = threading.RLock()

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's own client, bound to the two addresses and to nothing global."""
        with self._lock, warnings.catch_warnings(), _answering():
            # MLflow's own mapping, noticed by SQLAlchemy once per process
            warnings.simplefilter("ignore", SADeprecationWarning)
            made = MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)
            made.get_experiment_by_name(EXPERIMENT)
            return made

    @cached_property
    def _experiment(self) -> str:
        with self._lock, _answering():
            found = self.client.get_experiment_by_name(EXPERIMENT)
            if found is not None:
                return str(found.experiment_id)
            place = None if self._artifacts is None else self._artifacts.resolve().as_uri()
            try:
                return str(self.client.create_experiment(EXPERIMENT, artifact_location=place))
            except MlflowException:
                found = self.client.get_experiment_by_name(EXPERIMENT)
                if found is None:
                    raise
                return str(found.experiment_id)  # another process was faster

    # registering

    def register(
        self,
        submission: Submission,
        *,
        submission_id: str,
        tier: Tier,
        tags: Mapping[str, str],
        documents: Mapping[str, bytes],
    ) -> ModelVersion:
        """Keep a submission as the next version of its model; see `ModelStore`.

        The version is created last and in one step, so that a crash before it leaves no version, and nothing
        that comes after it can fail.
        """
        name = submission.declaration.model.name
        all_tags = _tags_of(submission, submission_id, tier, checked_tags(tags))
        run: Run | None = None
        try:
            with saying_why(name), _keeping(name), self._scratch() as scratch:
                write_documents({DECLARATION: submission.toml, **documents}, scratch / "documents")
                run = self.client.create_run(self._experiment, run_name=submission_id, tags=all_tags)
                write_model_folder(submission, run.info.run_id, scratch / "model", self._limits)
                for part in ("model", "documents"):
                    self.client.log_artifacts(run.info.run_id, str(scratch / part), part)
                self._verify_logged(submission, run.info.run_id, scratch / "back")
                self.client.set_terminated(run.info.run_id)
                made = _version_from(self._create_version(name, run.info.run_id, all_tags))
        except BaseException:
            if run is not None:
                self._undo(run)
            raise
        with suppress(RegistryAway):
            self.sweep(made.created - ABANDONED)
        return made

    def _verify_logged(self, submission: Submission, run_id: str, folder: Path) -> None:
        """Read the artifact back: what a full disk or a bad network cut short is found before the version exists."""
        if submission.artifact is None:
            return
        folder.mkdir()
        path = self.client.download_artifacts(run_id, f"model/artifact/{submission.artifact.name}", str(folder))
        if digest_or_reason(Path(path), self._limits) != submission.artifact_digest:
            raise NotKept(submission.declaration.model.name, "the registry gave back other bytes than it was given")

    def _create_version(self, name: str, run_id: str, tags: Mapping[str, str]) -> Registered:
        with self._lock:
            with suppress(MlflowException):  # it is there already; where it is not, the next line says why
                self.client.create_registered_model(name)
            return self.client.create_model_version(name, f"runs:/{run_id}/model", run_id, tags=dict(tags))

    def _undo(self, run: Run) -> None:
        """Take back a run that became no version, as far as the registry still answers."""
        with suppress(MlflowException, OSError):
            self.client.set_terminated(run.info.run_id, "FAILED")
        with suppress(MlflowException, OSError):
            self.client.delete_run(run.info.run_id)
        with suppress(MlflowException, OSError, NotImplementedError):  # some artifact stores cannot delete
            uri = str(run.info.artifact_uri)
            get_artifact_repository(uri, self.tracking_uri, self.registry_uri).delete_artifacts()
        with suppress(MlflowException, OSError):
            name = run.data.tags.get(f"{PREFIX}name")
            with self._lock:
                if name and not self.client.search_model_versions(f"name='{name}'", max_results=1):
                    self.client.delete_registered_model(name)

    def sweep(self, started_before: datetime | None = None) -> int:
        """Take back runs that a crash left unfinished, and return how many.

        Without `started_before` every unfinished run goes, so call it so only where nobody registers just now. Each
        registration takes back by itself what began an hour before it.
        """
        unfinished = f"tags.`{PREFIX}submission_id` != '' and attributes.status = 'RUNNING'"
        if started_before is not None:
            unfinished += f" and attributes.start_time < {int(started_before.timestamp() * 1000)}"
        with _answering():
            left = self.client.search_runs([self._experiment], unfinished, max_results=1000)
        for run in left:
            self._undo(run)
        return len(left)

    # reading

    def version(self, name: str, version: str) -> ModelVersion:
        """Return one version."""
        return _version_from(self._registered(name, version))

    def versions(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """Return all versions that were registered through this house, by name and number."""
        if name is not None and "'" in name:
            return ()
        with _answering():
            found = self._pages("" if name is None else f"name='{name}'")
        made = (_version_from(one) for one in found if f"{PREFIX}submission_id" in one.tags)
        return tuple(sorted(made, key=lambda version: (version.name, int(version.version))))

    def _pages(self, asked: str) -> list[Registered]:
        found: list[Registered] = []
        token: str | None = None
        while True:
            page = self.client.search_model_versions(asked, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def pointers(self, name: str) -> Pointers:
        """Return aliases, and stages other than "None", of all versions under this name."""
        if "'" in name:
            return Pointers()
        try:
            aliases = dict(self.client.get_registered_model(name).aliases)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return Pointers()
            raise RegistryAway(_first_line(error)) from error
        with _answering():
            found = self._pages(f"name='{name}'")
        stages = {str(made.version): str(made.current_stage) for made in found if made.current_stage != NO_STAGE}
        return Pointers(
            aliases=MappingProxyType({alias: str(version) for alias, version in sorted(aliases.items())}),
            stages=MappingProxyType(stages),
        )

    def set_tags(self, name: str, version: str, tags: Mapping[str, str]) -> ModelVersion:
        """Set tags on a version."""
        more = checked_tags(tags)
        self._registered(name, version)
        with _answering():
            for key, value in more.items():
                self.client.set_model_version_tag(name, version, PREFIX + key, value)
        return self.version(name, version)

    def add_documents(self, name: str, version: str, documents: Mapping[str, bytes]) -> None:
        """Keep documents beside a version."""
        run_id = self._registered(name, version).run_id
        with saying_why(f"{name}:{version}"), _answering(), self._scratch() as scratch:
            write_documents(documents, scratch / "documents")
            if documents:
                self.client.log_artifacts(run_id, str(scratch / "documents"), "documents")

    def documents(self, name: str, version: str) -> tuple[str, ...]:
        """Return the paths of all documents of a version."""
        run_id = self._registered(name, version).run_id
        with _answering():
            return tuple(sorted(path.removeprefix("documents/") for path in self._files(run_id, "documents")))

    def _files(self, run_id: str, folder: str) -> Iterator[str]:
        for entry in self.client.list_artifacts(run_id, folder):
            if entry.is_dir:
                yield from self._files(run_id, entry.path)
            else:
                yield entry.path

    def document(self, name: str, version: str, path: str) -> bytes:
        """Return one document."""
        asked = document_path(path)
        if asked not in self.documents(name, version):
            raise DocumentNotFound(name, version, asked)
        run_id = self._registered(name, version).run_id
        with _answering(), self._scratch() as scratch:
            return Path(self.client.download_artifacts(run_id, f"documents/{asked}", str(scratch))).read_bytes()

    def artifact(self, name: str, version: str) -> Path:
        """Return a verified copy, fetched from MLflow and digested anew at every call."""
        registered = self._registered(name, version)
        known = _version_from(registered)
        kept_as = registered.tags.get(f"{PREFIX}artifact")
        if not kept_as:
            raise NoArtifact(name, version, known.flavour)
        what = f"{name}:{version}"
        with saying_why(what), self._scratch() as scratch:
            fetched = self._fetched(what, registered.run_id, f"model/artifact/{kept_as}", scratch)
            verify_artifact(what, fetched, known.artifact_digest, self._limits)
            return self._cached(fetched, known.artifact_digest)

    def _fetched(self, what: str, run_id: str, path: str, folder: Path) -> Path:
        try:
            return Path(self.client.download_artifacts(run_id, path, str(folder)))
        except MlflowException as error:
            if error.error_code in ABSENT:
                raise ArtifactGone(what) from error
            raise RegistryAway(_first_line(error)) from error
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise ArtifactGone(what) from error
            raise

    def _cached(self, fetched: Path, digest: str) -> Path:
        """Move a verified copy to its place in the cache; an intact copy that is there stays for its readers."""
        place = self.cache / digest
        with self._lock:
            if digest_or_absent(place / fetched.name, self._limits) != digest:
                replace_folder(fetched.parent, place)
        return place / fetched.name

    def resolve(self, uri: str, target: Path) -> Path:
        """Fetch what lies at an address; our own versions come verified, foreign ones as they are."""
        address = read_any_address(uri)
        others = OthersArtifacts(self.client, self.tracking_uri, self.registry_uri, self._limits)
        if isinstance(address, RunAddress):
            return others.of_run(uri, address, target)
        if isinstance(address, FileAddress):
            return others.file_of_version(uri, address, target)
        version = others.number(uri, address)
        try:
            source = self.artifact(address.name, version)
        except VersionNotFound:
            return others.of_version(uri, address.name, version, target)
        copy_artifact(source, target / source.name)
        return target / source.name

    def _registered(self, name: str, version: str) -> Registered:
        try:
            found = self.client.get_model_version(name, version)
        except MlflowException as error:
            if error.error_code in ABSENT:
                raise VersionNotFound(name, version) from error
            raise RegistryAway(_first_line(error)) from error
        if f"{PREFIX}submission_id" not in found.tags:
            raise VersionNotFound(name, version)
        return found

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder beside the cache, so that moving into the cache is one rename."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache, prefix=".scratch-") as folder:
            inner = Path(folder) / "work"
            inner.mkdir()
            yield inner


def digest_or_absent(path: Path, limits: Limits) -> str:
    """Return the digest of a cached copy, or an empty text where there is none."""
    return digest_or_reason(path, limits) if path.exists() else ""


def _tags_of(submission: Submission, submission_id: str, tier: Tier, more: Mapping[str, str]) -> dict[str, str]:
    declared = submission.declaration
    said = {
        "name": declared.model.name,
        "artifact_digest": submission.artifact_digest,
        "artifact": submission.artifact.name if submission.artifact is not None else "",
        "flavour": str(declared.model.flavour),
        "tier": str(tier),
        "status": SUBMITTED,
        "submission_id": submission_id,
        "owner": declared.use.owner,
        "site": declared.use.site,
        "data_digests": json.dumps(dict(submission.data_digests), sort_keys=True),
    }
    return {PREFIX + key: value for key, value in (said | dict(more)).items()}


OWN_FIELDS = {"name", "artifact_digest", "artifact", "flavour", "tier", "status", "submission_id", "owner", "site"}
OWN_FIELDS |= {"data_digests"}


def _version_from(registered: Registered) -> ModelVersion:
    said = {key.removeprefix(PREFIX): value for key, value in registered.tags.items() if key.startswith(PREFIX)}
    return ModelVersion(
        name=registered.name,
        version=str(registered.version),
        # Anybody who may write to the registry may take these away or write what he likes; that breaks nothing here.
        artifact_digest=said.get("artifact_digest", ""),
        tier=Tier.__members__.get(said.get("tier", ""), Tier.L4),
        status=said.get("status", ""),
        submission_id=said["submission_id"],
        owner=said.get("owner", ""),
        site=said.get("site", ""),
        tags=MappingProxyType({key: value for key, value in said.items() if key not in OWN_FIELDS}),
        created=datetime.fromtimestamp(registered.creation_timestamp / 1000, tz=UTC),
        flavour=said.get("flavour", ""),
        data_digests=MappingProxyType(_digests_in(said.get("data_digests", "{}"))),
    )


def _digests_in(text: str) -> dict[str, str]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(role): str(digest) for role, digest in said.items()} if isinstance(said, dict) else {}


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise RegistryAway(_first_line(error)) from error


@contextmanager
def _keeping(name: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise NotKept(name, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
