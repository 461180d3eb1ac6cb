"""The officer decides: approve, return or veto, with a reason, never on his own submission."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from audit.database import Database
from audit.entries import Clock, Draft, TraceSink, identifier_text, microseconds_of, new_identifier
from governance.conditions import Conditions, read_conditions
from governance.permits import Permit, PermitBook, PermitState, bump_epoch, give_permit
from governance.stages import Stage, require_move
from governance.statements import statement
from governance.submissions import SubmissionBook, SubmissionRecord, VerdictRecord
from governance.tables import permits, submissions, verdicts, vetoes
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Action, Person, require, require_site
from policies.rulebook import Rulebook


class Verdict(StrEnum):
    """What a decider can say of a submission."""

    APPROVE = "approve"
    RETURN = "return"
    VETO = "veto"


CLAIM_LASTS = 60_000_000
"""Microseconds after which the claim of a decider whose process died no longer holds others up."""

LEADS_TO = {Verdict.APPROVE: Stage.APPROVED, Verdict.RETURN: Stage.RETURNED, Verdict.VETO: Stage.VETOED}


class OwnSubmission(Refused):
    """Nobody decides on what he submitted."""

    def __init__(self, person: str, submission: str) -> None:
        super().__init__(
            Sentence(
                en=f"{person} submitted {submission} and cannot decide on it; another person must",
                zh=f"{person} 是 {submission} 的提交人，不能对其作出裁定，须由他人裁定",
            )
        )


class StandsInTheWay(Refused):
    """A finding or a rule that an approval cannot pass."""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What came of a verdict: the record, the stage now, and who still has to approve."""

    verdict: VerdictRecord
    stage: Stage
    permit: Permit | None
    still_needed: tuple[str, ...]


