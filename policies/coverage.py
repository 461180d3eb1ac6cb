"""The coverage matrix: clause x control x evidence, judged from what registry, rulebook and log hold on one day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from policies.errors import Sentence
from policies.regulations import Clause, Means, Measure, Pack, Standing
from policies.tiers import Tier


class State(StrEnum):
    """What the house can say of one clause."""

    HOLDS = "holds"
    FAILS = "does_not_hold"
    NO_EVIDENCE = "no_evidence"
    NOT_IN_SCOPE = "not_in_scope"


GRAVEST = (State.FAILS, State.NO_EVIDENCE, State.HOLDS, State.NOT_IN_SCOPE)
"""Of several answers to one clause the gravest stands for it."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How many entries or words from outside there are, and the day of the newest."""

    count: int = 0
    newest: date | None = None


@dataclass(frozen=True, kw_only=True)
class ModelHolding:
    """What the house holds about one model version.

    `findings` are (holds, sentence) by check; `declared` are the parts a team filled; `impact` its answers, those
    counted for want of one included.
    """

    model: str
    version: str
    site: str | None
    tier: Tier
    submission: str
    findings: Mapping[str, tuple[bool | None, Sentence]]
    declared: frozenset[str]
    impact: Mapping[str, str]

    @property
    def name(self) -> str:
        """Model and version in one word."""
        return f"{self.model}:{self.version}"


class Log(Protocol):
    """Counts what the log holds."""

    def counted(self, kind: str, flag: str | None, model: str | None) -> Counted:
        """Return how many entries of a kind there are, of the house or of one model."""
        ...


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """Everything a matrix is computed from, handed down as values.

    `rules` is the rulebook as a table; `routes` are `method path`; `settings` those that were set; `scope` answers
    (pack, question).
    """

    day: date
    rules: Mapping[str, Any]
    routes: frozenset[str]
    documents: frozenset[str]
    settings: frozenset[str]
    anchors: Mapping[str, Counted]
    log: Log
    models: tuple[ModelHolding, ...] = ()
    scope: Mapping[tuple[str, str], bool] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One cell of the matrix: a clause, what answers it, for whom, and whether it does."""

    pack: str
    clause: str
    means: str
    name: str
    asked: Sentence
    model: str | None
    site: str | None
    state: State
    because: Sentence
    link: str

    def as_json(self) -> dict[str, object]:
        """Return the row as snapshots seal it."""
        return {
            "pack": self.pack,
            "clause": self.clause,
            "means": self.means,
            "name": self.name,
            "asked": self.asked.as_json(),
            "model": self.model,
            "site": self.site,
            "state": self.state.value,
            "because": self.because.as_json(),
            "link": self.link,
        }


def coverage(packs: Iterable[Pack], held: Holdings) -> tuple[Row, ...]:
    """Return every row, in the order of packs, clauses and measures; models in the order they are handed in."""
    return tuple(row for pack in packs for clause in pack.clauses for row in clause_rows(pack, clause, held))


def clause_rows(pack: Pack, clause: Clause, held: Holdings) -> Iterator[Row]:
    """Yield the rows of one clause."""
    outside = out_of_scope(pack, clause, held)
    if outside is not None:
        state, because = outside
        yield _row(pack, clause, clause.measures[0], None, state, because, f"/v1/regulations/{pack.id}")
        return
    for measure in clause.measures:
        if not measure.per_model:
            if _concerns_someone(clause, held):
                yield _row(pack, clause, measure, None, *_of_house(measure, held))
            else:
                nobody = Sentence(en="no model at work falls under this clause", zh="没有在用模型适用本条")
                yield _row(pack, clause, measure, None, State.NOT_IN_SCOPE, nobody, "")
            continue
        yield from _rows_of_models(pack, clause, measure, held)


def summed(rows: Sequence[Row]) -> dict[tuple[str, str], State]:
    """Return one state for every clause: the gravest of its rows."""
    found: dict[tuple[str, str], State] = {}
    for row in rows:
        key = (row.pack, row.clause)
        found[key] = gravest(row.state, found.get(key, State.NOT_IN_SCOPE))
    return found


def gravest(*states: State) -> State:
    """Return the gravest of several states.

    Examples
    --------
    >>> gravest(State.HOLDS, State.NO_EVIDENCE).value
    'no_evidence'
    """
    return min(states, key=GRAVEST.index)


def out_of_scope(pack: Pack, clause: Clause, held: Holdings) -> tuple[State, Sentence] | None:
    """Return why a clause asks for nothing here today, or that nobody said whether it does; None when it asks."""
    if clause.standing is Standing.REPEALED or (clause.until is not None and held.day >= clause.until):
        return State.NOT_IN_SCOPE, Sentence(en="no longer in force", zh="已不再施行")
    if held.day < clause.since:
        return State.NOT_IN_SCOPE, Sentence(
            en=f"applies from {clause.since} ({clause.since_source})",
            zh=f"自 {clause.since} 起适用（{_source_zh(clause.since_source)}）",
        )
    if clause.scope is None:
        return None
    question = next(asked for asked in pack.questions if asked.name == clause.scope)
    answer = held.scope.get((pack.id, clause.scope))
    if answer is None:
        return State.NO_EVIDENCE, Sentence(
            en=f"first say whether it applies: {question.asks.en}", zh=f"请先回答是否适用：{question.asks.zh}"
        )
    if not answer:
        return State.NOT_IN_SCOPE, Sentence(en=f"answered no: {question.asks.en}", zh=f"已答“否”：{question.asks.zh}")
    return None


def concerned(clause: Clause, model: ModelHolding) -> bool:
    """Whether a clause asks anything of this model: its tier and its impact answers."""
    if clause.tiers and model.tier not in clause.tiers:
        return False
    return all(model.impact.get(question) in answers for question, answers in clause.when.items())


def rule_at(rules: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a dotted path of the rulebook; None where there is nothing.

    Examples
    --------
    >>> rule_at({"retention": {"default_days": 190}}, "retention.default_days")
    190
    """
    found: Any = rules
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _concerns_someone(clause: Clause, held: Holdings) -> bool:
    """Whether a clause that asks by tier or impact answer has a model to ask about; others always do."""
    if not clause.tiers and not clause.when:
        return True
    return any(concerned(clause, model) for model in held.models)


