"""A tree ensemble as a value: parsed, checked, scored and explained without the library that trained it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from explainers.links import Link
from explainers.matrix import check_matrix
from explainers.trees.background import Background, against_rows
from explainers.trees.compiled import in_threads
from explainers.trees.nodes import CATEGORIES, ZERO, ZERO_IS_MISSING, Nodes, check_nodes
from explainers.trees.preparation import Preparation, prepare
from explainers.trees.routes import sum_leaves
from explainers.trees.steps import Steps, nearest_changes, profiles, steps_of
from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeEnsemble:
    """A sum of trees and a link. Exists only if its nodes are trees.

    Parameters
    ----------
    nodes : Nodes
        All nodes; leaf values already weighted.
    offset : float array of shape (n_outputs,)
        What is added to every row.
    feature_names : tuple of str
        Columns of `X`, in order.
    link : Link
        From margins to scores.
    digest : str
        SHA-256 of the bytes it was read from; preparation is remembered under it.
    made_by : str
        "xgboost", "lightgbm" or "scikit-learn".
    categories : mapping of column index to labels
        For columns that were labels at training: code k stands for the k-th label.
    background : Background, optional
        What contributions are measured against; see `against`.

    Raises
    ------
    ModelRefused
        When the structure is broken, with every fault found.
    """

    nodes: Nodes
    offset: Floats
    feature_names: tuple[str, ...]
    link: Link
    digest: str
    made_by: str
    categories: tuple[tuple[int, tuple[object, ...]], ...] = ()
    exact: bool = True
    background: Background | None = None

    def __post_init__(self) -> None:
        check_nodes(self.nodes, len(self.feature_names), len(self.offset))

    @property
    def unit(self) -> str:
        """Unit in which trees add up."""
        return self.link.unit

    @property
    def n_outputs(self) -> int:
        """Number of outputs: 1, or one per class."""
        return len(self.offset)

    def margins(self, X: Floats) -> Floats:
        """Return the sum of leaves, shape (n_rows,) or (n_rows, n_outputs); the same bits for one row and many."""
        return self._shaped(sum_leaves(self.nodes, check_matrix(X, self.feature_names), self.offset))

    def scores(self, X: Floats) -> Floats:
        """Return the scores people see."""
        return self.score_of(self.margins(X))

    def score_of(self, margins: Floats) -> Floats:
        """Return the scores of these margins."""
        return self.link.score_of(np.asarray(margins, dtype=np.float64))

    def margin_of(self, scores: Floats) -> Floats:
        """Return the margins of these scores."""
        return self.link.margin_of(np.asarray(scores, dtype=np.float64))

    def explain(self, X: Floats, *, threads: int = 1) -> Explanation:
        """Return exact Shapley values: against the background if there is one, else against the trees' own covers.

        The same row gives the same bits alone, among others and with any number of threads.
        """
        X = check_matrix(X, self.feature_names)
        how: Background | Preparation
        if self.background is not None:
            how, method = self.background, "tree_interventional"
        else:
            how = prepare(self.digest, self.nodes, self.offset, len(self.feature_names))
            method = "tree_path_dependent"
        contributions, margins = in_threads(lambda rows: how.explain(self.nodes, rows, self.offset), X, threads)
        single = self.n_outputs == 1
        return Explanation(
            contributions=contributions[:, :, 0] if single else contributions,
            base=how.base[0] if single else how.base,
            scores=margins[:, 0] if single else margins,
            feature_names=self.feature_names,
            unit=self.unit,
            method=method,
        )

    def against(self, background: Floats) -> TreeEnsemble:
        """Return this ensemble explained against background rows, exactly, instead of the trees' own covers.

        Raises
        ------
        Malformed
            For a background without rows or of another width.
        """
        rows = check_matrix(background, self.feature_names)
        return replace(self, background=against_rows(self.nodes, self.offset, self.digest, rows))

    @cached_property
    def steps(self) -> Steps:
        """The thresholds of every feature: where anything can change."""
        return steps_of(self.nodes, len(self.feature_names))

    def stops(self, feature: int) -> Floats:
        """Return sorted values of which one lies in every interval of a feature, or its categories."""
        edges = self.steps.of(feature)
        found = np.concatenate([edges, np.nextafter(edges, np.inf)])
        if not self.steps.plain[feature]:
            found = np.concatenate([found, self._codes(feature)])
        return np.unique(found[np.isfinite(found)])

    def profile(self, rows: Floats, feature: int) -> Floats | None:
        """Return the margins of `rows` with `feature` at each of its stops, up to rounding.

        None where the walk does not know it: several outputs, missing values in the feature, or splits that
        are not plain thresholds.
        """
        rows = check_matrix(rows, self.feature_names)
        if self.n_outputs > 1 or not self.steps.plain[feature] or np.isnan(rows[:, feature]).any():
            return None
        everything = profiles(self.nodes, self.steps, rows, self.margins(rows), feature)
        first = self.steps.start[feature] + feature
        place = np.searchsorted(self.steps.of(feature), self.stops(feature))
        return np.asarray(everything[:, first + place])

    def nearest_flips(
        self, X: Floats, *, threshold: float, low: Floats, high: Floats
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return for every row and feature the nearest value that gives the other verdict, others staying.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
        threshold : float
            A score at or above it is one verdict, below it the other.
        low, high : arrays of shape (n_features,)
            Where values may go.

        Returns
        -------
        values : array of shape (n_rows, n_features)
            Each verified by the model's own score; NaN where there is none.
        sure : bool array of shape (n_rows, n_features)
            False where this walk cannot tell: for missing values, for features whose splits are not plain
            thresholds, and where a score is so close to the threshold that rounding decides.

        Raises
        ------
        Malformed
            For several outputs.
        """
        X = check_matrix(X, self.feature_names)
        if self.n_outputs > 1:
            raise Malformed(
                Sentence(
                    en="a verdict belongs to one output; choose one first", zh="结论只针对单一输出，请先选定一个输出"
                )
            )
        margins = self.margins(X)
        above = self.score_of(margins) >= threshold
        limit = float(self.margin_of(np.array(threshold)))
        found = nearest_changes(self.steps, X, profiles(self.nodes, self.steps, X, margins), limit, above, low, high)
        row, column = np.nonzero(~np.isnan(found))
        moved = X[row]
        moved[np.arange(len(row)), column] = found[row, column]
        false = (self.scores(moved) >= threshold) == above[row]
        found[row[false], column[false]] = np.nan
        sure = self.steps.plain & ~np.isnan(X)
        sure[row[false], column[false]] = False
        return found, sure

    def _codes(self, feature: int) -> Floats:
        """Return the categories that splits on a feature list and one they do not; 0 and its neighbours."""
        mine = (self.nodes.feature == feature) & (self.nodes.rule == CATEGORIES)
        words = int(self.nodes.set_words[mine].max(initial=0))
        zero_is_missing = bool(((self.nodes.feature == feature) & (self.nodes.rule == ZERO_IS_MISSING)).any())
        around_zero = np.array([-ZERO, 0.0, ZERO]) if zero_is_missing else np.zeros(0)
        known = [label for column, labels in self.categories if column == feature for label in range(len(labels))]
        codes = np.array(known, dtype=np.float64) if known else np.arange(32.0 * words + 1)
        return np.concatenate([codes if words else np.zeros(0), around_zero, around_zero * (1 + 1e-15)])

    def one_output(self, k: int) -> TreeEnsemble:
        """Return the ensemble of output `k` alone, its margin taken as it is.

        Raises
        ------
        Malformed
            When there is no such output.
        """
        if not 0 <= k < self.n_outputs:
            raise Malformed(
                Sentence(
                    en=f"output {k} does not exist, this model has {self.n_outputs}",
                    zh=f"输出 {k} 不存在，该模型共有 {self.n_outputs} 个输出",
                )
            )
        mine = self.nodes.output == k
        nodes = replace(self.nodes, roots=self.nodes.roots[mine], output=np.zeros(int(mine.sum()), dtype=np.int32))
        link = Link("margin") if self.link.name == "softmax" else self.link
        digest = f"{self.digest}/{k}"
        return replace(self, nodes=nodes, offset=self.offset[k : k + 1], link=link, digest=digest)

    def _shaped(self, out: Floats) -> Floats:
        return out[:, 0] if self.n_outputs == 1 else out
