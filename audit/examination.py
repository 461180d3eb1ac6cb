"""One examination: from a declaration, its rows and its model to the findings of every check, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from audit.checks.artifact_safety import ArtifactSafety
from audit.checks.calibration import Calibration
from audit.checks.check import Check, Finding
from audit.checks.coverage import Coverage
from audit.checks.data_quality import DataQuality
from audit.checks.deidentification import Deidentification
from audit.checks.documentation import Documentation
from audit.checks.examined import Bools, Examined, Floats, Indices, alarms
from audit.checks.explanation_fidelity import ExplanationFidelity
from audit.checks.group_bias import GroupBias
from audit.checks.leakage import Leakage
from audit.checks.negative_list import NegativeListCheck
from audit.checks.performance import Performance
from audit.checks.purpose import Purpose
from audit.checks.robustness import Robustness
from audit.checks.weight_caps import WeightCaps
from audit.deidentify import deidentified, require_no_identifiers
from explainers.explanation import Explanation
from explainers.matrix import as_matrix
from explainers.predictor import Predictor
from policies.declaration import Declaration, Protective, Task
from policies.deidentification import plan_for
from policies.errors import Sentence, refuse_all
from policies.feature_caps import caps_for
from policies.negative_list import NegativeList
from policies.rulebook import Rulebook
from policies.scenario_files import built_in_list
from policies.tiers import Tier

__all__ = ["CHECKS", "Examined", "examine", "examined_from"]

CHECKS: tuple[Check, ...] = (
    ArtifactSafety(),
    Documentation(),
    Purpose(),
    DataQuality(),
    Deidentification(),
    Leakage(),
    Coverage(),
    Performance(),
    Calibration(),
    GroupBias(),
    WeightCaps(),
    ExplanationFidelity(),
    Robustness(),
    NegativeListCheck(),
)
"""Every check, in the order of the report."""

EXPLAINED_EXACTLY = 20_000
"""Rows explained at most where the explanation is exact; a seeded sample of them where there are more."""

EXPLAINED_BY_SAMPLING = 256
"""Rows explained at most where the explanation is sampled and every row costs thousands of model calls."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the check that begins, how many are done, and how many there are."""


def examine(examined: Examined, progress: Progress | None = None) -> tuple[Finding, ...]:
    """Run every check and return all findings, in the order of `CHECKS`.

    A check that cannot conclude returns a finding that says so. An error in a check is a bug and goes through.

    Raises
    ------
    Malformed
        When the rulebook lacks the section or a limit of a check.
    """
    missing = [check.name for check in CHECKS if check.name not in examined.rulebook.checks]
    refuse_all(
        Sentence(
            en=f"the rulebook has no section [checks.{name}]; add it, even if empty",
            zh=f"规则文件缺少 [checks.{name}] 一节，请补上，允许为空",
        )
        for name in missing
    )
    findings: list[Finding] = []
    for done, check in enumerate(CHECKS):
        if progress is not None:
            progress(check.name, done, len(CHECKS))
        findings.extend(check.run(examined, examined.rulebook.limits(check.name, examined.tier)))
    if progress is not None:
        progress("", len(CHECKS), len(CHECKS))
    return tuple(findings)


