"""Does the explanation tell what the model does, also where real cases lie and an attacker would not look?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit.checks.check import Finding, Group, Limits, limit_of
from audit.checks.examined import Examined, Floats, Indices
from audit.checks.explanation_trust import LOOKED_AT, instability, second_opinions
from audit.checks.wording import named, percent
from explainers.explanation import Explanation
from explainers.predictor import Predictor
from policies.errors import Sentence

PROBED_ROWS = 500
POOL = 2_000
"""Explained rows among which neighbours are looked for."""

NEIGHBOURS = 5
LEAST_ROWS = 50


@dataclass(frozen=True)
class ExplanationFidelity:
    """Swaps one feature at a time between near neighbours and compares what happens with what the explanation says.

    A model that behaves one way on real cases and another on the artificial ones an explainer asks about (Slack
    et al. 2020) gives itself away here: neighbours are real cases, and swapping one feature keeps them close to
    real ones.
    """

    name: str = "explanation_fidelity"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return two findings: effects in the right place, a group per feature; and steadiness under tiny noise.

        The first carries the second opinion of another explainer as evidence; it decides nothing.
        """
        explanation, predictor = examined.explanation, examined.predictor
        if explanation is None or predictor is None or examined.inputs is None:
            return (self._declines(len(examined), _NO_MODEL),)
        if len(explanation) < LEAST_ROWS:
            return (self._declines(len(explanation), _FEW_ROWS),)
        limit = limit_of(limits, self.name, "most_disagreement")
        n = len(explanation)
        pool = _sample(examined, n, POOL, "explanation_fidelity pool")
        rows = _sample(examined, len(pool), PROBED_ROWS, "explanation_fidelity rows")
        inputs = examined.inputs if examined.explained_rows is None else examined.inputs[examined.explained_rows]
        generator = examined.generator("explanation_fidelity")
        real, told = effects(predictor, explanation.contributions[pool], inputs[pool], rows, generator)
        apart = disagreement(real, told)
        holds = bool(apart <= limit)
        groups = _lines(explanation, real, told)
        return (
            Finding(
                check=self.name,
                holds=holds,
                measured=apart,
                limit=limit,
                unit="share",
                n=len(rows),
                groups=groups,
                says=_sentence(groups, apart, limit),
                evidence={
                    "residual": explanation.residual,
                    "method": explanation.method,
                    "exact": predictor.exact,
                    "second_opinion": second_opinions(predictor, inputs, explanation, examined.seed),
                },
            ),
            self._steadiness(examined, predictor, inputs, explanation, limit_of(limits, self.name, "most_unsteady")),
        )

    def _steadiness(
        self, examined: Examined, predictor: Predictor, inputs: Floats, explanation: Explanation, limit: float
    ) -> Finding:
        moved = instability(
            predictor, inputs, explanation.contributions, examined.generator("explanation_fidelity noise")
        )
        return Finding(
            check=self.name,
            holds=bool(moved <= limit),
            measured=moved,
            limit=limit,
            unit="share",
            n=min(len(explanation), LOOKED_AT),
            says=Sentence(
                en=f"noise of a thousandth of each standard deviation moves {percent(moved)} of an explanation; at "
                f"most {percent(limit)} is allowed"
                + ("" if moved <= limit else ": two readings of the same state would get different reasons"),
                zh=f"标准差千分之一的噪声使解释变动 {percent(moved)}，上限为 {percent(limit)}"
                + ("" if moved <= limit else "：同一状态的两次读数会得到不同的理由"),
            ),
        )

    def _declines(self, n: int, says: Sentence) -> Finding:
        return Finding(check=self.name, holds=None, n=n, says=says)


_NO_MODEL = Sentence(
    en="cannot conclude: without the model there is no explanation to test; hand in the model",
    zh="无法得出结论：未提交模型，没有可供检验的解释，请提交模型文件",
)
_FEW_ROWS = Sentence(
    en=f"cannot conclude: at least {LEAST_ROWS} explained rows are needed",
    zh=f"无法得出结论：至少需要 {LEAST_ROWS} 行已解释的数据",
)


def _sample(examined: Examined, n: int, most: int, purpose: str) -> Indices:
    if n <= most:
        return np.arange(n)
    return np.sort(examined.generator(purpose).choice(n, most, replace=False))


