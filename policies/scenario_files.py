"""Scenario files of the negative list, read into values: every fault of every file at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.declaration import Task
from policies.errors import Malformed, Sentence, refuse_all
from policies.negative_list import (
    FORMAT,
    ColumnPattern,
    NegativeList,
    Origin,
    Pattern,
    Probe,
    Scenario,
    Tightening,
    tightened,
)
from policies.probes import PARAMETERS, SELECTORS, Kind, parameter_faults

BUILT_IN = Path(__file__).parent / "rules" / "negative_list"

SCENARIO_KEYS = {"format", "name", "owner", "title", "story", "happened", "remedy", "pattern", "probes"}
TIGHTENING_KEYS = {"format", "tightens", "owner", "why", "most", "names", "words"}
PATTERN_KEYS = {"tasks", "words", "columns"}
COLUMN_KEYS = {"names", "units", "sensor", "time", "needed"}
NAME = re.compile(r"[a-z][a-z0-9_]{2,63}")


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
