"""Regulation packs: what a law or standard asks, clause by clause, and what answers it. Packs are data.

A pack is one TOML file. Dates, periods and thresholds stand in it with the clause they come from; the sentences
are ours, never the wording of the text. Of copyrighted standards a pack holds the identifier and one line of ours.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.errors import Malformed, NotFound, Sentence, refuse_all
from policies.tiers import Tier

FORMAT = 1
"""Format of a pack. Raise it when a key changes its meaning, and keep reading the formats before it."""

BUILT_IN = Path(__file__).parent / "regulations"


class Origin(StrEnum):
    """Where the content of a pack comes from."""

    PUBLIC = "public"
    """A published text, paraphrased by us."""
    IDENTIFIERS = "identifiers"
    """A copyrighted standard: identifiers and one line of ours, no wording."""
    SUPPLIED = "supplied"
    """Handed in by the operator; nobody here found a public source for it."""


class Standing(StrEnum):
    """Whether a text binds."""

    IN_FORCE = "in_force"
    ANNOUNCED = "announced"
    REPEALED = "repealed"
    VOLUNTARY = "voluntary"


class Means(StrEnum):
    """What can answer a clause."""

    CHECK = "check"
    """Findings of one check, for every model."""
    RULE = "rule"
    """A figure or list of the rulebook, by its dotted path, held against what the clause asks."""
    LOG = "log"
    """Entries of one kind in the log: of the house, or of every model with `per = "model"`."""
    DECLARED = "declared"
    """Something a team must have declared, for every model."""
    ROUTE = "route"
    """An address where it is done: `post /v1/…`."""
    SETTING = "setting"
    """Something the operator has to set up."""
    ANCHOR = "anchor"
    """Words of others outside about the log: `witness` or `rfc3161`."""
    DOCUMENT = "document"
    """A document the house writes."""
    OUTSIDE = "outside"
    """What only the company itself can show: nothing in this program can hold it."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One control or piece of evidence. `says` is what is asked of it.

    `at_least` and `at_most` bound a figure of the rulebook; `within_days` bounds the age of an entry; `flag` narrows
    the entries; `per_model` asks it of every model.
    """

    means: Means
    name: str
    says: Sentence
    at_least: float | None = None
    at_most: float | None = None
    within_days: int | None = None
    flag: str | None = None
    per_model: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the measure as matrices and revision tables carry it."""
        return {
            "means": self.means.value,
            "name": self.name,
            "says": self.says.as_json(),
            "at_least": self.at_least,
            "at_most": self.at_most,
            "within_days": self.within_days,
            "flag": self.flag,
            "per_model": self.per_model,
        }


@dataclass(frozen=True, kw_only=True)
class ScopeQuestion:
    """What has to be known before a pack, or a clause that names the question, asks for anything."""

    name: str
    asks: Sentence


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One clause: our paraphrase, from when it applies, whom it asks, and what answers it.

    `id` is how programs name it, `article` how people do.
    `figures` are the numbers of the clause; `since_source` says where the date is known from; `asks_of` is the role
    that has to act when it changes; `tiers` and `when` (impact answers) narrow it to some models; `scope` names the
    question that decides whether it applies at all, None for always.
    """

    id: str
    article: Sentence
    says: Sentence
    since: date
    until: date | None
    standing: Standing
    since_source: str
    asks_of: str
    figures: Mapping[str, float | str]
    measures: tuple[Measure, ...]
    scope: str | None = None
    tiers: tuple[Tier, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One law or standard. `digest` is the SHA-256 of the file's bytes, `act_within_days` how long the company gives
    itself after a change."""

    id: str
    version: str
    written: date
    jurisdiction: str
    origin: Origin
    title: Sentence
    citation: Sentence
    note: Sentence | None
    act_within_days: int
    questions: tuple[ScopeQuestion, ...]
    clauses: tuple[Clause, ...]
    digest: str
    source: bytes

    def clause(self, identifier: str) -> Clause:
        """Return one clause. Raises KeyError."""
        return {clause.id: clause for clause in self.clauses}[identifier]

    def as_json(self) -> dict[str, object]:
        """Return the pack as doors show it."""
        return {
            "id": self.id,
            "version": self.version,
            "written": self.written.isoformat(),
            "jurisdiction": self.jurisdiction,
            "source": self.origin.value,
            "title": self.title.as_json(),
            "citation": self.citation.as_json(),
            "note": self.note.as_json() if self.note else None,
            "digest": self.digest,
            "questions": [{"name": asked.name, "asks": asked.asks.as_json()} for asked in self.questions],
            "clauses": [clause_json(clause) for clause in self.clauses],
        }


