"""A second opinion: a small linear model fitted around one case, with how well it fits (LIME).

Never the explanation of record. Ribeiro, Singh and Guestrin 2016, doi 10.1145/2939672.2939778: draw rows around the
case, weigh them by nearness, fit a weighted ridge regression. The local R² says whether the line describes the model
there at all; on a strong model it can be near zero, and then the opinion is not worth showing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explainers.matrix import check_matrix
from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]

WORTH_SHOWING = 0.3
"""Local R² below which the opinion should be hidden."""

RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalLine:
    """What the fitted line says of one case.

    Parameters
    ----------
    effects : array of shape (n_features,)
        Coefficient times the case's distance from the background's mean, in the unit of the function.
    intercept : float
        What the line says at the background's mean; `intercept + effects.sum()` is its answer for the case.
    score : float
        What the function itself says.
    r2 : float
        Weighted share of the function's variation around the case that the line describes; at most 1.
    """

    feature_names: tuple[str, ...]
    effects: Floats
    intercept: float
    score: float
    r2: float

    @property
    def worth_showing(self) -> bool:
        """Whether the line describes the model near the case well enough to be an opinion."""
        return self.r2 >= WORTH_SHOWING

    def ranking(self) -> tuple[str, ...]:
        """Return the features by the size of their effect, largest first."""
        return tuple(self.feature_names[j] for j in np.argsort(-np.abs(self.effects), kind="stable"))


def second_opinion(
    function: Callable[[Floats], npt.ArrayLike],
    row: Floats,
    background: Floats,
    feature_names: tuple[str, ...],
    *,
    rows: int = 2000,
    width: float | None = None,
    seed: int = 0,
) -> LocalLine:
    """Fit a line to `function` around `row`.

    Parameters
    ----------
    function : callable
        From a matrix of shape (n_rows, n_features) to scores of shape (n_rows,), such as `Predictor.scores`.
    row : array of shape (n_features,)
        The case. A missing reading is put at the background's mean.
    background : array of shape (n_background, n_features)
        Gives each feature its scale; at least two rows.
    rows : int
        Rows drawn around the case.
    width : float, optional
        Width of the neighbourhood in standard deviations; None takes 0.75 times the root of the number of
        features, as LIME does.
    seed : int
        The same seed gives the same line.

    Raises
    ------
    Malformed
        When the background has fewer than two rows or another width than the row.
    """
    background = check_matrix(background, feature_names)
    case = check_matrix(np.atleast_2d(row), feature_names)[0]
    if len(background) < 2:
        raise Malformed(
            Sentence(
                en=f"a second opinion needs at least 2 background rows, found {len(background)}",
                zh=f"第二意见至少需要 2 行背景数据，实际为 {len(background)} 行",
            )
        )
    mean, scale = _centre(background)
    at = np.where(np.isnan(case), 0.0, (case - mean) / scale)
    steps = np.random.default_rng(seed).normal(size=(rows, len(case)))
    near = np.vstack([at, at + steps])
    scores = np.asarray(function(near * scale + mean), dtype=np.float64).reshape(len(near))
    reach = 0.75 * np.sqrt(len(case)) if width is None else width
    weights = np.exp(-((near - at) ** 2).sum(axis=1) / reach**2)
    slope, intercept = _weighted_ridge(near, scores, weights)
    told = intercept + near @ slope
    middle = np.average(scores, weights=weights)
    around = float((weights * (scores - middle) ** 2).sum())
    missed = float((weights * (scores - told) ** 2).sum())
    return LocalLine(
        feature_names=feature_names,
        effects=slope * at,
        intercept=float(intercept),
        score=float(scores[0]),
        r2=1.0 - missed / around if around > 0 else 0.0,
    )


def _centre(background: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(background)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, background, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (background - mean) ** 2, 0.0).sum(axis=0) / count)
    return mean, np.where(spread > 0, spread, 1.0)


def _weighted_ridge(X: Floats, y: Floats, weights: Floats) -> tuple[Floats, float]:
    """Return slope and intercept of the weighted least-squares line; the intercept is not penalised."""
    total = weights.sum()
    middle_x, middle_y = weights @ X / total, float(weights @ y / total)
    centred = X - middle_x
    gram = (centred * weights[:, None]).T @ centred + RIDGE * total * np.eye(X.shape[1])
    slope = np.linalg.solve(gram, centred.T @ (weights * (y - middle_y)))
    return np.asarray(slope), middle_y - float(middle_x @ slope)