def effects(
    predictor: Predictor, contributions: Floats, inputs: Floats, rows: Indices, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return per feature the mean effect of swapping it with a neighbour: as the model does, as it is told.

    The neighbour is one of the five rows most alike in all other features, so the swapped row could be real.

    Parameters
    ----------
    contributions, inputs : arrays of shape (n_rows, n_features)
        The explained rows.
    rows : array of int
        Which of them are probed.

    Returns
    -------
    real, told : arrays of shape (n_features,)
        Mean absolute change of the margin; mean absolute difference of the contributions of the two neighbours.
    """
    scaled = _scaled(inputs)
    apart = ((scaled[rows, None, :] - scaled[None, :, :]) ** 2).sum(axis=2)
    apart[np.arange(len(rows)), rows] = np.inf  # nobody is his own neighbour
    before = predictor.margins(inputs[rows])
    real, told = np.zeros(inputs.shape[1]), np.zeros(inputs.shape[1])
    for j in range(inputs.shape[1]):
        alike = apart - (scaled[rows, None, j] - scaled[None, :, j]) ** 2
        partner = _one_of_the_nearest(alike, generator)
        swapped = inputs[rows].copy()
        swapped[:, j] = inputs[partner, j]
        differs = ~((swapped[:, j] == inputs[rows, j]) | (np.isnan(swapped[:, j]) & np.isnan(inputs[rows, j])))
        if differs.any():
            real[j] = float(np.abs(predictor.margins(swapped) - before).mean())
            moved = contributions[partner, j] - contributions[rows, j]
            told[j] = float((np.abs(moved) * differs).mean())
    return real, told


def _scaled(inputs: Floats) -> Floats:
    """Features brought to like spread, missing values at the mean."""
    known = np.isfinite(inputs)
    mean = np.where(known, inputs, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, inputs, mean)
    spread = filled.std(axis=0)
    return np.asarray((filled - mean) / np.where(spread > 0, spread, 1.0))


def _one_of_the_nearest(apart: Floats, generator: np.random.Generator) -> Indices:
    """For every line of distances one of the five smallest."""
    near = min(NEIGHBOURS, apart.shape[1] - 1)
    nearest = np.argpartition(apart, near - 1, axis=1)[:, :near]
    return np.asarray(nearest[np.arange(len(apart)), generator.integers(0, near, len(apart))])


def disagreement(real: Floats, told: Floats) -> float:
    """Return how much of the effect the explanation puts in the wrong place, from 0 to 1.

    Half the sum of differences of the two distributions over features (total variation).

    Examples
    --------
    >>> disagreement(np.array([1.0, 1.0]), np.array([1.0, 0.0]))
    0.5
    """
    if real.sum() <= 0 or told.sum() <= 0:
        return 0.0 if real.sum() == told.sum() else 1.0
    return float(np.abs(real / real.sum() - told / told.sum()).sum() / 2)


def _lines(explanation: Explanation, real: Floats, told: Floats) -> tuple[Group, ...]:
    shares = [effect / effect.sum() if effect.sum() > 0 else effect for effect in (real, told)]
    order = np.argsort(-shares[0], kind="stable")
    return tuple(
        {
            "feature": explanation.feature_names[j],
            "real_effect": float(shares[0][j]),
            "explained_effect": float(shares[1][j]),
        }
        for j in order
    )


def _sentence(groups: tuple[Group, ...], apart: float, limit: float) -> Sentence:
    more = Sentence(en="", zh="")
    if apart > limit:
        by_credit = sorted(groups, key=lambda one: float(str(one["explained_effect"])) - float(str(one["real_effect"])))
        hidden, credited = named([str(by_credit[0]["feature"])]), named([str(by_credit[-1]["feature"])])
        more = Sentence(
            en=f"; it credits {credited.en} with effects that other features have, most of all {hidden.en}: do "
            "not trust "
            "this explanation, the model may be built to deceive it",
            zh=f"；它把其他特征（主要是{hidden.zh}）的影响归给了{credited.zh}：该解释不可信，模型可能有意误导解释",
        )
    return Sentence(
        en=f"when features are swapped between similar cases, the explanation puts {percent(apart)} of the "
        "effect in the "
        f"wrong place; at most {percent(limit)} is allowed{more.en}",
        zh=f"在相似案例间逐一交换特征时，解释将 {percent(apart)} 的影响归错了特征，上限为 {percent(limit)}{more.zh}",
    )
