"""A helper for ML teams: the lightest hand on training that brings capped features within their caps.

Boosted trees that draw a subset of features at every split can be told to draw some of them less often. This searches
for the largest such weight at which the measured shares hold, so that no more is given up than must be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explainers.choose import explain
from explainers.explanation import Explanation
from policies.errors import Refused, Sentence
from policies.feature_caps import FeatureCaps

Floats = npt.NDArray[np.float64]

LIGHTEST = 1e-4
"""Weight under which a feature is as good as left out."""


class CapsOutOfReach(Refused):
    """Even drawn almost never, the capped features carry more than they may."""

    def __init__(self, shares: dict[str, float]) -> None:
        said = ", ".join(f"'{name}' {share:.1%}" for name, share in shares.items())
        super().__init__(
            Sentence(
                en=f"the caps cannot be reached by drawing features less often ({said}); leave these features out",
                zh=f"仅靠减少抽取无法满足权重上限（{said}），请去掉这些特征",
            )
        )
        self.shares = shares


@dataclass(frozen=True, kw_only=True, eq=False)
class WithinCaps:
    """A model that was trained within its caps.

    `weights` (n_features,) is what training was told, 1 for free features; `before` and `after` are the mean shares
    of the capped features when trained freely and now.
    """

    model: object
    weights: Floats
    before: dict[str, float]
    after: dict[str, float]
    trainings: int


def train_within_caps(
    fit: Callable[[Floats], object],
    X: object,
    caps: FeatureCaps,
    feature_names: tuple[str, ...],
    *,
    trainings: int = 10,
) -> WithinCaps:
    """Train with the largest weight for capped features at which their mean shares hold.

    Parameters
    ----------
    fit : callable
        From feature weights of shape (n_features,) in (0, 1] to a fitted model; for XGBoost
        `XGBClassifier(colsample_bynode=0.5, feature_weights=weights).fit(X, y)`.
    X : DataFrame or array of shape (n_rows, n_features)
        Rows the shares are measured on; neither the training rows nor those of the evaluation.
    trainings : int
        How often `fit` may be called.

    Raises
    ------
    CapsOutOfReach
        When the shares stay above the caps even at the smallest weight.
    """
    capped = np.array([name in caps.caps for name in feature_names])

    def tried(weight: float) -> tuple[object, dict[str, float]]:
        model = fit(np.where(capped, weight, 1.0))
        return model, _shares(explain(model, X, feature_names=feature_names), caps)

    model, before = tried(1.0)
    weights, after, done = 1.0, before, 1
    if not _hold(before, caps):
        low, high = np.log(LIGHTEST), 0.0
        model, after = tried(LIGHTEST)
        weights, done = LIGHTEST, 2
        if not _hold(after, caps):
            raise CapsOutOfReach(after)
        for _ in range(trainings - done):
            middle = (low + high) / 2
            candidate, shares = tried(float(np.exp(middle)))
            done += 1
            if _hold(shares, caps):
                low, model, after, weights = middle, candidate, shares, float(np.exp(middle))
            else:
                high = middle
    return WithinCaps(model=model, weights=np.where(capped, weights, 1.0), before=before, after=after, trainings=done)


def _shares(why: Explanation, caps: FeatureCaps) -> dict[str, float]:
    mean = why.shares().mean(axis=0)
    return {name: float(mean[why.feature_names.index(name)]) for name in caps.caps if name in why.feature_names}


def _hold(shares: dict[str, float], caps: FeatureCaps) -> bool:
    each = all(share <= caps.caps[name] for name, share in shares.items())
    return each and (caps.total is None or sum(shares.values()) <= caps.total)
