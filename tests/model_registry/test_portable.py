"""A predictor that left its process is the same predictor, or is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from explainers.linear import read_linear
from explainers.trees.sklearn_reader import read_sklearn
from explainers.trees.xgboost_reader import read_xgboost
from model_registry.bundle import NotPortable, pack, unpack
from model_registry.portable import Readable, pack_predictor, unpack_predictor
from policies.errors import Malformed
from tests.model_registry.makers import FEATURES, a_booster, rows

DATA = rows(200, seed=1)
X = DATA[list(FEATURES)]
NUMBERS = X.to_numpy(np.float64)
SCALED = (X - X.mean()) / X.std()
"""Solvers settle on these in a few steps, whatever vector units the machine has."""


@cache
def some_predictors() -> list[Readable]:
    """One of each kind that can leave a worker."""
    three = DATA["age"] // 16
    trees = read_xgboost(bytes(a_booster().save_raw("ubj")))
    return [
        trees,
        read_sklearn(RandomForestClassifier(n_estimators=3, random_state=0).fit(X, three)),
        replace(trees, categories=((2, ("白班", "night", 3, None)),)),
        read_linear(LogisticRegression().fit(SCALED, DATA["harmed"])),
        read_linear(LogisticRegression(C=0.1, max_iter=1000).fit(SCALED, three)),
        read_linear(LinearRegression().fit(X, DATA["age"])),
    ]


class TestPackPredictor:
    """There and back."""

    @pytest.mark.parametrize("which", range(6))
    def test_same_bits(self, which: int) -> None:
        predictor = some_predictors()[which]
        again = unpack_predictor(pack_predictor(predictor))
        assert again.feature_names == predictor.feature_names
        assert (again.unit, again.link) == (predictor.unit, predictor.link)
        assert again.margins(NUMBERS).tobytes() == predictor.margins(NUMBERS).tobytes()
        assert again.scores(NUMBERS).tobytes() == predictor.scores(NUMBERS).tobytes()
        assert getattr(again, "categories", ()) == getattr(predictor, "categories", ())


BUNDLE = pack_predictor(some_predictors()[0])


class TestUnpackPredictor:
    """What does not arrive."""

    @pytest.mark.parametrize(
        "change",
        [
            {"link": ["sorcery", 1.0]},
            {"link": ["logistic", -1.0]},
            {"link": ["logistic"]},
            {"names": ["a", "b"]},
            {"names": None},
            {"categories": [[0]]},
            {"is": "linear"},
        ],
    )
    def test_changed_words(self, change: dict[str, object]) -> None:
        arrays, said = unpack(BUNDLE)
        with pytest.raises(Malformed):
            unpack_predictor(pack(arrays, said | change))

    def test_array_of_another_type(self) -> None:
        arrays, said = unpack(BUNDLE)
        with pytest.raises(NotPortable, match="left has another type"):
            unpack_predictor(pack(arrays | {"left": arrays["left"].astype(np.float64)}, said))

    def test_array_that_is_missing(self) -> None:
        arrays, said = unpack(BUNDLE)
        del arrays["threshold"]
        with pytest.raises(NotPortable, match="KeyError in 'threshold'"):
            unpack_predictor(pack(arrays, said))

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_broken_trees_never_arrive(self, data: st.DataObject) -> None:
        arrays, said = unpack(BUNDLE)
        name = data.draw(st.sampled_from(["left", "right", "feature", "roots", "output"]))
        array = arrays[name]
        at = data.draw(st.integers(0, len(array) - 1))
        array[at] = data.draw(st.sampled_from([10**6, -5, 2**31 - 1]))
        try:
            again = unpack_predictor(pack(arrays, said))
        except Malformed:
            return
        assert again.scores(NUMBERS).shape == (200,)  # a leaf's feature, which nobody reads
