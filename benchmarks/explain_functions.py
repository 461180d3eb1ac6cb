"""Sampled attributions of a function: error against the exact values, per model row asked.

The function is a boosted model that is only asked; its exact interventional values are known from its trees.

    python -m benchmarks.explain_functions
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xgboost

from explainers import predictor_of
from explainers.black_box import BlackBox
from explainers.trees.ensemble import TreeEnsemble

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

Floats = npt.NDArray[np.float64]

FEATURES, BACKGROUND, CASES = 17, 100, 12


@dataclass
class Counted:
    """A function that counts the rows it is asked."""

    function: Callable[[Floats], Floats]
    rows: int = field(default=0)

    def __call__(self, X: Floats) -> Floats:
        self.rows += len(X)
        return self.function(np.asarray(X, dtype=np.float64))


def error_of(found: Floats, exact: Floats) -> float:
    """Return the mean absolute error as a share of the mean absolute contribution."""
    return float(np.abs(found - exact).mean() / np.abs(exact).mean())


def main() -> None:
    """Print error and cost of each way."""
    random = np.random.default_rng(0)
    X = random.normal(size=(4_000, FEATURES))
    y = X[:, 0] + X[:, 1] * X[:, 2] + np.sin(X[:, 3]) * X[:, 4] + 0.5 * X[:, 5:9].sum(axis=1) > 0
    model = xgboost.train({"objective": "binary:logistic", "max_depth": 5}, xgboost.DMatrix(X, y), 60)
    trees = predictor_of(model)
    assert isinstance(trees, TreeEnsemble)
    background, cases = X[:BACKGROUND], X[-CASES:]
    exact = trees.against(background).explain(cases).contributions
    names = tuple(f"x{i}" for i in range(FEATURES))
    print(f"{platform.machine()}, Python {platform.python_version()}; shap {shap.__version__}, numpy {np.__version__}")
    print(
        f"{FEATURES} features, {BACKGROUND} background rows, {CASES} cases; error as a share of the mean |contribution|"
    )
    counted = Counted(trees.margins)
    explainer = shap.PermutationExplainer(counted, background, seed=0)
    found = explainer(cases, max_evals=10 * (2 * FEATURES + 1), silent=True).values
    theirs = counted.rows // CASES
    print(f"  shap.PermutationExplainer             {theirs:>8,} rows per case   error {error_of(found, exact):6.2%}")
    for pairs in (32, 100, 200, 400):
        counted = Counted(trees.margins)
        box = BlackBox(function=counted, feature_names=names, background=background, seed=0, pairs=pairs)
        why = box.explain(cases)
        assert why.standard_error is not None
        told = float(why.standard_error.mean() / np.abs(exact).mean())
        print(
            f"  this package, {pairs:>3} pairs                {counted.rows // CASES:>8,} rows per case   "
            f"error {error_of(why.contributions, exact):6.2%}   standard error told {told:6.2%}"
        )


if __name__ == "__main__":
    main()
