"""From a table as handed over to the matrix a model sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from explainers.matrix import as_matrix
from explainers.predictor import Predictor
from policies.errors import Malformed, Sentence

Floats = npt.NDArray[np.float64]


class ColumnsMissing(Malformed):
    """The model was trained on columns that the table does not have."""

    def __init__(self, what: str, missing: tuple[str, ...], *, nameless: bool) -> None:
        shown = ", ".join(f"'{name}'" for name in missing[:8]) + (", …" if len(missing) > 8 else "")
        hint = hint_zh = ""
        if nameless:
            hint = (
                "; the model file does not say which columns it was trained on: train it on a DataFrame, or declare "
                "one [features.NAME] table per feature, in the order of training"
            )
            hint_zh = (
                "；模型文件未注明训练所用的列名：请用 DataFrame 训练，"
                "或按训练时的顺序为每个特征写一个 [features.名称] 表"
            )
        super().__init__(
            Sentence(
                en=f"the model was trained on {shown}, which {what} does not have{hint}",
                zh=f"模型训练时使用了 {shown}，而{what}中没有这些列{hint_zh}",
            )
        )
        self.missing = missing


def inputs_of(frame: pd.DataFrame, predictor: Predictor, what: str = "evaluation data") -> Floats:
    """Return the matrix a predictor sees in a table that may hold more columns than it knows.

    Parameters
    ----------
    frame : DataFrame
        As handed over: features, label, groups, whatever else.
    predictor : Predictor
    what : str
        Name of the table, for sentences.

    Returns
    -------
    float64 array of shape (n_rows, n_features)
        Columns in the predictor's order, NaN for missing, labels of categories as their codes.

    Raises
    ------
    ColumnsMissing
        When columns are absent.
    Malformed
        For text in a number column and for infinite values, every column at once.
    """
    names = predictor.feature_names
    missing = tuple(name for name in names if name not in frame.columns)
    if missing:
        raise ColumnsMissing(what, missing, nameless=are_positions(names))
    return as_matrix(frame[list(names)], names, getattr(predictor, "categories", ()))


def are_positions(names: tuple[str, ...]) -> bool:
    """Whether feature names only count: f0, f1, … (XGBoost, scikit-learn) or Column_0, Column_1, … (LightGBM)."""
    return any(names == tuple(f"{word}{i}" for i in range(len(names))) for word in ("f", "Column_"))
