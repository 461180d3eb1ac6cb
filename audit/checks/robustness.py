"""Do the verdicts survive what happens to sensors, their ageing, and someone who bends readings on purpose?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audit.checks.bench import Bench, bench_of
from audit.checks.check import Finding, Group, Limits, all_hold, below, limit_of
from audit.checks.disturbances import FAMILIES, Family, Probe, aged
from audit.checks.evasion import attack
from audit.checks.examined import Examined
from audit.checks.intervals import Estimate, wilson
from audit.checks.reach import Reach, reach_of
from audit.checks.wording import joined, percent, span
from policies.errors import Sentence

REPEATS = 5
"""Draws of noise per row."""

FEW_ALARMS = 10
"""Alarms needed before a share of lost alarms means anything."""


@dataclass(frozen=True)
class Robustness:
    """Noise and ageing on all sensors at once; every sensor by itself disturbed in nine ways; reach; and an attack."""

    name: str = "robustness"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding per limit; all probes are groups of the first, which is the one on noise.

        Where no sensor is declared, a guess at what was measured cannot fail a model: a no becomes an open question.
        """
        bench = bench_of(examined)
        if isinstance(bench, Sentence):
            return (Finding(check=self.name, holds=None, n=len(examined), unit="share", says=bench),)
        noisy, noise_line = self._noise(bench, limits)
        old, old_line = self._ageing(bench, limits)
        measured = [(family, _lines(bench, family, limits)) for family in FAMILIES]
        groups = (noise_line, *(line for _, lines in measured for line in lines), *old_line)
        findings = (
            replace(noisy, groups=groups),
            *(found for family, lines in measured for found in self._of_family(bench, family, lines, limits)),
            *old,
            self._reach(bench, limits),
            *self._attack(bench, limits),
        )
        return findings if bench.declared else tuple(_as_a_guess(finding) for finding in findings)

    def _noise(self, bench: Bench, limits: Limits) -> tuple[Finding, Group]:
        noise = limit_of(limits, self.name, "noise_share_of_sd")
        limit = limit_of(limits, self.name, "most_verdicts_changed_by_noise")
        shaken = _noise(bench, noise)
        which, holds = _which(bench), below(shaken.interval, limit)
        more = Sentence(en="", zh="") if holds else Sentence(
            en="; the verdicts hang on digits the sensors do not have, use coarser inputs or a smoother model",
            zh="；判断取决于传感器精度以外的微小变化，请采用更粗的输入分辨率或更平滑的模型",
        )  # fmt: skip
        says = Sentence(
            en=f"noise of {percent(noise, 0)} of each standard deviation on {which.en} changes "
            f"{percent(shaken.value)} of the verdicts ({span(shaken.interval)}); "
            f"at most {percent(limit)} is allowed{more.en}",
            zh=f"对{which.zh}加入标准差 {percent(noise, 0)} 的噪声后，{percent(shaken.value)} 的判断发生改变"
            f"（区间 {span(shaken.interval)}），上限为 {percent(limit)}{more.zh}",
        )
        evidence = {"rows": len(bench.rows), "repeats": REPEATS, "sensors_declared": bench.declared}
        found = self._share(shaken, limit, holds, len(bench.rows), says, evidence)
        return found, _group("noise", None, shaken.value, None, limit, holds)

    def _ageing(self, bench: Bench, limits: Limits) -> tuple[tuple[Finding, ...], tuple[Group, ...]]:
        n = int(bench.verdicts.sum())
        if n < FEW_ALARMS:
            return (), ()
        limit, gain = (limit_of(limits, self.name, key) for key in ("most_alarms_lost_by_ageing", "aged_gain"))
        verdicts = bench.verdicts_of(aged(bench, limits))
        lost = wilson(int((bench.verdicts & ~verdicts).sum()), n)
        holds = below(lost.interval, limit)
        more = Sentence(
            en="" if holds else "; train with the readings of aged equipment, and recalibrate before the loss shows",
            zh="" if holds else "；请在训练中加入老化设备的数据，并在性能下降之前重新标定",
        )
        says = Sentence(
            en=f"as equipment ages and every sensor shows {percent(gain, 0)} of its swing with twice the noise, "
            f"{percent(lost.value)} of {n} alarms are lost ({span(lost.interval)}); at most {percent(limit)} is "
            f"allowed{more.en}",
            zh=f"设备老化、各传感器灵敏度降至 {percent(gain, 0)} 且噪声加倍时，{n} 次报警中丢失 {percent(lost.value)}"
            f"（区间 {span(lost.interval)}），上限为 {percent(limit)}{more.zh}",
        )
        changed = float((verdicts != bench.verdicts).mean())
        line = _group("aged", None, changed, lost.value, limit, holds)
        return (self._share(lost, limit, holds, n, says),), (line,)

    def _of_family(self, bench: Bench, family: Family, lines: tuple[Group, ...], limits: Limits) -> tuple[Finding, ...]:
        """One finding for probes that share a limit; on lost alarms only where there are alarms to lose."""
        limit = limit_of(limits, self.name, family.limit)
        n = int(bench.verdicts.sum()) if family.judges == "alarms_lost" else len(bench.rows)
        if family.judges == "alarms_lost" and n < FEW_ALARMS:
            return (_few_alarms(n, len(bench.rows), limit),) if family is FAMILIES[0] else ()
        if not lines:
            return ()
        worst = max(lines, key=lambda line: _number(line, family.judges))
        lost = wilson(round(_number(worst, family.judges) * n), n)
        says = _family_said(family, lines, worst, lost, limit, n, limits)
        return (self._share(lost, limit, all_hold([_answer(line) for line in lines]), n, says),)

    def _reach(self, bench: Bench, limits: Limits) -> Finding:
        """How many verdicts hang on a move of one sensor that is smaller than what it can tell."""
        reach = reach_of(bench)
        small = limit_of(limits, self.name, "small_move_share_of_sd")
        limit = limit_of(limits, self.name, "most_verdicts_within_small_move")
        n = len(reach.nearest)
        near = wilson(int((reach.nearest <= small).sum()), n)
        says = _reach_said(reach, near, small, limit, bench)
        units = tuple(bench.examined.declaration.feature(sensor).unit for sensor in reach.sensors)
        evidence = {"reach": reach.picture(), "by_sensor": reach.lines(units), "exact": reach.exact}
        return self._share(near, limit, below(near.interval, limit), n, says, evidence)

    def _attack(self, bench: Bench, limits: Limits) -> tuple[Finding, ...]:
        """How many alarms someone silences who may bend every sensor a little."""
        found = attack(bench)
        n = len(found.distances)
        if n < FEW_ALARMS:
            return ()
        budget = limit_of(limits, self.name, "attack_share_of_sd")
        limit = limit_of(limits, self.name, "most_alarms_evaded")
        evaded = wilson(int((found.distances <= budget).sum()), n)
        holds = below(evaded.interval, limit)
        return (
            self._share(
                evaded, limit, holds, n, _attack_said(evaded, budget, limit, n, holds),
                {
                    "distances": np.sort(found.distances).tolist(), "budget": budget, "questions": found.questions,
                    "method": "decision-based, largest move, within the sensors' ranges",
                },
            ),
        )  # fmt: skip

    def _share(
        self,
        measured: Estimate,
        limit: float,
        holds: bool | None,
        n: int,
        says: Sentence,
        evidence: Mapping[str, object] | None = None,
    ) -> Finding:
        return Finding(
            check=self.name,
            holds=holds,
            measured=measured.value,
            limit=limit,
            unit="share",
            interval=measured.interval,
            n=n,
            says=says,
            evidence=evidence or {},
        )