def _rows_of_models(pack: Pack, clause: Clause, measure: Measure, held: Holdings) -> Iterator[Row]:
    asked = [model for model in held.models if concerned(clause, model)]
    if not asked:
        nobody = Sentence(en="no model at work falls under this clause", zh="没有在用模型适用本条")
        yield _row(pack, clause, measure, None, State.NOT_IN_SCOPE, nobody, "")
    for model in asked:
        yield _row(pack, clause, measure, model, *_of_model(measure, model, held))


def _row(
    pack: Pack, clause: Clause, measure: Measure, model: ModelHolding | None, state: State, because: Sentence, link: str
) -> Row:
    return Row(
        pack=pack.id,
        clause=clause.id,
        means=measure.means.value,
        name=measure.name,
        asked=measure.says,
        model=None if model is None else model.name,
        site=None if model is None else model.site,
        state=state,
        because=because,
        link=link,
    )


Answer = tuple[State, Sentence, str]


def _of_house(measure: Measure, held: Holdings) -> Answer:
    name = measure.name
    match measure.means:
        case Means.RULE:
            return _rule(measure, rule_at(held.rules, name))
        case Means.LOG:
            return _entries(measure, held.log.counted(name, measure.flag, None), held.day, "/v1/log/checkpoint")
        case Means.ANCHOR:
            return _entries(measure, held.anchors.get(name, Counted()), held.day, "/v1/log/checkpoint")
        case Means.ROUTE:
            return _there(name in held.routes, name, name.partition(" ")[2])
        case Means.DOCUMENT:
            return _there(name in held.documents, name, "/v1/reports")
        case Means.SETTING:
            said = Sentence(
                en=f"the setting {name} is {'set' if name in held.settings else 'not set'}",
                zh=f"设置项 {name} {'已设置' if name in held.settings else '未设置'}",
            )
            return (State.HOLDS if name in held.settings else State.FAILS), said, "docs/settings.md"
        case _:
            return (
                State.NO_EVIDENCE,
                Sentence(
                    en="nothing here can show it; the company shows it by its own papers",
                    zh="本系统无法证明此项，应由企业以自有材料说明",
                ),
                "",
            )


