"""What the house holds today, gathered from registry, rulebook and log for the coverage matrix."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from audit.anchors import anchors
from audit.entries import Clock
from audit.log_reader import Wanted
from audit.trace_log import TraceLog
from governance.stages import Stage
from governance.submissions import SubmissionBook, SubmissionRecord
from policies.coverage import Counted, Holdings, ModelHolding
from policies.declaration import Declaration
from policies.errors import Sentence
from policies.rulebook import Rulebook

AT_WORK = (Stage.APPROVED, Stage.SUSPENDED)
"""Stages of the versions a matrix is about: those that act on people, or did until somebody stopped them."""

PARTS: Mapping[str, Callable[[Declaration], bool]] = {
    "use.description": lambda said: bool(said.use.description),
    "use.site": lambda said: bool(said.use.site),
    "use.owner": lambda said: bool(said.use.owner),
    "data.sources": lambda said: bool(said.data.sources),
    "data.training": lambda said: said.data.training is not None,
    "data.subject": lambda said: said.data.subject is not None,
    "data.time": lambda said: said.data.time is not None,
    "data.groups": lambda said: bool(said.data.groups),
    "data.labels_by": lambda said: bool(said.data.labels_by),
    "features.sensors": lambda said: any(feature.sensor for feature in said.features.values()),
    "impact": lambda said: bool(said.impact),
}
"""What a pack may ask a team to have declared, and when it is."""

DOCUMENTS = frozenset(
    {
        *("transparency-report", "decision-letter", "technical-file", "bias-audit", "model-card", "bom"),
        *("snapshot", "revision", "evidence-bundle"),
    }
)
"""Documents the house writes."""

ANCHORS = frozenset({"witness", "rfc3161"})
"""Kinds of words from outside about the log."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What only the doors know: addresses at which controls are carried out, and settings that were set."""

    routes: frozenset[str]
    settings: frozenset[str]


class LogCounts:
    """Counts entries of the log, each question asked once."""

    def __init__(self, log: TraceLog) -> None:
        self._log = log
        self._known: dict[tuple[str, str | None, str | None], Counted] = {}

    def counted(self, kind: str, flag: str | None, model: str | None) -> Counted:
        """Return how many entries there are and the day of the newest."""
        key = (kind, flag, model)
        if key not in self._known:
            found = self._log.tally(Wanted(kind=kind, flag=flag, model=model))
            self._known[key] = Counted(count=found.count, newest=found.newest.date() if found.newest else None)
        return self._known[key]


def holdings(
    *,
    log: TraceLog,
    book: SubmissionBook,
    rulebook: Rulebook,
    clock: Clock,
    surroundings: Surroundings,
    scope: Mapping[tuple[str, str], bool],
) -> Holdings:
    """Return what the house holds now."""
    found: dict[str, Counted] = {}
    for anchor in anchors(log):
        before = found.get(anchor.kind, Counted())
        day = anchor.time.date()
        newest = day if before.newest is None else max(day, before.newest)
        found[anchor.kind] = Counted(count=before.count + 1, newest=newest)
    return Holdings(
        day=clock().date(),
        rules=tomllib.loads(rulebook.source.decode()),
        routes=surroundings.routes,
        documents=DOCUMENTS,
        settings=surroundings.settings,
        anchors=found,
        log=LogCounts(log),
        models=tuple(model_holding(record, rulebook) for record in at_work(book)),
        scope=scope,
    )


def at_work(book: SubmissionBook) -> tuple[SubmissionRecord, ...]:
    """Return every version that is approved or suspended, by model and version."""
    records: list[SubmissionRecord] = []
    for stage in AT_WORK:
        after: str | None = None
        while True:
            found, after = book.search(stage=stage, after=after, limit=200)
            records.extend(found)
            if after is None:
                break
    return tuple(sorted(records, key=lambda record: (record.model, record.version)))


def model_holding(record: SubmissionRecord, rulebook: Rulebook) -> ModelHolding:
    """Return what is held about one version."""
    declaration = record.declaration
    matrix = rulebook.impact
    return ModelHolding(
        model=record.model,
        version=record.version,
        site=record.site or None,
        tier=record.tier,
        submission=record.id,
        findings=_by_check(record),
        declared=frozenset(name for name, there in PARTS.items() if there(declaration)),
        impact={q.name: declaration.impact.get(q.name, q.unanswered) for q in matrix.questions},
    )


def _by_check(record: SubmissionRecord) -> dict[str, tuple[bool | None, Sentence]]:
    """Return one answer for each check: one that fails counts before one that cannot conclude."""
    order = {False: 0, None: 1, True: 2}
    found: dict[str, tuple[bool | None, Sentence]] = {}
    for finding in record.findings:
        holds, says = finding["holds"], Sentence(en=finding["says"]["en"], zh=finding["says"]["zh"])
        known = found.get(finding["check"])
        if known is None or order[holds] < order[known[0]]:
            found[finding["check"]] = (holds, says)
    return found