def _noise(bench: Bench, share: float) -> Estimate:
    """Share of verdicts changed by Gaussian noise on all sensors; rows are the independent units, not draws."""
    generator = bench.examined.generator("robustness noise")
    columns = bench.columns
    scale = bench.spreads[columns] * share
    changed = np.zeros(len(bench.rows))
    for _ in range(REPEATS):
        rows = bench.rows.copy()
        rows[:, columns] += generator.standard_normal((len(rows), len(columns))) * scale
        bench.keep_in_range(rows)
        changed += bench.verdicts_of(rows) != bench.verdicts
    rate = float(changed.mean() / REPEATS)
    return wilson_of_share(rate, len(bench.rows))


def wilson_of_share(rate: float, n: int) -> Estimate:
    """Return Wilson's interval for a rate averaged over draws: as wide as for one draw, never narrower."""
    around = wilson(round(rate * n), n)
    return Estimate(rate, min(around.lo, rate), max(around.hi, rate))


def _lines(bench: Bench, family: Family, limits: Limits) -> tuple[Group, ...]:
    """Every probe of a family on every sensor to which it can be put."""
    limit = limit_of(limits, "robustness", family.limit)
    made = (_line(bench, family, probe, sensor, limit, limits) for probe in family.probes for sensor in bench.sensors)
    return tuple(line for line in made if line is not None)


def _line(bench: Bench, family: Family, probe: Probe, sensor: str, limit: float, limits: Limits) -> Group | None:
    """The worst of the ways a probe can take with one sensor; None where it has none."""
    alarmed = int(bench.verdicts.sum())
    found = []
    for rows, unnoticed in probe.shake(bench, sensor, limits):
        verdicts = bench.verdicts_of(rows)
        counted = np.ones(len(rows), dtype=np.bool_) if unnoticed is None else unnoticed
        lost = int((bench.verdicts & ~verdicts & counted).sum())
        found.append((lost, float(((verdicts != bench.verdicts) & counted).mean())))
    if not found:
        return None
    lost, changed = max(found)
    share = lost / alarmed if alarmed else None
    if family.judges == "verdicts_changed":
        holds = below(wilson(round(changed * len(bench.rows)), len(bench.rows)).interval, limit)
    else:
        holds = None if share is None else below(wilson(lost, alarmed).interval, limit)
    return _group(probe.name, sensor, changed, share, limit, holds)


