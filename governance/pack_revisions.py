"""When law changes: the revision table of a pack, the permits it touches, and a person's signature under it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from audit.entries import Clock
from audit.trace_log import TraceLog
from governance.compliance import Compliance, require_whole_house
from governance.permits import Permit, PermitBook, PermitState
from governance.reasons import require_reason
from governance.statements import said_in, statement
from policies.coverage import Holdings, ModelHolding, State, clause_rows, gravest
from policies.errors import Conflict, NotFound, Sentence
from policies.regulations import Clause, Pack, read_pack
from policies.revision_table import Change, pack_changes
from policies.roles import Action, Person, require

REVISION_FORMAT = 1
"""Format of a sealed revision. Raise it when a key changes its meaning; readers keep every format."""

REGULATION = "regulation"
"""Flag of the entries by which a pack was adopted."""


class NothingToAdopt(Conflict):
    """The pack in use is the one that was adopted last."""

    def __init__(self, pack: Pack) -> None:
        super().__init__(
            Sentence(
                en=f"{pack.id} {pack.version} is adopted as it is; nothing changed since",
                zh=f"{pack.id} {pack.version} 已采纳，此后没有变化",
            )
        )


class AnotherText(Conflict):
    """What would be signed is not what was read."""

    def __init__(self, pack: Pack, read: str) -> None:
        super().__init__(
            Sentence(
                en=f"you read {pack.id} with digest {read[:12]}, in use is {pack.digest[:12]}; read the revision again",
                zh=f"您所阅的 {pack.id} 摘要为 {read[:12]}，现行为 {pack.digest[:12]}，请重新查看修订表",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Touched:
    """A permit at work that a change makes worth another look, and why."""

    model: str
    site: str | None
    permit: str
    until: datetime
    clauses: tuple[str, ...]
    because: Sentence

    def as_json(self) -> dict[str, object]:
        """Return the line as JSON and as the log seals it."""
        return {
            "model": self.model,
            "site": self.site,
            "permit": self.permit,
            "until": self.until.isoformat(),
            "clauses": list(self.clauses),
            "because": self.because.as_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision table: pending, or signed (`number` is its place among the adoptions in the log)."""

    subject: str
    title: Sentence
    old_version: str | None
    old_digest: str | None
    new_version: str
    new_digest: str
    day: date
    changes: tuple[Mapping[str, Any], ...]
    touched: tuple[Mapping[str, Any], ...]
    number: int | None = None
    by: str | None = None
    role: str | None = None
    at: datetime | None = None
    reason: str = ""
    entry: str | None = None
    seal: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the whole table."""
        return {
            "subject": self.subject,
            "title": self.title.as_json(),
            "old": {"version": self.old_version, "digest": self.old_digest},
            "new": {"version": self.new_version, "digest": self.new_digest},
            "day": self.day.isoformat(),
            "changes": [dict(change) for change in self.changes],
            "touched": [dict(line) for line in self.touched],
            "adopted": None
            if self.number is None or self.at is None
            else {
                "number": self.number,
                "by": self.by,
                "role": self.role,
                "at": self.at.isoformat(),
                "reason": self.reason,
                "entry": self.entry,
                "digest": self.seal,
            },
        }

    def head(self) -> dict[str, object]:
        """Return the table as lists show it."""
        whole = self.as_json()
        counts = {"changes": len(self.changes), "touched": len(self.touched)}
        return {key: whole[key] for key in ("subject", "title", "old", "new", "day", "adopted")} | counts


class PackRevisions:
    """Compares packs in use with those adopted last, and takes a signature under the difference."""

    def __init__(self, *, log: TraceLog, compliance: Compliance, permits: PermitBook, clock: Clock) -> None:
        self._log, self._compliance, self._permits, self._clock = log, compliance, permits, clock

    def pending(self, by: Person) -> tuple[Revision, ...]:
        """Return the revision of every pack whose text in use nobody adopted yet."""
        require(by, Action.READ_SUBMISSIONS)
        known = self._adopted()
        held = self._compliance.holdings()
        return tuple(
            self._for(by, self._compare(known.get(pack.id), pack, held))
            for pack in self._compliance.packs
            if pack.id not in known or known[pack.id].digest != pack.digest
        )

    def of_pack(self, pack: str, by: Person) -> Revision:
        """Return the revision of one pack that waits for its adoption.

        Raises
        ------
        NotAllowed, NotFound
        NothingToAdopt
            When nothing changed since it was adopted.
        """
        require(by, Action.READ_SUBMISSIONS)
        return self._for(by, self._waiting(pack))

    def adopted(self, by: Person) -> tuple[Revision, ...]:
        """Return every signed revision, newest first."""
        require(by, Action.READ_SUBMISSIONS)
        return tuple(self._for(by, revision) for revision in reversed(self._signed()))

    def signed(self, number: int, by: Person) -> Revision:
        """Return one signed revision. Raises NotAllowed, NotFound."""
        require(by, Action.READ_SUBMISSIONS)
        for revision in self._signed():
            if revision.number == number:
                return self._for(by, revision)
        raise NotFound(Sentence(en=f"there is no signed revision {number}", zh=f"没有编号为 {number} 的已签修订"))

    def adopt(self, pack: str, *, by: Person, reason: str, digest: str) -> Revision:
        """Sign the revision of a pack: from now on its text in use is the adopted one.

        Parameters
        ----------
        digest : str
            Digest of the text whose revision was read, so that nobody signs another.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, NothingToAdopt, AnotherText, Malformed
        """
        require(by, Action.ADOPT_LAW)
        found = self._compliance.pack(pack)
        revision = self._waiting(pack)
        said = require_reason(reason)
        require_whole_house(by)
        if digest != found.digest:
            raise AnotherText(found, digest)
        body = {
            "revision_format": REVISION_FORMAT,
            "subject": revision.subject,
            "title": revision.title.as_json(),
            "old": {"version": revision.old_version, "digest": revision.old_digest},
            "new": {"version": revision.new_version, "digest": revision.new_digest},
            "day": revision.day.isoformat(),
            "changes": [dict(change) for change in revision.changes],
            "touched": [dict(line) for line in revision.touched],
            "role": by.role.value,
            "reason": said,
            "toml": found.source.decode(),
        }
        receipt = self._log.append([statement("adopt", by=by.name, body=body, flags=(REGULATION,))])[0]
        return next(self._for(by, signed) for signed in self._signed() if signed.entry == receipt.id)

    def _waiting(self, pack: str) -> Revision:
        found = self._compliance.pack(pack)
        before = self._adopted().get(pack)
        if before is not None and before.digest == found.digest:
            raise NothingToAdopt(found)
        return self._compare(before, found, self._compliance.holdings())

    def _compare(self, old: Pack | None, new: Pack, held: Holdings) -> Revision:
        changes = pack_changes(old, new, held.day)
        return Revision(
            subject=new.id,
            title=new.title,
            old_version=None if old is None else old.version,
            old_digest=None if old is None else old.digest,
            new_version=new.version,
            new_digest=new.digest,
            day=held.day,
            changes=tuple(change.as_json() for change in changes),
            touched=tuple(line.as_json() for line in self._touched(old, new, changes, held)),
        )

    def _touched(self, old: Pack | None, new: Pack, changes: Sequence[Change], held: Holdings) -> list[Touched]:
        """Return the permits of models for which a changed clause is not answered, and was not so before."""
        permits = {
            f"{permit.model}:{permit.version}": permit
            for permit in reversed(self._permits.permits())
            if permit.state is not PermitState.ENDED
        }
        found = []
        for model in held.models:
            permit = permits.get(model.name)
            if permit is not None:
                line = _touched_line(old, new, changes, held, model, permit)
                found += [line] if line is not None else []
        return found

    def _adopted(self) -> dict[str, Pack]:
        """Return the text of every pack as it was adopted last."""
        return {
            said["subject"]: read_pack(said["toml"].encode(), said["subject"])
            for _, said, _ in said_in(self._log, "adopt", REGULATION)
        }

    def _signed(self) -> list[Revision]:
        return [
            Revision(
                subject=said["subject"],
                title=Sentence(en=said["title"]["en"], zh=said["title"]["zh"]),
                old_version=said["old"]["version"],
                old_digest=said["old"]["digest"],
                new_version=said["new"]["version"],
                new_digest=said["new"]["digest"],
                day=date.fromisoformat(said["day"]),
                changes=tuple(said["changes"]),
                touched=tuple(said["touched"]),
                number=number,
                by=said["by"],
                role=said["role"],
                at=entry.time,
                reason=said["reason"],
                entry=entry.id,
                seal=hashlib.sha256(raw).hexdigest(),
            )
            for number, (entry, said, raw) in enumerate(said_in(self._log, "adopt", REGULATION), start=1)
        ]

    def _for(self, by: Person, revision: Revision) -> Revision:
        """Return a revision without the permits of models outside a person's scope."""
        touched = tuple(
            line for line in revision.touched if by.sees(line["site"], str(line["model"]).partition(":")[0])
        )
        return Revision(**{**vars(revision), "touched": touched})


