"""Do the verdicts survive what happens to sensors: noise, a missing reading, a stuck one, one that is off?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audit.checks.check import Finding, Group, Limits, all_hold, below, limit_of
from audit.checks.examined import Bools, Examined, Floats, alarms
from audit.checks.intervals import Estimate, wilson
from audit.checks.wording import joined, percent, span
from explainers.predictor import Predictor
from policies.errors import Sentence

PROBED_ROWS = 2_000
"""Rows probed at most; a share of changed verdicts is known to about two points from these."""

REPEATS = 5
"""Draws of noise per row."""

FEW_ALARMS = 10
"""Alarms needed before a share of lost alarms means anything."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """The rows that are probed, and what the model says about them undisturbed."""

    examined: Examined
    predictor: Predictor
    rows: Floats
    verdicts: Bools
    sensors: tuple[str, ...]
    declared: bool

    def verdicts_of(self, rows: Floats) -> Bools:
        """What the model says about disturbed rows."""
        return alarms(self.examined.declaration, self.predictor.scores(rows))

    def column(self, sensor: str) -> int:
        """Place of a sensor among the features."""
        return self.predictor.feature_names.index(sensor)

    @property
    def spreads(self) -> Floats:
        """Standard deviation of every feature, missing readings left out."""
        known = np.isfinite(self.rows)
        n = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, self.rows, 0.0)
        mean = filled.sum(axis=0) / n
        return np.asarray(np.sqrt((np.where(known, self.rows - mean, 0.0) ** 2).sum(axis=0) / n))


@dataclass(frozen=True)
class Robustness:
    """Noise on all sensors at once; then every sensor by itself missing, stuck at its median, and off by a bias."""

    name: str = "robustness"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding on noise, one on sensors that fail, one on bias; all probes are groups of the first.

        Where no sensor is declared, a guess at what was measured cannot fail a model: a no becomes an open question.
        """
        bench = _bench(examined)
        if isinstance(bench, Sentence):
            return (Finding(check=self.name, holds=None, n=len(examined), unit="share", says=bench),)
        noise = limit_of(limits, self.name, "noise_share_of_sd")
        most_changed = limit_of(limits, self.name, "most_verdicts_changed_by_noise")
        most_lost = limit_of(limits, self.name, "most_alarms_lost_by_missing_sensor")
        shaken = _noise(bench, noise)
        bias = limit_of(limits, self.name, "bias_share_of_sd")
        most_by_bias = limit_of(limits, self.name, "most_alarms_lost_by_bias")
        failed = [
            (sensor, probe, *_fails(bench, sensor, probe)) for sensor in bench.sensors for probe in ("missing", "stuck")
        ]
        alarmed = int(bench.verdicts.sum())
        lines = tuple(
            _line(sensor, probe, changed, lost, most_lost, alarmed) for sensor, probe, changed, lost in failed
        )
        off = [(sensor, *_is_off(bench, sensor, bias)) for sensor in bench.sensors]
        biased = tuple(_line(sensor, "bias", changed, lost, most_by_bias, alarmed) for sensor, changed, lost in off)
        first = {
            "probe": "noise",
            "feature": None,
            "verdicts_changed": shaken.value,
            "alarms_lost": None,
            "limit": most_changed,
            "holds": below(shaken.interval, most_changed),
        }
        findings = (
            self._noise_finding(bench, shaken, noise, most_changed, (first, *lines, *biased)),
            self._failure_finding(bench, lines, most_lost),
            *self._bias_finding(bench, biased, most_by_bias, bias),
        )
        return findings if bench.declared else tuple(_as_a_guess(finding) for finding in findings)

    def _noise_finding(
        self, bench: Bench, shaken: Estimate, noise: float, limit: float, groups: tuple[Group, ...]
    ) -> Finding:
        which = _which(bench)
        holds = below(shaken.interval, limit)
        more = Sentence(en="", zh="") if holds else Sentence(
            en="; the verdicts hang on digits the sensors do not have, use coarser inputs or a smoother model",
            zh="；判断取决于传感器精度以外的微小变化，请采用更粗的输入分辨率或更平滑的模型",
        )  # fmt: skip
        return Finding(
            check=self.name,
            holds=holds,
            measured=shaken.value,
            limit=limit,
            unit="share",
            interval=shaken.interval,
            n=len(bench.rows),
            groups=groups,
            says=Sentence(
                en=f"noise of {percent(noise, 0)} of each standard deviation on {which.en} changes "
                f"{percent(shaken.value)} of the verdicts ({span(shaken.interval)}); "
                f"at most {percent(limit)} is allowed{more.en}",
                zh=f"对{which.zh}加入标准差 {percent(noise, 0)} 的噪声后，{percent(shaken.value)} 的判断发生改变"
                f"（区间 {span(shaken.interval)}），上限为 {percent(limit)}{more.zh}",
            ),
            evidence={"rows": len(bench.rows), "repeats": REPEATS, "sensors_declared": bench.declared},
        )

    def _bias_finding(self, bench: Bench, lines: tuple[Group, ...], limit: float, bias: float) -> tuple[Finding, ...]:
        n = int(bench.verdicts.sum())
        if n < FEW_ALARMS:
            return ()
        worst = max(lines, key=lambda line: float(str(line["alarms_lost"])))
        lost = wilson(round(float(str(worst["alarms_lost"])) * n), n)
        holds = all_hold([_answer(line) for line in lines])
        more = Sentence(
            en="" if holds else "; check its calibration often, or let a second reading stand beside it",
            zh="" if holds else "；请缩短该传感器的校验周期，或增设冗余测点",
        )
        says = Sentence(
            en=f"when '{worst['feature']}' is off by {bias:g} standard deviations, {percent(lost.value)} of {n} alarms "
            f"are lost ({span(lost.interval)}); at most {percent(limit)} is allowed{more.en}",
            zh=f"“{worst['feature']}”偏移 {bias:g} 个标准差时，{n} 次报警中丢失 {percent(lost.value)}"
            f"（区间 {span(lost.interval)}），上限为 {percent(limit)}{more.zh}",
        )
        return (
            Finding(
                check=self.name,
                holds=holds,
                measured=lost.value,
                limit=limit,
                unit="share",
                interval=lost.interval,
                n=n,
                says=says,
            ),
        )

    def _failure_finding(self, bench: Bench, lines: tuple[Group, ...], limit: float) -> Finding:
        n = int(bench.verdicts.sum())
        if n < FEW_ALARMS:
            says = Sentence(
                en=f"cannot conclude on lost alarms: the model alarms in {n} of {len(bench.rows)} probed rows, "
                f"at least {FEW_ALARMS} are needed",
                zh=f"无法就报警丢失得出结论：{len(bench.rows)} 行中仅 {n} 行报警，至少需要 {FEW_ALARMS} 次报警",
            )
            return Finding(check=self.name, holds=None, limit=limit, unit="share", n=n, says=says)
        worst = max(lines, key=lambda line: float(str(line["alarms_lost"])))
        lost = wilson(round(float(str(worst["alarms_lost"])) * n), n)
        holds = all_hold([_answer(line) for line in lines])
        return Finding(
            check=self.name,
            holds=holds,
            measured=lost.value,
            limit=limit,
            unit="share",
            interval=lost.interval,
            n=n,
            says=_failure_said(lines, worst, lost, limit, n),
        )