def _group(
    probe: str, sensor: str | None, changed: float, lost: float | None, limit: float, holds: bool | None
) -> Group:
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


def _number(line: Group, key: str) -> float:
    value = line[key]
    return float(value) if isinstance(value, int | float) else 0.0


def _which(bench: Bench) -> Sentence:
    n = len(bench.sensors)
    if bench.declared:
        return Sentence(en=f"{n} sensors", zh=f" {n} 个传感器")
    return Sentence(
        en=f"{n} features that look measured (none is declared a sensor)", zh=f" {n} 个形似测量值的特征（未声明传感器）"
    )


def _few_alarms(n: int, rows: int, limit: float) -> Finding:
    says = Sentence(
        en=f"cannot conclude on lost alarms: the model alarms in {n} of {rows} probed rows, "
        f"at least {FEW_ALARMS} are needed",
        zh=f"无法就报警丢失得出结论：{rows} 行中仅 {n} 行报警，至少需要 {FEW_ALARMS} 次报警",
    )
    return Finding(check="robustness", holds=None, limit=limit, unit="share", n=n, says=says)


def _family_said(
    family: Family, lines: Sequence[Group], worst: Group, lost: Estimate, limit: float, n: int, limits: Limits
) -> Sentence:
    how = next(probe.says for probe in family.probes if probe.name == worst["probe"])
    en, zh = (text.format_map(dict(limits)) for text in (how.en, how.zh))
    what = Sentence(en=f"of {n} alarms are lost", zh=f"{n} 次报警中丢失")
    if family.judges == "verdicts_changed":
        what = Sentence(en=f"of {n} verdicts change", zh=f"{n} 次判断中改变")
    said = [
        Sentence(
            en=f"when '{worst['feature']}' {en}, {percent(lost.value)} {what.en} ({span(lost.interval)}); at most "
            f"{percent(limit)} is allowed",
            zh=f"“{worst['feature']}”{zh}时，{what.zh} {percent(lost.value)}（区间 {span(lost.interval)}），"
            f"上限为 {percent(limit)}",
        )
    ]
    broken = sorted({str(line["feature"]) for line in lines if line["holds"] is False})
    if broken:
        said.append(
            Sentence(
                en=f"{len(broken)} sensors are beyond it; {family.helps.en}",
                zh=f"共有 {len(broken)} 个传感器超限；{family.helps.zh}",
            )
        )
    return joined(said)


def _reach_said(reach: Reach, near: Estimate, small: float, limit: float, bench: Bench) -> Sentence:
    finite = reach.nearest[np.isfinite(reach.nearest)]
    half = Sentence(en="no single sensor flips any verdict", zh="任何单一传感器都不足以改变判断")
    if len(finite):
        middle = float(np.median(finite))
        half = Sentence(
            en=f"one sensor alone can flip {percent(len(finite) / len(reach.nearest))} of the verdicts, half of them "
            f"by moving {middle:.2g} standard deviations",
            zh=f"单一传感器即可改变 {percent(len(finite) / len(reach.nearest))} 的判断，"
            f"其中一半只需移动 {middle:.2g} 个标准差",
        )
    holds = below(near.interval, limit)
    more = Sentence(
        en="" if holds else "; the model stands on edges, smooth it or call a person near the threshold",
        zh="" if holds else "；模型处于临界状态，请平滑模型，或在阈值附近转交人工",
    )
    return Sentence(
        en=f"{percent(near.value)} of the verdicts flip when one sensor moves by {small:g} standard deviations "
        f"({span(near.interval)}); at most {percent(limit)} is allowed{more.en}; {half.en}",
        zh=f"单一传感器移动 {small:g} 个标准差即可改变 {percent(near.value)} 的判断（区间 {span(near.interval)}），"
        f"上限为 {percent(limit)}{more.zh}；{half.zh}",
    )


def _attack_said(evaded: Estimate, budget: float, limit: float, n: int, holds: bool | None) -> Sentence:
    more = Sentence(
        en="" if holds else "; add readings that are hard to bend together, and let a person see sudden silence",
        zh="" if holds else "；请增加难以同时篡改的测点，并由人员关注报警突然消失的情况",
    )
    return Sentence(
        en=f"someone who may only ask, and bends every sensor within its range by at most {budget:g} standard "
        f"deviations, silences {percent(evaded.value)} of {n} alarms ({span(evaded.interval)}); at most "
        f"{percent(limit)} is allowed{more.en}",
        zh=f"攻击者仅凭查询、在量程之内将各传感器读数改动不超过 {budget:g} 个标准差，可使 {n} 次报警中的 "
        f"{percent(evaded.value)} 消失（区间 {span(evaded.interval)}），上限为 {percent(limit)}{more.zh}",
    )
