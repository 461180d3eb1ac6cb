"""A new rulebook: proposed by the officer, adopted by the committee; what no longer holds under it stops at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit.database import Database
from audit.entries import Clock, Draft, TraceSink, identifier_text, microseconds_of, new_identifier
from governance.approvals import Raced, set_stage
from governance.compliance import require_whole_house
from governance.permits import Permit, PermitBook, PermitState, bump_epoch
from governance.publishing import Publish, tell_registry
from governance.reasons import require_reason
from governance.rejudging import FeaturesOf, Standing, standing_under
from governance.rulebooks import Revision, RevisionState, Rulebooks
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord
from governance.tables import permits, rulebooks
from policies.errors import Conflict, Refused, Sentence
from policies.revisions import Difference, differences
from policies.roles import Action, Person, require
from policies.rulebook import Rulebook, read_rulebook


class OwnProposal(Refused):
    """Nobody adopts the rulebook he proposed."""

    def __init__(self, person: str) -> None:
        super().__init__(
            Sentence(
                en=f"{person} proposed this rulebook and cannot adopt it; another person must",
                zh=f"{person} 是该规则文件的提出人，不能自行通过，须由他人审定",
            )
        )


class Outdated(Conflict):
    """The rules changed since this rulebook was proposed."""

    def __init__(self, revision: Revision, now: Rulebook) -> None:
        super().__init__(
            Sentence(
                en=f"this rulebook was proposed against {(revision.base or '')[:12]}, and {now.digest[:12]} is in "
                "force now; propose it anew, so that its differences are the ones that count",
                zh=f"提出该规则文件时的现行规则为 {(revision.base or '')[:12]}，现已为 {now.digest[:12]}；"
                "请重新提出，以便按最新差异审定",
            )
        )


class NotProposed(Conflict):
    """Only what is proposed can be adopted or declined."""

    def __init__(self, revision: Revision) -> None:
        super().__init__(
            Sentence(
                en=f"rulebook {revision.id} is {revision.state}; only a proposed one can be adopted or declined",
                zh=f"规则文件 {revision.id} 的状态为 {revision.state}，仅处于 proposed 状态的可以通过或退回",
            )
        )


class NothingNew(Conflict):
    """The proposed rulebook is the one in force, or waits already."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            Sentence(
                en=f"rulebook {digest[:12]} is in force or waits for the committee already",
                zh=f"规则文件 {digest[:12]} 已在施行或已提交审定",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """A rulebook that came into force, and the permits it suspended or has to be held against again."""

    revision: Revision
    touched: tuple[Standing, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {"rulebook": self.revision.as_json(), "touched": [standing.as_json() for standing in self.touched]}


class RuleChanges:
    """Takes proposals in and puts rulebooks into force. A change is recorded before it binds."""

    def __init__(
        self,
        database: Database,
        log: TraceSink,
        books: Rulebooks,
        submissions: SubmissionBook,
        permit_book: PermitBook,
        features_of: FeaturesOf,
        clock: Clock,
        publish: Publish = lambda _model, _version, _stage: None,
    ) -> None:
        self._database = database
        self._log = log
        self._books = books
        self._submissions = submissions
        self._permits = permit_book
        self._features_of = features_of
        self._clock = clock
        self._publish = publish

    def propose(self, toml: bytes, *, by: Person, reason: str) -> Revision:
        """Put a rulebook before the committee.

        Raises
        ------
        NotAllowed, ForTheWholeHouse
        Malformed
            With every fault of the rulebook at once.
        NothingNew
            When it is the one in force, or waits already.
        """
        require(by, Action.PROPOSE_RULES)
        require_whole_house(by)
        said, book = require_reason(reason), read_rulebook(toml)
        now = self._books.in_force()
        if book.digest in {now.digest, *(waiting.digest for waiting in self._books.proposals())}:
            raise NothingNew(book.digest)
        moment = microseconds_of(self._clock())
        revision = identifier_text(new_identifier(moment))
        body = {"rulebook": revision, "reason": said, "base": now.digest, "differences": _as_json(now, book)}
        self._log.append([statement("propose", by=by.name, body=body, rulebook_digest=book.digest)])
        with self._database.writing() as connection:
            connection.execute(
                insert(rulebooks).values(
                    id=revision,
                    digest=book.digest,
                    toml=toml.decode(),
                    base=now.digest,
                    state=RevisionState.PROPOSED.value,
                    proposed_by=by.name,
                    proposed_at=moment,
                    reason=said,
                )
            )
        return self._books.get(revision)

    def differences(self, revision: Revision) -> tuple[Difference, ...]:
        """Return how a rulebook differs from the one it was proposed against; the first one differs from nothing."""
        base = self._books.by_digest(revision.base) if revision.base is not None else None
        return differences(base, revision.book) if base is not None else ()

    def touched_by(self, rules: Rulebook) -> tuple[Standing, ...]:
        """Return the permits a rulebook touches: those that would no longer hold, and those to be examined again."""
        found = []
        for permit in self._permits.permits():
            if permit.state is PermitState.ENDED:
                continue
            standing = self._standing(self._submissions.get(permit.submission), permit, rules)
            if standing.fails or standing.open:
                found.append(standing)
        return tuple(found)

    def to_examine_again(self) -> tuple[Standing, ...]:
        """Return the permits whose submission was examined under other rules than those in force."""
        rules = self._books.in_force()
        return tuple(
            self._standing(record, permit, rules)
            for permit in self._permits.permits()
            if permit.state is not PermitState.ENDED
            and (record := self._submissions.get(permit.submission)).rulebook_digest != rules.digest
        )

    def decline(self, revision: str, *, by: Person, reason: str) -> Revision:
        """Decline a proposed rulebook; the officer who proposed it may take it back.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, NotProposed, Malformed
        """
        if not by.may(Action.PROPOSE_RULES):
            require(by, Action.ADOPT_RULES)
        require_whole_house(by)
        found, said = self._proposed(revision), require_reason(reason)
        if by.may(Action.PROPOSE_RULES) and by.name != found.proposed_by:
            require(by, Action.ADOPT_RULES)
        body = {"what": "rulebook", "rulebook": revision, "reason": said, "proposed_by": found.proposed_by}
        entry = self._log.append([statement("refuse", by=by.name, body=body, rulebook_digest=found.digest)])[0]
        with self._database.writing() as connection:
            done = connection.execute(
                update(rulebooks)
                .where(rulebooks.c.id == revision, rulebooks.c.state == RevisionState.PROPOSED.value)
                .values(state=RevisionState.DECLINED.value, **self._decided(by, said, entry.id))
            )
            if done.rowcount != 1:
                raise Raced(f"rulebook {revision}")
        return self._books.get(revision)

    def adopt(self, revision: str, *, by: Person, reason: str) -> Adopted:
        """Put a proposed rulebook into force. Permits that no longer hold under it are suspended in the same moment.

        Raises
        ------
        NotAllowed, ForTheWholeHouse, NotFound, NotProposed, OwnProposal, Outdated, Raced, Malformed
        """
        found, said = self._adoptable(revision, by, reason)
        touched = self.touched_by(found.book)
        records = {standing.submission: self._submissions.get(standing.submission) for standing in touched}
        ending = [standing for standing in touched if not standing.holds]
        entry = self._log.append(self._drafts(found, by, said, touched, ending, records))[0]
        try:
            self._put_in_force(found, by, said, entry.id, [standing.submission for standing in ending])
        except (Raced, IntegrityError) as raced:
            body = {"what": "rulebook", "rulebook": revision, "adopted_by": by.name, "why": "someone was faster"}
            self._log.append(
                [statement("refuse", by="mingjing", body=body, about=entry.id, rulebook_digest=found.digest)]
            )
            raise Raced(f"rulebook {revision}") from raced
        finally:
            self._books.forget()
            self._permits.forget()
        tell_registry(self._publish, [(records[standing.submission], Stage.SUSPENDED) for standing in ending])
        return Adopted(revision=self._books.get(revision), touched=touched)

    def consider(self, revision: str, *, by: Person, reason: str) -> Revision:
        """Raise whatever stands against an adoption now, as `adopt` would; put nothing into force."""
        return self._adoptable(revision, by, reason)[0]

    def _adoptable(self, revision: str, by: Person, reason: str) -> tuple[Revision, str]:
        require(by, Action.ADOPT_RULES)
        require_whole_house(by)
        found, said = self._proposed(revision), require_reason(reason)
        if by.name == found.proposed_by:
            raise OwnProposal(by.name)
        if found.base != self._books.in_force().digest:
            raise Outdated(found, self._books.in_force())
        return found, said

    def _put_in_force(self, found: Revision, by: Person, said: str, entry: str, ending: list[str]) -> None:
        with self._database.writing() as connection:
            number = int(connection.execute(select(func.max(rulebooks.c.number))).scalar() or 0)
            newest = select(rulebooks.c.digest).where(rulebooks.c.number == number)
            if connection.execute(newest).scalar() != found.base:
                raise Raced(f"rulebook {found.id}")
            done = connection.execute(
                update(rulebooks)
                .where(rulebooks.c.id == found.id, rulebooks.c.state == RevisionState.PROPOSED.value)
                .values(state=RevisionState.ADOPTED.value, number=number + 1, **self._decided(by, said, entry))
            )
            if done.rowcount != 1:
                raise Raced(f"rulebook {found.id}")
            live = permits.c.state == PermitState.LIVE.value
            held = connection.execute(select(permits.c.submission).where(live, permits.c.submission.in_(ending)))
            set_stage(connection, list(held.scalars()), Stage.SUSPENDED)
            connection.execute(
                update(permits).where(live, permits.c.submission.in_(ending)).values(state=PermitState.SUSPENDED.value)
            )
            # No permit outlives what the new rules allow its tier.
            for tier, days in found.book.permits.longest_days.items():
                lasts = int(timedelta(days=days).total_seconds() * 1_000_000)
                connection.execute(
                    update(permits)
                    .where(permits.c.tier == int(tier), permits.c.state != PermitState.ENDED.value)
                    .where(permits.c.until > permits.c.since + lasts)
                    .values(until=permits.c.since + lasts)
                )
            bump_epoch(connection)

    def _drafts(
        self,
        found: Revision,
        by: Person,
        said: str,
        touched: tuple[Standing, ...],
        ending: list[Standing],
        records: dict[str, SubmissionRecord],
    ) -> list[Draft]:
        body = {
            "rulebook": found.id,
            "reason": said,
            "proposed_by": found.proposed_by,
            "base": found.base,
            "toml": found.book.source.decode(),
            "differences": [difference.as_json() for difference in self.differences(found)],
            "touched": [standing.as_json() for standing in touched],
        }
        adopted = statement("adopt", by=by.name, body=body, rulebook_digest=found.digest)
        return [adopted, *(_suspension(standing, records[standing.submission], found) for standing in ending)]

    def _standing(self, record: SubmissionRecord, permit: Permit, rules: Rulebook) -> Standing:
        standing = standing_under(rules, self._books, record, permit, self._features_of, self._clock())
        if standing is not None:
            return standing
        gone = Sentence(
            en="it was examined under a rulebook that is not kept here; hand it in again",
            zh="检查时所依据的规则文件未保存于此，请重新提交",
        )
        return Standing(
            submission=record.id,
            model=record.model,
            version=record.version,
            site=record.site,
            tier=permit.tier,
            fails=(),
            open=(gone,),
        )

    def _proposed(self, revision: str) -> Revision:
        found = self._books.get(revision)
        if found.state is not RevisionState.PROPOSED:
            raise NotProposed(found)
        return found

    def _decided(self, by: Person, said: str, entry: str) -> dict[str, Any]:
        return {
            "decided_by": by.name,
            "decided_at": microseconds_of(self._clock()),
            "decision": said,
            "entry": entry,
        }


def _suspension(standing: Standing, record: SubmissionRecord, found: Revision) -> Draft:
    return statement(
        "suspend",
        by="mingjing",
        body={
            "reason": "it no longer holds under the rulebook that comes into force",
            "rulebook": found.id,
            **standing.as_json(),
        },
        model=record.model,
        version=record.version,
        artifact_digest=record.artifact_digest,
        rulebook_digest=found.digest,
        site=record.site or None,
    )


def _as_json(base: Rulebook, book: Rulebook) -> list[dict[str, object]]:
    return [difference.as_json() for difference in differences(base, book)]
