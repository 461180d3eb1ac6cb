"""Why a model gave its scores: contributions that add up to the scores, or no explanation at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from policies.errors import Malformed, Refused, Sentence

Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-6
"""Largest residual, relative to the sum of all magnitudes that were added."""


class DoesNotAddUp(Refused):
    """Base and contributions do not give the score, so they do not explain it."""

    def __init__(self, method: str, row: int, total: float, score: float) -> None:
        super().__init__(
            Sentence(
                en=f"{method}: in row {row} base and contributions give {total:.9g}, the model said {score:.9g}; "
                "this explanation is withheld",
                zh=f"{method}：第 {row} 行的基准值与各项贡献之和为 {total:.9g}，而模型输出为 {score:.9g}；"
                "该解释不予采用",
            )
        )
        self.method, self.row, self.total, self.score = method, row, total, score


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Contributions of every feature to every score. Exists only if they add up.

    Parameters
    ----------
    contributions : array of shape (n_rows, n_features) or (n_rows, n_features, n_outputs)
        Signed contributions in `unit`. A time series or an image has one column per sensor and time step or
        per region: the layout is spelled in `feature_names`, the law of addition stays the same.
    base : array of shape (), (n_rows,), (n_outputs,) or (n_rows, n_outputs)
        What the model says on average, before it knows the row. One value per row only with two-dimensional
        contributions, one per output only with three-dimensional ones.
    scores : array of shape (n_rows,) or (n_rows, n_outputs)
        What the model said, in `unit`.
    feature_names : tuple of str
        One name per column of `contributions`.
    unit : str
        Unit in which contributions add up: "log-odds", "probability", "value", ...
    method : str
        How the contributions were computed; goes into the trace.
    standard_error : array shaped like `contributions`, or None
        None where the method is exact.

    Raises
    ------
    DoesNotAddUp
        When base and contributions miss a score by more than 1e-6 of the magnitudes added.
    Malformed
        When shapes or names do not fit each other.

    Examples
    --------
    >>> why = Explanation(contributions=np.array([[1.0, -0.5]]), base=np.array(0.25), scores=np.array([0.75]),
    ...                   feature_names=("gas", "age"), unit="log-odds", method="linear")
    >>> why.shares().round(3).tolist()
    [[0.667, 0.333]]
    """

    contributions: Floats
    base: Floats
    scores: Floats
    feature_names: tuple[str, ...]
    unit: str
    method: str
    standard_error: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", np.asarray(self.base, dtype=np.float64))
        self._check_shapes()
        if not len(self.scores):
            return
        totals = self.base + self.contributions.sum(axis=1)
        if len(self.scores) == 1 and totals.size == 1:  # the way of a live decision, where arrays cost too much
            total, score = totals.item(), self.scores.item()
            if abs(total - score) <= TOLERANCE * abs(score):
                return
        magnitude = np.abs(self.base) + np.abs(self.contributions).sum(axis=1) + np.abs(self.scores)
        apart = np.abs(totals - self.scores)
        holds = apart <= TOLERANCE * magnitude + 1e-15
        if not holds.all():
            place = int(np.argmin(holds))  # NaN compares false, so it is found here too
            row = place // (holds.size // len(self.scores))
            raise DoesNotAddUp(self.method, row, float(totals.flat[place]), float(self.scores.flat[place]))

    def _check_shapes(self) -> None:
        shape = self.contributions.shape
        fits = (
            len(shape) in (2, 3)
            and self.scores.shape == shape[:1] + shape[2:]
            and len(self.feature_names) == shape[1]
            and (self.standard_error is None or self.standard_error.shape == shape)
            and self.base.shape in ((), shape[2:], self.scores.shape)
        )
        if not fits:
            raise Malformed(
                Sentence(
                    en=f"contributions {shape}, scores {self.scores.shape}, base {self.base.shape} and "
                    f"{len(self.feature_names)} feature names do not describe the same rows and features",
                    zh=f"贡献数组 {shape}、分数 {self.scores.shape}、基准值 {self.base.shape} 与 "
                    f"{len(self.feature_names)} 个特征名的行列不一致",
                )
            )

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def residual(self) -> float:
        """Largest distance between a score and what base and contributions give; 0 for no rows."""
        if not len(self):
            return 0.0
        return float(np.max(np.abs(self.base + self.contributions.sum(axis=1) - self.scores)))

    def shares(self) -> Floats:
        """Return how much of each score every feature carries: |contribution| / sum of |contributions|.

        Rows of zeros stay rows of zeros: a score that no feature moved is carried by none.
        """
        size = np.abs(self.contributions)
        total = size.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(size, total, out=np.zeros_like(size), where=total > 0))

    def row(self, i: int) -> Explanation:
        """Return the explanation of row `i` alone (still with a row axis of length 1)."""
        at = slice(i, i + 1) if i != -1 else slice(-1, None)
        by_row = self.base.shape == self.scores.shape
        return replace(
            self,
            contributions=self.contributions[at],
            scores=self.scores[at],
            base=self.base[at] if by_row else self.base,
            standard_error=None if self.standard_error is None else self.standard_error[at],
        )

    def output(self, k: int) -> Explanation:
        """Return the explanation of output `k` alone, such as one class of several."""
        if self.contributions.ndim == 2:
            return self
        return replace(
            self,
            contributions=self.contributions[:, :, k],
            scores=self.scores[:, k],
            base=self.base[..., k] if self.base.ndim else self.base,
            standard_error=None if self.standard_error is None else self.standard_error[:, :, k],
        )
