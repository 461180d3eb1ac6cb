"""A permitted version as the predict path holds it, and who asks it what for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from explainers.predictor import Predictor
from policies.declaration import Protective
from policies.deidentification import DeidentificationPlan
from policies.feature_caps import FeatureCaps
from policies.tiers import Tier

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One permitted version with everything a decision needs.

    `lapsed` says that the permit ended within its grace: flagged alarms leave, all else is refused.
    `review_alarms` is the officer's condition that a person looks at every alarm.
    """

    name: str
    version: str
    artifact_digest: str
    rulebook_digest: str
    tier: Tier
    site: str
    predictor: Predictor
    threshold: float
    protective: Protective
    caps: FeatureCaps
    plan: DeidentificationPlan
    review_alarms: bool = False
    lapsed: bool = False

    def alarms(self, scores: Floats) -> Bools:
        """Whether each score is on the protective side; a score that is not a number is."""
        above = scores >= self.threshold
        side = above if self.protective is Protective.AT_OR_ABOVE else ~above
        return np.asarray(side | ~np.isfinite(scores))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who asks what for. `subjects` are pseudonyms, one per row; `times` declare a replay clock, one per row."""

    purpose: str
    caller: str
    subjects: Sequence[str | None] | None = None
    times: Sequence[datetime] | None = None
