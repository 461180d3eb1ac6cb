"""A check without a service: rulebook, negative list, endpoints and registry as the settings of this machine say."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from api.settings import Settings
from governance.inherited_list import list_in_force
from governance.intake import Examination, Progress, examine_directory
from model_registry.deferred_store import DeferredStore
from model_registry.endpoint import Reach
from model_registry.fetching import fetcher
from model_registry.store import ModelStore
from policies.rulebook import BUILT_IN, read_rulebook


def check_directory(settings: Settings, directory: Path, progress: Progress | None = None) -> Examination:
    """Run every check on a submission directory; stores nothing.

    The registry is opened only where the declaration names something in it, an endpoint is called only where it
    names one.

    Raises
    ------
    Malformed, Refused, Unavailable
    """
    with TemporaryDirectory() as fetched:

        def opened() -> ModelStore:
            # opening a registry takes seconds and libraries that a small installation does not have
            from api.wiring import model_store

            return model_store(settings)

        return examine_directory(
            directory,
            read_rulebook(settings.rulebook or BUILT_IN),
            progress,
            negative_list=list_in_force(settings.data, settings.negative_list),
            reach=Reach(named=frozenset(settings.endpoint_hosts), token=settings.endpoint_token),
            resolve=fetcher(DeferredStore(opened), Path(fetched)),
        )
