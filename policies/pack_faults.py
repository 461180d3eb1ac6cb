"""Whether a pack speaks of controls and evidence that exist: everything it names, against what the house has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.coverage import rule_at
from policies.errors import Sentence
from policies.regulations import Clause, Means, Measure, Pack


@dataclass(frozen=True, kw_only=True)
class Known:
    """The names there are: checks, log kinds, addresses, settings, documents, anchors, roles, parts of a declaration,
    the rulebook as a table, and the impact questions with their answers."""

    checks: frozenset[str]
    kinds: frozenset[str]
    routes: frozenset[str]
    settings: frozenset[str]
    documents: frozenset[str]
    anchors: frozenset[str]
    declared: frozenset[str]
    roles: frozenset[str]
    rules: Mapping[str, object]
    impact: Mapping[str, frozenset[str]]


def pack_faults(packs: Iterable[Pack], known: Known) -> list[Sentence]:
    """Return one sentence for every name in a pack that stands for nothing here."""
    return [
        fault
        for pack in packs
        for clause in pack.clauses
        for fault in (*_clause_faults(pack, clause, known), *_measures_faults(pack, clause, known))
    ]


def _measures_faults(pack: Pack, clause: Clause, known: Known) -> list[Sentence]:
    return [
        _fault(pack, clause, measure.means.value, measure.name)
        for measure in clause.measures
        if not _exists(measure, known)
    ]


def _clause_faults(pack: Pack, clause: Clause, known: Known) -> list[Sentence]:
    faults = [] if clause.asks_of in known.roles else [_fault(pack, clause, "role", clause.asks_of)]
    for question, answers in clause.when.items():
        options = known.impact.get(question, frozenset())
        faults += [
            _fault(pack, clause, f"answer to '{question}'", answer) for answer in answers if answer not in options
        ]
    return faults


def _exists(measure: Measure, known: Known) -> bool:
    match measure.means:
        case Means.OUTSIDE:
            return True
        case Means.RULE:
            return rule_at(known.rules, measure.name) is not None
    names = {
        Means.CHECK: known.checks,
        Means.LOG: known.kinds,
        Means.ROUTE: known.routes,
        Means.SETTING: known.settings,
        Means.DOCUMENT: known.documents,
        Means.ANCHOR: known.anchors,
        Means.DECLARED: known.declared,
    }
    return measure.name in names[measure.means]


def _fault(pack: Pack, clause: Clause, kind: str, name: str) -> Sentence:
    return Sentence(
        en=f"{pack.id} {clause.id}: there is no {kind} '{name}'", zh=f"{pack.id} {clause.id}：不存在 {kind}“{name}”"
    )
