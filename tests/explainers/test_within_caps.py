"""Training within caps: as little given up as must be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from xgboost import XGBClassifier

from explainers.within_caps import CapsOutOfReach, train_within_caps
from policies.feature_caps import FeatureCaps

Floats = npt.NDArray[np.float64]
NAMES = ("gas", "pressure", "age")


def rows(n: int, seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Harm that depends on gas most, and on pressure and age alike; age and pressure know of each other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    X[:, 2] = 0.8 * X[:, 1] + 0.6 * X[:, 2]
    return X, (1.5 * X[:, 0] + X[:, 1] + X[:, 2] + rng.normal(size=n) > 0).astype(int)


X, Y = rows(800, 0)
MEASURED, _ = rows(400, 1)


def fit(weights: Floats) -> XGBClassifier:
    """Boosted trees that draw features by weight."""
    model = XGBClassifier(
        n_estimators=30, max_depth=3, colsample_bynode=0.5, feature_weights=weights, random_state=0, n_jobs=1
    )
    return model.fit(X, Y)


class TestTrainWithinCaps:
    def test_a_model_above_its_cap_is_brought_within(self) -> None:
        found = train_within_caps(fit, MEASURED, FeatureCaps({"age": 0.10}), NAMES, trainings=7)
        assert found.before["age"] > 0.10
        assert found.after["age"] <= 0.10
        assert found.weights[2] < 1.0
        assert found.weights[:2].tolist() == [1.0, 1.0]
        assert found.trainings == 7

    def test_a_model_within_its_cap_is_trained_once(self) -> None:
        found = train_within_caps(fit, MEASURED, FeatureCaps({"age": 0.9}), NAMES)
        assert (found.trainings, found.weights.tolist()) == (1, [1.0, 1.0, 1.0])
        assert found.before == found.after

    def test_all_capped_features_together_are_held_to_the_total(self) -> None:
        plan = FeatureCaps({"age": 0.5, "pressure": 0.5}, total=0.3)
        found = train_within_caps(fit, MEASURED, plan, NAMES, trainings=6)
        assert sum(found.before.values()) > 0.3 >= sum(found.after.values())

    def test_what_cannot_be_reached_is_said(self) -> None:
        def deaf(_: Floats) -> XGBClassifier:
            return XGBClassifier(n_estimators=10, max_depth=2, n_jobs=1).fit(X[:, 2:], Y)

        with pytest.raises(CapsOutOfReach, match="leave these features out"):
            train_within_caps(deaf, MEASURED[:, 2:], FeatureCaps({"age": 0.1}), ("age",))
