"""From the additive space to the score and back: one increasing link per kind of model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]

UNITS = {
    "identity": "value",
    "probability": "probability",
    "margin": "log-odds",
    "logistic": "log-odds",
    "softmax": "log-odds",
    "one_against_rest": "log-odds",
    "exponential": "log value",
    "square": "signed root of value",
    "power_of_two": "log2 of anomaly score",
}
"""Every link with the unit of its additive space."""


@dataclass(frozen=True)
class Link:
    """An increasing map from margins to scores.

    Parameters
    ----------
    name : key of `UNITS`
        "softmax" and "one_against_rest" act over the last axis of several outputs; they have no inverse.
    slope : float
        Steepness of the logistic links (LightGBM's `sigmoid`).

    Examples
    --------
    >>> link = Link("logistic")
    >>> float(link.score_of(np.array(0.0)))
    0.5
    """

    name: str
    slope: float = 1.0

    @property
    def unit(self) -> str:
        """Unit of the margins."""
        return UNITS[self.name]

    def score_of(self, margins: Floats) -> Floats:
        """Return the scores of these margins."""
        match self.name:
            case "logistic":
                return _logistic(self.slope * margins)
            case "exponential":
                with np.errstate(over="ignore"):
                    return np.asarray(np.exp(margins))
            case "square":
                return np.asarray(np.sign(margins) * margins**2)
            case "power_of_two":
                return np.asarray(np.exp2(margins))
            case "softmax":
                grown = np.exp(margins - margins.max(axis=-1, keepdims=True))
                return np.asarray(grown / grown.sum(axis=-1, keepdims=True))
            case "one_against_rest":
                return _logistic(self.slope * margins)
            case _:
                return margins

    def margin_of(self, scores: Floats) -> Floats:
        """Return the margins of these scores; scores at the end of the range give infinite margins.

        Raises
        ------
        Malformed
            For several outputs: there no single margin belongs to a score.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            match self.name:
                case "logistic" | "one_against_rest":
                    return np.asarray((np.log(scores) - np.log1p(-scores)) / self.slope)
                case "exponential":
                    return np.asarray(np.log(scores))
                case "square":
                    return np.asarray(np.sign(scores) * np.sqrt(np.abs(scores)))
                case "power_of_two":
                    return np.asarray(np.log2(scores))
                case "softmax":
                    raise Malformed(
                        Sentence(
                            en="a probability among several classes depends on all margins, "
                            "so no single margin belongs to it",
                            zh="多分类概率由全部边际值共同决定，无法由单个概率反推出边际值",
                        )
                    )
                case _:
                    return scores


def _logistic(x: Floats) -> Floats:
    # exp of a negative number only: never overflows, and the same bits for scalars and arrays
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))
