"""Artifacts and documents of a few versions in a plain folder: what an edge box holds instead of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from model_registry.keeping import verify_artifact
from model_registry.version import DocumentNotFound


class BoxedStore:
    """Reads versions from `folder/NUMBER/artifact/NAME` and `folder/NUMBER/documents/PATH`.

    Parameters
    ----------
    folder : Path
    places : mapping
        From (model, version) to the number of its folder, the artifact's name and its digest.
    """

    def __init__(self, folder: Path, places: Mapping[tuple[str, str], tuple[int, str, str]]) -> None:
        self._folder = folder
        self._places = dict(places)

    def artifact(self, name: str, version: str) -> Path:
        """Return the artifact, its digest computed anew. Raises ArtifactAltered."""
        number, file, digest = self._places[name, version]
        path = self._folder / str(number) / "artifact" / file
        verify_artifact(f"{name}:{version}", path, digest)
        return path

    def document(self, name: str, version: str, path: str) -> bytes:
        """Return one document, or raise `DocumentNotFound`."""
        number, _, _ = self._places[name, version]
        try:
            return (self._folder / str(number) / "documents" / path).read_bytes()
        except OSError as missing:
            raise DocumentNotFound(name, version, path) from missing
