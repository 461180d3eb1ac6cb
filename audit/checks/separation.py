"""Were training and evaluation kept apart: by row, by time, and by whom or what the rows are about?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from audit.checks.check import Limits, limit_of
from audit.checks.columns import numbers, usual_spread
from audit.checks.examined import Bools, Examined, Floats
from audit.checks.intervals import difference, roc_auc
from audit.checks.suspicion import Suspicion
from audit.checks.times import times_of
from audit.checks.wording import percent
from policies.column_names import goes_by
from policies.errors import Sentence

LEAST_OF_EACH = 20
"""Rows of either outcome needed before skill on some of the rows is worth naming."""

NEAR = 0.05
"""Usual spreads within which two readings count as one."""

NEAR_ROWS = 5_000
"""Rows of either part for which near copies are looked for."""

FEW_VALUES = 20
"""Values up to which numbers are codes, which have to be equal."""

SURE = 0.99
"""Confidence of the skills compared: several columns may be looked at, and a leak is a grave word."""


def _limit(limits: Limits, key: str) -> float:
    return limit_of(limits, "leakage", key)


def shared_rows(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Evaluation rows that the training data hold too, beyond what coarse columns make by chance.

    Chance is measured, not assumed: as often as a training row has a twin among the other training rows, an
    evaluation row would find one as well. Where a column is fine enough to tell cases apart, whole rows alike in
    everything are copies, and fewer of them are allowed: they show that the split was not made by case.
    """
    training = examined.training
    if training is None or training.empty:
        return
    most = _limit(limits, "most_shared_rows")
    label = examined.declaration.data.label
    read = [c for c in (*examined.candidates, label) if c in training.columns and c in examined.evaluation.columns]
    common = [str(c) for c in examined.evaluation.columns if c in training.columns]
    if len(read) < 2:
        return
    shared, by_chance = _twins(examined.evaluation[read], training[read])
    n, m = len(examined.evaluation), len(training)
    excess = difference((shared, n), (by_chance, m))
    whole, whole_by_chance = _twins(examined.evaluation[common], training[common])
    copied = difference((whole, n), (whole_by_chance, m))
    most_copied = _limit(limits, "most_copied_rows")
    if excess.value > most and excess.lo > 0:
        share = shared / n
    elif _tells_cases_apart(training[common]) and (whole > most * n or (copied.value > most_copied and copied.lo > 0)):
        share, by_chance, most = whole / n, whole_by_chance, most_copied
    else:
        yield from _near_copies(examined, common, most)
        return
    yield Suspicion(
        column=None,
        kind="shared_rows",
        measured=share,
        limit=most,
        holds=False,
        says=Sentence(
            en=f"{percent(share)} of the evaluation rows are in the training data too (by chance "
            f"{percent(by_chance / m)} "
            f"would be), at most {percent(most)} more is allowed; split again, by case and before copying anything",
            zh=f"{percent(share)} 的评估数据同时出现在训练数据中（偶然重合约 {percent(by_chance / m)}），"
            f"超出部分上限为 {percent(most)}；请按案例重新划分，并在复制数据之前划分",
        ),
    )


