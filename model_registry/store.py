"""The promise every model store makes: a version is there whole, with its artifact unaltered, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from model_registry.submission import Submission
from model_registry.version import ModelVersion, Pointers
from policies.tiers import Tier


class ModelStore(Protocol):
    """Keeps the versions of models. Safe to call from several threads at once."""

    def register(
        self,
        submission: Submission,
        *,
        submission_id: str,
        tier: Tier,
        tags: Mapping[str, str],
        documents: Mapping[str, bytes],
    ) -> ModelVersion:
        """Keep a submission as the next version of its model, status "submitted".

        The declaration as written becomes the document `submission.toml`.

        Raises
        ------
        ArtifactAltered
            When the artifact changed since it was read.
        Unavailable
            When it cannot be kept, as on a full disk; then nothing is registered.
        """
        ...

    def version(self, name: str, version: str) -> ModelVersion:
        """Return one version, or raise `VersionNotFound`."""
        ...

    def versions(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """Return all versions of one model, or of every model, by name and number; none is an empty tuple."""
        ...

    def pointers(self, name: str) -> Pointers:
        """Return the aliases and stages that somebody set on versions of a model, past this house."""
        ...

    def set_tags(self, name: str, version: str, tags: Mapping[str, str]) -> ModelVersion:
        """Set tags; "status" and "tier" change the fields of that name. Raises `Conflict` for fixed ones."""
        ...

    def add_documents(self, name: str, version: str, documents: Mapping[str, bytes]) -> None:
        """Keep documents beside a version; one of the same path is replaced."""
        ...

    def documents(self, name: str, version: str) -> tuple[str, ...]:
        """Return the paths of all documents of a version, sorted."""
        ...

    def document(self, name: str, version: str, path: str) -> bytes:
        """Return one document, or raise `DocumentNotFound`."""
        ...

    def artifact(self, name: str, version: str) -> Path:
        """Return a local copy of the artifact, its digest computed anew.

        Raises
        ------
        ArtifactAltered, ArtifactGone
            When the store no longer holds what was registered.
        NoArtifact
            When no model file was handed in.
        """
        ...

    def resolve(self, uri: str, target: Path) -> Path:
        """Fetch what lies at an address into `target`, an own folder, and return its path.

        `models:/name/3` and `models:/name@alias` are artifacts; with `/path` behind them they are a file that the
        version's run logged, or one in the model's own folder. `runs:/id/path` is what a run logged. Runs by which
        this house keeps its own versions hold no data and are as good as absent.

        Raises
        ------
        NotFound
            When there is nothing at that address.
        Malformed
            When it is no address, names a stage, is larger than the limit, or when the registry says that its files
            lie at a place nothing is fetched from.
        """
        ...
