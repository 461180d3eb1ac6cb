"""Is the model asked about cases its training never saw?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial import cKDTree

from audit.checks.check import Finding, Group, Limits, below, limit_of
from audit.checks.columns import numbers, usual_spread
from audit.checks.examined import Examined, Floats
from audit.checks.intervals import auc_alone, wilson
from audit.checks.wording import named_with, percent, span
from policies.errors import Sentence

FEW_VALUES = 20
"""Whole numbers of up to this many values are categories: a value not seen counts as unknown, not as in between."""

COMMON, COMMON_ROWS = 0.01, 10
"""Share of the evaluation, and rows, from which a value is common; training has it too unless something changed."""

LEAST_ROWS = 50

FORESTS_REACH = 1e30
"""Numbers beyond this do not fit the forest's single precision; whoever hands them in is told by other checks."""

KNOWN_CASES = 4_000
"""Known cases among which the nearest is looked for, and as many that tell what is usual."""

TWO_SAMPLE_ROWS = 2_000
"""Rows of either kind that are compared as a whole; differences that matter show in these."""


@dataclass(frozen=True)
class Coverage:
    """Unseen values and regions per column, regions between known cases, and drift from training to evaluation."""

    name: str = "coverage"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding on rows outside of training, one on rows far from every known case, one on drift.

        The first has a group per column, with its stability index and its Wasserstein distance.
        """
        training = examined.training
        if training is None or len(training) < LEAST_ROWS or len(examined) < LEAST_ROWS:
            return (self._unknown(examined),)
        columns = [c for c in _columns(examined) if c in training.columns and c in examined.evaluation.columns]
        lines = tuple(_line(column, examined, training) for column in columns)
        outside = np.zeros(len(examined), dtype=bool)
        for column in columns:
            outside |= unseen(training[column], examined.evaluation[column])
        return (
            self._outside(lines, float(outside.mean()), len(examined), limit_of(limits, self.name, "most_unseen_rows")),
            *self._far(examined, training, columns, limits),
            self._drift(examined, training, lines, limits),
        )

    def _unknown(self, examined: Examined) -> Finding:
        return Finding(
            check=self.name,
            holds=None,
            n=len(examined),
            says=Sentence(
                en=f"cannot conclude: training data of at least {LEAST_ROWS} rows and as many evaluation rows "
                "are needed; "
                "name them in data.training",
                zh=f"无法得出结论：训练数据和评估数据均至少需要 {LEAST_ROWS} 行；请在 data.training 中写明训练数据",
            ),
        )

    def _outside(self, lines: tuple[Group, ...], share: float, n: int, most: float) -> Finding:
        holds = share <= most
        worst = sorted(
            (line for line in lines if _number(line, "unseen") > 0), key=lambda line: -_number(line, "unseen")
        )
        names = named_with([(str(line["column"]), percent(_number(line, "unseen"))) for line in worst[:3]])
        where = Sentence(en=f", most by {names.en}", zh=f"，主要来自{names.zh}") if worst else Sentence(en="", zh="")
        advice = Sentence(
            en="" if holds else "; train on such cases or restrict the model to what it knows",
            zh="" if holds else "；请补充此类训练数据，或限定模型使用范围",
        )
        return Finding(
            check=self.name,
            holds=holds,
            measured=share,
            limit=most,
            unit="share",
            n=n,
            groups=lines,
            says=Sentence(
                en=f"{percent(share)} of the evaluation rows hold a value training never saw{where.en}; at most "
                f"{percent(most)} is allowed{advice.en}",
                zh=f"{percent(share)} 的评估数据含有训练中从未出现的取值{where.zh}，上限为 {percent(most)}{advice.zh}",
            ),
        )

    def _far(
        self, examined: Examined, training: pd.DataFrame, columns: list[str], limits: Limits
    ) -> tuple[Finding, ...]:
        """Rows whose nearest known case is farther away than known cases are from each other."""
        most = limit_of(limits, self.name, "most_far_rows")
        measured = [c for c in columns if _varies(training[c])]
        if not measured:
            return ()
        far = far_rows(examined, training, measured)
        share = wilson(int(far.sum()), len(far))
        holds = below(share.interval, most)
        states = _states_of(examined, far)
        worst = named_with([(str(line["state"]), percent(_number(line, "far"))) for line in states[:3]])
        where = Sentence(en="", zh="")
        if holds is not True and states:
            where = Sentence(en=f"; most in {worst.en}", zh=f"；主要在{worst.zh}")
        advice = Sentence(
            en="" if holds else "; equipment in a state that training never saw looks like this: collect such rows",
            zh="" if holds else "；设备处于训练从未见过的状态时即如此：请补采此类数据",
        )
        return (
            Finding(
                check=self.name,
                holds=holds,
                measured=share.value,
                limit=most,
                unit="share",
                interval=share.interval,
                n=len(far),
                says=Sentence(
                    en=f"{percent(share.value)} of the rows are farther from every known case than 99 in 100 known "
                    f"cases are from each other ({span(share.interval)}); 1 % is usual, at most {percent(most)} is "
                    f"allowed{where.en}{advice.en}",
                    zh=f"{percent(share.value)} 的行与任何已知情形的距离，超过 99% 已知情形彼此的距离"
                    f"（区间 {span(share.interval)}）；通常为 1 %，上限为 {percent(most)}{where.zh}{advice.zh}",
                ),
                evidence={"columns": measured, "states": states},
            ),
        )

    def _drift(self, examined: Examined, training: pd.DataFrame, lines: tuple[Group, ...], limits: Limits) -> Finding:
        most = limit_of(limits, self.name, "most_drift")
        moved = [line for line in lines if _number(line, "psi") > limit_of(limits, self.name, "moved_psi")]
        auc = two_sample_auc(examined, training, [str(line["column"]) for line in lines])
        holds = auc <= most
        names = named_with([(str(line["column"]), f"PSI {_number(line, 'psi'):.2f}") for line in moved])
        which = Sentence(en=f"; moved: {names.en}", zh=f"；变化明显：{names.zh}") if moved else Sentence(en="", zh="")
        advice = Sentence(
            en="" if holds else "; the two come from different worlds, train on recent data",
            zh="" if holds else "；两者分布明显不同，请用近期数据重新训练",
        )
        return Finding(
            check=self.name,
            holds=holds,
            measured=auc,
            limit=most,
            unit="auc",
            n=len(examined) + len(training),
            says=Sentence(
                en=f"a classifier tells evaluation rows from training rows with an AUC of {auc:.2f} (0.5 is not "
                "at all, at "
                f"most {most:.2f} is allowed){which.en}{advice.en}",
                zh=f"分类器区分评估数据与训练数据的 AUC 为 {auc:.2f}（0.5 表示无法区分，上限 {most:.2f}）"
                f"{which.zh}{advice.zh}",
            ),
        )


def _columns(examined: Examined) -> Iterator[str]:
    """What the model reads, and the groups it is judged by."""
    yield from dict.fromkeys([*examined.candidates, *examined.declaration.data.groups])


def _number(line: Group, key: str) -> float:
    value = line[key]
    return float(value) if isinstance(value, int | float) else 0.0


def _line(column: str, examined: Examined, training: pd.DataFrame) -> Group:
    known, asked = training[column], examined.evaluation[column]
    return {
        "column": column,
        "unseen": float(unseen(known, asked).mean()),
        "psi": psi(known, asked),
        "wasserstein": wasserstein(known, asked),
    }


def unseen(training: pd.Series, evaluation: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which evaluation values lie outside of training.

    Text and whole numbers of few values are outside when they never occurred; whole numbers of many values when
    they are common now and never occurred; other numbers when they lie more than a hundredth of the range beyond
    either end. A missing value is outside when none was missing before.
    """
    known, asked = numbers(training), numbers(evaluation)
    if known is None or asked is None:
        texts = evaluation.astype("string").fillna("")
        return np.asarray(~texts.isin(training.astype("string").fillna("").unique()).to_numpy())
    gone = np.isnan(asked)
    present = known[np.isfinite(known)]
    if not len(present):
        return np.asarray(~gone)
    if _is_category(present):
        strange = ~gone & ~np.isin(asked, np.unique(present))
    else:
        slack = 0.01 * float(present.max() - present.min())
        strange = (asked < present.min() - slack) | (asked > present.max() + slack)
        strange |= _common_and_new(present, asked)
    return np.asarray(strange | (gone & bool(np.isfinite(known).all())))


