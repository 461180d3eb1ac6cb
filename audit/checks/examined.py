"""Everything a check may look at: one model, its declaration, its rows, and what it said about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from explainers.explanation import Explanation
from explainers.predictor import Predictor
from policies.declaration import Declaration, Protective
from policies.errors import Malformed
from policies.feature_caps import FeatureCaps
from policies.negative_list import NegativeList
from policies.rulebook import Rulebook
from policies.scenario_files import built_in_list
from policies.tiers import Tier

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """One model under examination. `audit.examination.examined_from` makes it.

    Parameters
    ----------
    evaluation, training : DataFrame
        Every column as handed over; of the evaluation only the rows that have a label.
    inputs : array of shape (n_rows, n_features) or None
        Evaluation rows as the model sees them, after de-identification. None for predictions and endpoints.
    truth : bool array of shape (n_rows,)
        Whether the harm the protective side is there for happened: the label, or its opposite for a model
        that grants permits (`protective = "below"`, where the label says that it stayed safe).
    scores : array of shape (n_rows,)
        What the model said, as compared with the threshold.
    verdicts : bool array of shape (n_rows,)
        True on the protective side.
    explanation : Explanation or None
        Of the rows `explained_rows` (all rows where that is None).
    artifact : mapping
        Facts about the artifact handed down by whoever loaded it.
    unlabelled : int
        Evaluation rows set aside because they have no label.
    negative_list : NegativeList
        Known failures to try; the product's own where no house added to it.
    """

    declaration: Declaration
    rulebook: Rulebook
    tier: Tier
    caps: FeatureCaps
    evaluation: pd.DataFrame
    training: pd.DataFrame | None
    inputs: Floats | None
    truth: Bools
    scores: Floats
    verdicts: Bools
    predictor: Predictor | None
    explanation: Explanation | None
    explained_rows: Indices | None = None
    artifact: Mapping[str, object] = field(default_factory=dict)
    unlabelled: int = 0
    seed: int = 0
    negative_list: NegativeList = field(default_factory=built_in_list)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def danger(self) -> Floats:
        """The score turned so that more means more danger, whichever side of the threshold protects."""
        return self.scores if self.declaration.model.protective is Protective.AT_OR_ABOVE else -self.scores

    @property
    def features(self) -> tuple[str, ...]:
        """Columns the model reads; empty when only its predictions are known."""
        return self.predictor.feature_names if self.predictor is not None else ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Columns the model reads or, where that is not known, every column it might have read."""
        if self.predictor is not None:
            return self.features
        data = self.declaration.data
        aside = {data.label, data.prediction, data.time, data.subject, *data.labels_by.values()}
        return tuple(str(name) for name in self.evaluation.columns if name not in aside)

    def generator(self, purpose: str) -> np.random.Generator:
        """Return the random numbers of one purpose: the same seed and purpose give the same numbers."""
        return np.random.default_rng([self.seed, *purpose.encode()])


def alarms(declaration: Declaration, scores: Floats) -> Bools:
    """Return which scores fall on the protective side; a score that is not a number always does."""
    if declaration.model.protective is Protective.AT_OR_ABOVE:
        side = scores >= declaration.model.threshold
    else:
        side = scores < declaration.model.threshold
    return np.asarray(side | ~np.isfinite(scores))


def verdicts_of(declaration: Declaration, predictor: Predictor, rows: Floats) -> Bools:
    """Return which rows fall on the protective side when a model is asked about rows disturbed on purpose.

    A model may refuse a missing reading, as a linear one does; such a row is handed to a person, so nothing is lost
    and it counts as protective.
    """
    try:
        return alarms(declaration, predictor.scores(rows))
    except Malformed:
        complete = np.isfinite(rows).all(axis=1)
        if complete.all():
            raise
        verdicts = np.ones(len(rows), dtype=bool)
        if complete.any():
            verdicts[complete] = alarms(declaration, predictor.scores(rows[complete]))
        return verdicts
