"""A model that can score and explain itself: the seam all of the house relies on."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from policies.errors import Sentence, Unavailable

Floats = npt.NDArray[np.float64]


class Predictor(Protocol):
    """A model in its additive space, with the monotone link to the score people see.

    `X` is always float64 of shape (n_rows, n_features), columns in the order of `feature_names`, NaN for
    missing. With several outputs the arrays gain a last axis of length n_outputs.
    """

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of `X`, in order."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the additive space."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the same row gives the same bits again, alone or among others."""
        ...

    def margins(self, X: Floats) -> Floats:
        """Return the model's output in the additive space, shape (n_rows,)."""
        ...

    def scores(self, X: Floats) -> Floats:
        """Return what a threshold is compared with: for a classifier the probability of the positive class."""
        ...

    def score_of(self, margins: Floats) -> Floats:
        """Return the scores of these margins. Increasing."""
        ...

    def margin_of(self, scores: Floats) -> Floats:
        """Return the margins of these scores; the inverse of `score_of`."""
        ...

    def explain(self, X: Floats) -> Explanation:
        """Return the contributions to `margins(X)`."""
        ...


class ModelAway(Unavailable):
    """The process in which a model runs gave no answer: it crashed, hangs, or rests after it did.

    `at_once` says that asking again would be answered the same way without trying.
    """

    def __init__(self, said: Sentence, *, at_once: bool = False) -> None:
        super().__init__(said)
        self.at_once = at_once
