"""The negative list: known failures of industrial models, each with a probe that asks whether this one repeats it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from policies.column_names import goes_by
from policies.declaration import Task
from policies.errors import Refused, Sentence
from policies.probes import Kind

FORMAT = 1
"""Format of a scenario file and of the shared list.

Raise it when a key changes its meaning, and keep the reader of the old one: a signed list is adopted years later.
"""


class Origin(StrEnum):
    """Which house put a scenario on the list."""

    BUILT_IN = "built_in"
    GROUP = "group"
    OWN = "own"


@dataclass(frozen=True, kw_only=True)
class ColumnPattern:
    """By what a column is recognised: its name, its declared unit, that it is a sensor, or that it holds the time.

    `needed` is False for a column without which the scenario still applies; `time` adds the declared time column.
    """

    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    sensor: bool = False
    time: bool = False
    needed: bool = True

    def fits(self, name: str, unit: str | None, sensor: bool) -> bool:
        """Whether a column goes by this pattern. Where names and units are asked for, one of the two will do.

        A name is met from the beginning of any of its words on: `temp*` meets `motor_temp` and not `attempts`.
        """
        if self.sensor and not sensor:
            return False
        if not self.names and not self.units:
            return self.sensor
        return any(goes_by(tail, self.names) for tail in tails(name)) or (
            unit is not None and unit.casefold() in _folded(self.units)
        )


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """To which models a scenario applies: by task, by words they are described with, by the columns they have.

    Of every group of words one has to be met, in the model's name, description, site, label or columns.
    """

    tasks: tuple[Task, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    columns: Mapping[str, ColumnPattern] = field(default_factory=dict)

    def speaks_of(self, text: str) -> bool:
        """Whether a text meets every group of words."""
        return all(any(is_said(word, text) for word in group) for group in self.words)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One experiment of a scenario.

    Parameters
    ----------
    name : str
        Unique within the scenario.
    kind : Kind
        What is done.
    on : str
        The role of the columns it is done to; empty for a probe of the label.
    most : float
        The measured share must not lie above this.
    parameters : mapping
        How it is done; which ones there are depends on the kind.
    """

    name: str
    kind: Kind
    on: str
    most: float
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One known failure: what happened, where, which models it can happen to, how that is tried, what helps."""

    name: str
    owner: str
    title: Sentence
    story: Sentence
    happened: Sentence
    remedy: Sentence
    pattern: Pattern
    probes: tuple[Probe, ...]
    origin: Origin = Origin.BUILT_IN
    tightened_by: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what `GET /v1/negative-list` shows."""
        return {
            "name": self.name,
            "owner": self.owner,
            "origin": str(self.origin),
            "tightened_by": list(self.tightened_by),
            "title": self.title.as_json(),
            "story": self.story.as_json(),
            "happened": self.happened.as_json(),
            "remedy": self.remedy.as_json(),
            "pattern": {
                "tasks": [str(task) for task in self.pattern.tasks],
                "words": [list(group) for group in self.pattern.words],
                "columns": {role: _column_json(found) for role, found in self.pattern.columns.items()},
            },
            "probes": [
                {"name": probe.name, "kind": str(probe.kind), "on": probe.on, "most": probe.most, **probe.parameters}
                for probe in self.probes
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Tightening:
    """What a house adds to a scenario it inherited: lower limits, further names, further words. Never less."""

    scenario: str
    owner: str
    why: Sentence
    most: Mapping[str, float]
    names: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NegativeList:
    """All scenarios in force. `digest` is the SHA-256 of their canonical JSON, in hex."""

    scenarios: tuple[Scenario, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over what is probed and how; two houses with the same list have the same digest."""
        return hashlib.sha256(canonical(self).encode()).hexdigest()

    def scenario(self, name: str) -> Scenario | None:
        """Return the scenario of this name."""
        return next((one for one in self.scenarios if one.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """Return the whole list with its digest."""
        return {"format": FORMAT, "digest": self.digest, "scenarios": [one.as_json() for one in self.scenarios]}


class Loosened(Refused):
    """A house tried to take back what the house above it put on the list."""

    def __init__(self, *faults: Sentence) -> None:
        super().__init__(*faults)


def canonical(known: NegativeList) -> str:
    """Return the list as JSON with sorted keys, one value a line."""
    return json.dumps([one.as_json() for one in known.scenarios], ensure_ascii=False, sort_keys=True, indent=1)


def tails(name: str) -> list[str]:
    """Return a name and what is left of it from each of its words on: a pattern is met where a word begins.

    Examples
    --------
    >>> tails("motor_temp_C"), tails("WindSpeed")
    (['motor_temp_C', 'temp_C', 'C'], ['WindSpeed', 'Speed'])
    """
    starts = [0, *(found.end() for found in WORD_ENDS.finditer(name))]
    return [name[start:] for start in starts if start < len(name)]


WORD_ENDS = re.compile(r"[\s_.\-/]+|(?<=[a-z])(?=[A-Z])")


def is_said(word: str, text: str) -> bool:
    """Whether a word occurs in a text: a Latin word where a word begins, a Chinese one anywhere.

    Examples
    --------
    >>> is_said("weld", "Spot-welding robot 4"), is_said("age", "usage"), is_said("焊", "点焊机器人")
    (True, False, True)
    """
    word, text = word.casefold(), text.casefold()
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![a-z]){re.escape(word)}", text) is not None


def tightened(known: NegativeList, by: Tightening) -> NegativeList:
    """Return the list with one scenario tightened: the limit of a probe is the lower of the two.

    Raises
    ------
    Loosened
        When the scenario or the probe is not on the list, or a limit would rise.
    """
    scenario = known.scenario(by.scenario)
    if scenario is None:
        raise Loosened(
            Sentence(
                en=f"'{by.scenario}' is not on the inherited negative list, so it cannot be tightened; "
                "a scenario of your own needs its own name and probes",
                zh=f"继承的负面清单中没有“{by.scenario}”，无法收紧；自有情景应另行命名并写明试验",
            )
        )
    faults = [*_laxer(scenario, by), *_strangers(scenario, by)]
    if faults:
        raise Loosened(*faults)
    columns = {
        role: replace(found, names=(*found.names, *by.names.get(role, ())))
        for role, found in scenario.pattern.columns.items()
    }
    words = tuple((*group, *by.words) for group in scenario.pattern.words)
    made = replace(
        scenario,
        pattern=replace(scenario.pattern, columns=MappingProxyType(columns), words=words),
        probes=tuple(replace(probe, most=by.most.get(probe.name, probe.most)) for probe in scenario.probes),
        tightened_by=(*scenario.tightened_by, by.owner),
    )
    return NegativeList(scenarios=tuple(made if one.name == by.scenario else one for one in known.scenarios))


def _laxer(scenario: Scenario, by: Tightening) -> Iterable[Sentence]:
    for probe in scenario.probes:
        limit = by.most.get(probe.name, probe.most)
        if limit > probe.most:
            yield _raised(scenario.name, probe, limit)


def _raised(name: str, probe: Probe, limit: float) -> Sentence:
    return Sentence(
        en=f"'{name}': the limit of '{probe.name}' would rise from {probe.most:g} to {limit:g}; "
        "an inherited limit may only be lowered",
        zh=f"“{name}”：试验“{probe.name}”的上限将由 {probe.most:g} 升至 {limit:g}，继承的上限只能调低",
    )


def _strangers(scenario: Scenario, by: Tightening) -> Iterable[Sentence]:
    probes = {probe.name for probe in scenario.probes}
    for kind, kind_zh, named, known in (
        ("probe", "试验", by.most, probes),
        ("column", "列角色", by.names, set(scenario.pattern.columns)),
    ):
        for name in sorted(set(named) - known):
            yield Sentence(
                en=f"'{scenario.name}' has no {kind} '{name}'; it has {', '.join(sorted(known)) or 'none'}",
                zh=f"“{scenario.name}”没有{kind_zh}“{name}”，现有 {'、'.join(sorted(known)) or '无'}",
            )


def _column_json(found: ColumnPattern) -> dict[str, Any]:
    return {
        "names": list(found.names),
        "units": list(found.units),
        "sensor": found.sensor,
        "time": found.time,
        "needed": found.needed,
    }


@cache
def _folded(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)
