"""Can the evaluation data be believed: complete, possible, in range, alive, and labelled without contradiction?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TypedDict

import numpy as np
import pandas as pd

from audit.checks.check import Finding, Group, Limits, limit_of
from audit.checks.columns import numbers
from audit.checks.examined import Examined, Floats
from audit.checks.times import is_time_like, numeric, times_of, usual_step, year_of
from audit.checks.wording import joined, named, percent
from policies.errors import Sentence

LEAST_ROWS = 50
"""Rows under which shares of odd readings say nothing."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing wrong with one column (or with the whole table, where `column` is None).

    `grave` faults fail the check; the others are shown.
    """

    column: str | None
    kind: str
    measured: float
    limit: float
    says: Sentence
    grave: bool = True

    def as_group(self) -> Group:
        """Return the line of the table."""
        return {
            "column": self.column,
            "fault": self.kind,
            "measured": self.measured,
            "limit": self.limit,
            "holds": not self.grave,
            "says": self.says.as_json(),
        }


@dataclass(frozen=True)
class DataQuality:
    """Looks at every column the model reads, at the label, the times and the rows as a whole."""

    name: str = "data_quality"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return one finding; a group per fault, `holds` false where it fails the check."""
        faults = [*_table_faults(examined, limits), *_time_faults(examined, limits)]
        for column in examined.candidates:
            if column in examined.evaluation.columns:
                faults.extend(_column_faults(column, examined, limits))
        grave = [fault for fault in faults if fault.grave]
        return (
            Finding(
                check=self.name,
                holds=not grave,
                measured=float(len(grave)),
                limit=0.0,
                unit="faults",
                n=len(examined),
                groups=tuple(fault.as_group() for fault in sorted(faults, key=lambda fault: not fault.grave)),
                says=_sentence(grave, faults, examined),
                evidence={
                    "unlabelled": examined.unlabelled,
                    "columns": len(examined.candidates),
                    "agreement": [dict(one) for one in agreement(examined)],
                },
            ),
        )


def _limit(limits: Limits, key: str) -> float:
    return limit_of(limits, "data_quality", key)


def _table_faults(examined: Examined, limits: Limits) -> Iterator[Fault]:
    frame = examined.evaluation
    most = _limit(limits, "most_duplicates")
    doubled = float(_row_hashes(frame).duplicated().mean())
    if doubled > most and _tells_cases_apart(frame.drop(columns=_said_by_model(examined))):
        yield Fault(
            column=None,
            kind="duplicates",
            measured=doubled,
            limit=most,
            says=Sentence(
                en=f"{percent(doubled)} of the rows repeat another row in every column, at most {percent(most)} is "
                "allowed; remove the copies",
                zh=f"{percent(doubled)} 的行与其他行完全重复，上限为 {percent(most)}，请去重",
            ),
        )
    rows = len(examined) + examined.unlabelled
    most_unlabelled = _limit(limits, "most_unlabelled")
    if examined.unlabelled > most_unlabelled * rows:
        yield Fault(
            column=examined.declaration.data.label,
            kind="unlabelled",
            measured=examined.unlabelled / rows,
            limit=most_unlabelled,
            says=Sentence(
                en=f"{examined.unlabelled} of {rows} rows have no label and were set aside, at most "
                f"{percent(most_unlabelled)} is allowed; label them or say why they are left out",
                zh=f"{rows} 行中有 {examined.unlabelled} 行没有标签，已排除，上限为 {percent(most_unlabelled)}；"
                "请补标或说明排除理由",
            ),
        )
    yield from _track_faults(examined, limits)


def _said_by_model(examined: Examined) -> list[str]:
    """Label and prediction: what alone would make any two rows alike."""
    data = examined.declaration.data
    return [name for name in (data.label, data.prediction) if name is not None and name in examined.evaluation.columns]


def _tells_cases_apart(frame: pd.DataFrame) -> bool:
    """Whether some column is fine enough that rows alike in everything are copies and no chance."""
    if frame.shape[1] == 0:
        return False
    rows = len(frame) - int(_row_hashes(frame).duplicated().sum())
    return any(frame[column].nunique() > 0.3 * rows for column in frame.columns)


def _row_hashes(frame: pd.DataFrame) -> pd.Series:
    return pd.util.hash_pandas_object(frame, index=False)


