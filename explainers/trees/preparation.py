"""What is worked out once per model and remembered by the digest of its artifact."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explainers.trees.nodes import Nodes
from explainers.trees.path_dependent import explain_by_paths
from explainers.trees.patterns import PatternTables, explain_by_tables
from explainers.trees.prepared import Prepared, cover_mean, make_prepared
from explainers.trees.routes import sum_leaves
from explainers.trees.tables import path_tables

Floats = npt.NDArray[np.float64]

REMEMBERED = 8
"""How many models are kept prepared in memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Preparation:
    """A model ready to be explained: pattern tables where they are small enough, else the constants of its splits."""

    base: Floats
    n_features: int
    how: PatternTables | Prepared

    def explain(self, nodes: Nodes, X: Floats, offset: Floats) -> tuple[Floats, Floats]:
        """Return contributions of shape (n_rows, n_features, n_outputs), and margins of shape (n_rows, n_outputs)."""
        if isinstance(self.how, PatternTables):
            return explain_by_tables(nodes, self.how, X, offset)
        return explain_by_paths(nodes, self.how, X, len(self.base)), sum_leaves(nodes, X, offset)

    @property
    def nbytes(self) -> int:
        """Bytes held by the preparation."""
        return self.how.nbytes


_MEMORY: OrderedDict[tuple[str, int], Preparation] = OrderedDict()


def prepare(digest: str, nodes: Nodes, offset: Floats, n_features: int) -> Preparation:
    """Return the preparation of a model, remembered by its digest."""
    key = (digest, n_features)
    found = _MEMORY.get(key)
    if found is None:
        found = _MEMORY[key] = make_preparation(nodes, offset, n_features)
        while len(_MEMORY) > REMEMBERED:
            _MEMORY.popitem(last=False)
    return found


def make_preparation(nodes: Nodes, offset: Floats, n_features: int) -> Preparation:
    """Work the preparation out."""
    tables = path_tables(nodes)
    if tables is not None:
        return Preparation(base=cover_mean(nodes, offset), n_features=n_features, how=tables)
    prepared = make_prepared(nodes, n_features)
    return Preparation(base=cover_mean(nodes, offset), n_features=n_features, how=prepared)
