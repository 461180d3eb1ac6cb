"""What training saw, what the model leans on, and whether its labels can be believed: probes that feed it nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from audit.checks.columns import numbers
from audit.checks.examined import Examined, Floats
from audit.checks.intervals import Estimate, difference, mean_of, wilson
from audit.checks.probes.measured import FEW, NO_COLUMN, Answer, Measured, Unknown, worst
from audit.checks.probes.regimes import has_regime, regime_said, rows_of_regime
from audit.checks.times import times_of
from audit.checks.wording import named, percent, points, span
from policies.column_names import goes_by
from policies.errors import Sentence

MOST_KINDS = 50
"""Values above which a text column names things one by one rather than kinds."""

NO_TRAINING = Unknown(
    Sentence(
        en="no training data were handed in; name them under data.training",
        zh="未提交训练数据，请在 data.training 中写明",
    )
)


def one_kind_in_training(columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Return the share of training that lies outside the regime, or that is of its commonest kind."""
    training = examined.training
    if training is None:
        return NO_TRAINING
    there = [column for column in columns if column in training.columns]
    if not there:
        return _not_in_training(columns)
    return worst([_one_kind(training[column], column, told) for column in there])


def _one_kind(values: pd.Series, column: str, told: Mapping[str, Any]) -> Answer:
    if has_regime(told):
        found = rows_of_regime(values, told)
        if found is None:
            return _cannot_tell(column)
        inside, known = found
        n = int(known.sum())
        said = regime_said(told)
        share = wilson(n - int(inside.sum()), n)
        where = Sentence(en=f"'{column}' {said.en}", zh=f"“{column}”{said.zh}")
        says = Sentence(
            en=f"{int(inside.sum()):,} of {n:,} training rows have {where.en}",
            zh=f"{n:,} 行训练数据中有 {int(inside.sum()):,} 行{where.zh}",
        )
        return Measured(share=share, n=n, says=says) if n >= FEW else _cannot_tell(column)
    kinds = _kinds(values, told.get("cuts"))
    if kinds is None:
        return _cannot_tell(column)
    counts = kinds.value_counts()
    n, most = int(counts.sum()), int(counts.iloc[0]) if len(counts) else 0
    if n < FEW:
        return _cannot_tell(column)
    share = wilson(most, n)
    return Measured(
        share=share,
        n=n,
        says=Sentence(
            en=f"{percent(share.value)} of {n:,} training rows have one kind of '{column}', {counts.index[0]}",
            zh=f"{n:,} 行训练数据中 {percent(share.value)} 属于“{column}”的同一类（{counts.index[0]}）",
        ),
    )


def _kinds(values: pd.Series, cuts: Sequence[float] | None) -> pd.Series | None:
    known = numbers(values)
    if known is not None and cuts:
        between = [f"{low:g} – {high:g}" for low, high in pairwise(cuts)]
        names = [f"< {cuts[0]:g}", *between, f"≥ {cuts[-1]:g}"]
        places = np.searchsorted(np.asarray(cuts), known[np.isfinite(known)], side="right")
        return pd.Series([names[place] for place in places])
    texts = values.dropna().astype("string").str.strip()
    return texts if texts.nunique() <= MOST_KINDS else None