def _track_faults(examined: Examined, limits: Limits) -> Iterator[Fault]:
    """Compare dual-track labels pairwise by Cohen's kappa."""
    least = _limit(limits, "least_kappa")
    tracks = examined.declaration.data.labels_by
    for found in agreement(examined):
        one, other, value = found["one"], found["other"], found["kappa"]
        if value < least:
            yield Fault(
                column=f"{tracks[one]} / {tracks[other]}",
                kind="label_conflict",
                measured=value,
                limit=least,
                says=Sentence(
                    en=f"the labels by {one} and {other} agree little beyond chance (kappa {value:.2f}, at least "
                    f"{least:.2f} is asked; {found['disagree']} of {found['n']} rows differ); settle the definition "
                    "before judging a model by them",
                    zh=f"“{one}”与“{other}”两轨标签一致性不足（kappa 为 {value:.2f}，要求不低于 {least:.2f}；"
                    f"{found['n']} 行中有 {found['disagree']} 行不一致），请先统一标注口径，再据此评价模型",
                ),
            )


class Agreement(TypedDict):
    """How far two tracks of labels agree: rows labelled by both, rows that differ, and Cohen's kappa."""

    one: str
    other: str
    n: int
    disagree: int
    kappa: float


def agreement(examined: Examined) -> list[Agreement]:
    """Return every pair of label tracks with its agreement."""
    found: list[Agreement] = []
    for (one, first), (other, second) in combinations(examined.declaration.data.labels_by.items(), 2):
        a, b = examined.evaluation[first], examined.evaluation[second]
        known = (a.notna() & b.notna()).to_numpy()
        differ = int((a[known].astype("string") != b[known].astype("string")).sum())
        found.append({"one": one, "other": other, "n": int(known.sum()), "disagree": differ, "kappa": kappa(a, b)})
    return found


def kappa(first: pd.Series, second: pd.Series) -> float:
    """Return Cohen's kappa (1960) of two columns of labels; 1 when both say the same one thing throughout.

    Rows in which one of them is missing are left out.
    """
    known = first.notna() & second.notna()
    table = pd.crosstab(first[known].astype("string"), second[known].astype("string"))
    names = table.index.union(table.columns)
    counts = table.reindex(index=names, columns=names, fill_value=0).to_numpy(dtype=np.float64)
    n = counts.sum()
    if n == 0:
        return 0.0
    agreed = np.trace(counts) / n
    by_chance = float(counts.sum(axis=0) @ counts.sum(axis=1)) / n**2
    return 1.0 if by_chance == 1 else float((agreed - by_chance) / (1 - by_chance))


def _time_faults(examined: Examined, limits: Limits) -> Iterator[Fault]:
    declared = examined.declaration.data.time
    frame = examined.evaluation
    columns = [str(c) for c in frame.columns if str(c) == declared or is_time_like(frame[c], str(c))]
    for column in columns:
        yield from _impossible_dates(column, examined, limits)
    if declared is not None and declared in frame.columns:
        times = times_of(frame[declared])
        yield from _gaps(declared, times, limits)


def _impossible_dates(column: str, examined: Examined, limits: Limits) -> Iterator[Fault]:
    series = examined.evaluation[column]
    years = year_of(series)
    earliest, latest = _period(examined, limits, column)
    strange = np.flatnonzero((years < earliest) | (years > latest))
    unread = 0 if numeric(series) else int((np.isnan(years) & series.notna().to_numpy()).sum())
    if len(strange):
        examples = named([str(series.iloc[i]) for i in strange], most=3)
        yield Fault(
            column=column,
            kind="impossible_date",
            measured=float(len(strange)),
            limit=0.0,
            says=Sentence(
                en=f"'{column}' has {len(strange)} dates outside {earliest:g} to {latest:g}, such as {examples.en}; "
                "correct or remove these rows",
                zh=f"“{column}”有 {len(strange)} 个日期超出 {earliest:g} 年至 {latest:g} 年，如{examples.zh}；"
                "请更正或剔除这些行",
            ),
        )
    if unread:
        yield Fault(
            column=column,
            kind="unreadable_date",
            measured=float(unread),
            limit=0.0,
            says=Sentence(
                en=f"'{column}' has {unread} values that are not dates; write dates as 2026-11-22 or "
                "2026-11-22T08:30:00",
                zh=f"“{column}”有 {unread} 个值不是日期，请写作 2026-11-22 或 2026-11-22T08:30:00",
            ),
        )


YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d|21\d\d)(?!\d)")


def _period(examined: Examined, limits: Limits, column: str) -> tuple[float, float]:
    """Years that are possible: the rulebook's, narrowed for the time column to the periods the sources declare."""
    earliest, latest = _limit(limits, "earliest_year"), _limit(limits, "latest_year")
    years = [int(found) for source in examined.declaration.data.sources for found in YEAR.findall(source.period)]
    if column == examined.declaration.data.time and len(years) >= 2:
        return max(earliest, float(min(years))), min(latest, float(max(years)))
    return earliest, latest