def _touched_line(
    old: Pack | None, new: Pack, changes: Sequence[Change], held: Holdings, model: ModelHolding, permit: Permit
) -> Touched | None:
    alone = Holdings(**{**vars(held), "models": (model,)})
    before = {} if old is None else {clause.id: clause for clause in old.clauses}
    after = {clause.id: clause for clause in new.clauses}
    told: list[tuple[str, Sentence]] = []
    for place in (change.place for change in changes):
        if place not in after:
            continue
        now, because = _state(new, after[place], alone)
        then = _state(old, before[place], alone)[0] if old is not None and place in before else State.NOT_IN_SCOPE
        if now in (State.FAILS, State.NO_EVIDENCE) and now is not then:
            told.append((place, because))
    if not told:
        return None
    return Touched(
        model=model.name,
        site=model.site,
        permit=permit.id,
        until=permit.until,
        clauses=tuple(place for place, _ in told),
        because=Sentence(
            en="; ".join(f"{place}: {because.en}" for place, because in told),
            zh="；".join(f"{place}：{because.zh}" for place, because in told),
        ),
    )


def _state(pack: Pack, clause: Clause, held: Holdings) -> tuple[State, Sentence]:
    """Return how a clause stands for one model, with the reason of its weakest answer."""
    rows = [row for row in clause_rows(pack, clause, held) if row.model is not None]
    if not rows:
        return State.NOT_IN_SCOPE, Sentence(en="it asks nothing of this model", zh="对该模型没有要求")
    worst = gravest(*(row.state for row in rows))
    return worst, next(row.because for row in rows if row.state is worst)