def _near_copies(examined: Examined, common: list[str], most: float) -> Iterator[Suspicion]:
    """Evaluation rows that differ from a training row by less than a reading can, beyond what chance makes.

    Alike in every word and code, and within a twentieth of the usual spread in every measured column. Of large
    files a seeded sample of the rows is looked at, always among all training rows.
    """
    generator = examined.generator("leakage near copies")
    places = None if examined.training is None else _placed(examined.evaluation[common], examined.training[common])
    if places is None:
        return
    tree = cKDTree(places[1])
    some = [part[generator.permutation(len(part))[:NEAR_ROWS]] for part in places]
    n, m = (len(part) for part in some)
    near = int((_apart(tree, some[0], 1) <= NEAR).sum())
    by_chance = int((_apart(tree, some[1], 2) <= NEAR).sum())
    excess = difference((near, n), (by_chance, m))
    if excess.value <= most or excess.lo <= 0:
        return
    yield Suspicion(
        column=None,
        kind="near_copies",
        measured=near / n,
        limit=most,
        holds=False,
        says=Sentence(
            en=f"{percent(near / n)} of the evaluation rows are all but training rows: alike in every code, and in "
            f"every reading but for its last digits (by chance {percent(by_chance / m)} would be), at most "
            f"{percent(most)} more is allowed; split by case, before anything is copied or jittered",
            zh=f"{percent(near / n)} 的评估数据与训练数据几乎相同：各编码一致，读数仅末位不同"
            f"（偶然约 {percent(by_chance / m)}），超出部分上限为 {percent(most)}；请在复制或加扰之前按案例划分",
        ),
    )


def _apart(tree: cKDTree, points: Floats, neighbour: int) -> Floats:
    """Distance of every point to its first or second neighbour, in the largest coordinate; infinite beyond NEAR."""
    distances, _ = tree.query(points, k=[neighbour], distance_upper_bound=1.01 * NEAR, p=np.inf)
    return np.asarray(distances, dtype=np.float64)[:, 0]


def _placed(evaluation: pd.DataFrame, training: pd.DataFrame) -> tuple[Floats, Floats] | None:
    """Rows as points: measured columns in usual spreads, and one number per combination of all else, far apart.

    None where fewer than two columns are measured: then rows are alike by chance all the time.
    """
    measured = [name for name in training.columns if _is_measured(training[name])]
    if len(measured) < 2 or not len(evaluation):
        return None
    rest = [name for name in training.columns if name not in measured]
    points, words = [], []
    for frame in (evaluation, training):
        values = np.column_stack([_as_floats(frame[name]) for name in measured])
        missing = pd.DataFrame(np.isnan(values), index=frame.index).add_prefix("missing ")
        words.append(_hashes(pd.concat([frame[rest], missing], axis=1)))
        points.append(np.where(np.isnan(values), 0.0, values))
    spread = np.array([usual_spread(column) or 1.0 for column in points[1].T])
    _, kinds = np.unique(np.concatenate(words), return_inverse=True)
    kind = kinds.astype(np.float64)[:, None]  # whole numbers lie farther apart than NEAR
    scaled = np.hstack([np.vstack(points) / spread, kind])
    return scaled[: len(evaluation)], scaled[len(evaluation) :]


def _is_measured(column: pd.Series) -> bool:
    values = numbers(column)
    return values is not None and len(np.unique(values[np.isfinite(values)])) > FEW_VALUES


def _as_floats(column: pd.Series) -> Floats:
    values = numbers(column)
    told = np.full(len(column), np.nan) if values is None else values
    return np.asarray(np.where(np.isfinite(told), told, np.nan))


def _twins(evaluation: pd.DataFrame, training: pd.DataFrame) -> tuple[int, int]:
    """Return how many evaluation rows have a twin in training, and how many training rows have one there."""
    asked, known = _hashes(evaluation), _hashes(training)
    _, counts = np.unique(known, return_counts=True)
    return int(np.isin(asked, known).sum()), int(counts[counts > 1].sum())


