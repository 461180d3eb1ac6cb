"""Disturb one column as a known failure did, ask the model again, and count what it says differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.checks.examined import Bools, Examined, Floats, alarms, verdicts_of
from audit.checks.intervals import wilson
from audit.checks.probes.matching import unit_of
from audit.checks.probes.measured import FEW, NO_COLUMN, NO_MODEL, Answer, Measured, Unknown, worst
from audit.checks.times import times_of
from audit.checks.wording import percent, span
from explainers.predictor import Predictor
from policies.column_names import goes_by
from policies.errors import Sentence
from policies.probes import Kind, Measure

PROBED_ROWS = 2_000
"""Rows probed at most; a share is known to about two points from these."""

PHASES = 8
"""Moments of one wave at which a ripple is looked at. A model that judges row by row meets all of them in time."""

SPREADS = ("*_std", "*_sd", "*_rms", "*_range", "*_p2p", "*ripple*", "*波动*", "*标准差*", "*极差*")
"""Names of columns that hold the spread of a signal rather than its level: a ripple lifts them."""

CONVERSIONS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("degC", "degF"): (1.8, 32.0),
    ("degC", "K"): (1.0, 273.15),
    ("MPa", "bar"): (10.0, 0.0),
    ("bar", "kPa"): (100.0, 0.0),
    ("MPa", "kPa"): (1000.0, 0.0),
    ("bar", "psi"): (14.503774, 0.0),
    ("kPa", "psi"): (0.14503774, 0.0),
    ("%vol", "ppm"): (10_000.0, 0.0),
    ("%vol", "%LEL"): (20.0, 0.0),
    ("%LEL", "ppm"): (500.0, 0.0),
    ("m/s", "km/h"): (3.6, 0.0),
    ("mm/s", "in/s"): (0.03937008, 0.0),
    ("m/s2", "g"): (0.10197162, 0.0),
}
"""Factor and offset from one unit to another, readable both ways. %LEL is of methane: 5 % by volume."""

SAID: Mapping[Measure, Sentence] = {
    Measure.ALARMS_RAISED: Sentence(
        en="raises alarms in {share} of {n} calm rows", zh="{n} 行平稳数据中有 {share}报警"
    ),
    Measure.ALARMS_LOST: Sentence(en="loses {share} of {n} alarms", zh="{n} 次报警中有 {share}消失"),
    Measure.VERDICTS_CHANGED: Sentence(en="changes {share} of {n} verdicts", zh="{n} 个判断中有 {share}改变"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """The rows that are probed, in the order of time where there is one, and what the model says about them."""

    examined: Examined
    predictor: Predictor
    rows: Floats
    harmed: Bools
    verdicts: Bools
    regular: bool

    def place(self, column: str) -> int:
        """Place of a column among the model's features."""
        return self.predictor.feature_names.index(column)

    def spread(self, column: str) -> float:
        """Standard deviation of a column, missing readings left out; 0 for a column without readings."""
        values = self.rows[:, self.place(column)]
        known = values[np.isfinite(values)]
        return float(known.std()) if len(known) else 0.0

    def said_of(self, column: str, values: Floats) -> Bools:
        """What the model says when one column reads `values`."""
        rows = self.rows.copy()
        rows[:, self.place(column)] = values
        return verdicts_of(self.examined.declaration, self.predictor, rows)


Disturbance = tuple[Sentence, list[Floats]]
"""What was done, and what the column reads in each of its variants; one of them suffices to count a row."""


def disturbed(kind: Kind, columns: Sequence[str], told: Mapping[str, Any], examined: Examined) -> Answer:
    """Disturb each column by itself and return the worst of what came of it."""
    bench = bench_of(examined)
    if bench is None:
        return NO_MODEL
    read = [column for column in columns if column in bench.predictor.feature_names]
    if not read:
        return NO_COLUMN
    return worst([_one(bench, column, DISTURB[kind](bench, column, told), Measure(told["measure"])) for column in read])


def bench_of(examined: Examined) -> Bench | None:
    """Return the rows to probe; None where there is no model to ask."""
    if examined.predictor is None or examined.inputs is None:
        return None
    order, regular = _in_time(examined)
    if len(order) > PROBED_ROWS:
        start = int(examined.generator("negative list").integers(len(order) - PROBED_ROWS + 1))
        chosen = order[start : start + PROBED_ROWS] if regular else np.sort(
            examined.generator("negative list").choice(order, PROBED_ROWS, replace=False)
        )  # fmt: skip
    else:
        chosen = order
    rows = examined.inputs[chosen]
    return Bench(
        examined=examined,
        predictor=examined.predictor,
        rows=rows,
        harmed=examined.truth[chosen],
        verdicts=alarms(examined.declaration, examined.predictor.scores(rows)),
        regular=regular,
    )