class Approvals:
    """Gives verdicts. A veto binds first and is then recorded; an approval is recorded before it binds."""

    def __init__(
        self,
        database: Database,
        log: TraceSink,
        book: SubmissionBook,
        permit_book: PermitBook,
        rulebook: Rulebook,
        clock: Clock,
    ) -> None:
        self._database = database
        self._log = log
        self._book = book
        self._permits = permit_book
        self._rulebook = rulebook
        self._clock = clock

    def give_verdict(
        self,
        submission: str,
        verdict: Verdict,
        *,
        by: Person,
        reason: str,
        until: datetime | None = None,
        conditions: Iterable[Mapping[str, object]] = (),
    ) -> Ruling:
        """Record a verdict and let it bind.

        Parameters
        ----------
        until : datetime, optional
            End of the permit; None takes the longest the rulebook allows at this tier.
        conditions : iterable of mappings
            As `governance.conditions.read_conditions` takes them.

        Raises
        ------
        NotAllowed, OwnSubmission, StandsInTheWay, IllegalMove, Conflict, Malformed, NotFound
        """
        conditions = tuple(conditions)
        record = self.consider(submission, verdict, by=by, reason=reason, until=until, conditions=conditions)
        agreed = read_conditions(conditions)
        reason = self._require_reason(reason)
        now = self._clock()
        said = VerdictRecord(
            id=identifier_text(new_identifier(microseconds_of(now))),
            submission=submission,
            verdict=verdict.value,
            reason=reason,
            by=by.name,
            role=by.role.value,
            at=now,
            until=self._until(record, until, now) if verdict is Verdict.APPROVE else None,
            conditions=agreed.as_json(),
            entry=None,
        )
        if verdict is Verdict.APPROVE:
            return self._approve(record, said, by, agreed)
        return self._close(record, said, LEADS_TO[verdict], verdict is Verdict.VETO)

    def consider(
        self,
        submission: str,
        verdict: Verdict,
        *,
        by: Person,
        reason: str,
        until: datetime | None = None,
        conditions: Iterable[Mapping[str, object]] = (),
    ) -> SubmissionRecord:
        """Raise whatever stands against this verdict now, as `give_verdict` would; record nothing."""
        record = self._book.get(submission)
        require(by, Action.GIVE_VERDICT)
        require_site(by, record.site or None, "submission", submission)
        require_move(f"submission {submission}", record.stage, LEADS_TO[verdict])
        if by.name == record.submitted_by:
            raise OwnSubmission(by.name, submission)
        read_conditions(conditions)
        self._require_reason(reason)
        if verdict is Verdict.APPROVE:
            self._until(record, until, self._clock())
            obstacles = self.in_the_way(record)
            if obstacles:
                raise StandsInTheWay(*obstacles)
            self._permits.require_unvetoed(record.model, record.artifact_digest)
            self._require_asked(record, by)
        return record

    def in_the_way(self, record: SubmissionRecord) -> tuple[Sentence, ...]:
        """Return what no reason can pass: a sentence per finding that rules out an approval, none when it may come."""
        blocking = [f for f in record.findings if f["holds"] is False and f["check"] in self._rulebook.permits.blocking]
        if self._rulebook.permits.inconclusive[record.tier] == "blocks":
            blocking += [f for f in record.findings if f["holds"] is None]
        return tuple(
            Sentence(
                en=f"{finding['check']} stands in the way of an approval: {finding['says']['en']}",
                zh=f"{finding['check']} 未通过，不能批准：{finding['says']['zh']}",
            )
            for finding in blocking
        )

    def suspend(self, model: str, *, by: Person, reason: str) -> Permit:
        """Suspend the live permit of a model: the next call is refused."""
        return self._toggle(model, by, reason, PermitState.LIVE, PermitState.SUSPENDED, Stage.SUSPENDED)

    def resume(self, model: str, *, by: Person, reason: str) -> Permit:
        """Let a suspended permit live again."""
        return self._toggle(model, by, reason, PermitState.SUSPENDED, PermitState.LIVE, Stage.APPROVED)

    def record_unrecorded(self) -> int:
        """Log every veto and return whose process died before it was logged; return how many there were."""
        with self._database.reading() as connection:
            missing = connection.execute(
                select(verdicts.c.submission, verdicts.c.id).where(verdicts.c.entry.is_(None))
            ).all()
        for row in missing:
            record = self._book.get(row.submission)
            self._record(record, next(said for said in record.verdicts if said.id == row.id))
        return len(missing)

    def _require_reason(self, reason: str) -> str:
        if len(reason.strip()) < 3:
            raise Malformed(
                Sentence(
                    en="a verdict needs a reason that others can follow; found an empty one",
                    zh="裁定必须写明他人可以理解的理由，当前为空",
                )
            )
        return reason.strip()

    def _until(self, record: SubmissionRecord, until: datetime | None, now: datetime) -> datetime:
        longest = now + timedelta(days=self._rulebook.permits.longest_days[record.tier])
        if until is None:
            return longest
        if until <= now or until > longest:
            raise Malformed(
                Sentence(
                    en=f"a permit at {record.tier} ends after now and by {longest:%Y-%m-%d}; found {until:%Y-%m-%d}",
                    zh=f"{record.tier} 级许可的截止日应晚于当前且不晚于 {longest:%Y-%m-%d}，实际为 {until:%Y-%m-%d}",
                )
            )
        return until

    def _approve(self, record: SubmissionRecord, said: VerdictRecord, by: Person, agreed: Conditions) -> Ruling:
        needed = self._rulebook.permits.deciders[record.tier]
        approved = _approvals_of(record)
        self._claim(record, Stage.EXAMINED)
        try:
            entry = self._log.append([self._entry("approve", record, said)])[0]
            have = {v.role for v in approved} | {by.role.value}
            missing = tuple(role for role in needed if role not in have)
            permit = None if missing else self._permit(record, said, agreed, approved)
            stage = Stage.EXAMINED if missing else Stage.APPROVED
            with self._database.writing() as connection:
                connection.execute(insert(verdicts).values(_row(said, entry.id)))
                connection.execute(
                    update(submissions).where(submissions.c.id == record.id).values(stage=stage.value, claimed=None)
                )
                if permit is not None:
                    give_permit(connection, permit)
        except BaseException:
            self._release(record)
            raise
        self._permits.forget()
        return Ruling(verdict=said, stage=stage, permit=permit, still_needed=missing)

    def _require_asked(self, record: SubmissionRecord, by: Person) -> None:
        needed = self._rulebook.permits.deciders[record.tier]
        approved = _approvals_of(record)
        if by.role.value not in needed or any(v.role == by.role.value or v.by == by.name for v in approved):
            raise Conflict(
                Sentence(
                    en=f"{record.tier} needs one approval each from {' and '.join(needed)}, by different people; "
                    f"{by.role.value} has given one or is not asked",
                    zh=f"{record.tier} 级须由 {'、'.join(needed)} 的不同人员各批准一次；"
                    f"{by.role.value} 已批准或无需批准",
                )
            )

    def _permit(
        self, record: SubmissionRecord, said: VerdictRecord, agreed: Conditions, approved: list[VerdictRecord]
    ) -> Permit:
        """Return the permit all approvals lead to: the earliest end, and everyone's conditions."""
        ends = [v.until for v in [*approved, said] if v.until is not None]
        everyone = [c for v in approved for c in v.conditions] + agreed.as_json()
        return Permit(
            id=said.id,
            submission=record.id,
            model=record.model,
            version=record.version,
            artifact_digest=record.artifact_digest,
            rulebook_digest=self._rulebook.digest,
            tier=record.tier,
            since=said.at,
            until=min(ends),
            conditions=read_conditions(everyone),
            state=PermitState.LIVE,
        )

    def _close(self, record: SubmissionRecord, said: VerdictRecord, stage: Stage, vetoed: bool) -> Ruling:
        with self._database.writing() as connection:
            moved = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.stage == record.stage.value)
                .values(stage=stage.value, claimed=None)
            )
            if moved.rowcount != 1:
                raise _raced(record.id)
            connection.execute(insert(verdicts).values(_row(said, None)))
            if vetoed:
                self._bind_veto(connection, record, said)
        self._permits.forget()
        self._record(record, said)
        return Ruling(verdict=said, stage=stage, permit=None, still_needed=())

    def _record(self, record: SubmissionRecord, said: VerdictRecord) -> None:
        entry = self._log.append([self._entry(said.verdict, record, said)])[0]
        with self._database.writing() as connection:
            connection.execute(update(verdicts).where(verdicts.c.id == said.id).values(entry=entry.id))

    def _bind_veto(self, connection: Connection, record: SubmissionRecord, said: VerdictRecord) -> None:
        known = connection.execute(
            select(vetoes.c.artifact_digest).where(vetoes.c.artifact_digest == record.artifact_digest)
        ).scalar()
        if known is None:
            connection.execute(
                insert(vetoes).values(
                    artifact_digest=record.artifact_digest,
                    submission=record.id,
                    by=said.by,
                    at=microseconds_of(said.at),
                    reason=said.reason,
                )
            )
        connection.execute(
            update(permits)
            .where(permits.c.artifact_digest == record.artifact_digest)
            .values(state=PermitState.ENDED.value)
        )
        bump_epoch(connection)

    def _toggle(
        self, model: str, by: Person, reason: str, now_in: PermitState, to: PermitState, stage: Stage
    ) -> Permit:
        require(by, Action.SUSPEND)
        reason = self._require_reason(reason)
        held = [p for p in self._permits.permits() if p.model == model and p.state is not PermitState.ENDED]
        if not held or held[0].state is not now_in:
            state = held[0].state.value if held else "without a permit"
            raise Conflict(
                Sentence(
                    en=f"'{model}' is {state}; only a {now_in.value} permit can become {to.value}",
                    zh=f"“{model}”当前状态为 {state}，只有 {now_in.value} 状态的许可可以变为 {to.value}",
                )
            )
        permit = held[0]
        record = self._book.get(permit.submission)
        require_site(by, record.site or None, "model", model)
        if to is PermitState.LIVE:
            self._permits.require_unvetoed(model, permit.artifact_digest)
        act = "suspend" if to is PermitState.SUSPENDED else "resume"
        draft = statement(
            act,
            by=by.name,
            body={"reason": reason, "permit": permit.id},
            model=model,
            version=permit.version,
            artifact_digest=permit.artifact_digest,
            rulebook_digest=self._rulebook.digest,
            site=record.site or None,
        )
        if to is PermitState.LIVE:
            self._log.append([draft])
        with self._database.writing() as connection:
            moved = connection.execute(
                update(permits).where(permits.c.id == permit.id, permits.c.state == now_in.value).values(state=to.value)
            )
            if moved.rowcount != 1:
                raise _raced(model)
            connection.execute(update(submissions).where(submissions.c.id == record.id).values(stage=stage.value))
            bump_epoch(connection)
        self._permits.forget()
        if to is PermitState.SUSPENDED:
            self._log.append([draft])
        return permit

    def _entry(self, kind: str, record: SubmissionRecord, said: VerdictRecord) -> Draft:
        return statement(
            kind,
            by=said.by,
            body={"submission": record.id, "tier": str(record.tier), **said.as_json()},
            model=record.model,
            version=record.version,
            artifact_digest=record.artifact_digest,
            rulebook_digest=self._rulebook.digest,
            site=record.site or None,
        )

    def _claim(self, record: SubmissionRecord, stage: Stage) -> None:
        """Let exactly one of several deciders go on; the others are told that they raced."""
        now = microseconds_of(self._clock())
        free = submissions.c.claimed.is_(None) | (submissions.c.claimed < now - CLAIM_LASTS)
        with self._database.writing() as connection:
            claimed = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.stage == stage.value, free)
                .values(claimed=now)
            )
        if claimed.rowcount != 1:
            raise _raced(record.id)

    def _release(self, record: SubmissionRecord) -> None:
        with self._database.writing() as connection:
            connection.execute(update(submissions).where(submissions.c.id == record.id).values(claimed=None))


def _approvals_of(record: SubmissionRecord) -> list[VerdictRecord]:
    return [verdict for verdict in record.verdicts if verdict.verdict == Verdict.APPROVE.value]


def _raced(what: str) -> Conflict:
    return Conflict(
        Sentence(
            en=f"someone else decided on {what} at the same moment; read it again and decide anew",
            zh=f"另有人同时对 {what} 作出裁定，请重新查看后再裁定",
        )
    )


def _row(said: VerdictRecord, entry: str | None) -> dict[str, object]:
    return {
        "id": said.id,
        "submission": said.submission,
        "verdict": said.verdict,
        "reason": said.reason,
        "by": said.by,
        "role": said.role,
        "at": microseconds_of(said.at),
        "until": microseconds_of(said.until) if said.until is not None else None,
        "conditions": json.dumps(said.conditions, ensure_ascii=False),
        "entry": entry,
    }