def _common_and_new(present: Floats, asked: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whole numbers that training never held and that are common now: a code of many values names kinds too."""
    whole = (present == np.round(present)).all()
    values, places, counts = np.unique(asked, return_inverse=True, return_counts=True)
    common = counts >= max(COMMON_ROWS, COMMON * len(asked))
    return np.asarray((common & ~np.isin(values, present) & np.isfinite(values))[places] & bool(whole))


def _is_category(values: Floats) -> bool:
    return len(np.unique(values)) <= FEW_VALUES and bool((values == np.round(values)).all())


def psi(training: pd.Series, evaluation: pd.Series) -> float:
    """Return the population stability index over up to ten bins of the training data, missing being a bin.

    Half a row is added to every bin so that an empty one does not make it infinite. Below 0.1 is calm, above
    0.25 has moved (Siddiqi 2006).
    """
    known, asked = numbers(training), numbers(evaluation)
    if known is None or asked is None:
        both = pd.concat([training, evaluation]).astype("string").fillna("")
        codes, _ = pd.factorize(both)
        bins = np.asarray(codes)
    else:
        present = known[np.isfinite(known)]
        edges = np.unique(np.quantile(present, np.linspace(0, 1, 11)[1:-1])) if len(present) else present
        both_numbers = np.concatenate([known, asked])
        bins = np.where(np.isnan(both_numbers), 0, np.searchsorted(edges, both_numbers, side="right") + 1)
    size = int(bins.max()) + 1
    before = np.bincount(bins[: len(training)], minlength=size) + 0.5
    after = np.bincount(bins[len(training) :], minlength=size) + 0.5
    used = before + after > 1
    p, q = before[used] / before[used].sum(), after[used] / after[used].sum()
    return float(((q - p) * np.log(q / p)).sum())


def wasserstein(training: pd.Series, evaluation: pd.Series) -> float | None:
    """Return how far a column's values moved on average, in standard deviations of training; None for text.

    The Wasserstein distance of the two samples: what every value would have to travel to turn one into the other.
    """
    known, asked = numbers(training), numbers(evaluation)
    if known is None or asked is None:
        return None
    known, asked = known[np.isfinite(known)], asked[np.isfinite(asked)]
    if not len(known) or not len(asked) or known.std() == 0:
        return None
    return float(stats.wasserstein_distance(known, asked) / known.std())


def far_rows(
    examined: Examined, training: pd.DataFrame, columns: list[str]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which evaluation rows lie farther from their nearest known case than 99 in 100 known cases do.

    Distances are over measured columns, each brought to its usual spread with long tails drawn in, so that no unit
    decides; missing values count as the middle. A seeded sample of at most 4,000 known cases stands for
    all of them, half of it measured against the other half: that is what one out of sample is far from.
    """
    generator = examined.generator("coverage distance")
    place = generator.permutation(len(training))[: 2 * KNOWN_CASES]
    known = np.column_stack([_scaled(numbers_of(training, c), numbers_of(training, c)) for c in columns])[place]
    asked = np.column_stack([_scaled(numbers_of(training, c), numbers_of(examined.evaluation, c)) for c in columns])
    half = len(known) // 2
    tree = cKDTree(known[:half])
    usual, _ = tree.query(known[half:])
    there, _ = tree.query(asked)
    return np.asarray(there > np.quantile(usual, 0.99))


def _varies(column: pd.Series) -> bool:
    """Whether a column holds measured numbers rather than words, codes, or one value."""
    told = numbers(column)
    known = np.asarray([]) if told is None else told[np.isfinite(told)]
    return len(known) > 0 and float(np.ptp(known)) > 0 and not _is_category(known)


def numbers_of(frame: pd.DataFrame, column: str) -> Floats:
    """Return a column as numbers, NaN for what is none."""
    values = numbers(frame[column])
    return np.full(len(frame), np.nan) if values is None else values


def _scaled(known: Floats, values: Floats) -> Floats:
    """Values around the known middle in usual spreads, long tails drawn in; missing ones in the middle."""
    present = known[np.isfinite(known)]
    spread = usual_spread(present) or 1.0
    return np.where(np.isfinite(values), np.arcsinh((values - float(np.median(present))) / spread), 0.0)


def _states_of(examined: Examined, far: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[dict[str, object]]:
    """How many rows of every declared group are far from known cases, the farthest first."""
    lines: list[dict[str, object]] = []
    for column in examined.declaration.data.groups:
        values = examined.evaluation[column].astype("string").fillna("")
        for value, n in values.value_counts().head(FEW_VALUES).items():
            inside = (values == value).to_numpy()
            if value:
                lines.append({"state": f"{column}: {value}", "n": int(n), "far": float(far[inside].mean())})
    return sorted(lines, key=lambda line: -_number(line, "far"))


def two_sample_auc(examined: Examined, training: pd.DataFrame, columns: list[str]) -> float:
    """Return how well a random forest tells the two samples apart on rows it was not fitted on.

    At least 0.5; a seeded sample of at most 2,000 rows of each.
    """
    from sklearn.ensemble import RandomForestClassifier  # slow to import, and only needed here

    generator = examined.generator("coverage")
    samples = [_sample(frame[columns], generator) for frame in (training, examined.evaluation)]
    table = np.vstack([np.column_stack([_coded(part[c], training[c]) for c in columns]) for part in samples])
    late = np.arange(len(table)) >= len(samples[0])
    folds = generator.permutation(len(table)) % 2
    told = np.empty(len(table))
    for fold in (0, 1):
        model = RandomForestClassifier(n_estimators=40, max_depth=8, min_samples_leaf=5, random_state=0, n_jobs=1)
        model.fit(table[folds != fold], late[folds != fold])
        told[folds == fold] = model.predict_proba(table[folds == fold])[:, 1]
    return max(0.5, auc_alone(late, told))


def _sample(frame: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    if len(frame) <= TWO_SAMPLE_ROWS:
        return frame
    return frame.iloc[np.sort(generator.choice(len(frame), TWO_SAMPLE_ROWS, replace=False))]


def _coded(column: pd.Series, training: pd.Series) -> Floats:
    values = numbers(column)
    if values is not None:
        return np.clip(values, -FORESTS_REACH, FORESTS_REACH)
    places = {text: float(i) for i, text in enumerate(training.astype("string").dropna().value_counts().index)}
    return column.astype("string").map(places).to_numpy(dtype=np.float64, na_value=np.nan)
