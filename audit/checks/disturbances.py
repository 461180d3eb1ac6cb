"""What happens to a reading on its way to the model, one kind at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audit.checks.bench import Bench
from audit.checks.check import Limits, limit_of
from audit.checks.examined import Bools, Floats
from audit.checks.units import mistakes
from policies.errors import Sentence

Shaken = tuple[Floats, Bools | None]
"""All rows with one reading disturbed; and which of them nobody would notice (None: all)."""

Shake = Callable[[Bench, str, Limits], Iterator[Shaken]]
"""Yields the ways in which one sensor may be disturbed; the worst of them counts. Yields nothing where it cannot."""


def size(limits: Limits, key: str) -> float:
    """Return the size of a disturbance as the rulebook sets it."""
    return limit_of(limits, "robustness", key)


def _with(bench: Bench, sensor: str, readings: Floats | float) -> Floats:
    rows = bench.rows.copy()
    rows[:, bench.column(sensor)] = readings
    return rows


def missing(bench: Bench, sensor: str, _limits: Limits) -> Iterator[Shaken]:
    """The sensor says nothing."""
    yield _with(bench, sensor, np.nan), None


def stuck(bench: Bench, sensor: str, _limits: Limits) -> Iterator[Shaken]:
    """The sensor stays at its median."""
    known = bench.readings(sensor)
    yield _with(bench, sensor, float(np.median(known)) if len(known) else np.nan), None


def bias(bench: Bench, sensor: str, limits: Limits) -> Iterator[Shaken]:
    """The sensor reads too low or too high by a constant."""
    yield from _moved(bench, sensor, size(limits, "bias_share_of_sd"), np.ones(len(bench.rows)))


def drift(bench: Bench, sensor: str, limits: Limits) -> Iterator[Shaken]:
    """The sensor wanders off, from nothing at the first row to its full error at the last."""
    yield from _moved(bench, sensor, size(limits, "drift_share_of_sd"), bench.progress)


def _moved(bench: Bench, sensor: str, share: float, course: Floats) -> Iterator[Shaken]:
    i = bench.column(sensor)
    for sign in (-1.0, 1.0):
        rows = bench.rows.copy()
        rows[:, i] += sign * share * bench.spreads[i] * course
        bench.keep_in_range(rows)
        yield rows, None


SPIKE = 8.0
"""Size of a spike in standard deviations, as `data_quality` counts them."""


def spike(bench: Bench, sensor: str, _limits: Limits) -> Iterator[Shaken]:
    """A reading jumps by eight standard deviations, as far as the sensor can show it."""
    i = bench.column(sensor)
    low, high = bench.span(sensor)
    for sign in (-1.0, 1.0):
        spiked = bench.rows[:, i] + sign * SPIKE * bench.spreads[i]
        own = bench.rows[:, i]
        yield _with(bench, sensor, np.clip(spiked, np.minimum(low, own), np.maximum(high, own))), None


def out_of_range(bench: Bench, sensor: str, _limits: Limits) -> Iterator[Shaken]:
    """The reading lies a quarter of the range beyond either end, as a broken wire or a short circuit makes it."""
    low, high = bench.span(sensor)
    for value in (low - 0.25 * (high - low), high + 0.25 * (high - low)):
        yield _with(bench, sensor, value), None


def unit_mix_up(bench: Bench, sensor: str, _limits: Limits) -> Iterator[Shaken]:
    """The reading arrives in another unit. What leaves the declared range is noticed and does not count."""
    feature = bench.examined.declaration.feature(sensor)
    for mistake in mistakes(feature.unit):
        readings = bench.rows[:, bench.column(sensor)] * mistake.scale + mistake.offset
        unnoticed: Bools = np.ones(len(readings), dtype=np.bool_)
        if feature.range is not None:
            unnoticed = (readings >= feature.range[0]) & (readings <= feature.range[1])
        yield _with(bench, sensor, readings), unnoticed


def coarse(bench: Bench, sensor: str, limits: Limits) -> Iterator[Shaken]:
    """The sensor is read in steps."""
    i = bench.column(sensor)
    step = size(limits, "step_share_of_sd") * bench.spreads[i]
    if step > 0:
        rows = _with(bench, sensor, np.round(bench.rows[:, i] / step) * step)
        bench.keep_in_range(rows)
        yield rows, None


def late(bench: Bench, sensor: str, limits: Limits) -> Iterator[Shaken]:
    """The sensor's clock lags: its readings come some rows later than those of the others."""
    readings = bench.late(sensor, int(size(limits, "late_rows")))
    if readings is not None:
        yield _with(bench, sensor, readings), None