def _in_time(examined: Examined) -> tuple[Any, bool]:
    """Return the order of time, and whether most steps of it are alike, as in a sampled signal."""
    column = examined.declaration.data.time
    if column is None or column not in examined.evaluation.columns:
        return np.arange(len(examined)), False
    times = times_of(examined.evaluation[column])
    order = np.argsort(times, kind="stable")
    steps = np.diff(times[order])
    steps = steps[np.isfinite(steps)]
    usual = float(np.median(steps)) if len(steps) else 0.0
    return order, usual > 0 and float((np.abs(steps - usual) <= 0.1 * usual).mean()) >= 0.8


def _one(bench: Bench, column: str, done: Disturbance | Unknown, measure: Measure) -> Answer:
    if isinstance(done, Unknown):
        return done
    what, variants = done
    verdicts = [bench.said_of(column, values) for values in variants]
    if measure is Measure.ALARMS_RAISED:
        looked_at = ~bench.verdicts & ~bench.harmed
        hit = np.any(verdicts, axis=0)
    elif measure is Measure.ALARMS_LOST:
        looked_at = bench.verdicts
        hit = ~np.all(verdicts, axis=0)
    else:
        looked_at = np.ones(len(bench.rows), dtype=bool)
        hit = np.any([said != bench.verdicts for said in verdicts], axis=0)
    n = int(looked_at.sum())
    if n < FEW:
        return Unknown(
            Sentence(en=f"{n} rows to count, at least {FEW} are needed", zh=f"可统计的仅 {n} 行，至少需要 {FEW} 行")
        )
    share = wilson(int((hit & looked_at).sum()), n)
    rate, around, said = percent(share.value), span(share.interval), SAID[measure]
    return Measured(
        share=share,
        n=n,
        says=Sentence(
            en=f"{what.en} {said.en.format(share=f'{rate} ({around})', n=n)}",
            zh=f"{what.zh}{said.zh.format(share=f'{rate}（{around}）', n=n)}",
        ),
    )


def _ripple(bench: Bench, column: str, told: Mapping[str, Any]) -> Disturbance | Unknown:
    """A wave of the declared amplitude on the level, or what such a wave adds to the spread of the signal."""
    size, written = _amount(bench, column, told)
    values = bench.rows[:, bench.place(column)]
    if goes_by(column, SPREADS):
        swing = 2 * size if goes_by(column, ("*_range", "*_p2p", "*极差*")) else size / math.sqrt(2)
        variants = [values + swing]
    else:
        variants = [values + size * math.sin(2 * math.pi * k / PHASES) for k in range(PHASES)]
    what = Sentence(en=f"a ripple of {written.en} on '{column}'", zh=f"“{column}”叠加幅值为{written.zh}的波动，")
    return what, [_within(bench, column, variant) for variant in variants]


def _replace(bench: Bench, column: str, told: Mapping[str, Any]) -> Disturbance | Unknown:
    """One reading for every row, as a failed instrument gives it."""
    reading = told["reading"]
    values = bench.rows[:, bench.place(column)]
    unit = bench.examined.declaration.feature(column).unit or ""
    if reading in ("range_low", "range_high"):
        ends = bench.examined.declaration.feature(column).range
        if ends is None:
            return Unknown(
                Sentence(
                    en=f"'{column}' has no declared range; declare range = [low, high]",
                    zh=f"“{column}”未声明量程，请写明 range = [下限, 上限]",
                )
            )
        value = ends[0] if reading == "range_low" else ends[1]
    elif reading == "quiet_median":
        quiet = values[~bench.verdicts & ~bench.harmed & np.isfinite(values)]
        if not len(quiet):
            return Unknown(Sentence(en=f"'{column}' has no calm reading", zh=f"“{column}”没有平稳时的读数"))
        value = float(np.median(quiet))
    else:
        value = {"missing": math.nan, "zero": 0.0}.get(reading, reading)
    if math.isnan(value):
        what = Sentence(en=f"'{column}' missing", zh=f"“{column}”缺失时，")
    else:
        figure = f"{value:.4g} {unit}".strip()
        what = Sentence(en=f"'{column}' standing at {figure}", zh=f"“{column}”恒为 {figure} 时，")
    return what, [np.full(len(values), value)]


