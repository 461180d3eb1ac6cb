"""A model store that is opened when it is first needed: reading a trace should not wait for MLflow to load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from model_registry.store import ModelStore
from model_registry.submission import Submission
from model_registry.version import ModelVersion, Pointers
from policies.tiers import Tier


class DeferredStore:
    """Hands every call to the store that `opening` returns; opens it once, at the first call."""

    def __init__(self, opening: Callable[[], ModelStore]) -> None:
        self._opening = opening
        self._opened: ModelStore | None = None
        self._lock = threading.Lock()

    @property
    def store(self) -> ModelStore:
        """The real store."""
        with self._lock:
            if self._opened is None:
                self._opened = self._opening()
            return self._opened

    def register(
        self,
        submission: Submission,
        *,
        submission_id: str,
        tier: Tier,
        tags: Mapping[str, str],
        documents: Mapping[str, bytes],
    ) -> ModelVersion:
        """See `ModelStore.register`."""
        return self.store.register(submission, submission_id=submission_id, tier=tier, tags=tags, documents=documents)

    def version(self, name: str, version: str) -> ModelVersion:
        """See `ModelStore.version`."""
        return self.store.version(name, version)

    def versions(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """See `ModelStore.versions`."""
        return self.store.versions(name)

    def pointers(self, name: str) -> Pointers:
        """See `ModelStore.pointers`."""
        return self.store.pointers(name)

    def set_tags(self, name: str, version: str, tags: Mapping[str, str]) -> ModelVersion:
        """See `ModelStore.set_tags`."""
        return self.store.set_tags(name, version, tags)

    def add_documents(self, name: str, version: str, documents: Mapping[str, bytes]) -> None:
        """See `ModelStore.add_documents`."""
        self.store.add_documents(name, version, documents)

    def documents(self, name: str, version: str) -> tuple[str, ...]:
        """See `ModelStore.documents`."""
        return self.store.documents(name, version)

    def document(self, name: str, version: str, path: str) -> bytes:
        """See `ModelStore.document`."""
        return self.store.document(name, version, path)

    def artifact(self, name: str, version: str) -> Path:
        """See `ModelStore.artifact`."""
        return self.store.artifact(name, version)

    def resolve(self, uri: str, target: Path) -> Path:
        """See `ModelStore.resolve`."""
        return self.store.resolve(uri, target)
