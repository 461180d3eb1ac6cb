"""A person puts a tier above what the matrix says, at once; two people put it below, before anything is approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select, update

from audit.entries import Draft, identifier_text, microseconds_of, moment_of, new_identifier
from governance.approvals import OwnSubmission, Raced
from governance.permit_acts import PermitActs
from governance.permits import PermitState, bump_epoch
from governance.publishing import tell_registry
from governance.reasons import require_reason
from governance.stages import Stage, require_move
from governance.statements import statement
from governance.submissions import SubmissionRecord
from governance.tables import permits, submissions, tier_changes
from policies.errors import Conflict, NotFound, Refused, Sentence
from policies.impact_matrix import lowest_tier
from policies.roles import Action, Person, absent, require, require_in_scope
from policies.tiers import Tier


class ChangeState(StrEnum):
    """What became of a change: raising is done at once, lowering waits for a second person."""

    WAITS = "waits"
    DONE = "done"
    DECLINED = "declined"


class WrongWay(Conflict):
    """A tier is raised above, or lowered below, the present one."""

    def __init__(self, submission: str, now: Tier, wanted: Tier) -> None:
        super().__init__(
            Sentence(
                en=f"submission {submission} is {now}; {wanted} would not change it in that direction",
                zh=f"提交 {submission} 当前为 {now}，改为 {wanted} 方向不符",
            )
        )


class BelowTheFloor(Refused):
    """A floor of the matrix holds whoever asks."""

    def __init__(self, wanted: Tier, floor: Tier) -> None:
        super().__init__(
            Sentence(
                en=f"the impact matrix has a floor of {floor} for these answers; nobody lowers the tier to {wanted}",
                zh=f"影响评估矩阵对这些回答设有底线 {floor}，任何人都不得将等级降至 {wanted}",
            )
        )


class SecondPerson(Refused):
    """Lowering a tier takes two people, and neither is the one who submitted."""

    def __init__(self, person: str) -> None:
        super().__init__(
            Sentence(
                en=f"{person} asked for the lower tier and cannot confirm it; another person must",
                zh=f"{person} 是降级的提出人，不能自行确认，须由他人确认",
            )
        )


@dataclass(frozen=True, kw_only=True)
class TierChange:
    """One change of a tier by people."""

    id: str
    submission: str
    old: Tier
    new: Tier
    by: str
    at: datetime
    reason: str
    state: ChangeState
    confirmed_by: str | None
    confirmed_at: datetime | None
    confirmation: str | None

    def as_json(self) -> dict[str, object]:
        """Return the change as lists show it."""
        return {
            "id": self.id,
            "submission": self.submission,
            "old": str(self.old),
            "new": str(self.new),
            "by": self.by,
            "at": self.at.isoformat(),
            "reason": self.reason,
            "state": self.state.value,
            "confirmed_by": self.confirmed_by,
            "confirmed_at": self.confirmed_at.isoformat() if self.confirmed_at is not None else None,
            "confirmation": self.confirmation,
        }


class TierChanges(PermitActs):
    """Raises and lowers tiers. Raising binds first and is then recorded; lowering is recorded before it binds."""

    def change(self, submission: str, tier: Tier, *, by: Person, reason: str) -> TierChange:
        """Raise a tier now, or ask for a lower one.

        A submission that was approved goes back before the deciders of its new tier: its permit ends, and approvals
        given before count no more. Lowering waits for `confirm`.

        Raises
        ------
        NotAllowed, NotFound, OwnSubmission, WrongWay, BelowTheFloor, IllegalMove, Conflict, Raced, Malformed
        """
        record, change = self._asked(submission, tier, by, reason)
        if tier > record.tier:
            return self._raise(record, change)
        self._log.append([self._draft(record, change, "a lower tier is asked for")])
        with self._database.writing() as connection:
            connection.execute(insert(tier_changes).values(_columns(change)))
        return change

    def consider(self, submission: str, tier: Tier, *, by: Person, reason: str) -> TierChange:
        """Raise whatever stands against this change now, as `change` would; record nothing."""
        return self._asked(submission, tier, by, reason)[1]

    def confirm(self, change: str, *, by: Person, reason: str) -> TierChange:
        """Let a lower tier count, as the second person.

        Raises
        ------
        NotAllowed, NotFound, OwnSubmission, SecondPerson, BelowTheFloor, Conflict, Raced, Malformed
        """
        found, record, said = self._confirmable(change, by, reason)
        self._log.append([self._draft(record, found, said, confirmed_by=by.name)])
        with self._database.writing() as connection:
            moved = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.tier == int(found.old))
                .where(submissions.c.stage == Stage.EXAMINED.value, submissions.c.claimed.is_(None))
                .values(tier=int(found.new))
            )
            ended = connection.execute(self._end(found, ChangeState.DONE, by, said))
            if moved.rowcount != 1 or ended.rowcount != 1:
                raise Raced(record.id)
        return self._get(change)

    def consider_confirming(self, change: str, *, by: Person, reason: str) -> TierChange:
        """Raise whatever stands against a confirmation now, as `confirm` would; record nothing."""
        return self._confirmable(change, by, reason)[0]

    def decline(self, change: str, *, by: Person, reason: str) -> TierChange:
        """Leave the tier as it is. Raises as `confirm` does."""
        found, record, said = self._waiting(change, by, reason)
        self._log.append([self._draft(record, found, said, declined_by=by.name)])
        with self._database.writing() as connection:
            if connection.execute(self._end(found, ChangeState.DECLINED, by, said)).rowcount != 1:
                raise Raced(record.id)
        return self._get(change)

    def of(self, submission: str, by: Person) -> tuple[TierChange, ...]:
        """Return the changes of a submission's tier, oldest first. Raises NotAllowed, NotFound."""
        record = self._book.seen_by(submission, by)
        return self._read(tier_changes.c.submission == record.id)

    def seen_by(self, change: str, by: Person) -> TierChange:
        """Return a change that this person may decide on. Raises NotAllowed; NotFound for foreign and absent alike."""
        require(by, Action.ASSESS)
        found = self._get(change)
        record = self._book.get(found.submission)
        require_in_scope(by, record.site or None, record.model, "tier change", change)
        return found

    def waiting(self, by: Person) -> tuple[tuple[TierChange, SubmissionRecord], ...]:
        """Return the lower tiers that wait for a second person, oldest first, with their submissions."""
        require(by, Action.ASSESS)
        found = self._read(tier_changes.c.state == ChangeState.WAITS.value)
        told = [(change, self._book.get(change.submission)) for change in found]
        return tuple((change, record) for change, record in told if by.sees(record.site or None, record.model))

    def record_unrecorded(self) -> int:
        """Log every raised tier whose process died before it was logged; return how many there were."""
        missing = self._read(tier_changes.c.entry.is_(None), tier_changes.c.state == ChangeState.DONE.value)
        raised = [change for change in missing if change.new > change.old]
        for change in raised:
            self._record(self._book.get(change.submission), change)
        return len(raised)

    def _asked(self, submission: str, tier: Tier, by: Person, reason: str) -> tuple[SubmissionRecord, TierChange]:
        """Return the submission and the change of its tier, once nothing speaks against it."""
        record, said = self._considered(submission, by, reason)
        if tier is record.tier:
            raise WrongWay(submission, record.tier, tier)
        if tier < record.tier:
            self._require_lowerable(record, tier)
        elif record.stage is not Stage.EXAMINED:
            require_move(f"submission {record.id}", record.stage, Stage.EXAMINED)
        now = self._clock()
        return record, TierChange(
            id=identifier_text(new_identifier(microseconds_of(now))),
            submission=submission,
            old=record.tier,
            new=tier,
            by=by.name,
            at=now,
            reason=said,
            state=ChangeState.DONE if tier > record.tier else ChangeState.WAITS,
            confirmed_by=None,
            confirmed_at=None,
            confirmation=None,
        )

    def _confirmable(self, change: str, by: Person, reason: str) -> tuple[TierChange, SubmissionRecord, str]:
        """Return the change, its submission and the reason, once nothing speaks against the second person's word."""
        found, record, said = self._waiting(change, by, reason)
        if by.name == found.by:
            raise SecondPerson(by.name)
        self._require_lowerable(record, found.new)
        if found.old is not record.tier:
            raise WrongWay(record.id, record.tier, found.new)
        return found, record, said

    def _considered(self, submission: str, by: Person, reason: str) -> tuple[SubmissionRecord, str]:
        require(by, Action.ASSESS)
        record = self._book.seen_by(submission, by)
        if record.is_by(by.name):
            raise OwnSubmission(by.name, submission)
        return record, require_reason(reason)

    def _waiting(self, change: str, by: Person, reason: str) -> tuple[TierChange, SubmissionRecord, str]:
        require(by, Action.ASSESS)
        found = self._get(change)
        try:
            record, said = self._considered(found.submission, by, reason)
        except NotFound as foreign:
            raise absent("tier change", change) from foreign
        if found.state is not ChangeState.WAITS:
            raise Conflict(
                Sentence(
                    en=f"tier change {change} is {found.state} already; only one that waits can be confirmed",
                    zh=f"等级变更 {change} 的状态为 {found.state}，仅等待中的可以确认",
                )
            )
        return found, record, said

    def _require_lowerable(self, record: SubmissionRecord, tier: Tier) -> None:
        floor = lowest_tier(self._rulebooks.in_force().impact, record.declaration.impact)
        if tier < floor:
            raise BelowTheFloor(tier, floor)
        if record.stage is not Stage.EXAMINED or record.approvals:
            raise Conflict(
                Sentence(
                    en=f"submission {record.id} is {record.stage} or partly approved; "
                    "a tier is lowered before any verdict",
                    zh=f"提交 {record.id} 已有裁定，降级只能在裁定之前进行",
                )
            )

    def _raise(self, record: SubmissionRecord, change: TierChange) -> TierChange:
        with self._database.writing() as connection:
            moved = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.tier == int(record.tier))
                .where(submissions.c.stage == record.stage.value)
                .values(
                    tier=int(change.new),
                    stage=Stage.EXAMINED.value,
                    claimed=None,
                    reopened=microseconds_of(change.at),
                )
            )
            if moved.rowcount != 1:
                raise Raced(record.id)
            connection.execute(
                update(permits).where(permits.c.submission == record.id).values(state=PermitState.ENDED.value)
            )
            connection.execute(insert(tier_changes).values(_columns(change)))
            bump_epoch(connection)
        self._permits.forget()
        self._record(record, change)
        if record.stage is not Stage.EXAMINED:
            tell_registry(self._publish, [(record, Stage.EXAMINED)])
        return change

    def _record(self, record: SubmissionRecord, change: TierChange) -> None:
        entry = self._log.append([self._draft(record, change, "the tier is raised")])[0]
        with self._database.writing() as connection:
            connection.execute(update(tier_changes).where(tier_changes.c.id == change.id).values(entry=entry.id))

    def _draft(self, record: SubmissionRecord, change: TierChange, what: str, **more: str) -> Draft:
        return statement(
            "assess",
            by=more.get("confirmed_by") or more.get("declined_by") or change.by,
            body={"what": what, **change.as_json(), **more},
            model=record.model,
            version=record.version,
            artifact_digest=record.artifact_digest,
            rulebook_digest=self._rulebooks.in_force().digest,
            site=record.site or None,
        )

    def _end(self, found: TierChange, state: ChangeState, by: Person, said: str) -> Any:
        return (
            update(tier_changes)
            .where(tier_changes.c.id == found.id, tier_changes.c.state == ChangeState.WAITS.value)
            .values(
                state=state.value,
                confirmed_by=by.name,
                confirmed_at=microseconds_of(self._clock()),
                confirmation=said,
            )
        )

    def _get(self, change: str) -> TierChange:
        found = self._read(tier_changes.c.id == change)
        if not found:
            raise absent("tier change", change)
        return found[0]

    def _read(self, *where: Any) -> tuple[TierChange, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(select(tier_changes).where(*where).order_by(tier_changes.c.id)).all()
        return tuple(_change(row) for row in rows)


def _columns(change: TierChange) -> dict[str, object]:
    return {
        "id": change.id,
        "submission": change.submission,
        "old": int(change.old),
        "new": int(change.new),
        "by": change.by,
        "at": microseconds_of(change.at),
        "reason": change.reason,
        "state": change.state.value,
    }


def _change(row: Row[Any]) -> TierChange:
    return TierChange(
        id=row.id,
        submission=row.submission,
        old=Tier(row.old),
        new=Tier(row.new),
        by=row.by,
        at=moment_of(row.at),
        reason=row.reason,
        state=ChangeState(row.state),
        confirmed_by=row.confirmed_by,
        confirmed_at=moment_of(row.confirmed_at) if row.confirmed_at is not None else None,
        confirmation=row.confirmation,
    )