def _of_model(measure: Measure, model: ModelHolding, held: Holdings) -> Answer:
    link = f"/v1/submissions/{model.submission}"
    if measure.means is Means.CHECK:
        if measure.name not in model.findings:
            return (
                State.NO_EVIDENCE,
                Sentence(
                    en=f"{measure.name} has no finding on this version", zh=f"该版本没有 {measure.name} 的检查结论"
                ),
                f"{link}/findings",
            )
        holds, says = model.findings[measure.name]
        state = State.NO_EVIDENCE if holds is None else State.HOLDS if holds else State.FAILS
        return state, says, f"{link}/findings"
    if measure.means is Means.DECLARED:
        there = measure.name in model.declared
        said = Sentence(
            en=f"{measure.name} is {'declared' if there else 'not declared'}",
            zh=f"{measure.name} {'已声明' if there else '未声明'}",
        )
        return (State.HOLDS if there else State.FAILS), said, link
    return _entries(measure, held.log.counted(measure.name, measure.flag, model.model), held.day, link)


def _rule(measure: Measure, found: Any) -> Answer:
    link = "/v1/rulebook"
    if found is None:
        return (
            State.FAILS,
            Sentence(en=f"the rulebook says nothing at {measure.name}", zh=f"规则中没有 {measure.name}"),
            link,
        )
    if measure.at_least is None and measure.at_most is None:
        return State.HOLDS, Sentence(en=f"the rulebook has {measure.name}", zh=f"规则中有 {measure.name}"), link
    if isinstance(found, bool) or not isinstance(found, int | float):
        return (
            State.FAILS,
            Sentence(en=f"{measure.name} is no number in the rulebook", zh=f"规则中的 {measure.name} 不是数值"),
            link,
        )
    within = (measure.at_least is None or found >= measure.at_least) and (
        measure.at_most is None or found <= measure.at_most
    )
    en, zh = _bounds(measure)
    return (
        (State.HOLDS if within else State.FAILS),
        Sentence(en=f"{measure.name} is {found:g}; asked for {en}", zh=f"{measure.name} 为 {found:g}，要求{zh}"),
        link,
    )


def _bounds(measure: Measure) -> tuple[str, str]:
    low = None if measure.at_least is None else (f"at least {measure.at_least:g}", f"不低于 {measure.at_least:g}")
    high = None if measure.at_most is None else (f"at most {measure.at_most:g}", f"不高于 {measure.at_most:g}")
    said = [bound for bound in (low, high) if bound is not None]
    return " and ".join(en for en, _ in said), "且".join(zh for _, zh in said)


def _entries(measure: Measure, found: Counted, day: date, link: str) -> Answer:
    what = measure.name if measure.flag is None else f"{measure.name} ({measure.flag})"
    if not found.count or found.newest is None:
        return State.NO_EVIDENCE, Sentence(en=f"the log has no '{what}'", zh=f"日志中没有“{what}”条目"), link
    age = (day - found.newest).days
    if measure.within_days is not None and age > measure.within_days:
        return (
            State.FAILS,
            Sentence(
                en=f"the newest '{what}' is of {found.newest}, {age} days ago; "
                f"asked for one within {measure.within_days}",
                zh=f"最近一条“{what}”为 {found.newest}，距今 {age} 天；要求 {measure.within_days} 天内有记录",
            ),
            link,
        )
    return (
        State.HOLDS,
        Sentence(
            en=f"the log has '{what}', {found.count:,} so far, the newest of {found.newest}",
            zh=f"日志中有“{what}”共 {found.count:,} 条，最近一条为 {found.newest}",
        ),
        link,
    )


def _there(there: bool, name: str, link: str) -> Answer:
    said = Sentence(
        en=f"'{name}' is {'there' if there else 'not there'}", zh=f"“{name}”{'已提供' if there else '未提供'}"
    )
    return (State.HOLDS if there else State.FAILS), said, link


SOURCES_ZH = {
    "official text": "正式文本",
    "not compared with the official text": "尚未与正式文本核对",
    "secondary sources": "二手资料",
    "operator": "运营方提供",
    "year of the edition": "版本年份",
}


def _source_zh(source: str) -> str:
    return SOURCES_ZH.get(source, source)