def aged(bench: Bench, limits: Limits) -> Floats:
    """Return the rows as older equipment would read them: every sensor less sensitive and twice as noisy."""
    rows, columns = bench.rows.copy(), bench.columns
    middle = np.array([float(np.median(known)) if len(known := bench.readings(s)) else 0.0 for s in bench.sensors])
    rows[:, columns] = middle + size(limits, "aged_gain") * (rows[:, columns] - middle)
    scale = 2 * size(limits, "noise_share_of_sd") * bench.spreads[columns]
    noise = bench.examined.generator("robustness ageing").standard_normal((len(rows), len(columns)))
    rows[:, columns] += noise * scale
    bench.keep_in_range(rows)
    return rows


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One kind of disturbance of single sensors, in the words that follow "when 'pressure' ..."."""

    name: str
    shake: Shake
    says: Sentence


@dataclass(frozen=True, kw_only=True)
class Family:
    """Probes that share one limit of the rulebook, and what helps against them."""

    limit: str
    judges: Literal["alarms_lost", "verdicts_changed"]
    probes: tuple[Probe, ...]
    helps: Sentence


FAMILIES: tuple[Family, ...] = (
    Family(
        limit="most_alarms_lost_by_missing_sensor",
        judges="alarms_lost",
        probes=(
            Probe(name="missing", shake=missing, says=Sentence(en="is missing", zh="缺失")),
            Probe(name="stuck", shake=stuck, says=Sentence(en="is stuck", zh="卡滞")),
        ),
        helps=Sentence(
            en="let a missing or stuck sensor alarm by itself, or train with failed sensors",
            zh="请让传感器缺失或卡滞本身触发报警，或在训练中加入传感器失效的情形",
        ),
    ),
    Family(
        limit="most_alarms_lost_by_bias",
        judges="alarms_lost",
        probes=(
            Probe(
                name="bias",
                shake=bias,
                says=Sentence(
                    en="is off by {bias_share_of_sd:g} standard deviations", zh="偏移 {bias_share_of_sd:g} 个标准差"
                ),
            ),
        ),
        helps=Sentence(
            en="check its calibration often, or let a second reading stand beside it",
            zh="请缩短该传感器的校验周期，或增设冗余测点",
        ),
    ),
    Family(
        limit="most_alarms_lost_by_drift",
        judges="alarms_lost",
        probes=(
            Probe(
                name="drift",
                shake=drift,
                says=Sentence(
                    en="drifts by {drift_share_of_sd:g} standard deviations",
                    zh="漂移达 {drift_share_of_sd:g} 个标准差",
                ),
            ),
            Probe(
                name="late",
                shake=late,
                says=Sentence(
                    en="lags {late_rows:g} readings behind the others", zh="比其他测点滞后 {late_rows:g} 个采样"
                ),
            ),
        ),
        helps=Sentence(
            en="compare it with its neighbours over time, and keep the clocks of all sensors together",
            zh="请与相邻测点长期比对，并统一各测点时钟",
        ),
    ),
    Family(
        limit="most_alarms_lost_by_false_reading",
        judges="alarms_lost",
        probes=(
            Probe(name="spike", shake=spike, says=Sentence(en="spikes", zh="出现尖峰")),
            Probe(
                name="out_of_range", shake=out_of_range, says=Sentence(en="reads beyond its range", zh="读数超出量程")
            ),
            Probe(
                name="unit_mix_up",
                shake=unit_mix_up,
                says=Sentence(en="arrives in another unit that its range lets pass", zh="单位混淆且未超出量程"),
            ),
        ),
        helps=Sentence(
            en="refuse readings that cannot be before they reach the model, and declare ranges tight enough to notice",
            zh="请在数据进入模型之前拒绝不可能的读数，并将量程声明得足够严格",
        ),
    ),
    Family(
        limit="most_verdicts_changed_by_steps",
        judges="verdicts_changed",
        probes=(
            Probe(
                name="coarse",
                shake=coarse,
                says=Sentence(
                    en="is read in steps of {step_share_of_sd:g} standard deviations",
                    zh="分辨率降为 {step_share_of_sd:g} 个标准差",
                ),
            ),
        ),
        helps=Sentence(
            en="use a sensor with finer steps, or a smoother model", zh="请采用更高分辨率的传感器，或更平滑的模型"
        ),
    ),
)
"""Every probe of single sensors, in the order of the report."""
