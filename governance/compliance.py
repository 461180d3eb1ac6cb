"""The house against its regulation packs: scope answered by a person, coverage computed, snapshots sealed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from audit.entries import Clock
from audit.trace_log import TraceLog
from governance.holdings import Surroundings, holdings, model_holding
from governance.reasons import require_reason
from governance.statements import said_in, statement
from governance.submissions import SubmissionBook, SubmissionRecord
from policies.coverage import Holdings, Row, State, coverage, gravest, summed
from policies.errors import NotFound, Refused, Sentence
from policies.regulations import Pack, no_pack
from policies.roles import Action, Person, require
from policies.rulebook import Rulebook

SNAPSHOT_FORMAT = 1
"""Format of a sealed snapshot. Raise it when a key changes its meaning; readers keep every format."""

SNAPSHOT, SCOPE = "snapshot", "scope"
"""Flags of the entries this module writes."""


class NoSuchQuestion(NotFound):
    """A pack was answered to a question it does not ask."""

    def __init__(self, pack: Pack, question: str) -> None:
        names = [asked.name for asked in pack.questions]
        super().__init__(
            Sentence(
                en=f"{pack.id} asks no question '{question}'; it asks {', '.join(names) or 'none'}",
                zh=f"{pack.id} 没有“{question}”这个问题；其问题为 {'、'.join(names) or '无'}",
            )
        )


class ForTheWholeHouse(Refused):
    """What is said of the house is said by somebody whose scope is the whole house."""

    def __init__(self, person: Person) -> None:
        super().__init__(
            Sentence(
                en=f"{person.name} acts for {person.site}; whether law applies and what is adopted is said for the "
                "whole house, by an account without a site",
                zh=f"{person.name} 的权限限于 {person.site}；法规是否适用及采纳须由权限不限场所的账户代表全系统作出",
            )
        )


def require_whole_house(person: Person) -> None:
    """Raise `ForTheWholeHouse` unless the person's scope is every site."""
    if person.places or person.only_models is not None:
        raise ForTheWholeHouse(person)


