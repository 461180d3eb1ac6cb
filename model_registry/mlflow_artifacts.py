"""What other teams logged in MLflow: models and data files, fetched from where the registry says, no further."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from model_registry.addresses import FileAddress, ModelAddress, NothingThere, RunAddress, read_address
from model_registry.digests import artifact_size
from model_registry.limits import Limits
from policies.errors import Malformed, Sentence

OWN = "mingjing.submission_id"
"""Tag of the versions and runs by which this house keeps what was submitted."""

STORES = {"s3", "gs", "wasb", "wasbs", "abfs", "abfss", "hdfs", "viewfs", "r2", "b2", "mlflow-artifacts"}
"""Kinds of places that MLflow keeps artifacts at. Web servers are none: whoever may write to a registry could have
this house ask any address behind its walls."""

LOCAL = {"", "file"}
LOGGED = "models:/m-"
"""How MLflow 3 names a model that was logged apart from its run; an id follows."""


class OthersArtifacts:
    """Fetches artifacts by address.

    Parameters
    ----------
    client : MlflowClient
    tracking_uri, registry_uri : str
    limits : Limits
        Bounds for models and for data files.
    """

    def __init__(self, client: MlflowClient, tracking_uri: str, registry_uri: str, limits: Limits) -> None:
        self._client = client
        self._tracking_uri, self._registry_uri = tracking_uri, registry_uri
        self._limits = limits

    def number(self, uri: str, address: ModelAddress) -> str:
        """Return the number of a version, also where an alias names it."""
        if address.version is not None:
            return address.version
        with _nothing_at(uri):
            return str(self._client.get_model_version_by_alias(address.name, address.alias or "").version)

    def of_version(self, uri: str, name: str, version: str, target: Path) -> Path:
        """Fetch a version that was registered past this house."""
        with _nothing_at(uri):
            return self._fetch(uri, self._client.get_model_version_download_uri(name, version), "", target)

    def of_run(self, uri: str, address: RunAddress, target: Path) -> Path:
        """Fetch what a run logged: a file, a folder, or (since MLflow 3) a model that lies apart from its run."""
        with _nothing_at(uri):
            return self._fetch(uri, *self._of_run(uri, address), target)

    def file_of_version(self, uri: str, address: FileAddress, target: Path) -> Path:
        """Fetch a file that a version's run logged, else one that lies in the model's own folder."""
        number = self.number(uri, address.model)
        with _nothing_at(uri):
            version = self._client.get_model_version(address.model.name, number)
        if OWN in version.tags:
            raise NothingThere(uri)
        if version.run_id:
            with suppress(NothingThere):
                return self.of_run(uri, RunAddress(run=str(version.run_id), path=address.path), target)
        with _nothing_at(uri):
            place = self._client.get_model_version_download_uri(address.model.name, number)
            return self._fetch(uri, place, address.path, target)

    def _of_run(self, uri: str, address: RunAddress) -> tuple[str, str]:
        """Return the place and the path under it of what a run logged."""
        run = self._client.get_run(address.run)
        if OWN in run.data.tags:
            raise NothingThere(uri)
        for output in run.outputs.model_outputs if run.outputs else ():
            model = self._client.get_logged_model(output.model_id)
            if f"{address.path}/".startswith(f"{model.name}/"):
                return str(model.artifact_location), address.path.removeprefix(model.name).lstrip("/")
        return str(run.info.artifact_uri), address.path

    def _fetch(self, uri: str, place: str, path: str, target: Path) -> Path:
        # not mlflow.artifacts: it asks the process-wide address as well, and makes a database in the working folder
        if place.startswith("runs:/"):
            address = read_address(place)
            assert isinstance(address, RunAddress)
            place, inner = self._of_run(uri, address)
            path = "/".join(part for part in (inner, path) if part)
        elif place.startswith(LOGGED):
            place = str(self._client.get_logged_model(place.removeprefix("models:/").split("/")[0]).artifact_location)
        self._refuse_place(place)
        target.mkdir(parents=True, exist_ok=True)
        repository = get_artifact_repository(place, self._tracking_uri, self._registry_uri)
        _refuse_size(uri, _announced(repository, path), self._limits.artifact_bytes)
        found = Path(repository.download_artifacts(path, str(target)))
        if not found.exists() or not found.resolve().is_relative_to(target.resolve()):
            raise NothingThere(uri)
        return self._within_limits(uri, found, target)

    def _refuse_place(self, place: str) -> None:
        """Refuse places that lead the house somewhere else than to a store of artifacts."""
        parts = urlsplit(place)
        own_server = urlsplit(self._tracking_uri)
        remote = own_server.scheme in ("http", "https")
        good = parts.scheme in STORES or (parts.scheme in LOCAL and not remote)
        if parts.scheme == "mlflow-artifacts":
            good = parts.netloc in ("", own_server.netloc)
        if not good:
            raise Malformed(
                Sentence(
                    en=f"the registry says that the files lie at {place[:200]!r}, and nothing is fetched from there; "
                    "expected the registry's own store or an object store",
                    zh=f"模型库称文件位于 {place[:200]!r}，系统不从该处读取；应为模型库自身的存储或对象存储",
                )
            )

    def _within_limits(self, asked: str, found: Path, target: Path) -> Path:
        try:
            _refuse_size(asked, artifact_size(found), self._limits.artifact_bytes)
        except Malformed:
            shutil.rmtree(target, ignore_errors=True)
            raise
        return found


def _announced(repository: ArtifactRepository, path: str) -> int:
    """Return how large a file is by the registry's own word, 0 where it says nothing."""
    if not path:
        return 0
    beside = repository.list_artifacts(path.rpartition("/")[0] or None)
    return next((int(entry.file_size or 0) for entry in beside if entry.path == path), 0)


def _refuse_size(asked: str, size: int, most: int) -> None:
    if size > most:
        raise Malformed(
            Sentence(
                en=f"{asked} has {size:,} bytes; at most {most:,} are accepted",
                zh=f"{asked} 为 {size:,} 字节，最多接受 {most:,} 字节",
            )
        )


@contextmanager
def _nothing_at(uri: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, FileNotFoundError) as error:
        raise NothingThere(uri) from error
