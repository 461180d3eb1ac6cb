"""A store that is opened when it is first needed; its promises run with those of the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from model_registry.deferred_store import DeferredStore
from model_registry.memory_store import MemoryStore
from model_registry.store import ModelStore


class TestDeferredStore:
    """When it opens."""

    def test_once_and_not_before_the_first_call(self) -> None:
        opened: list[MemoryStore] = []

        def opening() -> ModelStore:
            opened.append(MemoryStore())
            return opened[-1]

        store = DeferredStore(opening)
        assert opened == []
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: store.versions(), range(8))) == [()] * 8
        assert len(opened) == 1
