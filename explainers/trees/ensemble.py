"""A tree ensemble as a value: parsed, checked, scored and explained without the library that trained it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from explainers.links import Link
from explainers.matrix import check_matrix
from explainers.trees.nodes import Nodes, check_nodes
from explainers.trees.path_dependent import explain_by_paths
from explainers.trees.prepared import prepare
from explainers.trees.routes import sum_leaves
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

    def explain(self, X: Floats) -> Explanation:
        """Return exact path-dependent Shapley values: the trees' own covers stand for the background."""
        X = check_matrix(X, self.feature_names)
        prepared = prepare(self)
        contributions = explain_by_paths(prepared, X)
        return Explanation(
            contributions=contributions[:, :, 0] if self.n_outputs == 1 else contributions,
            base=prepared.base[0] if self.n_outputs == 1 else prepared.base,
            scores=self._shaped(sum_leaves(self.nodes, X, self.offset)),
            feature_names=self.feature_names,
            unit=self.unit,
            method="tree_path_dependent",
        )

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