def _is_off(bench: Bench, sensor: str, share: float) -> tuple[float, float | None]:
    """Return the share of verdicts changed, and of alarms lost, by a bias up or down, whichever loses more."""
    i = bench.column(sensor)
    alarmed = int(bench.verdicts.sum())
    found = []
    for sign in (-1.0, 1.0):
        rows = bench.rows.copy()
        rows[:, i] += sign * share * bench.spreads[i]
        _keep_in_range(bench, rows)
        verdicts = bench.verdicts_of(rows)
        found.append((int((bench.verdicts & ~verdicts).sum()), float((verdicts != bench.verdicts).mean())))
    lost, changed = max(found)
    return changed, (lost / alarmed if alarmed else None)


def _bench(examined: Examined) -> Bench | Sentence:
    """Return the rows to probe, or the sentence that tells why there is nothing to probe."""
    if examined.predictor is None or examined.inputs is None:
        return Sentence(
            en="cannot conclude: the model was not handed in, so nothing can be fed to it; hand in the model",
            zh="无法得出结论：未提交模型，无法输入扰动数据进行试验，请提交模型文件",
        )
    rows = examined.inputs
    if len(rows) > PROBED_ROWS:
        chosen = examined.generator("robustness").choice(len(rows), PROBED_ROWS, replace=False)
        rows = rows[np.sort(chosen)]
    declared = [name for name in examined.features if examined.declaration.feature(name).sensor]
    sensors = declared or [name for i, name in enumerate(examined.features) if _measures(rows[:, i])]
    if not sensors:
        return Sentence(
            en="cannot conclude: no feature is declared a sensor and none looks like a measurement; "
            "declare sensor = true where it is one",
            zh="无法得出结论：未声明任何传感器特征，也没有形似测量值的特征；请在相应特征下写明 sensor = true",
        )
    return Bench(
        examined=examined,
        predictor=examined.predictor,
        rows=rows,
        verdicts=alarms(examined.declaration, examined.predictor.scores(rows)),
        sensors=tuple(sensors),
        declared=bool(declared),
    )


def _measures(values: Floats) -> bool:
    """Whether undeclared numbers look measured: more than ten values, not all of them whole."""
    known = values[np.isfinite(values)]
    return bool(len(np.unique(known)) > 10 and (known != np.round(known)).any())


