"""Two more looks at an explanation: does a breath of noise change it, and does a second explainer point elsewhere?"""

from __future__ import annotations

import numpy as np

from audit.checks.columns import usual_spread
from audit.checks.examined import Floats
from explainers.explanation import Explanation
from explainers.lime_tabular import second_opinion
from explainers.predictor import Predictor

BREATH = 1e-3
"""Noise in standard deviations of a feature; a sensor cannot read finer."""

DIGITS = 6
"""Decimals up to which a column is asked whether it is written in them."""

LOOKED_AT = 100
ASKED = 20
MEASURED_FROM = 10
"""Different values from which a feature counts as measured; codes and yes-no answers are not jittered."""


def instability(predictor: Predictor, inputs: Floats, contributions: Floats, generator: np.random.Generator) -> float:
    """Return how much of an explanation a breath of noise moves: median over rows of |change| / |contributions|.

    Parameters
    ----------
    inputs, contributions : arrays of shape (n_rows, n_features)
        Explained rows; at most the first hundred are looked at.

    Returns
    -------
    float
        0 for an explanation that does not move; 1 means as much moved as there was.
    """
    rows = inputs[:LOOKED_AT]
    measured = [len(np.unique(inputs[np.isfinite(inputs[:, j]), j])) > MEASURED_FROM for j in range(inputs.shape[1])]
    spread = np.array([usual_spread(inputs[:, j]) for j in range(inputs.shape[1])])
    noise = generator.normal(size=rows.shape) * spread * BREATH * np.array(measured)
    noise = np.column_stack([as_written(noise[:, j], inputs[:, j]) for j in range(inputs.shape[1])])
    moved = np.abs(predictor.explain(rows + noise).contributions - contributions[:LOOKED_AT]).sum(axis=1)
    size = np.abs(contributions[:LOOKED_AT]).sum(axis=1)
    return float(np.median(np.divide(moved, size, out=np.zeros_like(moved), where=size > 0)))


def as_written(noise: Floats, values: Floats) -> Floats:
    """Return noise rounded to the digits a column is written in: a reading cannot change by less than one of them.

    Examples
    --------
    >>> as_written(np.array([0.004, 0.06]), np.array([1.5, 2.0, 7.1])).tolist()
    [0.0, 0.1]
    >>> as_written(np.array([0.004]), np.array([3.0, 40.0])).tolist()
    [0.0]
    """
    known = values[np.isfinite(values)]
    for digits in range(DIGITS + 1):
        if np.allclose(known, np.round(known, digits), rtol=0.0, atol=1e-9):
            return np.asarray(np.round(noise, digits) + 0.0)
    return noise


def second_opinions(predictor: Predictor, inputs: Floats, explanation: Explanation, seed: int) -> dict[str, object]:
    """Ask LIME about the first twenty rows and return how it compares with the explanation of record.

    Returns
    -------
    mapping
        `asked`, `worth_showing` (its line fits the model there), `median_r2`, and `agree`: of those worth showing,
        the share whose three leading features hold the leading feature of the explanation; None when there is none.
    """
    names = explanation.feature_names
    background = inputs[np.isfinite(inputs).all(axis=1)][:200]
    if len(background) < 2 or explanation.contributions.ndim != 2:
        return {"asked": 0, "worth_showing": 0, "median_r2": None, "agree": None}
    asked = min(ASKED, len(inputs))
    said = [
        second_opinion(predictor.margins, inputs[i], background, names, rows=600, seed=seed + i) for i in range(asked)
    ]
    leading = [names[int(j)] for j in np.argmax(np.abs(explanation.contributions[:asked]), axis=1)]
    worth = [i for i in range(asked) if said[i].worth_showing]
    return {
        "asked": asked,
        "worth_showing": len(worth),
        "median_r2": float(np.median([one.r2 for one in said])),
        "agree": float(np.mean([leading[i] in said[i].ranking()[:3] for i in worth])) if worth else None,
    }