def _gaps(column: str, times: Floats, limits: Limits) -> Iterator[Fault]:
    """Look for holes in a series that is sampled regularly; times of single events have no gaps to speak of."""
    usual = usual_step(times)
    if usual is None:
        return
    steps = np.diff(np.sort(times[np.isfinite(times)]))
    most = _limit(limits, "longest_gap")
    wide = steps[steps > most * usual]
    if len(wide):
        yield Fault(
            column=column,
            kind="gap",
            measured=float(wide.max() / usual),
            limit=most,
            says=Sentence(
                en=f"'{column}' is sampled every {usual:g} s, but has {len(wide)} gaps, the longest of "
                f"{wide.max():g} s; "
                "say what happened in them, or cut the series there",
                zh=f"“{column}”采样间隔为 {usual:g} 秒，但有 {len(wide)} 处中断，最长 {wide.max():g} 秒；"
                "请说明原因或在中断处切分序列",
            ),
        )


def _column_faults(column: str, examined: Examined, limits: Limits) -> Iterator[Fault]:
    series = examined.evaluation[column]
    values = numbers(series)
    missing = series.isna().to_numpy() if values is None else ~np.isfinite(values)
    yield from _missing(column, float(missing.mean()), limits)
    feature = examined.declaration.feature(column)
    present = series[~missing]
    if len(series) > 1 and len(present) and present.nunique() == 1:
        yield _constant(column, feature.sensor, present.iloc[0])
    if values is None:
        return
    known = values[~missing]
    if feature.range is not None and len(known):
        yield from _out_of_range(column, known, feature.range, feature.unit or "", limits)
    if feature.sensor and len(known) >= LEAST_ROWS:
        ordered = _in_time(values, examined)
        yield from _odd_readings(column, ordered, limits)
        yield from _stuck(column, ordered, limits)


def _in_time(values: Floats, examined: Examined) -> Floats:
    """Readings in the order of their times, or of the rows where no time is declared."""
    time = examined.declaration.data.time
    if time is None or time not in examined.evaluation.columns:
        return values
    return np.asarray(values[np.argsort(times_of(examined.evaluation[time]), kind="stable")])


def _missing(column: str, share: float, limits: Limits) -> Iterator[Fault]:
    most = _limit(limits, "most_missing")
    if share > most:
        yield Fault(
            column=column,
            kind="missing",
            measured=share,
            limit=most,
            says=Sentence(
                en=f"'{column}' is missing in {percent(share)} of the rows, at most {percent(most)} is allowed; "
                "find out why it is not recorded, or leave it out",
                zh=f"“{column}”在 {percent(share)} 的行中缺失，上限为 {percent(most)}；请查明未记录的原因，"
                "或不使用该列",
            ),
        )


def _constant(column: str, sensor: bool, value: object) -> Fault:
    """A sensor that never moves is dead; any other constant column carries nothing and does no harm."""
    tail = Sentence(en="a sensor that never moves is dead or disconnected", zh="读数从不变化的传感器可能已损坏或断开")
    if not sensor:
        tail = Sentence(en="it tells the model nothing in these rows", zh="该列在这些数据中不含信息")
    return Fault(
        column=column,
        kind="constant",
        measured=1.0,
        limit=1.0,
        grave=sensor,
        says=Sentence(
            en=f"'{column}' is {value} in every row; {tail.en}", zh=f"“{column}”在所有行中均为 {value}；{tail.zh}"
        ),
    )


def _out_of_range(
    column: str, known: Floats, declared: tuple[float, float], unit: str, limits: Limits
) -> Iterator[Fault]:
    low, high = declared
    outside = float(((known < low) | (known > high)).mean())
    most = _limit(limits, "most_out_of_range")
    if outside > most:
        seen = f"{known.min():g}–{known.max():g} {unit}".strip()
        yield Fault(
            column=column,
            kind="out_of_range",
            measured=outside,
            limit=most,
            says=Sentence(
                en=f"'{column}' lies outside its declared range {low:g}–{high:g} {unit} in {percent(outside)} "
                "of the rows "
                f"(seen: {seen}), at most {percent(most)} is allowed; check unit and sensor, or correct the range",
                zh=f"“{column}”有 {percent(outside)} 的行超出声明量程 {low:g}–{high:g} {unit}（实测 {seen}），"
                f"上限为 {percent(most)}；请核对单位和传感器，或更正量程",
            ),
        )


WINDOW = 25
"""Readings in the window that tells what is usual just then."""


SPIKE = 8.0
"""Sigmas from which a single reading is a spike. Of 280 real sensor series, healthy ones stay under 0.1 %."""