def out_of_training_reach(columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Return how much training left out on one side: of the declared range, or of the evaluation rows."""
    if examined.training is None:
        return NO_TRAINING
    there = [column for column in columns if column in examined.training.columns]
    if not there:
        return _not_in_training(columns)
    sides = ("low", "high") if told["side"] == "both" else (told["side"],)
    return worst([_reach(column, side, examined, examined.training) for column in there for side in sides])


def _reach(column: str, side: str, examined: Examined, training: pd.DataFrame) -> Answer:
    seen, asked = numbers(training[column]), None
    if column in examined.evaluation.columns:
        asked = numbers(examined.evaluation[column])
    if seen is None or not np.isfinite(seen).sum() >= FEW:
        return _cannot_tell(column)
    # the outermost hundredth is left out: one odd row is not experience
    end = float(np.quantile(seen[np.isfinite(seen)], 0.99 if side == "high" else 0.01))
    unit = examined.declaration.feature(column).unit or ""
    reached = f"{end:.4g} {unit}".strip()
    answers: list[Answer] = []
    ends = examined.declaration.feature(column).range
    if ends is not None:
        left = (ends[1] - end if side == "high" else end - ends[0]) / (ends[1] - ends[0])
        share = float(np.clip(left, 0.0, 1.0))
        answers.append(
            Measured(
                share=Estimate(share, share, share),
                n=len(training),
                says=Sentence(
                    en=f"training reaches {reached} of '{column}', declared from {ends[0]:g} to {ends[1]:g}: "
                    f"{percent(share)} of the range were never seen",
                    zh=f"训练数据中“{column}”仅到 {reached}，声明范围为 {ends[0]:g} 至 {ends[1]:g}，"
                    f"有 {percent(share)} 的范围从未见过",
                ),
            )
        )
    if asked is not None and np.isfinite(asked).sum() >= FEW:
        known = asked[np.isfinite(asked)]
        beyond = int((known > end).sum() if side == "high" else (known < end).sum())
        share_of_rows = wilson(beyond, len(known))
        answers.append(
            Measured(
                share=share_of_rows,
                n=len(known),
                says=Sentence(
                    en=f"training reaches {reached} of '{column}', and {percent(share_of_rows.value)} of "
                    f"{len(known):,} evaluation rows lie beyond",
                    zh=f"训练数据中“{column}”仅到 {reached}，{len(known):,} 行评估数据中有 "
                    f"{percent(share_of_rows.value)} 超出",
                ),
            )
        )
    return worst(answers) if answers else _cannot_tell(column)


def errors_in_regime(columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Return by how much more the model errs in a regime than elsewhere."""
    there = [column for column in columns if column in examined.evaluation.columns]
    return worst([_errors(column, told, examined) for column in there]) if there else NO_COLUMN


def _errors(column: str, told: Mapping[str, Any], examined: Examined) -> Answer:
    found = rows_of_regime(examined.evaluation[column], told)
    if found is None:
        return _cannot_tell(column)
    inside, known = found
    missed = told["error"] == "missed"
    counted = (examined.truth if missed else ~examined.truth) & known
    wrong = ~examined.verdicts if missed else examined.verdicts
    here, elsewhere = counted & inside, counted & ~inside
    sizes = int(here.sum()), int(elsewhere.sum())
    said = regime_said(told)
    if min(sizes) < FEW:
        kind = Sentence(en="harmful" if missed else "harmless", zh="有害" if missed else "无害")
        return Unknown(
            Sentence(
                en=f"{sizes[0]} {kind.en} rows with '{column}' {said.en} and {sizes[1]} others; "
                f"at least {FEW} of each are needed",
                zh=f"“{column}”{said.zh}的{kind.zh}样本 {sizes[0]} 行、其余 {sizes[1]} 行，各至少需要 {FEW} 行",
            )
        )
    gap = difference((int((wrong & here).sum()), sizes[0]), (int((wrong & elsewhere).sum()), sizes[1]))
    rates = percent(float(wrong[here].mean())), percent(float(wrong[elsewhere].mean()))
    what = Sentence(en="misses", zh="漏报率") if missed else Sentence(en="false alarms", zh="误报率")
    return Measured(
        share=gap,
        n=sum(sizes),
        says=Sentence(
            en=f"{what.en} with '{column}' {said.en}: {rates[0]} of {sizes[0]}, elsewhere {rates[1]} of {sizes[1]}, "
            f"a gap of {points(gap.value)} points ({span(gap.interval)})",
            zh=f"“{column}”{said.zh}的样本{what.zh}为 {rates[0]}（{sizes[0]} 行），其余为 {rates[1]}（{sizes[1]} 行），"
            f"相差 {points(gap.value)} 个百分点（{span(gap.interval)}）",
        ),
    )


def leans_on(columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Return the share of the explanation that these columns carry together."""
    explanation = examined.explanation
    if explanation is None:
        return Unknown(
            Sentence(
                en="there is no explanation without the model; hand in the model",
                zh="未提交模型，无法解释，请提交模型文件",
            )
        )
    places = [i for i, name in enumerate(explanation.feature_names) if name in columns]
    if not places:
        return NO_COLUMN
    shares: Floats = explanation.shares()
    per_row = shares[:, places].sum(axis=1) if shares.ndim == 2 else shares[:, places].sum(axis=1).mean(axis=-1)
    share = mean_of(np.asarray(per_row, dtype=np.float64))
    names = named([explanation.feature_names[i] for i in places])
    return Measured(
        share=share,
        n=len(per_row),
        says=Sentence(
            en=f"{names.en} {'carries' if len(places) == 1 else 'carry'} {percent(share.value)} of the explanation "
            f"({span(share.interval)})",
            zh=f"{names.zh} 合计占解释的 {percent(share.value)}（{span(share.interval)}）",
        ),
    )


def labels_ripen(columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Return by how much the newest rows hold less harm than those before: outcomes not known yet look like calm."""
    there = [column for column in columns if column in examined.evaluation.columns]
    if not there:
        return NO_COLUMN
    times = times_of(examined.evaluation[there[0]])
    known = np.flatnonzero(np.isfinite(times))
    order = known[np.argsort(times[known], kind="stable")]
    cut = len(order) - round(len(order) * float(told["newest"]))
    older, newest = examined.truth[order[:cut]], examined.truth[order[cut:]]
    if min(len(older), len(newest)) < FEW or int(older.sum()) < FEW:
        return _cannot_tell(there[0])
    gap = difference((int(older.sum()), len(older)), (int(newest.sum()), len(newest)))
    rate = float(older.mean())
    share = Estimate(*(float(np.clip(value / rate, -1.0, 1.0)) for value in gap))
    return Measured(
        share=share,
        n=len(order),
        says=Sentence(
            en=f"harm is in {percent(float(newest.mean()))} of the newest {len(newest):,} rows and in {percent(rate)} "
            f"of those before, a fall by {percent(share.value, 0)} ({span(share.interval, 0)})",
            zh=f"最新 {len(newest):,} 行的有害率为 {percent(float(newest.mean()))}，此前为 {percent(rate)}，"
            f"下降 {percent(share.value, 0)}（{span(share.interval, 0)}）",
        ),
    )


def judged_twice(columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Return how often two judgements of one outcome differ, where the label tells what people did later."""
    data = examined.declaration.data
    tracks = [name for name in data.labels_by.values() if name in examined.evaluation.columns]
    if not goes_by(data.label, told["labels"]):
        return Measured(
            share=Estimate(0.0, 0.0, 0.0),
            n=len(examined),
            says=Sentence(
                en=f"the label '{data.label}' names a state, not what was done about it",
                zh=f"标签“{data.label}”描述的是状态而非处置",
            ),
        )
    if len(tracks) < 2:
        return Unknown(
            Sentence(
                en=f"the label '{data.label}' tells what people did later, and no second judgement stands beside it; "
                "have the state judged too and name both under data.labels_by",
                zh=f"标签“{data.label}”记录的是事后处置，且没有第二方判定；"
                "请另行判定当时的状态，并在 data.labels_by 中写明",
            )
        )
    first, second = (examined.evaluation[name].astype("string") for name in tracks[:2])
    both = (first.notna() & second.notna()).to_numpy(dtype=bool)
    n = int(both.sum())
    if n < FEW:
        return _cannot_tell(tracks[0])
    apart = wilson(int((first != second).fillna(False).to_numpy(dtype=bool)[both].sum()), n)
    return Measured(
        share=apart,
        n=n,
        says=Sentence(
            en=f"'{tracks[0]}' and '{tracks[1]}' differ in {percent(apart.value)} of {n:,} rows "
            f"({span(apart.interval)})",
            zh=f"“{tracks[0]}”与“{tracks[1]}”在 {n:,} 行中有 {percent(apart.value)} 不一致（{span(apart.interval)}）",
        ),
    )


def _not_in_training(columns: Sequence[str]) -> Unknown:
    names = named(list(columns))
    if not columns:
        return NO_COLUMN
    return Unknown(Sentence(en=f"the training data do not hold {names.en}", zh=f"训练数据中没有 {names.zh}"))


def _cannot_tell(column: str) -> Unknown:
    return Unknown(
        Sentence(
            en=f"'{column}' cannot tell: too few readings, or none of the kind the probe needs",
            zh=f"“{column}”无法判断：读数太少或类型不符",
        )
    )
