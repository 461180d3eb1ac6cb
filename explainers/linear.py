"""Linear models: contributions in closed form, against the mean of a background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from explainers.explanation import Explanation
from explainers.links import Link
from explainers.matrix import check_matrix
from policies.errors import Malformed, Sentence, refuse_all

Floats = npt.NDArray[np.float64]

LOGISTIC = ("LogisticRegression", "LogisticRegressionCV")
LOG_LINK = ("PoissonRegressor", "GammaRegressor")
PLAIN: tuple[str, ...] = (
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
)
PLAIN += ("LinearSVC", "LinearSVR", "RidgeClassifier", "BayesianRidge", "SGDRegressor", "TheilSenRegressor")
SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearModel:
    """A weighted sum with a link: weight_i * (x_i - reference_i) is the exact Shapley value of feature i.

    Parameters
    ----------
    weights : float array of shape (n_features,) or (n_features, n_outputs)
        In the unit of the raw columns; scaling steps are folded in.
    intercept : float array of shape () or (n_outputs,)
        Margin of a row of zeros.
    reference : float array of shape (n_features,)
        Mean of the background: where a feature contributes nothing.
    feature_names : tuple of str
        Columns of `X`, in order.
    link : Link
        From margins to scores.

    Raises
    ------
    Malformed
        When the arrays do not fit each other or hold values that are not finite.
    """

    weights: Floats
    intercept: Floats
    reference: Floats
    feature_names: tuple[str, ...]
    link: Link
    exact: bool = True

    def __post_init__(self) -> None:
        n = len(self.feature_names)
        object.__setattr__(self, "intercept", np.asarray(self.intercept, dtype=np.float64))
        faults = []
        fits = self.weights.shape[:1] == (n,) and self.reference.shape == (n,)
        if not fits or self.intercept.shape != self.weights.shape[1:]:
            faults.append(
                Sentence(
                    en=f"{n} feature names, weights {self.weights.shape}, intercept {self.intercept.shape} and "
                    f"reference {self.reference.shape} do not fit each other",
                    zh=f"特征名 {n} 个，权重 {self.weights.shape}、截距 {self.intercept.shape}、"
                    f"参考值 {self.reference.shape} 的形状不一致",
                )
            )
        for en, zh, array in (
            ("weights", "权重", self.weights),
            ("intercept", "截距", self.intercept),
            ("reference", "参考值", self.reference),
        ):
            if not np.isfinite(array).all():
                faults.append(
                    Sentence(en=f"the {en} of the linear model are not finite", zh=f"线性模型的{zh}含非有限数")
                )
        refuse_all(faults)

    @property
    def unit(self) -> str:
        """Unit in which contributions add up."""
        return self.link.unit

    def margins(self, X: Floats) -> Floats:
        """Return intercept plus weights, added column after column, so one row and many give the same bits."""
        X = self._complete(X)
        total = np.broadcast_to(self.intercept, (len(X), *self.intercept.shape)).copy()
        for j in range(X.shape[1]):
            total += X[:, j].reshape(-1, *(1,) * self.intercept.ndim) * self.weights[j]
        return total

    def scores(self, X: Floats) -> Floats:
        """Return the scores people see."""
        return self.score_of(self.margins(X))

    def score_of(self, margins: Floats) -> Floats:
        """Return the scores of these margins."""
        return self.link.score_of(np.asarray(margins, dtype=np.float64))

    def margin_of(self, scores: Floats) -> Floats:
        """Return the margins of these scores."""
        return self.link.margin_of(np.asarray(scores, dtype=np.float64))

    def explain(self, X: Floats) -> Explanation:
        """Return weight times distance from the reference, for every feature."""
        X = self._complete(X)
        away = X - self.reference
        contributions = away[:, :, None] * self.weights if self.weights.ndim == 2 else away * self.weights
        return Explanation(
            contributions=contributions,
            base=self.intercept + self.reference @ self.weights,
            scores=self.margins(X),
            feature_names=self.feature_names,
            unit=self.unit,
            method="linear",
        )

    def _complete(self, X: Floats) -> Floats:
        X = check_matrix(X, self.feature_names)
        if np.isnan(X).any():
            columns = np.flatnonzero(np.isnan(X).any(axis=0))
            refuse_all(
                Sentence(
                    en=f"'{self.feature_names[j]}' is missing in {int(np.isnan(X[:, j]).sum())} rows; "
                    "a linear model has no answer for missing values",
                    zh=f"“{self.feature_names[j]}”有 {int(np.isnan(X[:, j]).sum())} 行缺失，线性模型无法处理缺失值",
                )
                for j in columns
            )
        return X


def read_linear(model: Any, background: Floats | None = None) -> LinearModel:
    """Return the linear model inside a fitted scikit-learn estimator or pipeline of scalers and one.

    Parameters
    ----------
    model : fitted estimator
        Linear or logistic regression, ridge, lasso, a generalised linear model with log link, or a Pipeline
        whose steps before it only shift and scale columns.
    background : array of shape (n_rows, n_features), optional
        Its mean is the reference. Without it the mean a StandardScaler saw at training, else zeros.

    Raises
    ------
    Malformed
        For other models or steps, and for a model that knows one class only.
    """
    parts: list[Any] = [step for _, step in model.steps] if type(model).__name__ == "Pipeline" else [model]
    steps = [step for step in parts if step is not None and not isinstance(step, str)]
    *scalers, last = steps
    kind = type(last).__name__
    if kind not in (*LOGISTIC, *LOG_LINK, *PLAIN) or any(type(s).__name__ not in SCALERS for s in scalers):
        chain = " -> ".join(type(step).__name__ for step in steps)
        raise Malformed(
            Sentence(en=f"{chain} is not a linear model that can be read", zh=f"{chain} 不是可读取的线性模型")
        )
    if not hasattr(last, "coef_"):
        raise Malformed(Sentence(en=f"this {kind} is not fitted yet", zh=f"该 {kind} 尚未训练"))
    coefficients = np.asarray(last.coef_, dtype=np.float64)
    weights = coefficients.T if coefficients.ndim == 2 else coefficients
    intercept = np.asarray(getattr(last, "intercept_", 0.0), dtype=np.float64)
    if weights.ndim == 2 and weights.shape[1] == 1:
        weights, intercept = weights[:, 0], intercept.reshape(-1)[0]
    intercept = np.broadcast_to(intercept, weights.shape[1:])
    scale, shift = np.ones(len(weights)), np.zeros(len(weights))  # what the last step sees: x * scale + shift
    reference = None
    for scaler in scalers:
        if reference is None and getattr(scaler, "mean_", None) is not None:
            reference = (np.asarray(scaler.mean_) - shift) / scale
        a, b = _affine(scaler, len(weights))
        scale, shift = scale * a, shift * a + b
    if background is not None:
        reference = np.nanmean(background, axis=0)
    names = getattr(steps[0], "feature_names_in_", None)
    return LinearModel(
        weights=(weights.T * scale).T,
        intercept=np.asarray(intercept + shift @ weights),
        reference=np.zeros(len(weights)) if reference is None else np.asarray(reference, dtype=np.float64),
        feature_names=tuple(f"f{i}" for i in range(len(weights))) if names is None else tuple(str(n) for n in names),
        link=_link(kind, weights.ndim == 2, last),
    )


def _link(kind: str, several: bool, last: Any) -> Link:
    if kind in LOGISTIC:
        separate = several and getattr(last, "multi_class", None) == "ovr"
        return Link("one_against_rest" if separate else "softmax" if several else "logistic")
    return Link("exponential" if kind in LOG_LINK else "identity")


def _affine(scaler: Any, n: int) -> tuple[Floats, Floats]:
    """Return a and b such that the scaler turns x into x * a + b."""
    kind = type(scaler).__name__
    if kind == "MinMaxScaler":
        if scaler.clip:
            raise Malformed(
                Sentence(
                    en="a MinMaxScaler that clips is not linear; train with clip=False",
                    zh="启用截断的 MinMaxScaler 不是线性变换，请以 clip=False 训练",
                )
            )
        return np.asarray(scaler.scale_), np.asarray(scaler.min_)
    a = np.ones(n) if getattr(scaler, "scale_", None) is None else 1 / np.asarray(scaler.scale_)
    centre: Any = None
    if kind == "StandardScaler" and scaler.with_mean:
        centre = scaler.mean_
    elif kind == "RobustScaler":
        centre = scaler.center_
    return a, np.zeros(n) if centre is None else -np.asarray(centre) * a
