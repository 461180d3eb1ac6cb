"""Preparation is done once per artifact, small for large models, and compiled code survives or is done without."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from explainers.trees.background import against_rows
from explainers.trees.compiled import SOURCES, compiled, in_threads
from explainers.trees.patterns import PatternTables
from explainers.trees.preparation import make_preparation, prepare
from explainers.trees.prepared import Prepared
from explainers.trees.routes import goes_left
from policies.errors import Malformed
from tests.explainers.oracle import ensemble_of, random_chain, random_tree


def a_forest(seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    return ensemble_of([random_tree(random, 5, 4) for _ in range(3)], 5)


class TestPrepare:
    def test_is_remembered_by_digest(self) -> None:
        one, same, other = a_forest(1), a_forest(1), a_forest(2)
        made = [prepare(e.digest, e.nodes, e.offset, 5) for e in (one, same, other)]
        assert made[0] is made[1]
        assert made[0] is not made[2]

    def test_a_background_is_remembered_by_both_digests(self) -> None:
        forest, rows = a_forest(3), np.random.default_rng(0).normal(size=(6, 5))
        made = [against_rows(forest.nodes, forest.offset, forest.digest, r) for r in (rows, rows.copy(), rows + 1)]
        assert made[0] is made[1]
        assert made[0] is not made[2]

    def test_an_empty_background_is_refused(self) -> None:
        with pytest.raises(Malformed, match="the background has no rows"):
            a_forest().against(np.zeros((0, 5)))

    def test_tables_for_small_models_and_constants_for_large_ones(self) -> None:
        small = a_forest()
        large = ensemble_of([random_chain(np.random.default_rng(0), 40, 40)], 40)
        assert isinstance(make_preparation(small.nodes, small.offset, 5).how, PatternTables)
        made = make_preparation(large.nodes, large.offset, 40)
        assert isinstance(made.how, Prepared)
        assert 0 < made.nbytes < 1_000_000


class TestCompiled:
    def test_kernels_are_kept_under_the_digest_of_all_sources(self) -> None:
        kernel: Any = goes_left
        assert kernel._cache._cache_file._source_stamp == SOURCES

    def test_without_a_folder_to_write_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = numba.njit

        def no_cache(*args: Any, cache: bool = False, **options: Any) -> Any:
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return real(*args, **options)

        monkeypatch.setattr(numba, "njit", no_cache)

        @compiled()
        def twice(x: float) -> float:
            return 2 * x

        assert twice(3.0) == 6.0


class TestInThreads:
    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_rows_come_back_in_order(self, threads: int) -> None:
        X = np.arange(3_000.0).reshape(-1, 2)
        assert (in_threads(lambda rows: (rows + 1,), X, threads)[0] == X + 1).all()