def clause_json(clause: Clause) -> dict[str, object]:
    """Return one clause as doors show it."""
    return {
        "id": clause.id,
        "article": clause.article.as_json(),
        "says": clause.says.as_json(),
        "since": clause.since.isoformat(),
        "until": clause.until.isoformat() if clause.until else None,
        "status": clause.standing.value,
        "since_source": clause.since_source,
        "asks_of": clause.asks_of,
        "figures": dict(clause.figures),
        "scope": clause.scope,
        "tiers": [tier.name for tier in clause.tiers],
        "when": {question: list(answers) for question, answers in clause.when.items()},
        "answered_by": [measure.as_json() for measure in clause.measures],
    }


def no_pack(identifier: str) -> NotFound:
    """Return the error for a pack that is not there."""
    return NotFound(
        Sentence(
            en=f"there is no regulation pack '{identifier}'; GET /v1/regulations lists them",
            zh=f"没有法规包“{identifier}”；可用的法规包见 GET /v1/regulations",
        )
    )


def read_packs(folder: Path | None = None) -> tuple[Pack, ...]:
    """Return every pack in the order of its id: the built-in ones, and those of the company's folder in their place.

    Raises
    ------
    Malformed
        With every fault of every file, each naming its file.
    """
    files = sorted(BUILT_IN.glob("*.toml"))
    if folder is not None:
        files += _files_of(folder)
    packs: dict[str, Pack] = {}
    faults: list[Sentence] = []
    for file in files:
        try:
            pack = read_pack(file)
        except Malformed as fault:
            faults.extend(fault.faults)
        else:
            packs[pack.id] = pack
    refuse_all(faults)
    return tuple(packs[name] for name in sorted(packs))