def sigmas(readings: Floats) -> Floats:
    """Return how many sigmas every known reading lies from the median of its surroundings.

    Sigma comes from the median absolute deviation, so the odd readings do not hide themselves, and is at least
    the usual step between readings, so that one digit more of a coarse sensor is not odd. Fewer readings than
    the window, or a reading that never changes, give no sigmas at all.
    """
    known = readings[np.isfinite(readings)]
    if len(known) < WINDOW:
        return np.zeros(0)
    usual = pd.Series(known).rolling(WINDOW, center=True, min_periods=1).median().to_numpy(dtype=np.float64)
    apart = np.abs(known - usual)
    steps = np.abs(np.diff(known))
    steps = steps[steps > 0]
    spread = max(float(np.median(apart)) * 1.4826, float(np.median(steps)) if len(steps) else 0.0)
    return np.asarray(apart / spread) if spread > 0 else np.zeros(0)


def _odd_readings(column: str, ordered: Floats, limits: Limits) -> Iterator[Fault]:
    apart = sigmas(ordered)
    if not len(apart):
        return
    share, most = float((apart > 3).mean()), _limit(limits, "most_beyond_3_sigma")
    if share > most:
        yield Fault(
            column=column,
            kind="beyond_3_sigma",
            measured=share,
            limit=most,
            says=Sentence(
                en=f"{percent(share)} of the readings of '{column}' lie more than 3 sigma from their surroundings, "
                f"at most {percent(most)} is allowed; look for loose contacts or mixed operating states",
                zh=f"“{column}”有 {percent(share)} 的读数偏离邻近值超过 3σ，上限为 {percent(most)}；"
                "请排查接触不良或工况混杂",
            ),
        )
    share, most = float((apart > SPIKE).mean()), _limit(limits, "most_spikes")
    if share > most:
        yield Fault(
            column=column,
            kind="spikes",
            measured=share,
            limit=most,
            says=Sentence(
                en=f"{percent(share)} of the readings of '{column}' are spikes of more than {SPIKE:g} sigma, at most "
                f"{percent(most)} is allowed; filter them as the plant does, or repair the sensor",
                zh=f"“{column}”有 {percent(share)} 的读数为超过 {SPIKE:g}σ 的尖峰，上限为 {percent(most)}；"
                "请按现场方式滤波，或检修传感器",
            ),
        )


def longest_run(readings: Floats) -> int:
    """Return the length of the longest run of equal readings; missing readings end a run.

    Examples
    --------
    >>> longest_run(np.array([1.0, 2.0, 2.0, 2.0, np.nan, 2.0]))
    3
    """
    if not len(readings):
        return 0
    breaks = np.flatnonzero(~(readings[1:] == readings[:-1])) + 1
    lengths = np.diff(np.concatenate([[0], breaks, [len(readings)]]))
    starts = np.concatenate([[0], breaks])
    return int(np.where(np.isnan(readings[starts]), 0, lengths).max())


def _stuck(column: str, ordered: Floats, limits: Limits) -> Iterator[Fault]:
    """A run counts as stuck only when chance would not make it: a reading that is usually 0 has long runs of 0."""
    known = ordered[np.isfinite(ordered)]
    run = longest_run(ordered)
    _, counts = np.unique(known, return_counts=True)
    usual = float(counts.max() / len(known))
    by_chance = np.log(max(len(known) * (1 - usual), 1.0)) / -np.log(usual) if 0 < usual < 1 else 0.0
    longest = _limit(limits, "longest_stuck")
    if run > longest and run > 3 * by_chance and usual < 1:
        yield Fault(
            column=column,
            kind="stuck",
            measured=float(run),
            limit=longest,
            says=Sentence(
                en=f"'{column}' repeats one reading {run} times in a row, at most {longest:g} is allowed; "
                "a stuck sensor reads as calm, check it",
                zh=f"“{column}”连续 {run} 次读数相同，上限为 {longest:g} 次；传感器卡滞会被误认为平稳，请检查",
            ),
        )


def _sentence(grave: list[Fault], faults: list[Fault], examined: Examined) -> Sentence:
    notes = len(faults) - len(grave)
    if grave:
        return joined([fault.says for fault in grave])
    also = Sentence(en=f"; {notes} remarks are in the table", zh=f"；另有 {notes} 条提示见表") if notes else None
    return Sentence(
        en=f"{len(examined)} rows and {len(examined.candidates)} columns show no fault in completeness, dates, ranges, "
        f"readings or labels{also.en if also else ''}",
        zh=f"{len(examined)} 行、{len(examined.candidates)} 列数据在完整性、日期、量程、"
        f"读数和标签方面未见缺陷{also.zh if also else ''}",
    )
