"""How much weight a feature carries in a decision, and holding capped features to their caps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from policies.errors import Malformed, Sentence
from policies.feature_caps import FeatureCaps, OnExceed

Floats = npt.NDArray[np.float64]


def weight_shares(contributions: Floats) -> Floats:
    """Return how much of each decision every feature carries.

    Parameters
    ----------
    contributions : array of shape (n_rows, n_features)
        Signed contributions, in the unit in which they add up to the score.

    Returns
    -------
    array of shape (n_rows, n_features)
        Shares in [0, 1]; each row sums to 1. A row of zeros stays a row of zeros:
        a score that no feature moved is carried by none.

    Examples
    --------
    >>> weight_shares(np.array([[3.0, -1.0], [0.0, 0.0]])).tolist()
    [[0.75, 0.25], [0.0, 0.0]]
    """
    size = np.abs(contributions)
    total = size.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(size, total, out=np.zeros_like(size), where=total > 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Capped:
    """Decisions after their capped features were held to their caps.

    `contributions` (n_rows, n_features) and `margins` (n_rows,) are those after clipping, in the unit of the
    explanation; `shares_before` and `shares_after` are shaped like `contributions`; `exceeded` (n_rows,) says
    which decisions were above a cap before anything was done. Under "hand_over" nothing is changed.
    """

    contributions: Floats
    margins: Floats
    shares_before: Floats
    shares_after: Floats
    exceeded: npt.NDArray[np.bool_]


def hold_caps(explanation: Explanation, plan: FeatureCaps) -> Capped:
    """Hold the capped features of every decision to their caps, in the additive space.

    Free features are never touched. A capped feature is only ever scaled towards 0, as little as suffices.
    A decision that consists of capped features alone leaves nothing to take a share of: where no other size
    meets the caps, the capped contributions go to 0.

    Parameters
    ----------
    explanation : Explanation
        With one output. Features of the plan that the explanation does not have are ignored.
    plan : FeatureCaps
        The caps.

    Returns
    -------
    Capped
        After clipping every capped share is at most its cap and all together at most the total, to 1e-6.

    Raises
    ------
    Malformed
        When the explanation has several outputs: caps hold for one decision, so choose one output first.
    """
    contributions = explanation.contributions
    if contributions.ndim != 2:
        raise Malformed(
            Sentence(
                en=f"caps hold for one output, this explanation has {contributions.shape[2]}; "
                "choose one with .output(k)",
                zh=f"权重上限只针对单一输出，该解释含有 {contributions.shape[2]} 个输出，请先用 .output(k) 选定其一",
            )
        )
    names = {name: i for i, name in enumerate(explanation.feature_names)}
    held = {names[name]: cap for name, cap in plan.caps.items() if name in names}
    columns = np.array(list(held), dtype=np.intp)
    caps = np.array(list(held.values()), dtype=np.float64)
    before = weight_shares(contributions)
    exceeded = _above(before[:, columns], caps, plan.total)
    after = contributions.copy()
    if plan.on_exceed is OnExceed.CLIP:
        for i in np.flatnonzero(exceeded):
            after[i, columns] = _clipped(contributions[i], columns, caps, plan.total)
    changed = exceeded if plan.on_exceed is OnExceed.CLIP else np.zeros_like(exceeded)
    margins = np.where(changed, explanation.base + after.sum(axis=1), explanation.scores)
    return Capped(
        contributions=after,
        margins=margins,
        shares_before=before,
        shares_after=weight_shares(after),
        exceeded=exceeded,
    )


def _above(shares: Floats, caps: Floats, total: float | None) -> npt.NDArray[np.bool_]:
    above = np.asarray((shares > caps + 1e-9).any(axis=1))
    return above if total is None else above | (shares.sum(axis=1) > total + 1e-9)


def _clipped(row: Floats, columns: npt.NDArray[np.intp], caps: Floats, total: float | None) -> Floats:
    """Return the capped contributions of one decision, scaled towards 0 until every cap holds.

    With free size F, kept sizes k_i and their sum K, the caps say k_i <= c_i (F + K). The largest K that is
    met by k_i = min(|phi_i|, c_i (F + K)) is a fixed point of an increasing, concave, piecewise linear
    function, so iterating down from the unclipped sizes reaches it; the total cap bounds K at T F / (1 - T).
    """
    size = np.abs(row[columns])
    free = float(np.abs(np.delete(row, columns)).sum())
    limit = np.inf if total is None or total >= 1 else total * free / (1 - total)
    kept = _largest_fixed_point(size, caps, free, limit)
    together = kept.sum()
    if together > limit:
        kept *= limit / together
    return np.asarray(np.sign(row[columns]) * kept)


def _largest_fixed_point(size: Floats, caps: Floats, free: float, limit: float) -> Floats:
    """Return k_i = min(size_i, cap_i (free + K)) for the largest consistent K = min(sum k_i, limit)."""
    open_ones = np.ones(len(size), dtype=bool)  # not yet known to be clipped
    while True:
        clipped = ~open_ones
        share = float(caps[clipped].sum())
        loose = float(size[open_ones].sum())
        together = (loose + share * free) / (1 - share) if share < 1 else np.inf
        together = min(together, limit)
        bound = caps * (free + together)
        newly = open_ones & (size > bound)
        if not newly.any():
            return np.asarray(np.minimum(size, bound))
        open_ones &= ~newly