def _noise(bench: Bench, share: float) -> Estimate:
    """Share of verdicts changed by Gaussian noise on all sensors; rows are the independent units, not draws."""
    generator = bench.examined.generator("robustness noise")
    columns = [bench.column(sensor) for sensor in bench.sensors]
    scale = bench.spreads[columns] * share
    changed = np.zeros(len(bench.rows))
    for _ in range(REPEATS):
        rows = bench.rows.copy()
        rows[:, columns] += generator.standard_normal((len(rows), len(columns))) * scale
        _keep_in_range(bench, rows)
        changed += bench.verdicts_of(rows) != bench.verdicts
    rate = float(changed.mean() / REPEATS)
    return wilson_of_share(rate, len(bench.rows))


def wilson_of_share(rate: float, n: int) -> Estimate:
    """Return Wilson's interval for a rate averaged over draws: as wide as for one draw, never narrower."""
    around = wilson(round(rate * n), n)
    return Estimate(rate, min(around.lo, rate), max(around.hi, rate))


def _keep_in_range(bench: Bench, rows: Floats) -> None:
    """Hold disturbed readings within what a sensor can show."""
    for sensor in bench.sensors:
        limits = bench.examined.declaration.feature(sensor).range
        if limits is not None:
            i = bench.column(sensor)
            inside = (bench.rows[:, i] >= limits[0]) & (bench.rows[:, i] <= limits[1])
            rows[inside, i] = np.clip(rows[inside, i], *limits)


def _fails(bench: Bench, sensor: str, probe: str) -> tuple[float, float | None]:
    """Return the share of verdicts changed, and of alarms lost, when one sensor says nothing or never moves."""
    rows = bench.rows.copy()
    i = bench.column(sensor)
    known = rows[np.isfinite(rows[:, i]), i]
    rows[:, i] = np.nan if probe == "missing" or not len(known) else np.median(known)
    verdicts = bench.verdicts_of(rows)
    alarmed = int(bench.verdicts.sum())
    lost = int((bench.verdicts & ~verdicts).sum())
    return float((verdicts != bench.verdicts).mean()), (lost / alarmed if alarmed else None)


def _line(sensor: str, probe: str, changed: float, lost: float | None, limit: float, alarmed: int) -> Group:
    holds = None if lost is None else below(wilson(round(lost * alarmed), alarmed).interval, limit)
    return {
        "probe": probe,
        "feature": sensor,
        "verdicts_changed": changed,
        "alarms_lost": lost,
        "limit": limit,
        "holds": holds,
    }


def _as_a_guess(finding: Finding) -> Finding:
    """A finding about features nobody declared sensors: it may hold, but it cannot fail."""
    if finding.holds is not False:
        return finding
    return replace(
        finding,
        holds=None,
        groups=tuple({**line, "holds": None if line["holds"] is False else line["holds"]} for line in finding.groups),
        says=Sentence(
            en=f"cannot conclude, since no sensor is declared: {finding.says.en}; declare sensor = true where "
            "it is one",
            zh=f"未声明传感器，无法得出结论：{finding.says.zh}；请在属于传感器的特征下写明 sensor = true",
        ),
    )


def _answer(line: Group) -> bool | None:
    holds = line["holds"]
    return holds if isinstance(holds, bool) else None


def _which(bench: Bench) -> Sentence:
    n = len(bench.sensors)
    if bench.declared:
        return Sentence(en=f"{n} sensors", zh=f" {n} 个传感器")
    return Sentence(
        en=f"{n} features that look measured (none is declared a sensor)", zh=f" {n} 个形似测量值的特征（未声明传感器）"
    )


def _failure_said(lines: tuple[Group, ...], worst: Group, lost: Estimate, limit: float, n: int) -> Sentence:
    how = Sentence(en="is missing", zh="缺失") if worst["probe"] == "missing" else Sentence(en="is stuck", zh="卡滞")
    broken = sorted({str(line["feature"]) for line in lines if line["holds"] is False})
    said = [
        Sentence(
            en=f"when '{worst['feature']}' {how.en}, {percent(lost.value)} of {n} alarms are lost "
            f"({span(lost.interval)}); at most {percent(limit)} is allowed",
            zh=f"“{worst['feature']}”{how.zh}时，{n} 次报警中丢失 {percent(lost.value)}（区间 {span(lost.interval)}），"
            f"上限为 {percent(limit)}",
        )
    ]
    if broken:
        said.append(
            Sentence(
                en=f"{len(broken)} sensors lose more than that; let a missing or stuck sensor alarm by itself, "
                "or train with failed sensors",
                zh=f"共有 {len(broken)} 个传感器超限；请让传感器缺失或卡滞本身触发报警，或在训练中加入传感器失效的情形",
            )
        )
    return joined(said)