def _hashes(frame: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """One number per row, the same for 1, 1.0 and True: two files seldom agree on types."""
    alike = {}
    for i, column in enumerate(frame.columns):
        values = numbers(frame[column])
        alike[i] = frame[column].astype("string").fillna("") if values is None else values + 0.0
    return np.asarray(pd.util.hash_pandas_object(pd.DataFrame(alike), index=False).to_numpy(dtype=np.uint64))


def _tells_cases_apart(training: pd.DataFrame) -> bool:
    """Whether some column, such as a date or a fine reading, differs from case to case."""
    return any(training[column].nunique() > 0.3 * len(training) for column in training.columns)


def out_of_time(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Evaluation rows that lie before the end of training: the model was not asked about its future."""
    time, training = examined.declaration.data.time, examined.training
    if time is None or training is None or time not in training.columns or time not in examined.evaluation.columns:
        return
    learnt, asked = times_of(training[time]), times_of(examined.evaluation[time])
    learnt, asked = learnt[np.isfinite(learnt)], asked[np.isfinite(asked)]
    if not len(learnt) or not len(asked):
        return
    before = float((asked <= np.quantile(learnt, 0.999)).mean())  # single wrong dates must not decide
    most = _limit(limits, "most_before_end_of_training")
    if before > most:
        yield Suspicion(
            column=time,
            kind="out_of_time",
            measured=before,
            limit=most,
            holds=None,
            says=Sentence(
                en=f"{percent(before)} of the evaluation rows lie before the end of the training period, at most "
                f"{percent(most)} should; these figures do not show how the model does on what comes later, "
                "split by time",
                zh=f"{percent(before)} 的评估数据早于训练数据的结束时间，应不超过 {percent(most)}；"
                "这些指标不能说明模型对未来的表现，请按时间划分",
            ),
        )


def shared_subjects(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Persons, machines or plants in both parts whom the model knows better than those it never met.

    That training knows the same people is a leak only when it helps: the skill on rows of known subjects is
    compared with the skill on rows of new ones. Where all are known, that is a remark.
    """
    training = examined.training
    if training is None:
        return
    patterns = [str(pattern) for pattern in limits.get("identifier_names", [])]
    columns = [str(c) for c in training.columns if c in examined.evaluation.columns and c not in examined.features]
    for column in columns:
        if column != examined.declaration.data.subject and not goes_by(column, patterns):
            continue
        asked = examined.evaluation[column].astype("string")
        known = np.asarray(
            asked.isin(training[column].dropna().astype("string")).fillna(False).to_numpy(dtype=np.bool_)
        )
        if asked.nunique() < 0.95 * len(asked) and known.any():  # rows of the same subject, not a number per row
            yield from _known_better(examined, column, known, _limit(limits, "most_subject_advantage"))


def _known_better(examined: Examined, column: str, known: Bools, most: float) -> Iterator[Suspicion]:
    share = float(known.mean())
    if not _both_outcomes(examined.truth[known]) or not _both_outcomes(examined.truth[~known]):
        yield Suspicion(
            column=column,
            kind="shared_subjects",
            measured=share,
            limit=1.0,
            holds=True,
            says=Sentence(
                en=f"{percent(share)} of the evaluation rows are of '{column}' that training knows; how the model does "
                "on new ones cannot be told from these rows",
                zh=f"{percent(share)} 的评估数据所属“{column}”在训练数据中出现过；对未见过的对象表现如何，尚无法判断",
            ),
        )
        return
    old, new = (roc_auc(examined.truth[part], examined.danger[part], SURE) for part in (known, ~known))
    gap = old.value - new.value
    surely = gap - float(np.hypot(old.value - old.lo, new.hi - new.value))
    leak = gap > most and surely > 0
    if not leak:
        return
    yield Suspicion(
        column=column,
        kind="knows_its_subjects",
        measured=gap,
        limit=most,
        holds=False,
        says=Sentence(
            en=f"the model does better on '{column}' it was trained on (AUC {old.value:.3f}) than on new ones "
            f"({new.value:.3f}); {percent(share)} of the evaluation rows are of known ones: split by '{column}'",
            zh=f"对训练中出现过的“{column}”，模型表现（AUC {old.value:.3f}）优于未见过的（{new.value:.3f}）；"
            f"{percent(share)} 的评估数据属于前者：请按“{column}”划分数据",
        ),
    )


def _both_outcomes(truth: Bools) -> bool:
    return bool(min(truth.sum(), (~truth).sum()) >= LEAST_OF_EACH)