def read_pack(source: Path | bytes, name: str = "pack") -> Pack:
    """Read one pack from a file or from its bytes; `name` is what faults call the bytes.

    Raises
    ------
    Malformed
        With every fault at once: no TOML, missing or unknown keys, an empty sentence in either language, dates that
        end before they begin, two clauses of one id, a clause that nothing answers, a scope question nobody asks.
    """
    if isinstance(source, Path):
        name = source.name
        try:
            source = source.read_bytes()
        except OSError as error:
            raise Malformed(
                Sentence(en=f"{name} cannot be read: {error.strerror}", zh=f"无法读取 {name}：{error.strerror}")
            ) from error
    try:
        document = tomllib.loads(source.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise Malformed(
            Sentence(en=f"{name} is not valid TOML: {error}", zh=f"{name} 不是合法的 TOML：{error}")
        ) from error
    return _Reader(name, document).pack(source)


def _files_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise Malformed(
            Sentence(
                en=f"the folder of regulation packs '{folder}' is not there; make it or leave the setting out",
                zh=f"法规包文件夹“{folder}”不存在，请创建该文件夹或取消该设置",
            )
        )
    return sorted(folder.glob("*.toml"))


PACK_KEYS = {
    *("format", "id", "version", "written", "jurisdiction", "source", "title", "citation", "note"),
    *("act_within_days", "questions", "clauses"),
}
CLAUSE_KEYS = {
    *(
        "id",
        "article",
        "en",
        "zh",
        "since",
        "until",
        "status",
        "since_source",
        "asks_of",
        "figures",
        "scope",
        "tiers",
        "when",
    ),
    "answered_by",
}
LIMITS = {"at_least", "at_most", "within_days", "flag", "per"}
QUESTION_KEYS = {"name", "en", "zh"}


class _Reader:
    """Walks one document once and keeps every fault it meets."""

    def __init__(self, name: str, document: dict[str, Any]) -> None:
        self.name, self.document = name, document
        self.faults: list[Sentence] = []

    def pack(self, source: bytes) -> Pack:
        table = self.document
        self._unknown("", table, PACK_KEYS)
        if table.get("format") != FORMAT:
            self._fault("format", f"{FORMAT}", table.get("format"))
        questions = tuple(self._question(place, said) for place, said in self._tables("questions"))
        clauses = tuple(self._clause(place, said) for place, said in self._tables("clauses"))
        self._together(questions, clauses)
        days = table.get("act_within_days", 30)
        made = Pack(
            id=self._text("id", table.get("id")),
            version=self._text("version", table.get("version")),
            written=self._date("written", table.get("written")) or date.min,
            jurisdiction=self._text("jurisdiction", table.get("jurisdiction")),
            origin=self._choice("source", table.get("source"), Origin, Origin.PUBLIC),
            title=self._sentence("title", table.get("title")),
            citation=self._sentence("citation", table.get("citation")),
            note=self._sentence("note", table["note"]) if "note" in table else None,
            act_within_days=days if _whole(days) and days > 0 else self._days("act_within_days", days),
            questions=questions,
            clauses=clauses,
            digest=hashlib.sha256(source).hexdigest(),
            source=source,
        )
        refuse_all(dict.fromkeys(self.faults))
        return made

    def _together(self, questions: tuple[ScopeQuestion, ...], clauses: tuple[Clause, ...]) -> None:
        for kind, names in (("clauses", [c.id for c in clauses]), ("questions", [q.name for q in questions])):
            for twice in sorted({name for name in names if names.count(name) > 1}):
                self._fault(kind, "each once", twice)
        if not clauses:
            self._fault("clauses", "at least one", "none")
        asked = {question.name for question in questions}
        for clause in clauses:
            if clause.scope is not None and clause.scope not in asked:
                self._fault(f"clauses '{clause.id}' scope", f"one of {sorted(asked)}", clause.scope)

    def _clause(self, place: int, said: Mapping[str, Any]) -> Clause:
        where = f"clauses[{place}]"
        self._unknown(where, said, CLAUSE_KEYS)
        since = self._date(f"{where}.since", said.get("since")) or date.min
        until = self._date(f"{where}.until", said["until"]) if "until" in said else None
        if until is not None and until <= since:
            self._fault(f"{where}.until", f"after {since}", until)
        measures = said.get("answered_by", [])
        if not isinstance(measures, list) or not measures:
            self._fault(f"{where}.answered_by", "at least one measure", measures)
            measures = []
        identifier = self._text(f"{where}.id", said.get("id"))
        named = self._sentence(f"{where}.article", said["article"]) if "article" in said else None
        return Clause(
            id=identifier,
            article=named or Sentence(en=identifier, zh=identifier),
            says=self._sentence(where, said),
            since=since,
            until=until,
            standing=self._choice(f"{where}.status", said.get("status", "in_force"), Standing, Standing.IN_FORCE),
            since_source=self._text(
                f"{where}.since_source", said.get("since_source", "not compared with the official text")
            ),
            asks_of=self._text(f"{where}.asks_of", said.get("asks_of", "dso")),
            figures=self._figures(f"{where}.figures", said.get("figures", {})),
            measures=tuple(self._measure(f"{where}.answered_by[{n}]", m) for n, m in enumerate(measures, start=1)),
            scope=self._text(f"{where}.scope", said["scope"]) if "scope" in said else None,
            tiers=self._tiers(f"{where}.tiers", said.get("tiers", [])),
            when=self._when(f"{where}.when", said.get("when", {})),
        )

    def _measure(self, where: str, said: object) -> Measure:
        table = self._table(where, said)
        named = [means for means in Means if means.value in table]
        if len(named) != 1:
            self._fault(where, f"exactly one of {', '.join(Means)}", sorted(table))
            return Measure(means=Means.OUTSIDE, name="", says=Sentence(en="", zh=""))
        means = named[0]
        self._unknown(where, table, {means.value, "en", "zh", *LIMITS})
        return Measure(
            means=means,
            name=self._text(f"{where}.{means.value}", table[means.value]),
            says=self._sentence(where, table),
            at_least=self._number(f"{where}.at_least", table.get("at_least")),
            at_most=self._number(f"{where}.at_most", table.get("at_most")),
            within_days=table.get("within_days")
            if table.get("within_days") is None or _whole(table["within_days"])
            else self._days(f"{where}.within_days", table["within_days"]),
            flag=self._text(f"{where}.flag", table["flag"]) if "flag" in table else None,
            per_model=means in (Means.CHECK, Means.DECLARED) or table.get("per") == "model",
        )

    def _question(self, place: int, said: Mapping[str, Any]) -> ScopeQuestion:
        where = f"questions[{place}]"
        self._unknown(where, said, QUESTION_KEYS)
        return ScopeQuestion(name=self._text(f"{where}.name", said.get("name")), asks=self._sentence(where, said))

    def _fault(self, where: str, expected: object, found: object) -> None:
        self.faults.append(
            Sentence(
                en=f"{self.name}: {where} is {found!r}; expected {expected}",
                zh=f"{self.name}：{where} 为 {found!r}，应为 {expected}",
            )
        )

    def _unknown(self, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
        prefix = f"{where}." if where else ""
        for key in sorted(set(table) - set(known)):
            self.faults.append(
                Sentence(
                    en=f"{self.name}: '{prefix}{key}' is not known; expected one of {', '.join(sorted(known))}",
                    zh=f"{self.name}：无法识别“{prefix}{key}”，可用的键为 {'、'.join(sorted(known))}",
                )
            )

    def _table(self, where: str, value: object) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._fault(where, "a table", value)
        return {}

    def _tables(self, key: str) -> list[tuple[int, Mapping[str, Any]]]:
        value = self.document.get(key, [])
        if not isinstance(value, list):
            self._fault(key, "a list of tables", value)
            return []
        return [(place, self._table(f"{key}[{place}]", said)) for place, said in enumerate(value, start=1)]

    def _text(self, where: str, value: object) -> str:
        if isinstance(value, str) and value.strip():
            return value.strip()
        self._fault(where, "a text that is not empty", value)
        return ""

    def _sentence(self, where: str, value: object) -> Sentence:
        table = value if isinstance(value, Mapping) else {}
        return Sentence(en=self._text(f"{where}.en", table.get("en")), zh=self._text(f"{where}.zh", table.get("zh")))

    def _date(self, where: str, value: object) -> date | None:
        if isinstance(value, date):
            return value
        self._fault(where, "a date", value)
        return None

    def _figures(self, where: str, value: object) -> Mapping[str, float | str]:
        table = self._table(where, value)
        for name, figure in table.items():
            if isinstance(figure, bool) or not isinstance(figure, int | float | str):
                self._fault(f"{where}.{name}", "a number or a text", figure)
        return MappingProxyType(dict(table))

    def _when(self, where: str, value: object) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for question, answers in self._table(where, value).items():
            if isinstance(answers, list) and answers and all(isinstance(answer, str) for answer in answers):
                found[question] = tuple(answers)
            else:
                self._fault(f"{where}.{question}", "a list of answers", answers)
        return MappingProxyType(found)

    def _number(self, where: str, value: object) -> float | None:
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        self._fault(where, "a number", value)
        return None

    def _days(self, where: str, value: object) -> int:
        self._fault(where, "a whole number of days", value)
        return 1

    def _choice(self, where: str, value: object, kind: type[Any], default: Any) -> Any:
        allowed = [member.value for member in kind]
        if value in allowed:
            return kind(value)
        self._fault(where, f"one of {', '.join(allowed)}", value)
        return default

    def _tiers(self, where: str, value: object) -> tuple[Tier, ...]:
        if isinstance(value, list) and all(isinstance(name, str) and name in Tier.__members__ for name in value):
            return tuple(Tier[name] for name in value)
        self._fault(where, f"tiers of {', '.join(Tier.__members__)}", value)
        return ()


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
