"""What `submission.toml` says about the columns, held against the columns that are there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.declaration import Declaration, Flavour, Task
from policies.errors import FieldSentence, Sentence

TWO_OUTCOMES = {Task.CLASSIFICATION, Task.ANOMALY}


def column_faults(declaration: Declaration, name: str, frame: pd.DataFrame, *, training: bool) -> tuple[Sentence, ...]:
    """Return one sentence for everything about this table that the declaration got wrong.

    Parameters
    ----------
    declaration : Declaration
        What was said.
    name : str
        File name, for the sentences.
    frame : DataFrame
        What is there, with at least one row.
    training : bool
        Training rows need the label and the features; evaluation rows every column that is named.
    """
    return tuple(_all_faults(declaration, name, frame, training=training))


def _all_faults(declaration: Declaration, name: str, frame: pd.DataFrame, *, training: bool) -> Iterator[Sentence]:
    yield from absent_columns(declaration, name, [str(column) for column in frame.columns], training=training)
    label = declaration.data.label
    if label in frame.columns:
        yield from _about("data.label", _label_faults(declaration.model.task, name, label, frame[label]))
    prediction = declaration.data.prediction
    scored = declaration.model.flavour is Flavour.PREDICTIONS and not training
    if scored and prediction is not None and prediction in frame.columns:
        found = _prediction_faults(declaration.model.task, name, prediction, frame[prediction])
        yield from _about("data.prediction", found)
    yield from _constant_faults(declaration, name, frame)


def absent_columns(declaration: Declaration, name: str, there: list[str], *, training: bool) -> Iterator[Sentence]:
    """Say of every column that the declaration names and that is not `there` that it is missing."""
    for key, column in _named_columns(declaration, training=training):
        if column not in there:
            yield _absent(name, key, column, there)


def _about(key: str, faults: Iterator[Sentence]) -> Iterator[Sentence]:
    return (fault.about(key) for fault in faults)


def _named_columns(declaration: Declaration, *, training: bool) -> Iterator[tuple[str, str]]:
    data = declaration.data
    yield "data.label", data.label
    if not training:
        for key, column in (("prediction", data.prediction), ("time", data.time), ("subject", data.subject)):
            if column is not None:
                yield f"data.{key}", column
        for column in data.groups:
            yield "data.groups", column
        for track, column in data.labels_by.items():
            yield f"data.labels_by.{track}", column
    for column in declaration.features:
        yield f"features.{column}", column


def _absent(name: str, key: str, column: str, there: list[str]) -> Sentence:
    near = difflib.get_close_matches(column, there, n=1)
    if near:
        en, zh = f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？"
    else:
        en = f"there are {', '.join(there[:12])}{', …' if len(there) > 12 else ''}"
        zh = f"现有列：{'、'.join(there[:12])}{'……' if len(there) > 12 else ''}"
    return FieldSentence(
        en=f"{name}: {key} names the column '{column}', which is not there; {en}",
        zh=f"{name}：{key} 指定的列“{column}”不存在；{zh}",
        field=key,
    )


def _label_faults(task: Task, name: str, label: str, column: pd.Series) -> Iterator[Sentence]:
    missing = column.isna().to_numpy(dtype=bool)
    if missing.any():
        first = int(np.argmax(missing)) + 1
        yield Sentence(
            en=f"{name}: the label '{label}' is missing in {int(missing.sum()):,} of {len(column):,} rows, "
            f"first in data row {first:,}; leave out rows whose outcome is not known",
            zh=f"{name}：标签“{label}”在 {len(column):,} 行中缺失 {int(missing.sum()):,} 行，"
            f"首次出现在第 {first:,} 个数据行；结果未知的行请去除",
        )
    present = column[~missing]
    if task is Task.CLUSTERING or not len(present):
        return
    values = outcome_numbers(present)
    if values is None:
        example = next(value for value in present.tolist() if outcome_numbers(pd.Series([value])) is None)
        yield Sentence(
            en=f"{name}: the label '{label}' holds {example!r}; expected {_expected(task, 'en')}",
            zh=f"{name}：标签“{label}”中含有 {example!r}，应为{_expected(task, 'zh')}",
        )
    elif task in TWO_OUTCOMES:
        yield from _two_outcome_faults(name, label, values)
    else:
        yield from _quantity_faults(name, label, values)


def _expected(task: Task, language: str) -> str:
    if task in TWO_OUTCOMES:
        return "0 and 1" if language == "en" else " 0 和 1"
    return "numbers" if language == "en" else "数值"


def _two_outcome_faults(name: str, label: str, values: npt.NDArray[np.float64]) -> Iterator[Sentence]:
    distinct = np.unique(values)
    other = distinct[(distinct != 0) & (distinct != 1)]
    if len(other):
        yield Sentence(
            en=f"{name}: the label '{label}' holds {len(distinct):,} different values, such as {other[0]:g}; "
            "expected 0 and 1",
            zh=f"{name}：标签“{label}”含有 {len(distinct):,} 种取值（如 {other[0]:g}），应为 0 和 1",
        )
    elif len(distinct) == 1:
        yield Sentence(
            en=f"{name}: the label '{label}' is {distinct[0]:g} in all {len(values):,} rows; "
            "rows of both outcomes are needed",
            zh=f"{name}：标签“{label}”在全部 {len(values):,} 行中均为 {distinct[0]:g}，需要同时包含两种结果的数据行",
        )


def _quantity_faults(name: str, label: str, values: npt.NDArray[np.float64]) -> Iterator[Sentence]:
    infinite = int((~np.isfinite(values)).sum())
    if infinite:
        yield Sentence(
            en=f"{name}: the label '{label}' is infinite in {infinite:,} rows; expected numbers",
            zh=f"{name}：标签“{label}”有 {infinite:,} 行为无穷大，应为有限数值",
        )
    elif (values == values[0]).all():
        yield Sentence(
            en=f"{name}: the label '{label}' is {values[0]:g} in all {len(values):,} rows; "
            "a constant cannot be predicted",
            zh=f"{name}：标签“{label}”在全部 {len(values):,} 行中均为 {values[0]:g}，常量无从预测",
        )


def outcome_numbers(column: pd.Series) -> npt.NDArray[np.float64] | None:
    """Return a column of numbers or booleans as float64 with NaN for missing, None where it holds anything else.

    Examples
    --------
    >>> outcome_numbers(pd.Series([True, None, False])).tolist()
    [1.0, nan, 0.0]
    >>> outcome_numbers(pd.Series(["yes", "no"])) is None
    True
    """
    if column.dtype.kind in "mM" or isinstance(column.dtype, pd.CategoricalDtype):
        return None
    if pd.api.types.is_object_dtype(column.dtype) and any(isinstance(value, str) for value in column.tolist()):
        return None
    try:
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError):
        return None


def _prediction_faults(task: Task, name: str, prediction: str, column: pd.Series) -> Iterator[Sentence]:
    numbers = outcome_numbers(column)
    if numbers is None:
        yield Sentence(
            en=f"{name}: the prediction '{prediction}' holds {column.dropna().iloc[0]!r}; expected numbers",
            zh=f"{name}：预测列“{prediction}”中含有 {column.dropna().iloc[0]!r}，应为数值",
        )
        return
    good = np.isfinite(numbers)
    expected = ("a number", "有限数值")
    if task is Task.CLASSIFICATION:
        with np.errstate(invalid="ignore"):
            good &= (numbers >= 0) & (numbers <= 1)
        expected = ("a probability in [0, 1]", "[0, 1] 内的概率")
    if not good.all():
        first = int(np.argmin(good))
        yield Sentence(
            en=f"{name}: the prediction '{prediction}' is {numbers[first]:g} in data row {first + 1:,}, and in "
            f"{int((~good).sum()):,} rows altogether not {expected[0]}",
            zh=f"{name}：预测列“{prediction}”在第 {first + 1:,} 个数据行为 {numbers[first]:g}，"
            f"共有 {int((~good).sum()):,} 行不是{expected[1]}",
        )


def _constant_faults(declaration: Declaration, name: str, frame: pd.DataFrame) -> Iterator[Sentence]:
    """Refuse only a table in which nothing varies; one constant feature among others is for a check to judge."""
    candidates = possible_features(declaration, frame)
    if len(frame) < 2 or not candidates:
        return
    if all(frame[column].nunique(dropna=False) <= 1 for column in candidates):
        yield Sentence(
            en=f"{name}: all {len(candidates)} features are constant; there is nothing a model could decide by",
            zh=f"{name}：全部 {len(candidates)} 个特征均为常量，模型没有可用于判断的依据",
        )


def possible_features(declaration: Declaration, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the declared features that are there; where none is declared, every column without another role."""
    declared = tuple(column for column in declaration.features if column in frame.columns)
    if declaration.features:
        return declared
    data = declaration.data
    taken = {data.label, data.prediction, data.time, data.subject, *data.labels_by.values()}
    return tuple(str(column) for column in frame.columns if column not in taken)