def examined_from(
    *,
    declaration: Declaration,
    rulebook: Rulebook,
    tier: Tier,
    evaluation: pd.DataFrame,
    training: pd.DataFrame | None = None,
    predictor: Predictor | None = None,
    scores: Floats | None = None,
    artifact: Mapping[str, object] | None = None,
    seed: int = 0,
    negative_list: NegativeList | None = None,
) -> Examined:
    """Put together what the checks look at.

    Parameters
    ----------
    evaluation, training : DataFrame
        Every column as handed over. Rows of the evaluation without a label are set aside and counted.
    predictor : Predictor or None
        The model. None when only its predictions are known.
    scores : array of shape (n_rows,) or None
        Scores of the evaluation rows, such as an endpoint gave them. Without predictor and scores they are
        read from the column `data.prediction`.
    artifact : mapping
        Facts about the artifact, handed down by whoever loaded it.
    seed : int
        Decides which rows are sampled and which noise is added.
    negative_list : NegativeList or None
        Known failures to try; None takes the product's own.

    Raises
    ------
    Malformed
        With every fault: no rows, a missing column, a label that is not two-valued, a score that is missing or
        outside [0, 1].
    IdentifierPresent
        When the model reads a column that identifies a person directly.
    """
    refuse_all(_frame_faults(declaration, evaluation, predictor, scores))
    labels = _labels(declaration, evaluation[declaration.data.label])
    known = np.asarray(~np.isnan(labels))
    refuse_all(_label_faults(declaration, labels))
    rows = evaluation.loc[known].reset_index(drop=True)
    inputs = None if predictor is None else _inputs(rows, predictor, rulebook)
    told = _scores(declaration, rows, known, predictor, inputs, scores)
    refuse_all(_score_faults(declaration, told))
    harmed = np.asarray(labels[known] == 1)
    explained = None if inputs is None or predictor is None else _explained(predictor, inputs, seed)
    return Examined(
        declaration=declaration,
        rulebook=rulebook,
        tier=tier,
        caps=caps_for(_capped_columns(declaration, rows, predictor), rulebook.caps, declaration),
        evaluation=rows,
        training=training,
        inputs=inputs,
        truth=harmed if declaration.model.protective is Protective.AT_OR_ABOVE else ~harmed,
        scores=told,
        verdicts=alarms(declaration, told),
        predictor=predictor,
        explanation=None if explained is None else explained[0],
        explained_rows=None if explained is None else explained[1],
        artifact=dict(artifact or {}),
        unlabelled=int((~known).sum()),
        seed=seed,
        negative_list=negative_list or built_in_list(),
    )


def _frame_faults(
    declaration: Declaration, evaluation: pd.DataFrame, predictor: Predictor | None, scores: Floats | None
) -> list[Sentence]:
    data = declaration.data
    if evaluation.empty:
        return [Sentence(en=f"'{data.evaluation}' has no rows", zh=f"“{data.evaluation}”中没有数据行")]
    needed = {data.label: "data.label", **dict.fromkeys(data.groups, "data.groups")}
    needed |= dict.fromkeys(data.labels_by.values(), "data.labels_by")
    needed |= {column: key for column, key in ((data.time, "data.time"), (data.subject, "data.subject")) if column}
    if predictor is None and scores is None:
        needed[data.prediction or ""] = "data.prediction"
    if predictor is not None:
        needed = dict.fromkeys(predictor.feature_names, "the model") | needed
    faults = [
        Sentence(
            en=f"'{data.evaluation}' has no column '{column}', which {by} asks for",
            zh=f"“{data.evaluation}”缺少列“{column}”（{'模型' if by == 'the model' else by} 需要该列）",
        )
        for column, by in needed.items()
        if column not in evaluation.columns
    ]
    if scores is not None and len(scores) != len(evaluation):
        faults.append(
            Sentence(
                en=f"{len(scores)} scores were handed in for {len(evaluation)} evaluation rows",
                zh=f"评估数据有 {len(evaluation)} 行，却收到 {len(scores)} 个分数",
            )
        )
    return faults


WORDS = {
    "true": 1.0,
    "yes": 1.0,
    "y": 1.0,
    "是": 1.0,
    "有": 1.0,
    "false": 0.0,
    "no": 0.0,
    "n": 0.0,
    "否": 0.0,
    "无": 0.0,
}
"""Words a label may be written in."""


def _labels(declaration: Declaration, column: pd.Series) -> Floats:
    """Return the label as 1, 0 or NaN. A regression's label is 1 where it reaches the threshold."""
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        texts = column.astype("string").str.strip().str.casefold()
        told = pd.to_numeric(texts.replace({word: str(value) for word, value in WORDS.items()}), errors="coerce")
        numbers = told.to_numpy(dtype=np.float64, na_value=np.nan)
        unread = np.isnan(numbers) & column.notna().to_numpy() & (texts != "").fillna(False).to_numpy()
        numbers = np.where(unread, np.inf, numbers)
    if declaration.model.task is Task.REGRESSION:
        reached = (numbers >= declaration.model.threshold).astype(np.float64)
        return np.asarray(np.where(np.isfinite(numbers), reached, numbers))
    return np.asarray(numbers)