@dataclass(frozen=True, kw_only=True)
class ScopeAnswer:
    """What a person said about whether a pack applies."""

    pack: str
    question: str
    applies: bool
    reason: str
    by: str
    at: datetime
    entry: str

    def as_json(self) -> dict[str, object]:
        """Return the answer as doors show it."""
        return {
            "pack": self.pack,
            "question": self.question,
            "applies": self.applies,
            "reason": self.reason,
            "by": self.by,
            "at": self.at.isoformat(),
            "entry": self.entry,
        }


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One sealed state of compliance. Its number is its place among the snapshots of the log, so nobody can give one
    twice or take one back. `digest` is the SHA-256 of the sealed payload."""

    number: int
    entry: str
    index: int
    at: datetime
    by: str
    digest: str
    body: Mapping[str, Any]

    def head(self) -> dict[str, object]:
        """Return the snapshot as lists show it."""
        return {
            "number": self.number,
            "entry": self.entry,
            "index": self.index,
            "at": self.at.isoformat(),
            "by": self.by,
            "digest": self.digest,
            "rulebook": self.body["rulebook"],
            "states": state_counts(self.body["clauses"]),
            "json": f"/v1/snapshots/{self.number}.json",
            "pdf": f"/v1/snapshots/{self.number}.pdf",
            "xlsx": f"/v1/snapshots/{self.number}.xlsx",
        }

    def as_json(self) -> dict[str, object]:
        """Return the whole snapshot."""
        return {**self.head(), "snapshot": dict(self.body)}


class Compliance:
    """Answers how far the house covers what law and standards ask, and seals the answer when asked to."""

    def __init__(
        self,
        *,
        log: TraceLog,
        book: SubmissionBook,
        rulebook: Callable[[], Rulebook],
        packs: tuple[Pack, ...],
        clock: Clock,
        surroundings: Surroundings,
    ) -> None:
        self._log, self._book, self._rulebook, self._clock = log, book, rulebook, clock
        self._surroundings = surroundings
        self.packs = packs

    def pack(self, identifier: str) -> Pack:
        """Return one pack. Raises NotFound."""
        for pack in self.packs:
            if pack.id == identifier:
                return pack
        raise no_pack(identifier)

    def require_reader(self, by: Person) -> None:
        """Raise NotAllowed unless the person may read what the house holds of law."""
        require(by, Action.READ_SUBMISSIONS)

    def scope(self) -> tuple[ScopeAnswer, ...]:
        """Return the newest answer to every question of scope, by pack and question."""
        found: dict[tuple[str, str], ScopeAnswer] = {}
        for entry, said, _ in said_in(self._log, "adopt", SCOPE):
            found[said["pack"], said["question"]] = ScopeAnswer(
                pack=said["pack"],
                question=said["question"],
                applies=said["applies"],
                reason=said["reason"],
                by=said["by"],
                at=entry.time,
                entry=entry.id,
            )
        return tuple(found[key] for key in sorted(found))

    def answer_scope(self, pack: str, question: str, applies: bool, *, by: Person, reason: str) -> ScopeAnswer:
        """Say whether a pack applies to this house; the newest answer counts.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, Malformed
        """
        require(by, Action.ADOPT_LAW)
        found = self.pack(pack)
        if question not in {asked.name for asked in found.questions}:
            raise NoSuchQuestion(found, question)
        said = require_reason(reason)
        require_whole_house(by)
        body = {"pack": pack, "question": question, "applies": applies, "reason": said, "pack_digest": found.digest}
        draft = statement("adopt", by=by.name, body=body, flags=(SCOPE,), rulebook_digest=self._rulebook().digest)
        receipt = self._log.append([draft])[0]
        return ScopeAnswer(
            pack=pack, question=question, applies=applies, reason=said, by=by.name, at=receipt.time, entry=receipt.id
        )

    def holdings(self) -> Holdings:
        """Return what the house holds now."""
        return holdings(
            log=self._log,
            book=self._book,
            rulebook=self._rulebook(),
            clock=self._clock,
            surroundings=self._surroundings,
            scope={(answer.pack, answer.question): answer.applies for answer in self.scope()},
        )

    def holdings_with(self, record: SubmissionRecord) -> Holdings:
        """Return what the house holds now, with this version as the only model, at work or not."""
        return replace(self.holdings(), models=(model_holding(record, self._rulebook()),))

    def coverage(self, by: Person, *, model: str | None = None, pack: str | None = None) -> tuple[Row, ...]:
        """Return the matrix as it is now: rows of the house, and of the models this person may know of.

        Raises
        ------
        NotAllowed, NotFound
        """
        require(by, Action.READ_SUBMISSIONS)
        packs = self.packs if pack is None else (self.pack(pack),)
        rows = [row for row in coverage(packs, self.holdings()) if by.sees(row.site, row.model) or row.model is None]
        if model is None:
            return tuple(rows)
        return tuple(row for row in rows if row.model is not None and row.model.rpartition(":")[0] == model)

    def take_snapshot(self, *, by: Person, reason: str = "") -> Snapshot:
        """Compute the matrix of the whole house, seal it into the log and return it with its number.

        Raises
        ------
        NotAllowed
        Malformed
            When the reason cannot be read.
        """
        require(by, Action.TAKE_SNAPSHOT)
        body = self._body(require_reason(reason) if reason.strip() else "")
        draft = statement("publish", by=by.name, body=body, flags=(SNAPSHOT,), rulebook_digest=self._rulebook().digest)
        receipt = self._log.append([draft])[0]
        return next(kept for kept in self._snapshots() if kept.entry == receipt.id)

    def snapshots(self, by: Person) -> tuple[Snapshot, ...]:
        """Return every snapshot, newest first, as far as this person may see it."""
        require(by, Action.READ_SUBMISSIONS)
        return tuple(seen_by(kept, by) for kept in reversed(self._snapshots()))

    def snapshot(self, number: int, by: Person) -> Snapshot:
        """Return one snapshot as far as this person may see it: rows about models of other sites are left out.

        Raises
        ------
        NotAllowed, NotFound
        """
        require(by, Action.READ_SUBMISSIONS)
        for kept in self._snapshots():
            if kept.number == number:
                return seen_by(kept, by)
        raise NotFound(Sentence(en=f"there is no compliance snapshot {number}", zh=f"没有编号为 {number} 的合规快照"))

    def _body(self, reason: str) -> dict[str, Any]:
        held = self.holdings()
        rows = coverage(self.packs, held)
        states = summed(rows)
        head = self._log.latest_checkpoint()
        return {
            "snapshot_format": SNAPSHOT_FORMAT,
            "day": held.day.isoformat(),
            "reason": reason.strip(),
            "rulebook": {"version": self._rulebook().version, "digest": self._rulebook().digest},
            "log": None if head is None else {"size": head.size, "root": head.root.hex()},
            "packs": [
                {key: pack.as_json()[key] for key in ("id", "version", "digest", "source", "title", "citation", "note")}
                for pack in self.packs
            ],
            "clauses": [
                {
                    "pack": pack.id,
                    "clause": clause.id,
                    "article": clause.article.as_json(),
                    "says": clause.says.as_json(),
                    "state": states[pack.id, clause.id].value,
                }
                for pack in self.packs
                for clause in pack.clauses
            ],
            "scope": [answer.as_json() for answer in self.scope()],
            "models": [{"model": held.name, "site": held.site, "tier": held.tier.name} for held in held.models],
            "rows": [row.as_json() for row in rows],
        }

    def _snapshots(self) -> list[Snapshot]:
        kept = []
        for number, (entry, said, payload) in enumerate(said_in(self._log, "publish", SNAPSHOT), start=1):
            kept.append(
                Snapshot(
                    number=number,
                    entry=entry.id,
                    index=entry.index,
                    at=entry.time,
                    by=said["by"],
                    digest=hashlib.sha256(payload).hexdigest(),
                    body=said,
                )
            )
        return kept


def state_counts(clauses: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many clauses are in each state, every state named."""
    counted = Counter(str(clause["state"]) for clause in clauses)
    return {state.value: counted.get(state.value, 0) for state in State}


def seen_by(kept: Snapshot, person: Person) -> Snapshot:
    """Return a snapshot without the rows about models outside a person's scope, its clauses summed up again."""
    if not person.places and person.only_models is None:
        return kept
    rows = [row for row in kept.body["rows"] if row["model"] is None or person.sees(row["site"], row["model"])]
    states: dict[tuple[str, str], State] = {}
    for row in rows:
        key = (row["pack"], row["clause"])
        states[key] = gravest(State(row["state"]), states.get(key, State.NOT_IN_SCOPE))
    clauses = [
        {**clause, "state": states.get((clause["pack"], clause["clause"]), State.NOT_IN_SCOPE).value}
        for clause in kept.body["clauses"]
    ]
    models = [model for model in kept.body["models"] if person.sees(model["site"], model["model"])]
    body = {**kept.body, "rows": rows, "clauses": clauses, "models": models, "only_site": person.site}
    return replace(kept, body=body)
