"""Any function of rows: seeded permutation Shapley values with their standard error."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from explainers.matrix import check_matrix
from policies.errors import Malformed, Sentence, refuse_all

Floats = npt.NDArray[np.float64]

BATCH = 65_536
"""Rows handed to the function at once, so that memory stays flat."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlackBox:
    """A function that can be asked but not read.

    A feature is taken out by putting in its value from a background row. Features enter in a random order and
    then once more in the reverse order (antithetic pairs): what one order overstates the other understates.
    Both walks of a pair use the same background row, and background rows are spread evenly over the pairs.

    Parameters
    ----------
    function : callable
        From a matrix of shape (n_rows, n_features) to scores of shape (n_rows,) or (n_rows, n_outputs).
    background : array of shape (n_background, n_features)
        What an absent feature is replaced with.
    seed : int
        The same seed gives the same contributions.
    pairs : int
        Pairs of orders per row; at least 2, else there is no standard error. One row costs
        2 * pairs * (n_features + 1) evaluations. 0 stands for every background row at least twice, and 32 in all:
        then the background is used up evenly and the standard error is that of the orders alone. With other
        numbers it also holds the spread between background rows, and so says too much rather than too little.
    unit : str
        "probability" or "value".

    Raises
    ------
    Malformed
        For an empty background, one of another width, or too few pairs.
    """

    function: Callable[[Floats], npt.ArrayLike]
    feature_names: tuple[str, ...]
    background: Floats
    seed: int = 0
    pairs: int = 0
    unit: str = "value"
    exact: bool = False

    def __post_init__(self) -> None:
        background = check_matrix(self.background, self.feature_names)
        object.__setattr__(self, "background", background)
        faults = []
        if not len(background):
            faults.append(
                Sentence(
                    en="the background has no rows; hand over some rows the model usually sees",
                    zh="背景数据为空，请提供模型日常所见的若干行数据",
                )
            )
        elif self.pairs == 0:
            object.__setattr__(self, "pairs", len(background) * max(2, -(-32 // len(background))))
        if self.pairs < 2 and not faults:
            faults.append(
                Sentence(
                    en=f"{self.pairs} pairs of orders give no standard error; at least 2 are needed",
                    zh=f"仅 {self.pairs} 对排列无法估计标准误，至少需要 2 对",
                )
            )
        refuse_all(faults)

    def margins(self, X: Floats) -> Floats:
        """Return what the function says; its additive space is its own output."""
        return self._ask(check_matrix(X, self.feature_names))

    def scores(self, X: Floats) -> Floats:
        """Return what the function says."""
        return self.margins(X)

    def score_of(self, margins: Floats) -> Floats:
        """Return the margins: this model has no link."""
        return np.asarray(margins, dtype=np.float64)

    def margin_of(self, scores: Floats) -> Floats:
        """Return the scores: this model has no link."""
        return np.asarray(scores, dtype=np.float64)

    def explain(self, X: Floats) -> Explanation:
        """Return permutation Shapley values; base is the mean over the background, additivity is exact."""
        X = check_matrix(X, self.feature_names)
        scores = self.margins(X)
        base = self._ask(self.background).mean(axis=0)
        n, f = X.shape
        contributions = np.zeros((n, f, *scores.shape[1:]))
        error = np.zeros_like(contributions)
        for i in range(n):
            # each row has its own stream, so a row is explained alike alone and among others
            contributions[i], error[i] = self._explain_row(X[i], scores[i], base)
        return Explanation(
            contributions=contributions,
            base=base,
            scores=scores,
            feature_names=self.feature_names,
            unit=self.unit,
            method="permutation",
            standard_error=error,
        )

    def within(self, seconds: float, rows: int, timer: Callable[[], float] = time.perf_counter) -> BlackBox:
        """Return this model with as many pairs as explain `rows` rows in about `seconds`, at least 2.

        One walk of a pair is timed on the background first. The standard error tells what the budget bought.

        Parameters
        ----------
        seconds : float
            For all rows together.
        rows : int
            How many rows are going to be explained.
        timer : callable
            A steady clock in seconds.

        Raises
        ------
        Malformed
            When the budget is not positive or there are no rows.
        """
        if not seconds > 0 or rows < 1:
            raise Malformed(
                Sentence(
                    en=f"a budget of {seconds} s for {rows} rows "
                    "buys nothing; expected more than 0 s and at least 1 row",
                    zh=f"{rows} 行、{seconds} 秒的预算无法完成任何计算，应大于 0 秒且不少于 1 行",
                )
            )
        walk = np.resize(self.background, (2 * (len(self.feature_names) + 1), len(self.feature_names)))
        self._ask(walk)  # the first call of many a library is slow
        began = timer()
        self._ask(walk)
        cost = max(timer() - began, 1e-9)
        return replace(self, pairs=max(2, int(seconds / rows / cost)))

    def _explain_row(self, row: Floats, score: Floats, base: Floats) -> tuple[Floats, Floats]:
        f = len(row)
        random = np.random.default_rng(self.seed)
        orders = np.array([random.permutation(f) for _ in range(self.pairs)]).reshape(self.pairs, f)
        rows = np.resize(random.permutation(len(self.background)), self.pairs)
        orders = np.stack([orders, orders[:, ::-1]], axis=1)  # (pairs, 2, f)
        rank = np.argsort(orders, axis=2)
        steps = np.arange(f + 1)[:, None]
        present = rank[:, :, None, :] < steps  # (pairs, 2, f + 1, f): who is in after each step
        mixed = np.where(present, row, self.background[rows][:, None, None, :])
        values = self._ask(mixed.reshape(-1, f)).reshape(self.pairs, 2, f + 1, *np.shape(score))
        moved = np.diff(values, axis=2)  # gain of the feature that enters at each step
        at = rank.reshape(*rank.shape, *(1,) * np.ndim(score))
        gain = np.take_along_axis(moved, np.broadcast_to(at, moved.shape), axis=2).mean(axis=1)  # (pairs, f, ...)
        phi = gain.mean(axis=0)
        error = self._standard_error(gain)
        # the sampled background rows are not the whole background: what is left over is spread by uncertainty
        rest = np.asarray(score - base - phi.sum(axis=0))
        weight = error**2
        total = weight.sum(axis=0)
        even = np.full_like(weight, 1 / max(f, 1))
        return phi + rest * np.divide(weight, total, out=even, where=total > 0), error

    def _standard_error(self, gain: Floats) -> Floats:
        """Return the standard error of the mean of `gain` (n_pairs, n_features, ...) over pairs."""
        times, left_over = divmod(self.pairs, len(self.background))
        if left_over or times < 2:
            return np.asarray(gain.std(axis=0, ddof=1) / np.sqrt(self.pairs))
        by_row = gain.reshape(times, len(self.background), *gain.shape[1:])
        return np.asarray(np.sqrt(by_row.var(axis=0, ddof=1).mean(axis=0) / self.pairs))

    def _ask(self, X: Floats) -> Floats:
        starts = range(0, len(X), BATCH)
        parts = [np.atleast_1d(np.asarray(self.function(X[at : at + BATCH]), dtype=np.float64)) for at in starts]
        answers = np.concatenate(parts) if parts else np.zeros(0)
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        if answers.ndim not in (1, 2) or len(answers) != len(X):
            raise Malformed(
                Sentence(
                    en=f"the function answered {len(X)} rows with an array of shape {answers.shape}; "
                    "expected one score per row",
                    zh=f"该函数对 {len(X)} 行数据返回了形状为 {answers.shape} 的数组，应为每行一个分数",
                )
            )
        if not np.isfinite(answers).all():
            raise Malformed(
                Sentence(
                    en=f"the function gave {int((~np.isfinite(answers)).sum())} scores that are not finite",
                    zh=f"该函数给出了 {int((~np.isfinite(answers)).sum())} 个非有限分数",
                )
            )
        return answers
