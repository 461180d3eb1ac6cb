"""Why a number came out: exact attributions where exactness exists, honest error bars elsewhere."""

from __future__ import annotations

from explainers.choose import explain, predictor_of
from explainers.explanation import DoesNotAddUp, Explanation
from explainers.predictor import Predictor
from explainers.weight_shares import Capped, hold_caps, weight_shares

__all__ = [
    "Capped",
    "DoesNotAddUp",
    "Explanation",
    "Predictor",
    "explain",
    "hold_caps",
    "predictor_of",
    "weight_shares",
]
