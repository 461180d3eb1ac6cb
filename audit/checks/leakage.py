"""Does the model know the answer from where it will not have it: the outcome, its aftermath, its own test?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from audit.checks.check import Finding, Limits, all_hold, limit_of
from audit.checks.columns import Codes, auc_of_bins, bins_of, bins_of_numbers, numbers, r2_of_bins
from audit.checks.examined import Examined, Floats
from audit.checks.intervals import auc_alone, roc_auc
from audit.checks.joint_skill import telling_pairs
from audit.checks.separation import out_of_time, shared_rows, shared_subjects
from audit.checks.suspicion import Suspicion
from audit.checks.times import SECONDS_FROM, SECONDS_TO, is_time_like, times_of
from audit.checks.wording import joined, named, percent
from policies.column_names import goes_by
from policies.errors import Sentence

DAY = 86_400.0
"""Slack in seconds: a date without an hour lies up to a day before the moment it names."""

LEAST_OF_EACH = 20
"""Rows of either outcome needed before one column's skill is worth naming."""

FEW_FEATURES = 5
"""Models of fewer features have a leading one by nature."""


@dataclass(frozen=True)
class Leakage:
    """Looks at single columns, at their names, at the model as a whole, and at rows shared with the training data."""

    name: str = "leakage"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding; a group per suspicion, leaks first."""
        skills = skill_of_columns(examined)
        found = [
            *_knowing(examined, limits, skills),
            *knowing_together(examined, limits, skills),
            *_after_event(examined, limits),
            *_later_than_the_row(examined, limits),
            *_in_disguise(examined, limits, skills),
            *_identifiers(examined, limits),
            *_too_good(examined, limits),
            *shared_rows(examined, limits),
            *shared_subjects(examined, limits),
            *out_of_time(examined, limits),
        ]
        order = {False: 0, None: 1, True: 2}
        found = sorted(found, key=lambda one: order[one.holds])
        best = max(skills.values(), default=float("nan"))
        return (
            Finding(
                check=self.name,
                holds=all_hold([one.holds for one in found]),
                measured=best if skills else None,
                limit=_limit(limits, "single_feature_auc"),
                unit="auc",
                n=len(examined),
                groups=tuple(one.as_group() for one in found),
                says=_sentence(found, examined),
                evidence={"auc_by_column": dict(sorted(skills.items(), key=lambda item: -item[1]))},
            ),
        )


def _limit(limits: Limits, key: str) -> float:
    return limit_of(limits, "leakage", key)


def _values(examined: Examined, column: str) -> Floats | None:
    """What the model sees of a column, or its numbers as handed over; None for text."""
    if examined.inputs is not None and column in examined.features:
        return np.asarray(examined.inputs[:, examined.features.index(column)])
    return numbers(examined.evaluation[column])


def skill_of_columns(examined: Examined) -> Mapping[str, float]:
    """Return how well every column alone tells the outcome, as an area under the ROC curve from 0.5 up.

    The better of two: by rank, where the column is known; by the rate in each of up to 20 bins, learnt on the
    other half of the rows, which finds dependence of any shape and in missing values. Empty when there are
    fewer than 20 rows of either outcome.
    """
    truth = examined.truth
    if min(truth.sum(), (~truth).sum()) < LEAST_OF_EACH:
        return {}
    folds = examined.generator("leakage").permutation(len(truth)) % 2
    return {column: _skill(examined, column, folds) for column in examined.candidates}


def _skill(examined: Examined, column: str, folds: Codes) -> float:
    values = _values(examined, column)
    bins = bins_of(examined.evaluation[column]) if values is None else bins_of_numbers(values)
    by_bins = auc_of_bins(bins, examined.truth, folds)
    if values is None:
        return by_bins
    known = np.isfinite(values)
    harmed = int(examined.truth[known].sum())
    if min(harmed, int(known.sum()) - harmed) < LEAST_OF_EACH or known.mean() < 0.5:
        return by_bins
    by_rank = auc_alone(examined.truth[known], values[known])
    return max(by_bins, by_rank, 1 - by_rank)


def _weights(examined: Examined) -> Mapping[str, float] | None:
    """Mean share of every feature, or None when there is no explanation."""
    if examined.explanation is None or examined.explanation.contributions.ndim != 2:
        return None
    shares = examined.explanation.shares().mean(axis=0)
    return dict(zip(examined.explanation.feature_names, shares.tolist(), strict=True))


def _used(examined: Examined, column: str) -> tuple[bool | None, Sentence]:
    """Whether the model reads a column (None: not known), and the words to say so."""
    weights = _weights(examined)
    if examined.predictor is None:
        return None, Sentence(en="whether the model reads it is not known", zh="模型是否使用该列尚不清楚")
    if weights is None or column not in weights:
        return True, Sentence(en="the model reads it", zh="模型使用了该列")
    share = weights[column]
    return True, Sentence(en=f"it carries {percent(share)} of the decisions", zh=f"占决策权重 {percent(share)}")


def _held(used: bool | None) -> bool | None:
    """A column the model asks for is a leak, whatever its weight; where that is not known, a remark."""
    return True if used is None else not used


def _knowing(examined: Examined, limits: Limits, skills: Mapping[str, float]) -> Iterator[Suspicion]:
    limit = _limit(limits, "single_feature_auc")
    for column, skill in skills.items():
        if skill < limit:
            continue
        used, weight = _used(examined, column)
        yield Suspicion(
            column=column,
            kind="knows_the_answer",
            measured=skill,
            limit=limit,
            holds=_held(used),
            says=Sentence(
                en=f"'{column}' alone tells the outcome (AUC {skill:.3f}, from {limit:.2f} on it is taken for "
                "the answer "
                f"itself); {weight.en}; leave it out unless it is known before the event",
                zh=f"仅凭“{column}”即可判断结果（AUC {skill:.3f}，达到 {limit:.2f} 即视为答案本身）；{weight.zh}；"
                "除非事前即可获知，否则请勿使用",
            ),
        )


def _after_event(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Names under which only the aftermath is recorded, from the table of the rulebook."""
    for column in examined.candidates:
        reason = after_event_reason(column, limits)
        if reason is None:
            continue
        used, weight = _used(examined, column)
        yield Suspicion(
            column=column,
            kind="known_after_event",
            measured=(_weights(examined) or {}).get(column, float("nan")),
            limit=0.0,
            holds=_held(used),
            says=Sentence(
                en=f"'{column}' goes by a name of things known only afterwards ({reason.en}); {weight.en}; "
                "leave it out, "
                "or rename it if it is known before the event",
                zh=f"“{column}”属于事后才能获知的信息（{reason.zh}）；{weight.zh}；请勿使用，若确为事前可知请更名",
            ),
        )


