"""A model store for one process: versions in a dictionary, artifacts in a folder, gone with the program."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from model_registry.addresses import ModelAddress, NothingThere, read_any_address
from model_registry.keeping import copy_artifact, saying_why, stage_artifact, verify_artifact
from model_registry.limits import DEFAULT_LIMITS, Limits
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
from policies.tiers import Tier

Key = tuple[str, str]


class MemoryStore:
    """A `ModelStore` without a database.

    Parameters
    ----------
    folder : Path or None
        Where artifacts are kept; None takes a temporary folder that goes with the store.
    clock : function without arguments returning an aware datetime, or None
        When versions are created; None sets them one second apart from 1970 on.
    limits : Limits
    """

    def __init__(
        self,
        folder: Path | None = None,
        clock: Callable[[], datetime] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="models-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._limits = limits
        self._lock = threading.RLock()
        self._versions: dict[Key, ModelVersion] = {}
        self._documents: dict[Key, dict[str, bytes]] = {}
        self._artifacts: dict[Key, Path] = {}

    def register(
        self,
        submission: Submission,
        *,
        submission_id: str,
        tier: Tier,
        tags: Mapping[str, str],
        documents: Mapping[str, bytes],
    ) -> ModelVersion:
        """Keep a submission as the next version of its model; see `ModelStore`."""
        model = submission.declaration.model
        kept = {document_path(path): bytes(content) for path, content in documents.items()}
        more = checked_tags(tags)
        place = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            with saying_why(model.name):
                if submission.artifact is not None:
                    stage_artifact(submission, place / submission.artifact.name, self._limits)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        with self._lock:
            number = str(1 + sum(1 for name, _ in self._versions if name == model.name))
            made = ModelVersion(
                name=model.name,
                version=number,
                artifact_digest=submission.artifact_digest,
                tier=Tier[more.pop("tier", tier.name)],
                status=more.pop("status", SUBMITTED),
                submission_id=submission_id,
                owner=submission.declaration.use.owner,
                site=submission.declaration.use.site,
                tags=MappingProxyType(more),
                created=self._clock() if self._clock else _second(len(self._versions)),
                flavour=str(model.flavour),
                data_digests=submission.data_digests,
            )
            key = (model.name, number)
            self._documents[key] = {DECLARATION: submission.toml} | kept
            if submission.artifact is not None:
                self._artifacts[key] = place / submission.artifact.name
            self._versions[key] = made
        return made

    def version(self, name: str, version: str) -> ModelVersion:
        """Return one version."""
        with self._lock:
            found = self._versions.get((name, version))
        if found is None:
            raise VersionNotFound(name, version)
        return found

    def versions(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """Return all versions, by name and number."""
        with self._lock:
            found = [made for made in self._versions.values() if name in (None, made.name)]
        return tuple(sorted(found, key=lambda made: (made.name, int(made.version))))

    def pointers(self, name: str) -> Pointers:
        """Return nothing: this store knows neither aliases nor stages."""
        return Pointers()

    def set_tags(self, name: str, version: str, tags: Mapping[str, str]) -> ModelVersion:
        """Set tags on a version."""
        more = checked_tags(tags)
        with self._lock:
            before = self.version(name, version)
            after = replace(
                before,
                tier=Tier[more.pop("tier", before.tier.name)],
                status=more.pop("status", before.status),
                tags=MappingProxyType({**before.tags, **more}),
            )
            self._versions[name, version] = after
        return after

    def add_documents(self, name: str, version: str, documents: Mapping[str, bytes]) -> None:
        """Keep documents beside a version."""
        self.version(name, version)
        kept = {document_path(path): bytes(content) for path, content in documents.items()}
        with self._lock:
            self._documents[name, version].update(kept)

    def documents(self, name: str, version: str) -> tuple[str, ...]:
        """Return the paths of all documents of a version."""
        self.version(name, version)
        with self._lock:
            return tuple(sorted(self._documents[name, version]))

    def document(self, name: str, version: str, path: str) -> bytes:
        """Return one document."""
        self.version(name, version)
        with self._lock:
            content = self._documents[name, version].get(document_path(path))
        if content is None:
            raise DocumentNotFound(name, version, path)
        return content

    def artifact(self, name: str, version: str) -> Path:
        """Return the artifact, verified anew."""
        known = self.version(name, version)
        path = self._artifacts.get((name, version))
        if path is None:
            raise NoArtifact(name, version, known.flavour)
        if not path.exists():
            raise ArtifactGone(f"{name}:{version}")
        verify_artifact(f"{name}:{version}", path, known.artifact_digest, self._limits)
        return path

    def resolve(self, uri: str, target: Path) -> Path:
        """Copy the artifact at an address into `target`; there are no runs, files and aliases here."""
        address = read_any_address(uri)
        if not isinstance(address, ModelAddress) or address.version is None:
            raise NothingThere(uri)
        try:
            source = self.artifact(address.name, address.version)
        except VersionNotFound as missing:
            raise NothingThere(uri) from missing
        copy_artifact(source, target / source.name)
        return target / source.name


def _second(number: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
