"""The negative list: known failures of industrial models, each with a probe that asks whether this one repeats it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.column_names import goes_by
from policies.declaration import Task
from policies.errors import Malformed, Refused, Sentence, refuse_all
from policies.probes import PARAMETERS, SELECTORS, Kind, parameter_faults

BUILT_IN = Path(__file__).parent / "rules" / "negative_list"
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


@cache
def built_in_list() -> NegativeList:
    """Return the list the product brings."""
    return read_negative_list(BUILT_IN)


def read_negative_list(folder: Path, *, onto: NegativeList | None = None, origin: Origin | None = None) -> NegativeList:
    """Read every `*.toml` of a folder, and lay it over an inherited list where one is given.

    Raises
    ------
    Malformed
        With every fault of every file: unknown keys, missing sentences, probes without a limit.
    Loosened
        When a file restates or loosens what was inherited.
    """
    if not folder.is_dir():
        raise Malformed(
            Sentence(
                en=f"the negative list '{folder}' is no folder; expected one that holds *.toml files",
                zh=f"负面清单“{folder}”不是目录，应为存放 *.toml 文件的目录",
            )
        )
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.toml"))}
    return list_from_files(files, onto=onto, origin=origin)


def list_from_files(
    files: Mapping[str, bytes], *, onto: NegativeList | None = None, origin: Origin | None = None
) -> NegativeList:
    """Read scenario files by name; see `read_negative_list`."""
    whence = origin or (Origin.BUILT_IN if onto is None else Origin.OWN)
    faults: list[Sentence] = []
    scenarios: list[Scenario] = []
    tightenings: list[Tightening] = []
    for name, raw in sorted(files.items()):
        read = _Reader(name, whence)
        made = read.file(raw)
        faults += read.faults
        if not read.faults:
            (scenarios if isinstance(made, Scenario) else tightenings).append(made)  # type: ignore[arg-type]
    refuse_all(faults)
    inherited = onto.scenarios if onto is not None else ()
    refuse_all(_restated([*inherited, *scenarios]))
    known = NegativeList(scenarios=(*inherited, *scenarios))
    for tightening in tightenings:
        known = tightened(known, tightening)
    return known


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


def _restated(scenarios: Iterable[Scenario]) -> Iterable[Sentence]:
    seen: set[str] = set()
    for one in scenarios:
        if one.name in seen:
            yield Sentence(
                en=f"the scenario '{one.name}' is on the list already; tighten it with tightens = '{one.name}', or "
                "give yours another name",
                zh=f"清单中已有情景“{one.name}”；如需收紧请写 tightens = '{one.name}'，或另取名称",
            )
        seen.add(one.name)


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


SCENARIO_KEYS = {"format", "name", "owner", "title", "story", "happened", "remedy", "pattern", "probes"}
TIGHTENING_KEYS = {"format", "tightens", "owner", "why", "most", "names", "words"}
PATTERN_KEYS = {"tasks", "words", "columns"}
COLUMN_KEYS = {"names", "units", "sensor", "time", "needed"}
NAME = re.compile(r"[a-z][a-z0-9_]{2,63}")


class _Reader:
    """Reads one file and keeps every fault it meets."""

    def __init__(self, file: str, origin: Origin) -> None:
        self.where = file
        self.origin = origin
        self.faults: list[Sentence] = []

    def file(self, raw: bytes) -> Scenario | Tightening | None:
        try:
            document = tomllib.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:  # a number may have more digits than Python reads
            self._fault(f"is not TOML in UTF-8: {error}", f"不是 UTF-8 编码的 TOML：{error}")
            return None
        if document.get("format") != FORMAT:
            self._fault(f"format must be {FORMAT}, found {document.get('format')!r}", f"format 应为 {FORMAT}")
            return None
        return self._tightening(document) if "tightens" in document else self._scenario(document)

    def _fault(self, en: str, zh: str) -> None:
        self.faults.append(Sentence(en=f"{self.where}: {en}", zh=f"{self.where}：{zh}"))

    def _unknown(self, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
        for key in sorted(set(table) - set(known)):
            self._fault(
                f"'{where}{key}' is not known; expected one of {', '.join(sorted(known))}",
                f"无法识别“{where}{key}”，可用的键为 {'、'.join(sorted(known))}",
            )

    def _text(self, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            self._fault(f"{key} must be a text that is not empty", f"{key} 应为非空文本")
            return ""
        return value.strip()

    def _named(self, table: Mapping[str, Any], key: str) -> str:
        name = self._text(table, key)
        if name and not NAME.fullmatch(name):
            self._fault(
                f"{key} {name!r} may hold small letters, digits and '_', 3 to 64 of them",
                f"{key} {name!r} 只能含小写字母、数字和“_”，3 至 64 个字符",
            )
        return name

    def _sentence(self, table: Mapping[str, Any], key: str) -> Sentence:
        value = table.get(key)
        if not isinstance(value, dict) or not all(str(value.get(tongue, "")).strip() for tongue in ("en", "zh")):
            self._fault(f"{key} must be {{ en = …, zh = … }}", f"{key} 应为 {{ en = …, zh = … }}")
            return Sentence(en="", zh="")
        return Sentence(en=" ".join(str(value["en"]).split()), zh=str(value["zh"]).strip())

    def _texts(self, where: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self._fault(f"{where} must be a list of texts, found {value!r}", f"{where} 应为文本列表，实际为 {value!r}")
            return ()
        return tuple(value)

    def _limit(self, where: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            self._fault(f"{where} must be a share in [0, 1], found {value!r}", f"{where} 应为 [0, 1] 内的份额")
            return 0.0
        return float(value)

    def _scenario(self, document: Mapping[str, Any]) -> Scenario:
        self._unknown("", document, SCENARIO_KEYS)
        pattern = self._pattern(document.get("pattern"))
        return Scenario(
            name=self._named(document, "name"),
            owner=self._text(document, "owner"),
            title=self._sentence(document, "title"),
            story=self._sentence(document, "story"),
            happened=self._sentence(document, "happened"),
            remedy=self._sentence(document, "remedy"),
            pattern=pattern,
            probes=self._probes(document.get("probes"), pattern),
            origin=self.origin,
        )

    def _pattern(self, table: Any) -> Pattern:
        if not isinstance(table, dict):
            self._fault("the table [pattern] is missing", "缺少 [pattern] 表")
            return Pattern()
        self._unknown("pattern.", table, PATTERN_KEYS)
        groups = table.get("words", [])
        words = tuple(self._texts("pattern.words", group) for group in groups) if isinstance(groups, list) else ()
        tasks = self._texts("pattern.tasks", table.get("tasks", []))
        for task in tasks:
            if task not in set(Task):
                self._fault(f"pattern.tasks: '{task}' is no task", f"pattern.tasks：“{task}”不是任务类型")
        columns = table.get("columns", {})
        if not columns and not words:
            self._fault(
                "[pattern] names neither words nor columns, so it would apply to every model",
                "[pattern] 既无 words 也无 columns，将适用于所有模型",
            )
        return Pattern(
            tasks=tuple(Task(task) for task in tasks if task in set(Task)),
            words=words,
            columns=MappingProxyType({role: self._column(role, found) for role, found in columns.items()}),
        )

    def _column(self, role: str, table: Any) -> ColumnPattern:
        where = f"pattern.columns.{role}."
        if not isinstance(table, dict):
            self._fault(f"{where[:-1]} must be a table", f"{where[:-1]} 应为表")
            return ColumnPattern()
        self._unknown(where, table, COLUMN_KEYS)
        flags = {key: bool(table.get(key, key == "needed")) for key in ("sensor", "time", "needed")}
        found = ColumnPattern(
            names=self._texts(f"{where}names", table.get("names", [])),
            units=self._texts(f"{where}units", table.get("units", [])),
            **flags,
        )
        if not (found.names or found.units or found.sensor or found.time):
            self._fault(f"{where[:-1]} fits no column", f"{where[:-1]} 不匹配任何列")
        return found

    def _probes(self, tables: Any, pattern: Pattern) -> tuple[Probe, ...]:
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            self._fault("at least one [[probes]] is needed", "至少需要一个 [[probes]]")
            return ()
        made = [self._probe(table, pattern) for table in tables]
        if len({probe.name for probe in made if probe}) < len(tables):
            self._fault("two probes have one name, or one has none", "试验名称重复或缺失")
        return tuple(probe for probe in made if probe is not None)

    def _probe(self, table: Mapping[str, Any], pattern: Pattern) -> Probe | None:
        name = self._named(table, "name")
        if table.get("kind") not in set(Kind):
            self._fault(
                f"probe '{name}': kind {table.get('kind')!r} is not known; expected one of {', '.join(Kind)}",
                f"试验“{name}”：未知类型 {table.get('kind')!r}，应为 {'、'.join(Kind)} 之一",
            )
            return None
        kind = Kind(table["kind"])
        known = {"name", "kind", "on", "most", *PARAMETERS[kind]}
        known |= set(SELECTORS) if "rows" in PARAMETERS[kind] else set()
        self._unknown(f"probes.{name}.", table, known - {"rows"})
        parameters = {key: value for key, value in table.items() if key not in ("name", "kind", "on", "most")}
        for said in parameter_faults(kind, parameters):
            self._fault(f"probe '{name}': {said.en}", f"试验“{name}”：{said.zh}")
        on = str(table.get("on", ""))
        if on not in pattern.columns and (on or kind is not Kind.JUDGED_TWICE):
            self._fault(
                f"probe '{name}' is done on '{on}', which is none of pattern.columns",
                f"试验“{name}”的对象“{on}”不在 pattern.columns 中",
            )
        most = self._limit(f"probes.{name}.most", table.get("most"))
        return Probe(name=name, kind=kind, on=on, most=most, parameters=MappingProxyType(parameters))

    def _tightening(self, document: Mapping[str, Any]) -> Tightening:
        self._unknown("", document, TIGHTENING_KEYS)
        most = document.get("most", {})
        names = document.get("names", {})
        if not isinstance(most, dict) or not isinstance(names, dict):
            self._fault("[most] and [names] are tables", "[most] 与 [names] 应为表")
            most, names = {}, {}
        words = self._texts("words", document.get("words", []))
        if not most and not names and not words:
            self._fault(
                "it tightens nothing: give [most], [names] or words", "未收紧任何内容，请给出 [most]、[names] 或 words"
            )
        return Tightening(
            scenario=self._named(document, "tightens"),
            owner=self._text(document, "owner"),
            why=self._sentence(document, "why"),
            most={name: self._limit(f"most.{name}", value) for name, value in most.items()},
            names={role: self._texts(f"names.{role}", value) for role, value in names.items()},
            words=words,
        )
