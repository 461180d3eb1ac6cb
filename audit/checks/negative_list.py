"""Would this model repeat a failure that is on the negative list?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.checks.check import Finding, Group, Limits, all_hold, below
from audit.checks.examined import Examined
from audit.checks.probes.disturbing import DISTURB, disturbed
from audit.checks.probes.learning import (
    errors_in_regime,
    judged_twice,
    labels_ripen,
    leans_on,
    one_kind_in_training,
    out_of_training_reach,
)
from audit.checks.probes.matching import Match, match_of
from audit.checks.probes.measured import Answer, Measured
from audit.checks.wording import joined, named, percent
from policies.errors import Sentence
from policies.negative_list import Probe, Scenario
from policies.probes import Kind

LEARNING: Mapping[Kind, Callable[[Sequence[str], Mapping[str, Any], Examined], Answer]] = {
    Kind.ONE_KIND: one_kind_in_training,
    Kind.OUT_OF_REACH: out_of_training_reach,
    Kind.REGIME: errors_in_regime,
    Kind.LEANS_ON: leans_on,
    Kind.LABELS_RIPEN: labels_ripen,
    Kind.JUDGED_TWICE: judged_twice,
}

NOTHING = Sentence(en="", zh="")
OPEN = Sentence(
    en=", and the interval reaches across it: cannot conclude, more rows are needed",
    zh="，而区间跨越上限，无法得出结论，需要更多数据",
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One probe of a scenario that applies, and its answer."""

    probe: Probe
    answer: Answer

    @property
    def holds(self) -> bool | None:
        """Whether the measured share is at most the limit, as far as its interval tells."""
        if not isinstance(self.answer, Measured):
            return None
        return below(self.answer.share.interval, self.probe.most)

    @property
    def says(self) -> Sentence:
        """What was measured against which limit, or why it could not be."""
        if not isinstance(self.answer, Measured):
            return Sentence(en=f"cannot conclude: {self.answer.why.en}", zh=f"无法得出结论：{self.answer.why.zh}")
        limit = percent(self.probe.most, 0)
        said = self.answer.says
        more = OPEN if self.holds is None else NOTHING
        return Sentence(en=f"{said.en}; at most {limit} is allowed{more.en}", zh=f"{said.zh}，上限为 {limit}{more.zh}")


@dataclass(frozen=True)
class NegativeListCheck:
    """Every scenario whose pattern fits is tried; what it finds is told with its story's remedy."""

    name: str = "negative_list"

    def run(self, examined: Examined, limits: Limits) -> tuple[Finding, ...]:
        """Return a finding for every scenario that fails or cannot be settled, and one for all the others."""
        known = examined.negative_list
        tried: list[tuple[Scenario, list[Tried]]] = []
        aside: list[Group] = []
        for scenario in known.scenarios:
            match = match_of(scenario, examined)
            if isinstance(match, Sentence):
                aside.append({**_line(scenario), "applies": False, "holds": None, "says": match.as_json()})
            else:
                tried.append((scenario, [try_probe(probe, match, examined) for probe in scenario.probes]))
        told = [self._finding(scenario, probes) for scenario, probes in tried if _holds(probes) is not True]
        return (*told, self._rest(known.digest, tried, aside))

    def _finding(self, scenario: Scenario, tried: list[Tried]) -> Finding:
        holds = _holds(tried)
        open_ones = [one for one in tried if one.holds is not True]
        decisive = next((one for one in open_ones if one.holds is False), open_ones[0])
        said = joined([one.says for one in open_ones if one.holds is holds])
        answer = decisive.answer if isinstance(decisive.answer, Measured) else None
        what = Sentence(en=f"; {scenario.remedy.en}", zh=f"；{scenario.remedy.zh}") if holds is False else NOTHING
        return Finding(
            check=self.name,
            holds=holds,
            measured=answer.share.value if answer else None,
            limit=decisive.probe.most,
            unit="share",
            interval=answer.share.interval if answer else None,
            n=answer.n if answer else None,
            groups=tuple(_tried_line(scenario, one) for one in tried),
            says=Sentence(
                en=f"known failure '{scenario.title.en}': {said.en}{what.en}",
                zh=f"已知失败情景“{scenario.title.zh}”：{said.zh}{what.zh}",
            ),
            evidence={
                "scenario": scenario.name,
                "story": scenario.story.as_json(),
                "happened": scenario.happened.as_json(),
                "remedy": scenario.remedy.as_json(),
                "owner": scenario.owner,
                "origin": str(scenario.origin),
            },
        )

    def _rest(self, digest: str, tried: list[tuple[Scenario, list[Tried]]], aside: list[Group]) -> Finding:
        held = [(scenario, probes) for scenario, probes in tried if _holds(probes) is True]
        names = named([scenario.title.en for scenario, _ in held], most=3)
        names_zh = named([scenario.title.zh for scenario, _ in held], most=3)
        total = len(tried) + len(aside)
        if held:
            says = Sentence(
                en=f"{len(held)} of {total} known failures fit this model and their probes hold: {names.en}; "
                f"{len(aside)} do not apply",
                zh=f"负面清单 {total} 个情景中有 {len(held)} 个适用且试验通过：{names_zh.zh}；{len(aside)} 个不适用",
            )
        elif not tried:
            says = Sentence(
                en=f"none of the {total} known failures fits this model",
                zh=f"负面清单的 {total} 个情景均不适用于该模型",
            )
        else:
            says = Sentence(
                en=f"{len(aside)} of {total} known failures do not fit this model",
                zh=f"负面清单 {total} 个情景中有 {len(aside)} 个不适用于该模型",
            )
        lines = [_tried_line(scenario, one) for scenario, probes in held for one in probes]
        return Finding(
            check=self.name,
            holds=True,
            n=total,
            groups=(*lines, *aside),
            says=says,
            evidence={"list_digest": digest, "scenarios": total, "tried": len(tried)},
        )


def try_probe(probe: Probe, match: Match, examined: Examined) -> Tried:
    """Do one experiment."""
    columns = match.columns.get(probe.on, ())
    if probe.kind in DISTURB:
        return Tried(probe=probe, answer=disturbed(probe.kind, columns, probe.parameters, examined))
    return Tried(probe=probe, answer=LEARNING[probe.kind](columns, probe.parameters, examined))


def _holds(tried: Sequence[Tried]) -> bool | None:
    return all_hold([one.holds for one in tried])


def _line(scenario: Scenario) -> dict[str, object]:
    return {"scenario": scenario.name, "title": scenario.title.as_json(), "owner": scenario.owner}


def _tried_line(scenario: Scenario, tried: Tried) -> Group:
    answer = tried.answer if isinstance(tried.answer, Measured) else None
    return {
        **_line(scenario),
        "applies": True,
        "probe": tried.probe.name,
        "kind": str(tried.probe.kind),
        "measured": answer.share.value if answer else None,
        "interval": list(answer.share.interval) if answer else None,
        "n": answer.n if answer else None,
        "limit": tried.probe.most,
        "holds": tried.holds,
        "says": tried.says.as_json(),
    }
