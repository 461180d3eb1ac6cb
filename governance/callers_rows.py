"""What callers send as rows: set apart from its context, and refused where it may mean anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from explainers.predictor import Predictor
from policies.declaration import DataPart
from policies.errors import Malformed, Sentence, refuse_all


@dataclass(frozen=True, eq=False)
class NamedRows:
    """A matrix with its column names: what a plant system sends, without the cost of a data frame.

    `matrix` has shape (n_rows, n_columns), NaN where a reading is missing; without `names` its columns are those of
    the model, in the model's order.
    """

    names: tuple[str, ...] | None
    matrix: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.matrix)

    def for_model(self, features: tuple[str, ...]) -> pd.DataFrame | npt.NDArray[np.float64]:
        """Return the columns in the model's order; a data frame where they are others than the model's."""
        if self.names is None or self.names == features:
            return self.matrix
        places = _places_of(features, self.names)
        return pd.DataFrame(self.matrix, columns=list(self.names)) if places is None else self.matrix[:, places]


@lru_cache(maxsize=256)
def _places_of(features: tuple[str, ...], names: tuple[str, ...]) -> list[int] | None:
    """Return where among `names` each feature is; None unless they are the same, each once."""
    if len(names) != len(features) or set(names) != set(features):
        return None
    return [names.index(feature) for feature in features]


def without_context(
    frame: pd.DataFrame, data: DataPart, features: Sequence[str], subjects: Sequence[object] | None
) -> tuple[pd.DataFrame, Sequence[object] | None]:
    """Set aside the columns that were declared as label, group, time or subject and are no features.

    The subject column names the persons concerned when they are not given apart. Any other column that
    the model does not know stays, so that it is refused and not silently dropped.
    """
    if not frame.columns.is_unique:
        return frame, subjects
    if subjects is None and data.subject in frame.columns:
        subjects = list(frame[data.subject])
    declared = {data.label, data.prediction, data.time, data.subject, *data.groups, *data.labels_by.values()}
    beside = [column for column in frame.columns if column in declared and column not in features]
    return frame.drop(columns=beside), subjects


def categories_of(predictor: Predictor) -> Sequence[tuple[int, tuple[object, ...]]]:
    """Return the labels that stand for their position, as at the check; most models have none."""
    found: Sequence[tuple[int, tuple[object, ...]]] = getattr(predictor, "categories", ())
    return found


def require_numbers(frame: pd.DataFrame, features: Sequence[str], predictor: Predictor) -> None:
    """Raise Malformed for text and yes/no where a number is expected: '1,5' or true may mean anything."""
    if not frame.columns.is_unique:
        return
    labelled = {features[place] for place, _ in categories_of(predictor)}
    faults = []
    for name in features:
        if name in labelled or name not in frame.columns or frame[name].dtype.kind in "iuf":
            continue
        strange = next((value for value in frame[name].tolist() if isinstance(value, str | bool | np.bool_)), None)
        if strange is not None:
            faults.append(
                Sentence(
                    en=f"'{name}' holds {strange!r}; expected a number, or null for a missing reading",
                    zh=f"“{name}”中含有 {strange!r}，应为数字，缺失读数请用 null",
                )
            )
    refuse_all(faults)


def is_absent(subject: object) -> bool:
    """Return whether a cell names nobody."""
    return subject is None or subject is pd.NA or subject is pd.NaT or subject != subject or not str(subject).strip()


def require_length(name: str, values: Sequence[object] | None, rows: int) -> None:
    """Raise Malformed when there is not one value per row; None is none at all."""
    if values is not None and len(values) != rows:
        raise Malformed(
            Sentence(
                en=f"{len(values)} {name} were given for {rows} rows; give one per row",
                zh=f"{rows} 行数据却给出了 {len(values)} 个 {name}，应每行一个",
            )
        )
