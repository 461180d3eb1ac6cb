"""What a submission names by address is fetched from the registry, each thing into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model_registry.addresses import FileAddress, RunAddress, read_any_address
from model_registry.store import ModelStore
from model_registry.submission import Resolver

Admit = Callable[[str, str], None]
"""Told the address and the model a version belongs to, before anything is fetched; raises where nobody may see it."""


def fetcher(store: ModelStore, folder: Path, admit: Admit = lambda _address, _model: None) -> Resolver:
    """Return a function that fetches what lies at an address and returns its path.

    Parameters
    ----------
    store : ModelStore
    folder : Path
        Gets one folder for each address, so that a model and its data cannot overwrite each other.
    admit : function
        See `Admit`.
    """
    fetched = 0

    def fetch(address: str) -> Path:
        nonlocal fetched
        place = read_any_address(address)
        if not isinstance(place, RunAddress):
            admit(address, (place.model if isinstance(place, FileAddress) else place).name)
        fetched += 1
        return store.resolve(address, folder / str(fetched))

    return fetch