def knowing_together(examined: Examined, limits: Limits, skills: Mapping[str, float]) -> Iterator[Suspicion]:
    """Pairs of columns over which the outcome is split."""
    if not skills:
        return
    limit = _limit(limits, "single_feature_auc")
    weights = _weights(examined) or {}
    order = sorted(examined.candidates, key=lambda name: -weights.get(name, 0.0))
    values = {name: told for name in order if (told := _values(examined, name)) is not None}
    found = telling_pairs(
        values, examined.truth, skills, least=limit, gain=_limit(limits, "joint_gain"),
        generator=examined.generator("leakage pairs"),
    )  # fmt: skip
    for pair in found[:3]:
        used, _ = _used(examined, pair.first)
        first, second = sorted((pair.first, pair.second))
        yield Suspicion(
            column=f"{first} + {second}",
            kind="knows_together",
            measured=pair.together,
            limit=limit,
            holds=_held(used),
            says=Sentence(
                en=f"'{first}' and '{second}' together tell the outcome (AUC {pair.together:.3f}), either alone does "
                f"not (at most {pair.alone:.3f}): the answer is split over them; leave them out unless both are known "
                "before the event",
                zh=f"“{first}”与“{second}”合在一起即可判断结果（AUC {pair.together:.3f}），单独则不能"
                f"（至多 {pair.alone:.3f}）：答案被拆分在两列中；除非事前均可获知，否则请勿使用",
            ),
        )


