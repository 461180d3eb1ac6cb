"""Why this cluster and not the next: contributions to how much nearer the chosen centre is.

For clusters that go by squared distance (k-means, Gaussian mixtures of one variance) the difference of two squared
distances is linear in the case, so the contributions are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from explainers.matrix import as_matrix, check_matrix
from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]


def explain_clusters(
    centres: object,
    X: object,
    *,
    feature_names: tuple[str, ...] | None = None,
    background: object | None = None,
) -> tuple[npt.NDArray[np.int64], Explanation]:
    """Return the cluster of every row and why it is nearer than the next best one.

    Parameters
    ----------
    centres : array of shape (n_clusters, n_features), or an object with `cluster_centers_`
        At least two.
    X : DataFrame or array of shape (n_rows, n_features)
        Without missing values: a distance to nowhere is none.
    background : DataFrame or array, optional
        Where contributions are zero; None takes the mean of the centres.

    Returns
    -------
    clusters : array of shape (n_rows,)
        Index of the nearest centre.
    Explanation
        Of `d(next best)² - d(nearest)²`, in squared units of the features: 0 is the border, larger is surer.
        `base` is that difference at the mean of the background and differs from row to row.

    Raises
    ------
    Malformed
        With fewer than two centres, another width, or missing values.

    Examples
    --------
    >>> clusters, why = explain_clusters([[0.0, 0.0], [2.0, 0.0]], [[0.5, 9.0]], feature_names=("gas", "noise"))
    >>> int(clusters[0]), why.contributions[0].tolist(), why.scores.tolist()
    (0, [2.0, 0.0], [2.0])
    """
    names = _names(centres, X, feature_names)
    middles = check_matrix(np.asarray(getattr(centres, "cluster_centers_", centres), dtype=np.float64), names)
    rows = as_matrix(X, names)
    if len(middles) < 2:
        raise Malformed(
            Sentence(
                en=f"why this cluster needs another one to compare with, found {len(middles)} centre",
                zh=f"解释所属聚类至少需要两个聚类中心，实际只有 {len(middles)} 个",
            )
        )
    if np.isnan(rows).any():
        columns = ", ".join(names[j] for j in np.flatnonzero(np.isnan(rows).any(axis=0)))
        raise Malformed(
            Sentence(
                en=f"missing values in {columns}; a distance needs every reading, fill them in first",
                zh=f"{columns} 存在缺失值；计算距离需要全部读数，请先补全",
            )
        )
    origin = middles.mean(axis=0) if background is None else as_matrix(background, names).mean(axis=0)
    distances = ((rows[:, None, :] - middles[None, :, :]) ** 2).sum(axis=2)
    order = np.argsort(distances, axis=1, kind="stable")
    nearest, second = middles[order[:, 0]], middles[order[:, 1]]
    slope = 2.0 * (nearest - second)
    contributions = slope * (rows - origin)
    base = (slope * origin).sum(axis=1) + (second**2).sum(axis=1) - (nearest**2).sum(axis=1)
    why = Explanation(
        contributions=contributions,
        base=base,
        scores=base + contributions.sum(axis=1),
        feature_names=names,
        unit="squared distance",
        method="nearest_centre",
    )
    return order[:, 0].astype(np.int64), why


def _names(centres: Any, X: Any, given: tuple[str, ...] | None) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    known = getattr(centres, "feature_names_in_", getattr(X, "columns", None))
    if known is not None:
        return tuple(str(name) for name in known)
    return tuple(f"f{j}" for j in range(np.asarray(X, dtype=np.float64).shape[-1]))
