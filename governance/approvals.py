"""The officer decides: approve, return or veto, with a reason, never on his own submission."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from audit.entries import Draft, identifier_text, microseconds_of, new_identifier
from governance.conditions import read_conditions
from governance.delegations import Delegations
from governance.permit_acts import Ground, PermitActs
from governance.permits import Permit, PermitState, bump_epoch, give_permit
from governance.publishing import tell_registry
from governance.reasons import require_reason
from governance.rejudging import FeaturesOf, Standing, outdated, standing_under
from governance.stages import IllegalMove, Stage, require_move
from governance.statements import statement
from governance.submissions import SubmissionRecord, VerdictRecord
from governance.tables import permits, submissions, verdicts, vetoes
from policies.declaration import WITHOUT_ARTIFACT
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Action, NotAllowed, Person, Role, absent, require, require_in_scope
from policies.rulebook import Rulebook
from policies.tiers import Tier


class Verdict(StrEnum):
    """What a decider can say of a submission."""

    APPROVE = "approve"
    RETURN = "return"
    VETO = "veto"


CLAIM_LASTS = 60_000_000
"""Microseconds after which the claim of a decider whose process died no longer holds others up."""

ITSELF = Person(name="mingjing", role=Role.DSO)
"""Who approves where the officer let models be approved by themselves."""

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


class Raced(Conflict):
    """Another person's decision came in between."""

    def __init__(self, what: str) -> None:
        super().__init__(
            Sentence(
                en=f"someone else decided on {what} at the same moment; read it again and decide anew",
                zh=f"另有人同时对 {what} 作出裁定，请重新查看后再裁定",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What came of a verdict: the record, the stage now, and who still has to approve."""

    verdict: VerdictRecord
    stage: Stage
    permit: Permit | None
    still_needed: tuple[str, ...]


class Approvals(PermitActs):
    """Gives verdicts. A veto binds first and is then recorded; an approval is recorded before it binds."""

    def __init__(self, ground: Ground, features_of: FeaturesOf, delegations: Delegations) -> None:
        super().__init__(ground)
        self._features_of = features_of
        self._delegations = delegations

    @property
    def _rulebook(self) -> Rulebook:
        return self._rulebooks.in_force()

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
            End of the permit, UTC where it names no zone; None takes the longest the rulebook allows at this tier.
        conditions : iterable of mappings
            As `governance.conditions.read_conditions` takes them.

        Raises
        ------
        NotAllowed, OwnSubmission, StandsInTheWay, IllegalMove, Raced, Conflict, Malformed, NotFound
        """
        record, said = self._considered(submission, verdict, by, reason, until, conditions)
        if verdict is Verdict.APPROVE:
            return self._approve(record, said, by)
        return self._close(record, said, LEADS_TO[verdict], verdict is Verdict.VETO)

    def approve_by_itself(self, submission: str) -> Ruling | None:
        """Approve a submission of L1 under the officer's delegation when everything holds; None where that is not so.

        The officer's veto stays, and so does everything else that ends a permit.
        """
        record = self._book.get(submission)
        if record.tier is not Tier.L1 or record.holds is not True or record.stage is not Stage.EXAMINED:
            return None
        delegation = self._delegations.covering(record)
        if delegation is None or self.in_the_way(record):
            return None
        now = self._clock()
        said = VerdictRecord(
            id=identifier_text(new_identifier(microseconds_of(now))),
            submission=submission,
            verdict=Verdict.APPROVE.value,
            reason=f"everything holds; approved under delegation {delegation.id} of {delegation.by}",
            by=ITSELF.name,
            role=ITSELF.role.value,
            at=now,
            until=self._until(record, None, now),
            conditions=[],
            entry=None,
            delegation=delegation.id,
        )
        return self._approve(record, said, ITSELF)

    def waiting_for(self, by: Person) -> tuple[SubmissionRecord, ...]:
        """Return the submissions that wait for this person: a reviewer's are those that a delegation covers."""
        delegated = by.role is Role.REVIEWER
        require(by, Action.REVIEW if delegated else Action.GIVE_VERDICT)
        found, after = [], None
        while True:
            page, after = self._book.search(stage=Stage.EXAMINED, after=after, limit=200)
            found += [
                record
                for record in page
                if by.sees(record.site or None, record.model)
                and not record.is_by(by.name)
                and (not delegated or self._delegations.covering(record, by) is not None)
            ]
            if after is None:
                return tuple(found)

    def delegated(self, submission: str, by: Person) -> SubmissionRecord:
        """Return a submission that waits and that a delegation lets this reviewer decide on.

        Raises
        ------
        NotAllowed
            When the role reviews nothing.
        NotFound
            For what is absent, of another site, decided, or covered by no delegation: all look the same.
        """
        require(by, Action.REVIEW)
        record = self._book.get(submission)
        require_in_scope(by, record.site or None, record.model, "submission", submission)
        if record.stage is not Stage.EXAMINED or self._delegations.covering(record, by) is None:
            raise absent("submission", submission)
        return record

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
        return self._considered(submission, verdict, by, reason, until, conditions)[0]

    def in_the_way(self, record: SubmissionRecord) -> tuple[Sentence, ...]:
        """Return what stands in the way of an approval under the rulebook in force; no reason passes it."""
        blocking = [f for f in record.findings if f["holds"] is False and f["check"] in self._rulebook.permits.blocking]
        if self._rulebook.permits.inconclusive[record.tier] == "blocks":
            blocking += [f for f in record.findings if f["holds"] is None]
        found = [
            Sentence(
                en=f"{finding['check']} stands in the way of an approval: {finding['says']['en']}",
                zh=f"{finding['check']} 未通过，不能批准：{finding['says']['zh']}",
            )
            for finding in blocking
        ]
        found += outdated(self._rulebooks, record, None, self._features_of, self._clock())
        flavour = record.declaration.model.flavour
        if flavour in WITHOUT_ARTIFACT:
            found.append(
                Sentence(
                    en=f"{record.model} was handed in as '{flavour}', without a model file: it can be reported on, "
                    "and nothing is there that a permit could let run",
                    zh=f"{record.model} 以“{flavour}”方式提交，没有模型文件：可以出具报告，但没有可许可运行的对象",
                )
            )
        return tuple(found)

    def standing(self, record: SubmissionRecord, permit: Permit | None = None) -> Standing | None:
        """Return how a submission stands under the rulebook in force; None when the one it was examined under is gone.

        With a permit, also its end and the approvals it rests on are judged.
        """
        return standing_under(self._rulebook, self._rulebooks, record, permit, self._features_of, self._clock())

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

    def _considered(
        self,
        submission: str,
        verdict: Verdict,
        by: Person,
        reason: str,
        until: datetime | None,
        conditions: Iterable[Mapping[str, object]],
    ) -> tuple[SubmissionRecord, VerdictRecord]:
        """Return the record and the verdict to be written, once nothing speaks against it."""
        record, delegation = self._before(submission, verdict, by)
        if verdict is Verdict.APPROVE and record.stage is Stage.SUSPENDED:
            # A suspended permit is resumed; it is not approved a second time.
            raise IllegalMove(f"submission {submission}", record.stage, Stage.APPROVED)
        require_move(f"submission {submission}", record.stage, LEADS_TO[verdict])
        if record.is_by(by.name):
            raise OwnSubmission(by.name, submission)
        now = self._clock()
        said = VerdictRecord(
            id=identifier_text(new_identifier(microseconds_of(now))),
            submission=submission,
            verdict=verdict.value,
            reason=require_reason(reason),
            by=by.name,
            role=by.role.value,
            at=now,
            until=self._until(record, until, now) if verdict is Verdict.APPROVE else None,
            conditions=read_conditions(conditions).as_json(),
            entry=None,
            delegation=delegation,
        )
        if verdict is Verdict.APPROVE:
            self._require_passable(record)
            self._permit(record, said, self._others(record, said))
        return record, said

    def _before(self, submission: str, verdict: Verdict, by: Person) -> tuple[SubmissionRecord, str | None]:
        """Return the submission, and the delegation under which a reviewer decides on it.

        What no delegation covers looks absent to a reviewer, and the veto is never his.
        """
        if by.may(Action.GIVE_VERDICT):
            record = self._book.get(submission)
            require_in_scope(by, record.site or None, record.model, "submission", submission)
            return record, None
        if verdict is Verdict.VETO or not self._delegations.any_for(by):
            raise NotAllowed(by, Action.GIVE_VERDICT)
        record = self._book.get(submission)
        require_in_scope(by, record.site or None, record.model, "submission", submission)
        delegation = self._delegations.covering(record, by)
        if delegation is None:
            raise absent("submission", submission)
        return record, delegation.id

    def _until(self, record: SubmissionRecord, until: datetime | None, now: datetime) -> datetime:
        longest = now + timedelta(days=self._rulebook.permits.longest_days[record.tier])
        if until is None:
            return longest
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        if until.date() == longest.date():
            until = min(until, longest)  # the sentence below names days, so the whole of the last one is good
        if until <= now or until > longest:
            raise Malformed(
                Sentence(
                    en=f"a permit at {record.tier} ends after now and by {longest:%Y-%m-%d}; found {until:%Y-%m-%d}",
                    zh=f"{record.tier} 级许可的截止日应晚于当前且不晚于 {longest:%Y-%m-%d}，实际为 {until:%Y-%m-%d}",
                )
            )
        return until

    def _require_passable(self, record: SubmissionRecord) -> None:
        obstacles = self.in_the_way(record)
        if obstacles:
            raise StandsInTheWay(*obstacles)
        self._permits.require_unvetoed(record.model, record.artifact_digest)

    def _others(self, record: SubmissionRecord, said: VerdictRecord) -> list[VerdictRecord]:
        """Return the approvals already given. Raises Conflict where this one is not still asked for."""
        needed, role = self._rulebook.permits.deciders[record.tier], said.stands_for
        approved = list(record.approvals)
        if role not in needed or any(v.stands_for == role or v.by == said.by for v in approved):
            raise Conflict(
                Sentence(
                    en=f"{record.tier} needs one approval each from {' and '.join(needed)}, by different people; "
                    f"{role} has given one or is not asked",
                    zh=f"{record.tier} 级须由 {'、'.join(needed)} 的不同人员各批准一次；{role} 已批准或无需批准",
                )
            )
        return approved

    def _approve(self, record: SubmissionRecord, said: VerdictRecord, by: Person) -> Ruling:
        claim = self._claim(record)
        entry = None
        try:
            record = self._book.get(record.id)  # the other approval of L4 may have come in since it was read
            approved = self._others(record, said)
            have = {v.stands_for for v in [*approved, said]}
            missing = tuple(role for role in self._rulebook.permits.deciders[record.tier] if role not in have)
            permit = None if missing else self._permit(record, said, approved)
            replaced = self._replaced_by(permit)
            entry = self._log.append([self._entry("approve", record, said), *self._retirements(replaced, by)])[0]
            stage = Stage.EXAMINED if missing else Stage.APPROVED
            with self._database.writing() as connection:
                self._settle(connection, record, stage, claim)
                connection.execute(insert(verdicts).values(_row(said, entry.id)))
                if permit is not None:
                    give_permit(connection, permit)
                    set_stage(connection, [other.id for other in replaced], Stage.RETIRED)
        except Raced:
            self._permits.forget()
            if entry is not None:
                self._log.append([self._did_not_bind(record, said, entry.id)])
            raise
        except BaseException:
            self._release(record, claim)
            raise
        self._permits.forget()
        tell_registry(self._publish, [(record, stage), *((other, Stage.RETIRED) for other in replaced)])
        return Ruling(verdict=said, stage=stage, permit=permit, still_needed=missing)

    def _replaced_by(self, permit: Permit | None) -> list[SubmissionRecord]:
        """Return the submissions whose permit ends because another version of their model gets one."""
        if permit is None:
            return []
        held = [p for p in self._permits.permits() if p.model == permit.model and p.state is not PermitState.ENDED]
        return [self._book.get(other.submission) for other in held if other.submission != permit.submission]

    def _retirements(self, replaced: list[SubmissionRecord], by: Person) -> list[Draft]:
        return [
            statement(
                "retire",
                by=by.name,
                body={"submission": other.id, "why": "another version was approved"},
                **self._columns(other),
            )
            for other in replaced
        ]

    def _settle(self, connection: Connection, record: SubmissionRecord, stage: Stage, claim: int) -> None:
        """Move a claimed submission on, unless a veto, a raised tier or another person was faster."""
        moved = connection.execute(
            update(submissions)
            .where(submissions.c.id == record.id, submissions.c.stage == record.stage.value)
            .where(submissions.c.claimed == claim, submissions.c.tier == int(record.tier))
            .values(stage=stage.value, claimed=None)
        )
        vetoed = select(vetoes.c.submission).where(vetoes.c.artifact_digest == record.artifact_digest)
        if moved.rowcount != 1 or connection.execute(vetoed).first() is not None:
            raise Raced(record.id)

    def _permit(self, record: SubmissionRecord, said: VerdictRecord, approved: list[VerdictRecord]) -> Permit:
        """Return the permit all approvals lead to: the earliest end, and everyone's conditions."""
        ends = [v.until for v in [*approved, said] if v.until is not None]
        everyone = [c for v in [*approved, said] for c in v.conditions]
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
        # A veto counts whatever happened since the record was read; a return only answers what was read.
        answered = submissions.c.stage != Stage.VETOED.value if vetoed else submissions.c.stage == record.stage.value
        with self._database.writing() as connection:
            moved = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, answered)
                .values(stage=stage.value, claimed=None)
            )
            if moved.rowcount != 1:
                raise Raced(record.id)
            connection.execute(insert(verdicts).values(_row(said, None)))
            same = self._bind_veto(connection, record, said) if vetoed else _end_permits_of(connection, record)
        self._permits.forget()
        self._record(record, said)
        tell_registry(self._publish, [(record, stage), *((self._book.get(other), stage) for other in same)])
        return Ruling(verdict=said, stage=stage, permit=None, still_needed=())

    def _record(self, record: SubmissionRecord, said: VerdictRecord) -> None:
        entry = self._log.append([self._entry(said.verdict, record, said)])[0]
        with self._database.writing() as connection:
            connection.execute(update(verdicts).where(verdicts.c.id == said.id).values(entry=entry.id))

    def _bind_veto(self, connection: Connection, record: SubmissionRecord, said: VerdictRecord) -> list[str]:
        """End every permit of the artifact; return the other submissions, under whatever name, that it ends."""
        digest = record.artifact_digest
        known = connection.execute(select(vetoes.c.artifact_digest).where(vetoes.c.artifact_digest == digest)).scalar()
        if known is None:
            connection.execute(
                insert(vetoes).values(
                    artifact_digest=digest,
                    submission=record.id,
                    by=said.by,
                    at=microseconds_of(said.at),
                    reason=said.reason,
                )
            )
        connection.execute(
            update(permits).where(permits.c.artifact_digest == digest).values(state=PermitState.ENDED.value)
        )
        same = list(
            connection.execute(
                select(submissions.c.id).where(
                    submissions.c.artifact_digest == digest,
                    submissions.c.id != record.id,
                    submissions.c.stage != Stage.VETOED.value,
                )
            ).scalars()
        )
        set_stage(connection, same, Stage.VETOED)
        bump_epoch(connection)
        return same

    def _columns(self, record: SubmissionRecord) -> dict[str, Any]:
        """Return the columns of every act about one version: which it is, and the rules in force."""
        return {
            "model": record.model,
            "version": record.version,
            "artifact_digest": record.artifact_digest,
            "rulebook_digest": self._rulebook.digest,
            "site": record.site or None,
        }

    def _did_not_bind(self, record: SubmissionRecord, said: VerdictRecord, entry: str) -> Draft:
        return statement(
            "refuse",
            by="mingjing",
            body={"what": "approval", "submission": record.id, "approved_by": said.by, "why": "someone was faster"},
            about=entry,
            **self._columns(record),
        )

    def _entry(self, kind: str, record: SubmissionRecord, said: VerdictRecord) -> Draft:
        return statement(
            kind,
            by=said.by,
            body={"submission": record.id, "tier": str(record.tier), **said.as_json()},
            **self._columns(record),
        )

    def _claim(self, record: SubmissionRecord) -> int:
        """Let exactly one of several deciders go on; the others are told that they raced."""
        now = microseconds_of(self._clock())
        free = submissions.c.claimed.is_(None) | (submissions.c.claimed < now - CLAIM_LASTS)
        with self._database.writing() as connection:
            claimed = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.stage == record.stage.value, free)
                .values(claimed=now)
            )
        if claimed.rowcount != 1:
            raise Raced(record.id)
        return now

    def _release(self, record: SubmissionRecord, claim: int) -> None:
        with self._database.writing() as connection:
            connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.claimed == claim)
                .values(claimed=None)
            )


def set_stage(connection: Connection, ids: list[str], stage: Stage) -> None:
    """Write the stage of submissions. Call it in the transaction that moves them."""
    connection.execute(update(submissions).where(submissions.c.id.in_(ids)).values(stage=stage.value, claimed=None))


def _end_permits_of(connection: Connection, record: SubmissionRecord) -> list[str]:
    """End what a returned submission still held from before its use changed; no other submission ends with it."""
    connection.execute(update(permits).where(permits.c.submission == record.id).values(state=PermitState.ENDED.value))
    bump_epoch(connection)
    return []


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
        "delegation": said.delegation,
    }
