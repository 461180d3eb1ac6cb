"""From what people hand over to the matrix a model sees: columns by name, numbers only, every fault at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.errors import Malformed, Sentence, refuse_all

Floats = npt.NDArray[np.float64]


def check_matrix(X: Floats, feature_names: Sequence[str]) -> Floats:
    """Return `X` as a C-ordered float64 matrix of the right width without infinities.

    Raises
    ------
    Malformed
        For another number of dimensions or columns, or infinite values; NaN is a missing value and stays.
    """
    X = np.ascontiguousarray(X, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != len(feature_names):
        raise Malformed(
            Sentence(
                en=f"expected rows of {len(feature_names)} features, found an array of shape {X.shape}",
                zh=f"每行应有 {len(feature_names)} 个特征，实际数组形状为 {X.shape}",
            )
        )
    infinite = np.isinf(X)
    if np.count_nonzero(infinite):
        count = infinite.sum(axis=0).tolist()
        refuse_all(
            Sentence(
                en=f"'{feature_names[j]}' is infinite in {count[j]} rows; expected a number or missing",
                zh=f"“{feature_names[j]}”有 {count[j]} 行为无穷大，应为数字或缺失值",
            )
            for j in range(X.shape[1])
            if count[j]
        )
    return X


def as_matrix(
    X: object,
    feature_names: Sequence[str],
    categories: Sequence[tuple[int, tuple[object, ...]]] = (),
) -> Floats:
    """Return the matrix a model sees, from a DataFrame or an array.

    A DataFrame is read by column name, so its order does not matter; an array is read by position.

    Parameters
    ----------
    X : DataFrame, array or nested sequence
        One row per case. None, NaN and NA are missing values.
    feature_names : sequence of str
        What the model was trained on, in its order.
    categories : pairs of column index and labels
        Columns in which a label stands for its position; a label never seen counts as missing.

    Returns
    -------
    float64 array of shape (n_rows, n_features)

    Raises
    ------
    Malformed
        Every missing, additional and non-numeric column, and every infinite one, at once.

    Examples
    --------
    >>> as_matrix(pd.DataFrame({"b": [2], "a": [1]}), ["a", "b"]).tolist()
    [[1.0, 2.0]]
    """
    if isinstance(X, pd.Series):
        X = X.to_frame().T
    if isinstance(X, pd.DataFrame):
        return _from_frame(X, feature_names, dict(categories))
    try:
        made = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise Malformed(
            Sentence(
                en=f"the rows cannot be read as numbers ({problem}); hand over a DataFrame to name text columns",
                zh=f"数据无法按数字读取（{problem}）；若含文本列，请以 DataFrame 形式提供",
            )
        ) from problem
    return check_matrix(made, feature_names)


def _from_frame(X: pd.DataFrame, feature_names: Sequence[str], categories: dict[int, tuple[object, ...]]) -> Floats:
    names = [str(name) for name in X.columns]
    refuse_all(_name_faults(names, feature_names))
    at = {name: i for i, name in enumerate(names)}
    made = np.empty((len(X), len(feature_names)), dtype=np.float64)
    faults: list[Sentence] = []
    for j, name in enumerate(feature_names):
        column = X.iloc[:, at[name]]
        if j in categories and not pd.api.types.is_numeric_dtype(column):
            code = {label: float(k) for k, label in enumerate(categories[j])}
            made[:, j] = [code.get(label, np.nan) for label in column.tolist()]
            continue
        try:
            made[:, j] = _numbers(column)
        except (TypeError, ValueError):
            example = next((v for v in column.tolist() if isinstance(v, str)), column.iloc[0])
            faults.append(
                Sentence(
                    en=f"'{name}' holds {example!r} ({column.dtype}); expected numbers",
                    zh=f"“{name}”中含有 {example!r}（类型 {column.dtype}），应为数字",
                )
            )
    refuse_all(faults)
    return check_matrix(made, feature_names)


def _numbers(column: pd.Series) -> Floats:
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy(dtype=np.float64)
        return np.asarray(np.where(codes < 0, np.nan, codes))
    if column.dtype.kind in "mM":
        raise TypeError("a time is not a number")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _name_faults(names: Sequence[str], feature_names: Sequence[str]) -> list[Sentence]:
    faults = [
        Sentence(
            en=f"column '{name}' is missing; the model was trained with it", zh=f"缺少列“{name}”，模型训练时使用了该列"
        )
        for name in feature_names
        if name not in names
    ]
    faults += [
        Sentence(en=f"column '{name}' is unknown to the model; leave it out", zh=f"模型不认识列“{name}”，请去掉该列")
        for name in names
        if name not in feature_names
    ]
    faults += [
        Sentence(
            en=f"column '{name}' appears {names.count(name)} times", zh=f"列“{name}”重复出现 {names.count(name)} 次"
        )
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    return faults
