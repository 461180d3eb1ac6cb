"""Exact attributions for trees, side by side with the libraries people use today.

Every pair is measured alternately in one process, one thread unless said; medians and the spread over the rounds
are printed, with versions and cores. Ratios matter, absolute times are those of the machine at hand.

    python -m benchmarks.explain_trees            # everything, some minutes
    python -m benchmarks.explain_trees --quick    # fewer rounds
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightgbm
import numba
import numpy as np
import numpy.typing as npt
import sklearn
import xgboost
from sklearn.ensemble import RandomForestClassifier

from explainers import predictor_of
from explainers.trees import preparation
from explainers.trees.ensemble import TreeEnsemble

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

Floats = npt.NDArray[np.float64]
Work = Callable[[], object]

FEATURES = 60


@dataclass(frozen=True)
class Timed:
    """Seconds per row over the rounds of one side."""

    name: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    def says(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        rate = f"{1 / self.median:>12,.0f} rows/s" if self.median < 1 else f"{self.median:>12.2f} s"
        return f"{self.name:<52}{rate}   {self.median * 1e6:>12,.1f} us (from {low * 1e6:,.1f} to {high * 1e6:,.1f})"


def alternate(rounds: int, *sides: tuple[str, Work, int]) -> list[Timed]:
    """Run the sides in turn, after one warm-up each; every side with the rows one call handles."""
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in sides}
    for _, work, _ in sides:
        work()
    for _ in range(rounds):
        for name, work, rows in sides:
            start = time.perf_counter()
            work()
            seconds[name].append((time.perf_counter() - start) / rows)
    return [Timed(name, seconds[name]) for name, _, _ in sides]


def compare(title: str, rounds: int, ours: tuple[str, Work, int], *theirs: tuple[str, Work, int], gate: str) -> None:
    """Print one comparison: all sides, and how many times faster ours is."""
    print(f"\n{title}   [gate: {gate}]")
    mine, *others = alternate(rounds, ours, *theirs)
    for timed in (mine, *others):
        print("  " + timed.says())
    for timed in others:
        print(f"  {timed.median / mine.median:,.1f} times {timed.name}")


def some_rows(n: int = 20_000) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return rows and labels with interactions, so that trees grow to their full depth."""
    random = np.random.default_rng(0)
    X = random.normal(size=(n, FEATURES))
    weight = random.normal(size=FEATURES)
    return X, X @ weight + 3 * X[:, 0] * X[:, 1] + 2 * random.normal(size=n) > 0


def xgboost_model(X: Floats, y: npt.NDArray[np.bool_], trees: int, depth: int) -> Any:
    options = {"objective": "binary:logistic", "max_depth": depth, "eta": 0.1, "nthread": 1}
    return xgboost.train(options, xgboost.DMatrix(X, y), trees)


def lightgbm_model(X: Floats, y: npt.NDArray[np.bool_], trees: int, depth: int) -> Any:
    options = {"objective": "binary", "num_leaves": 2**depth, "max_depth": depth, "num_threads": 1, "verbose": -1}
    return lightgbm.train(options, lightgbm.Dataset(X, y), trees)


def ensemble(model: object) -> TreeEnsemble:
    found = predictor_of(model)
    assert isinstance(found, TreeEnsemble)
    return found


def preparing(title: str, ours: TreeEnsemble, gate: str) -> None:
    start = time.perf_counter()
    made = preparation.make_preparation(ours.nodes, ours.offset, len(ours.feature_names))
    took = time.perf_counter() - start
    form = type(made.how).__name__
    print(f"\n{title}: prepared in {took:.3f} s, {made.nbytes / 1e6:.1f} MB ({form})   [gate: {gate}]")


def batches(X: Floats, y: npt.NDArray[np.bool_], trees: int, depth: int, rounds: int, gate: str) -> None:
    """Path-dependent attributions of many rows and of one, against XGBoost and shap."""
    model = xgboost_model(X, y, trees, depth)
    ours = ensemble(model)
    small = trees <= 100
    ours.explain(X[:1]), ours.explain(X[:64])  # compiled code is loaded before anything is timed
    preparing(f"XGBoost {trees} x {depth}", ours, "0.2 s" if small else "5 s, 50 MB")
    few, many = (400, 20_480) if small else (50, 2_048)
    rows, some = np.ascontiguousarray(X[:many]), np.ascontiguousarray(X[:few])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(model)
    compare(
        f"Path-dependent, batch, XGBoost {trees} x {depth}, {FEATURES} features",
        rounds,
        ("this package", lambda: ours.explain(rows), many),
        (
            "XGBoost pred_contribs, with DMatrix",
            lambda: model.predict(xgboost.DMatrix(some, nthread=1), pred_contribs=True),
            few,
        ),
        ("shap.TreeExplainer", lambda: explainer.shap_values(some, check_additivity=False), few),
        gate=gate,
    )
    theirs = model.predict(xgboost.DMatrix(some), pred_contribs=True)[:, :-1]
    error = np.abs(ours.explain(some).contributions - theirs).max() / np.abs(theirs).max()
    print(f"  largest difference to pred_contribs: {error:.1e} of the largest contribution")
    one = np.ascontiguousarray(X[:1])
    compare(
        f"Path-dependent, one row, XGBoost {trees} x {depth}",
        40 * rounds,
        ("this package: attributions and score", lambda: ours.explain(one), 1),
        ("XGBoost inplace_predict: score only", lambda: model.inplace_predict(one), 1),
        gate="2 times inplace_predict" if small else "none",
    )
    compare(
        f"Two threads, XGBoost {trees} x {depth}",
        rounds,
        ("two threads", lambda: ours.explain(rows, threads=2), many),
        ("one thread", lambda: ours.explain(rows), many),
        gate="1.8 times, on two idle cores",
    )