def _later_than_the_row(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Times that lie after the moment the row speaks of."""
    time, frame = examined.declaration.data.time, examined.evaluation
    if time is None or time not in frame.columns:
        return
    now = times_of(frame[time])
    most = _limit(limits, "most_later_than_row")
    for column in examined.candidates:
        if column == time or column not in frame.columns or not _tells_a_moment(frame[column], column):
            continue
        then = times_of(frame[column])
        known = np.isfinite(now) & np.isfinite(then)
        later = float((then[known] > now[known] + DAY).mean()) if known.sum() >= LEAST_OF_EACH else 0.0
        if later <= most:
            continue
        used, weight = _used(examined, column)
        yield Suspicion(
            column=column,
            kind="later_than_row",
            measured=later,
            limit=most,
            holds=_held(used),
            says=Sentence(
                en=f"'{column}' holds times after '{time}' in {percent(later)} of the rows: it was filled in later; "
                f"{weight.en}; leave it out",
                zh=f"“{column}”在 {percent(later)} 的行中晚于“{time}”，属于事后补录；{weight.zh}；请勿使用",
            ),
        )


def _tells_a_moment(column: pd.Series, name: str) -> bool:
    """Whether a column holds times: as text or dates, or as seconds since 1970."""
    if is_time_like(column, name):
        return True
    values = numbers(column)
    known = np.asarray([]) if values is None else values[np.isfinite(values)]
    return len(known) > 0 and bool(SECONDS_FROM < np.median(known) < SECONDS_TO)


def after_event_reason(column: str, limits: Limits) -> Sentence | None:
    """Return why a column of this name is known only after the event, or None."""
    for rule in limits.get("after_event", []):
        if goes_by(column, rule["columns"]) and not goes_by(column, rule.get("but_not", [])):
            return Sentence(en=str(rule["en"]), zh=str(rule["zh"]))
    return None


def _in_disguise(examined: Examined, limits: Limits, skills: Mapping[str, float]) -> Iterator[Suspicion]:
    """Features that retell an after-event column beside the model, such as its logarithm or a rounded copy."""
    limit, most = _limit(limits, "single_feature_auc"), _limit(limits, "most_retold")
    beside = [
        str(column)
        for column in examined.evaluation.columns
        if column not in examined.features
        and column not in (examined.declaration.data.label, examined.declaration.data.prediction)
        and numbers(examined.evaluation[column]) is not None
        and after_event_reason(str(column), limits) is not None
    ]
    for column in examined.features:
        if skills.get(column, 0.0) >= limit or after_event_reason(column, limits) is not None:
            continue
        told = {name: _retold(examined, column, name) for name in beside}
        twin = max(told, key=lambda name: told[name], default=None)
        if twin is None or told[twin] < most:
            continue
        used, weight = _used(examined, column)
        yield Suspicion(
            column=column,
            kind="disguised",
            measured=told[twin],
            limit=most,
            holds=_held(used),
            says=Sentence(
                en=f"'{column}' tells {percent(told[twin])} of the order of '{twin}', which is known only afterwards; "
                f"{weight.en}; leave it out",
                zh=f"“{column}”可还原事后才知的“{twin}”排序的 {percent(told[twin])}；{weight.zh}；请勿使用",
            ),
        )


def _retold(examined: Examined, column: str, other: str) -> float:
    """How much of the order of `other` the column explains, whatever the shape of their relation.

    Of a column of two values: how much of it can be read off `other`.
    """
    one, two = _values(examined, column), numbers(examined.evaluation[other])
    if one is None or two is None:
        return 0.0
    known = np.flatnonzero(np.isfinite(one) & np.isfinite(two))[:5000]
    if len(known) < LEAST_OF_EACH:
        return 0.0
    folds = examined.generator("leakage disguise").permutation(len(known)) % 2
    values, counts = np.unique(one[known], return_counts=True)
    if len(values) <= 2:  # a yes or no says little of an order, but it may be read off the other column
        enough = len(values) == 2 and counts.min() >= LEAST_OF_EACH
        return r2_of_bins(bins_of_numbers(two[known], 50), one[known], folds) if enough else 0.0
    ranks = np.asarray(stats.rankdata(two[known]), dtype=np.float64)
    return r2_of_bins(bins_of_numbers(one[known], 50), ranks, folds)


def _identifiers(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Whole numbers that differ in nearly every row and run on, or bear the name of an id."""
    most = _limit(limits, "most_distinct")
    patterns = [str(pattern) for pattern in limits.get("identifier_names", [])]
    for column in examined.features:
        values = _values(examined, column)
        known: Floats = np.asarray([] if values is None else values[np.isfinite(values)], dtype=np.float64)
        if len(known) < LEAST_OF_EACH or bool((known != np.round(known)).any()):
            continue
        distinct = len(np.unique(known)) / len(known)
        runs_on = distinct >= most and float(known.max() - known.min()) <= 20 * len(known)
        if not runs_on and not (goes_by(column, patterns) and distinct > 0.5):
            continue
        used, weight = _used(examined, column)
        yield Suspicion(
            column=column,
            kind="identifier",
            measured=distinct,
            limit=most,
            holds=_held(used),
            says=Sentence(
                en=f"'{column}' looks like an id: whole numbers, {percent(distinct)} of them different; {weight.en}; "
                "a number that names a case cannot cause it, leave it out",
                zh=f"“{column}”形似编号：均为整数且 {percent(distinct)} 互不相同；{weight.zh}；"
                "编号与事故无因果关系，请勿使用",
            ),
        )


def _too_good(examined: Examined, limits: Limits) -> Iterator[Suspicion]:
    """Skill that real accidents rarely allow, and one feature that carries nearly everything."""
    if min(examined.truth.sum(), (~examined.truth).sum()) < LEAST_OF_EACH:
        return
    auc = roc_auc(examined.truth, examined.danger)
    limit = _limit(limits, "too_good_auc")
    if auc.value >= limit:
        yield Suspicion(
            column=None,
            kind="too_good",
            measured=auc.value,
            limit=limit,
            holds=None,
            says=Sentence(
                en=f"the model is all but perfect (AUC {auc.value:.4f}, from {limit:.3f} on this asks for a reason); "
                "show that every feature is known before the event and that these rows were not trained on",
                zh=f"模型近乎完美（AUC {auc.value:.4f}，达到 {limit:.3f} 即须说明理由）；"
                "请证明各特征均事前可知，且评估数据未用于训练",
            ),
        )
    weights = _weights(examined) or {}
    dominant = _limit(limits, "dominant_share")
    if len(weights) < FEW_FEATURES or auc.value < 0.9:
        return
    column, share = max(weights.items(), key=lambda item: item[1])
    if share >= dominant:
        yield Suspicion(
            column=column,
            kind="dominant",
            measured=share,
            limit=dominant,
            holds=None,
            says=Sentence(
                en=f"'{column}' alone carries {percent(share)} of a strong model (AUC {auc.value:.3f}); say "
                "when it becomes "
                "known",
                zh=f"“{column}”一项即占强模型（AUC {auc.value:.3f}）权重的 {percent(share)}；请说明该信息何时可知",
            ),
        )


OPENINGS = {
    "knows_the_answer": Sentence(en="telling the outcome on its own", zh="单独即可判断结果的列"),
    "known_after_event": Sentence(en="known only after the event", zh="事后才能获知的列"),
    "disguised": Sentence(en="repeating what is known only after the event", zh="变相包含事后信息的列"),
    "identifier": Sentence(en="an id by its form", zh="形似编号的列"),
}
"""How the leaks of one kind are summed up."""


def _leaks_said(leaks: Sequence[Suspicion]) -> Sentence:
    """Every leak once: columns by kind, then what concerns whole rows."""
    parts = []
    for kind, opening in OPENINGS.items():
        columns = [str(one.column) for one in leaks if one.kind == kind]
        if columns:
            names = named(columns, most=8)
            parts.append(Sentence(en=f"{opening.en}: {names.en}", zh=f"{opening.zh}：{names.zh}"))
    if parts:
        parts.append(
            Sentence(
                en="leave these columns out; the table says why, and what each of them carries",
                zh="请去除上述各列；原因及各列权重见表",
            )
        )
    return joined([*parts, *(one.says for one in leaks if one.kind not in OPENINGS)])


def _sentence(found: Sequence[Suspicion], examined: Examined) -> Sentence:
    leaks = [one for one in found if one.holds is False]
    questions = [one.says for one in found if one.holds is None]
    if leaks:
        return _leaks_said(leaks)
    if questions:
        opening = Sentence(en="cannot conclude", zh="无法得出结论")
        return Sentence(en=f"{opening.en}: {joined(questions).en}", zh=f"{opening.zh}：{joined(questions).zh}")
    without = Sentence(en="", zh="")
    if examined.training is None:
        without = Sentence(
            en="; without training data shared rows could not be looked for", zh="；未提交训练数据，无法核查数据重合"
        )
    return Sentence(
        en=f"no column among {len(examined.candidates)} knows the answer, none goes by a name of the aftermath, and no "
        f"rows are shared with training{without.en}",
        zh=f"{len(examined.candidates)} 列中没有泄露答案的列，也没有事后信息，评估数据与训练数据无重合{without.zh}",
    )
