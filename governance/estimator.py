"""A governed model where scikit-learn wants a fitted classifier: an answer for every row, or an error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from audit.decided import Decided
from governance.governed_model import GovernedModel, RowsRefused
from policies.errors import Malformed, Sentence


class GovernedEstimator(ClassifierMixin, BaseEstimator):
    """A classifier of two classes. Every prediction is decided under the permit, explained and traced.

    Cross-validation, calibration curves and pipelines take it as it is. It was trained before it was submitted, so
    `fit` changes nothing. Where a row is refused it raises `RowsRefused`: a gap in an array would be read as harmless.
    """

    def __init__(self, model: GovernedModel, *, purpose: str | None = None) -> None:
        self.model = model
        self.purpose = purpose

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """The two classes, 0 and 1; the score is about 1."""
        return np.array([0, 1])

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """The features, in the order of the permitted version."""
        return np.array(self.model.feature_names, dtype=object)

    @property
    def n_features_in_(self) -> int:
        """How many features there are."""
        return len(self.model.feature_names)

    def fit(self, X: object, y: object = None) -> GovernedEstimator:
        """Return the estimator unchanged: another training would be another artifact, without a permit."""
        return self

    def predict(self, X: object) -> npt.NDArray[np.int64]:
        """Return the class of every row by the verdict of record, caps and the permit's threshold included.

        Raises
        ------
        RowsRefused, MayNotRun, Malformed
        """
        verdicts = self._whole(X).verdicts
        return np.asarray(verdicts if self.model.protective_above() else ~verdicts, dtype=np.int64)

    def predict_proba(self, X: object) -> npt.NDArray[np.float64]:
        """Return the score of record of every row as probabilities of both classes, shape (n_rows, 2).

        Raises
        ------
        Malformed
            When the model's scores are no probabilities.
        RowsRefused, MayNotRun
        """
        scores = np.asarray(self._whole(X).scores, dtype=np.float64)
        if len(scores) and not (scores.min() >= 0.0 and scores.max() <= 1.0):
            raise Malformed(
                Sentence(
                    en=f"the scores of {self.model.name} are no probabilities; use predict or table",
                    zh=f"{self.model.name} 的分值不是概率，请使用 predict 或 table",
                )
            )
        return np.column_stack([1.0 - scores, scores])

    def _whole(self, X: object) -> Decided:
        decided = self.model.predict(X, purpose=self.purpose)
        if decided.problems:
            raise RowsRefused(decided.problems)
        return decided

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> GovernedEstimator:
        return self