def against_background(X: Floats, y: npt.NDArray[np.bool_], trees: int, depth: int, rounds: int, gate: str) -> None:
    """Interventional attributions against 100 background rows."""
    model = xgboost_model(X, y, trees, depth)
    background = X[-100:].copy()
    plain = ensemble(model)
    start = time.perf_counter()
    ours = plain.against(background)
    assert ours.background is not None
    took, size = time.perf_counter() - start, ours.background.nbytes / 1e6
    print(f"\nBackground of 100 rows, XGBoost {trees} x {depth}: prepared in {took:.2f} s, {size:.1f} MB")
    few, many = (20, 4_096) if trees <= 100 else (4, 64)
    rows, some = np.ascontiguousarray(X[:many]), np.ascontiguousarray(X[:few])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    compare(
        f"Interventional, batch, XGBoost {trees} x {depth}, 100 background rows",
        rounds,
        ("this package", lambda: ours.explain(rows), many),
        ("shap.TreeExplainer, interventional", lambda: explainer.shap_values(some, check_additivity=False), few),
        gate=gate,
    )
    theirs = explainer.shap_values(some, check_additivity=False)
    error = np.abs(ours.explain(some).contributions - theirs).max() / np.abs(theirs).max()
    print(f"  largest difference to shap: {error:.1e} of the largest contribution")


def other_libraries(X: Floats, y: npt.NDArray[np.bool_], rounds: int) -> None:
    """LightGBM's own contributions, and shap on a forest."""
    for trees, depth in ((100, 6), (500, 8)):
        booster = lightgbm_model(X, y, trees, depth)
        ours = ensemble(booster)
        few, many = (200, 4_096) if trees <= 100 else (20, 512)
        rows, some = np.ascontiguousarray(X[:many]), np.ascontiguousarray(X[:few])
        compare(
            f"Path-dependent, batch, LightGBM {trees} trees of depth {depth}",
            rounds,
            ("this package", partial(ours.explain, rows), many),
            (
                "LightGBM pred_contrib",
                partial(booster.predict, some, pred_contrib=True, num_threads=1),
                few,
            ),
            gate="60 times",
        )
    forest = RandomForestClassifier(200, max_depth=12, random_state=0, n_jobs=1).fit(X[:6_000], y[:6_000])
    ours = ensemble(forest)
    rows, some = np.ascontiguousarray(X[:512]), np.ascontiguousarray(X[:4])
    explainer = shap.TreeExplainer(forest)
    compare(
        "Path-dependent, batch, scikit-learn forest 200 x 12",
        max(2, rounds // 2),
        ("this package", lambda: ours.explain(rows), 512),
        ("shap.TreeExplainer", lambda: explainer.shap_values(some, check_additivity=False), 4),
        gate="60 times",
    )


def boundaries(X: Floats, y: npt.NDArray[np.bool_], rounds: int) -> None:
    """Nearest flips along every feature."""
    ours = ensemble(xgboost_model(X, y, 100, 6))
    rows = np.ascontiguousarray(X[:512])
    low, high = X.min(axis=0), X.max(axis=0)
    work = partial(ours.nearest_flips, rows, threshold=0.5, low=low, high=high)
    (timed,) = alternate(rounds, ("nearest flip along every feature, all intervals", work, len(rows)))
    found = work()[0]
    flipped = float((~np.isnan(found)).any(axis=1).mean())
    print("\nBoundary, XGBoost 100 x 6   [gate: 1,000 rows/s]")
    print(f"  {timed.says()}\n  {flipped:.0%} of the rows flip by one feature")


def first_compilation() -> None:
    """Time the first explanation of a process that finds no compiled code, and of the next one."""
    program = (
        "import time, numpy as np; from sklearn.tree import DecisionTreeRegressor; from explainers import explain\n"
        "X = np.random.default_rng(0).normal(size=(200, 6))\n"
        "model = DecisionTreeRegressor(max_depth=4).fit(X, X[:, 0])\n"
        "start = time.perf_counter(); explain(model, X); explain(model, X[:1]); print(time.perf_counter() - start)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}  # noqa: TID251  # numba asks nowhere else
        took = [
            float(
                subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout
            )
            for _ in range(2)
        ]
    print(f"\nFirst explanation ever: {took[0]:.1f} s; in the next process: {took[1]:.2f} s   [gate: 10 s, cached]")


def main() -> None:
    """Print every comparison."""
    arguments = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if arguments.parse_args().quick else 7
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (xgboost, lightgbm, shap, sklearn, numba, np))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {versions}")
    print(f"load when started: {os.getloadavg()[0]:.1f}; medians of {rounds} alternating rounds")
    X, y = some_rows()
    batches(X, y, 100, 6, rounds, "20 times pred_contribs")
    batches(X, y, 500, 8, rounds, "15 times pred_contribs")
    against_background(X, y, 100, 6, rounds, "100 times shap")
    against_background(X, y, 500, 8, max(2, rounds // 2), "none")
    other_libraries(X, y, rounds)
    boundaries(X, y, rounds)
    first_compilation()


if __name__ == "__main__":
    main()