def _label_faults(declaration: Declaration, labels: Floats) -> list[Sentence]:
    name = declaration.data.label
    if np.isnan(labels).all():
        return [Sentence(en=f"label '{name}' is empty in every row", zh=f"标签列“{name}”在所有行中均为空")]
    strange = labels[~np.isnan(labels) & ~np.isin(labels, (0.0, 1.0))]
    if not len(strange):
        return []
    example = "text" if np.isinf(strange[0]) else f"{strange[0]:g}"
    shown = "文本" if example == "text" else example
    return [
        Sentence(
            en=f"label '{name}' must be 0 or 1 (or yes and no), found {example} in {len(strange)} rows",
            zh=f"标签列“{name}”应为 0 或 1（或“是”“否”），有 {len(strange)} 行为{shown}",
        )
    ]


def _inputs(rows: pd.DataFrame, predictor: Predictor, rulebook: Rulebook) -> Floats:
    plan = plan_for(predictor.feature_names, rulebook.deidentification)
    require_no_identifiers(plan)
    categories = getattr(predictor, "categories", ())
    matrix = as_matrix(rows[list(predictor.feature_names)], predictor.feature_names, categories)
    return deidentified(matrix, predictor.feature_names, plan)


def _scores(
    declaration: Declaration,
    rows: pd.DataFrame,
    known: Bools,
    predictor: Predictor | None,
    inputs: Floats | None,
    scores: Floats | None,
) -> Floats:
    if scores is not None:
        return np.asarray(scores, dtype=np.float64)[known]
    if predictor is not None and inputs is not None:
        return np.asarray(predictor.scores(inputs), dtype=np.float64)
    column = rows[str(declaration.data.prediction)]
    return np.asarray(pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def _score_faults(declaration: Declaration, scores: Floats) -> list[Sentence]:
    if scores.ndim != 1:
        return [
            Sentence(
                en=f"the model gives {scores.shape[-1]} scores a row; a verdict needs one, choose an output",
                zh=f"模型每行给出 {scores.shape[-1]} 个分数，而判断只需一个，请选定输出",
            )
        ]
    faults = []
    missing = np.flatnonzero(~np.isfinite(scores))
    if len(missing):
        faults.append(
            Sentence(
                en=f"{len(missing)} of {len(scores)} labelled rows have no score that is a number "
                f"(first: row {missing[0] + 1}); every row needs one",
                zh=f"{len(scores)} 行有标签的数据中有 {len(missing)} 行没有数值分数（首处为第 {missing[0] + 1} "
                "行），每行都应有分数",
            )
        )
    outside = np.flatnonzero(np.isfinite(scores) & ((scores < 0) | (scores > 1)))
    if declaration.model.task is Task.CLASSIFICATION and len(outside):
        faults.append(
            Sentence(
                en=f"{len(outside)} scores lie outside [0, 1] (first: row {outside[0] + 1} with "
                f"{scores[outside[0]]:g}); a classification score is a probability",
                zh=f"有 {len(outside)} 个分数超出 [0, 1]（首处为第 {outside[0] + 1} 行，值为 "
                f"{scores[outside[0]]:g}），分类模型的分数应为概率",
            )
        )
    return faults


def _explained(predictor: Predictor, inputs: Floats, seed: int) -> tuple[Explanation, Indices | None]:
    most = EXPLAINED_EXACTLY if predictor.exact else EXPLAINED_BY_SAMPLING
    if len(inputs) <= most:
        return predictor.explain(inputs), None
    chosen = np.sort(np.random.default_rng(seed).choice(len(inputs), most, replace=False))
    return predictor.explain(inputs[chosen]), chosen


def _capped_columns(declaration: Declaration, rows: pd.DataFrame, predictor: Predictor | None) -> list[str]:
    """Columns a cap may name: those of the model and those beside it, for which the model may hold proxies."""
    data = declaration.data
    aside = {data.label, data.prediction, data.time, data.subject, *data.labels_by.values()}
    beside = [str(name) for name in rows.columns if name not in aside]
    return list(dict.fromkeys([*(predictor.feature_names if predictor else ()), *beside]))
