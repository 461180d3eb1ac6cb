"""All kernels give the Shapley values of the definition, the same bits alone and among others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainers.trees import background as backgrounds
from explainers.trees.ensemble import TreeEnsemble
from explainers.trees.nodes import NAN_BY_DEFAULT
from explainers.trees.path_dependent import explain_by_paths
from explainers.trees.patterns import PatternTables, explain_by_tables
from explainers.trees.prepared import cover_mean, make_prepared
from explainers.trees.routes import sum_leaves
from explainers.trees.tables import path_tables
from tests.explainers.oracle import (
    ALL_RULES,
    Floats,
    against,
    by_paths,
    ensemble_of,
    random_chain,
    random_rows,
    random_tree,
)

SEEDS = st.integers(0, 2**32 - 1)


def a_forest(seed: int, n_features: int = 5, depth: int = 5, n_outputs: int = 1) -> tuple[TreeEnsemble, Floats]:
    random = np.random.default_rng(seed)
    rules = ALL_RULES if seed % 2 else (NAN_BY_DEFAULT,)
    trees = [random_tree(random, n_features, int(random.integers(0, depth + 1)), rules=rules) for _ in range(4)]
    return ensemble_of(trees, n_features, n_outputs), random_rows(random, 12, n_features)


def split_by_split(ensemble: TreeEnsemble, X: Floats) -> Floats:
    return explain_by_paths(ensemble.nodes, make_prepared(ensemble.nodes, X.shape[1]), X, ensemble.n_outputs)


def looked_up(ensemble: TreeEnsemble, X: Floats) -> Floats:
    tables = path_tables(ensemble.nodes)
    assert tables is not None
    contributions, margins = explain_by_tables(ensemble.nodes, tables, X, ensemble.offset)
    assert margins.tobytes() == sum_leaves(ensemble.nodes, X, ensemble.offset).tobytes()
    return contributions


def close(found: Floats, exact: Floats) -> bool:
    return bool(np.abs(found - exact).max() <= 1e-5 * max(np.abs(exact).max(), 1e-3))


class TestPathDependent:
    @given(SEEDS)
    @settings(max_examples=40, deadline=None)
    def test_splits_give_the_definition(self, seed: int) -> None:
        ensemble, X = a_forest(seed)
        exact = np.stack([by_paths(ensemble, row) for row in X[:2]])
        assert close(split_by_split(ensemble, X[:2]), exact)
        assert close(split_by_split(ensemble, X)[:2], exact)

    @given(SEEDS)
    @settings(max_examples=40, deadline=None)
    def test_tables_give_the_definition(self, seed: int) -> None:
        ensemble, X = a_forest(seed)
        exact = np.stack([by_paths(ensemble, row) for row in X[:2]])
        assert close(looked_up(ensemble, X[:2]), exact)
        assert close(looked_up(ensemble, X)[:2], exact)

    @pytest.mark.parametrize("depth", [8, 12, 16])
    def test_long_paths_with_repeated_features(self, depth: int) -> None:
        random = np.random.default_rng(depth)
        ensemble = ensemble_of([random_chain(random, 9, depth) for _ in range(2)], 9)
        X = random.normal(size=(3, 9))
        exact = np.stack([by_paths(ensemble, row) for row in X])
        assert close(split_by_split(ensemble, X), exact)

    @pytest.mark.parametrize("depth", [10, 16])
    def test_deep_trees_add_up(self, depth: int) -> None:
        random = np.random.default_rng(depth)
        ensemble = ensemble_of([random_chain(random, 40, depth) for _ in range(20)], 40)
        why = ensemble.explain(random.normal(size=(200, 40)))
        assert why.residual <= 1e-6 * (np.abs(why.contributions).sum(axis=1) + np.abs(why.base)).max()

    def test_several_outputs_are_kept_apart(self) -> None:
        ensemble, X = a_forest(7, n_outputs=3)
        why = ensemble.explain(X[:2])
        assert close(why.contributions, np.stack([by_paths(ensemble, row) for row in X[:2]]))

    def test_base_is_the_cover_weighted_mean(self) -> None:
        ensemble, X = a_forest(11)
        empty = why_nothing_is_known(ensemble, X[0])
        assert cover_mean(ensemble.nodes, ensemble.offset)[0] == pytest.approx(empty, abs=1e-12)

    @given(SEEDS)
    @settings(max_examples=15, deadline=None)
    def test_same_bits_alone_and_among_others(self, seed: int) -> None:
        ensemble, X = a_forest(seed, n_features=7, depth=7)
        rows = np.tile(X, (8, 1))
        for kernel in (split_by_split, looked_up):
            together = kernel(ensemble, rows)
            assert all((kernel(ensemble, rows[i : i + 1])[0] == together[i]).all() for i in range(12))
            assert (together[:12] == together[-12:]).all()

    @given(SEEDS)
    @settings(max_examples=15, deadline=None)
    def test_a_few_rows_have_the_margins_of_all(self, seed: int) -> None:
        ensemble, X = a_forest(seed, n_features=7, depth=7, n_outputs=1 + seed % 2)
        assert (ensemble.explain(X[:5]).scores == ensemble.margins(X)[:5]).all()
        assert (ensemble.explain(X).scores == ensemble.margins(X)).all()

    def test_same_bits_with_threads(self) -> None:
        ensemble, _ = a_forest(3, n_features=7, depth=7)
        X = np.random.default_rng(0).normal(size=(1031, 7))
        assert (ensemble.explain(X, threads=3).contributions == ensemble.explain(X).contributions).all()

    def test_a_feature_no_tree_asks_has_no_part(self) -> None:
        random = np.random.default_rng(5)
        ensemble = ensemble_of([random_tree(random, 3, 4)], 6)
        assert (ensemble.explain(random.normal(size=(4, 6))).contributions[:, 3:] == 0).all()

    def test_more_tables_than_memory_allows_are_not_made(self) -> None:
        random = np.random.default_rng(1)
        ensemble = ensemble_of([random_chain(random, 60, 40)], 60)
        assert path_tables(ensemble.nodes) is None
        assert ensemble.explain(random.normal(size=(3, 60))).method == "tree_path_dependent"


def why_nothing_is_known(ensemble: TreeEnsemble, row: Floats) -> float:
    from tests.explainers.oracle import expected

    trees = sum(expected(ensemble.nodes, int(root), row, frozenset()) for root in ensemble.nodes.roots)
    return float(ensemble.offset[0]) + trees


class TestInterventional:
    @given(SEEDS)
    @settings(max_examples=25, deadline=None)
    def test_tables_give_the_definition(self, seed: int) -> None:
        ensemble, X = a_forest(seed)
        why = ensemble.against(X[2:]).explain(X[:2])
        assert why.method == "tree_interventional"
        assert close(why.contributions[..., None], np.stack([against(ensemble, row, X[2:]) for row in X[:2]]))

    @given(SEEDS)
    @settings(max_examples=25, deadline=None)
    def test_lists_give_the_definition(self, seed: int) -> None:
        ensemble, X = a_forest(seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backgrounds, "background_tables", lambda *_: None)
            listed = backgrounds._prepared(ensemble.nodes, ensemble.offset, X[2:])
        assert not isinstance(listed.how, PatternTables)
        exact = np.stack([against(ensemble, row, X[2:]) for row in X[:2]])
        assert close(listed.explain(ensemble.nodes, X[:2], ensemble.offset)[0], exact)

    def test_long_paths_go_to_the_lists(self) -> None:
        random = np.random.default_rng(3)
        ensemble = ensemble_of([random_chain(random, 8, 16)], 8)
        wide = ensemble_of([random_chain(random, 40, 30)], 40)
        rows = random.normal(size=(9, 8))
        why = ensemble.against(rows[1:]).explain(rows[:1])
        assert close(why.contributions[..., None], against(ensemble, rows[0], rows[1:])[None])
        long = random.normal(size=(9, 40))
        assert wide.against(long[1:]).explain(long).residual < 1e-12

    def test_a_row_against_itself_has_no_contributions(self) -> None:
        ensemble, X = a_forest(2)
        assert np.abs(ensemble.against(X[:1]).explain(X[:1]).contributions).max() < 1e-7

    def test_base_is_the_mean_of_the_background(self) -> None:
        ensemble, X = a_forest(4)
        assert float(ensemble.against(X).explain(X).base) == pytest.approx(ensemble.margins(X).mean())