def _convert(bench: Bench, column: str, told: Mapping[str, Any]) -> Disturbance | Unknown:
    """The same quantity in each of the other units, taken for the declared one."""
    values = bench.rows[:, bench.place(column)]
    unit = unit_of(bench.examined, column)
    variants, others = [], []
    for other in told["units"]:
        if (unit, other) in CONVERSIONS:
            factor, offset = CONVERSIONS[str(unit), other]
            variants.append(values * factor + offset)
            others.append(other)
        elif (other, unit) in CONVERSIONS:
            factor, offset = CONVERSIONS[other, str(unit)]
            variants.append((values - offset) / factor)
            others.append(other)
    if not variants:
        return Unknown(
            Sentence(
                en=f"the unit of '{column}' is not declared as one of {', '.join(told['units'])}; declare it",
                zh=f"“{column}”的单位未声明为 {'、'.join(told['units'])} 之一，请声明单位",
            )
        )
    what = Sentence(
        en=f"'{column}' in {' or '.join(others)} taken for {unit}",
        zh=f"“{column}”的 {' 或 '.join(others)} 读数被当作 {unit}，",
    )
    return what, variants


def _shift(bench: Bench, column: str, told: Mapping[str, Any]) -> Disturbance | Unknown:
    """Every reading too high or too low by one amount or one factor."""
    values = bench.rows[:, bench.place(column)]
    signs = {"up": (1.0,), "down": (-1.0,), "both": (1.0, -1.0)}[told["direction"]]
    if "factor" in told:
        factor = float(told["factor"])
        variants = [values * factor]
        what = Sentence(
            en=f"'{column}' reading {factor:g} times its value", zh=f"“{column}”读数变为真值的 {factor:g} 倍，"
        )
    else:
        size, written = _amount(bench, column, told)
        variants = [values + sign * size for sign in signs]
        way = {"up": ("higher", "偏高"), "down": ("lower", "偏低"), "both": ("higher or lower", "偏高或偏低")}
        en, zh = way[told["direction"]]
        what = Sentence(en=f"'{column}' {written.en} {en}", zh=f"“{column}”{zh}{written.zh}，")
    return what, [_within(bench, column, variant) for variant in variants]


def _delay(bench: Bench, column: str, told: Mapping[str, Any]) -> Disturbance | Unknown:
    """One column some samples behind the others."""
    if not bench.regular:
        return Unknown(
            Sentence(
                en="rows are no regular samples in time, so a late column cannot be imitated; declare data.time",
                zh="数据行不是等间隔采样，无法模拟列的滞后；如为采样数据请声明 data.time",
            )
        )
    values = bench.rows[:, bench.place(column)]
    by = min(int(told["by_rows"]), len(values))
    late = np.concatenate([values[:by], values[: len(values) - by]])
    return Sentence(en=f"'{column}' {by} samples late", zh=f"“{column}”滞后 {by} 个采样点，"), [late]


def _round(bench: Bench, column: str, told: Mapping[str, Any]) -> Disturbance | Unknown:
    """Readings kept only in steps, as a compressing historian or a coarse converter keeps them."""
    values = bench.rows[:, bench.place(column)]
    known = values[np.isfinite(values)]
    ends = bench.examined.declaration.feature(column).range or (
        (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    )
    step = (ends[1] - ends[0]) * float(told["share_of_range"])
    if step <= 0:
        return Unknown(Sentence(en=f"'{column}' never moves", zh=f"“{column}”始终不变"))
    what = Sentence(en=f"'{column}' kept in steps of {step:.3g}", zh=f"“{column}”按 {step:.3g} 的步长保存，")
    return what, [np.round(values / step) * step]


DISTURB: Mapping[Kind, Callable[[Bench, str, Mapping[str, Any]], Disturbance | Unknown]] = {
    Kind.RIPPLE: _ripple,
    Kind.REPLACE: _replace,
    Kind.CONVERT: _convert,
    Kind.SHIFT: _shift,
    Kind.DELAY: _delay,
    Kind.ROUND: _round,
}


def _amount(bench: Bench, column: str, told: Mapping[str, Any]) -> tuple[float, Sentence]:
    """Return an amount in the column's own unit: the one named for its unit, else a share of its spread."""
    unit = unit_of(bench.examined, column)
    amounts = told.get("amounts", {})
    if unit in amounts:
        size = float(amounts[unit])
        return size, Sentence(en=f"{size:g} {unit}", zh=f" {size:g} {unit} ")
    share = float(told.get("share_of_sd", 0.0))
    return share * bench.spread(column), Sentence(en=f"{share:g} standard deviations", zh=f" {share:g} 个标准差")


def _within(bench: Bench, column: str, values: Floats) -> Floats:
    """Hold readings within what the instrument can show; what lay outside before stays as it was disturbed."""
    ends = bench.examined.declaration.feature(column).range
    if ends is None:
        return values
    before = bench.rows[:, bench.place(column)]
    inside = (before >= ends[0]) & (before <= ends[1])
    return np.where(inside, np.clip(values, *ends), values)
