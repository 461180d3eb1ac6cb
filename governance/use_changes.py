"""The declared use of a model changes only through a new assessment; what was not permitted for it is decided anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from audit.entries import Draft, identifier_text, microseconds_of, moment_of, new_identifier
from governance.approvals import Raced
from governance.declared_use import ChangedUse, Use, graver_answers
from governance.permit_acts import PermitActs
from governance.permits import PermitState, bump_epoch
from governance.publishing import tell_registry
from governance.reasons import require_reason
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionRecord
from governance.tables import delegations, permits, submissions, tier_changes, use_changes
from governance.tier_changes import ChangeState
from policies.errors import Conflict, Malformed, Sentence
from policies.impact_matrix import Assessment, assess
from policies.roles import Action, Person, require, require_in_scope
from policies.rulebook import Rulebook
from policies.tiers import Tier

FLAG = "use_changed"
"""Flag of the entries that tell of a changed use."""

RULE = "rule:changed_use"
"""Who suspends a permit that was given for another use."""

OPEN = (Stage.EXAMINED, Stage.APPROVED, Stage.SUSPENDED)
"""Stages in which a use can change; what was returned, vetoed or retired is handed in anew."""

LONGEST_DESCRIPTION, LONGEST_SITE = 4000, 200


class Outcome(StrEnum):
    """What a changed use does: the permit stands, or the deciders decide anew and nothing runs meanwhile."""

    CONFIRMED = "confirmed"
    DECIDED_ANEW = "decided_anew"


class NothingChanges(Conflict):
    """The use asked for is the one that is declared already."""

    def __init__(self, submission: str) -> None:
        super().__init__(
            Sentence(
                en=f"submission {submission} declares this use already; name what changes (description, site, answers)",
                zh=f"提交 {submission} 的现行用途与此相同；请写明变更内容：说明、场所或影响评估的回答",
            )
        )


class NotOpen(Conflict):
    """A use changes while it is before the deciders or permitted."""

    def __init__(self, record: SubmissionRecord) -> None:
        super().__init__(
            Sentence(
                en=f"submission {record.id} is {record.stage}; a use changes while it is {', '.join(OPEN)}, "
                "else hand the model in again",
                zh=f"提交 {record.id} 的状态为 {record.stage}；仅在 {'、'.join(OPEN)} 时可变更用途，否则请重新提交模型",
            )
        )


class OtherVersion(Conflict):
    """The name belongs to one site, and another version is at work or before its deciders there."""

    def __init__(self, other: SubmissionRecord) -> None:
        super().__init__(
            Sentence(
                en=f"version {other.version} of '{other.model}' is {other.stage} at its site (submission {other.id}), "
                "and all versions of a name move together; settle that one first, or hand the model in under a name "
                "of the other site",
                zh=f"“{other.model}”第 {other.version} 版在原场所处于 {other.stage}（提交 {other.id}），"
                "同名各版本只能一并变更场所；请先处理该版本，或以新场所的名称另行提交",
            )
        )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What shall change. None, and answers that are not named, stay as they are."""

    description: str | None = None
    site: str | None = None
    impact: Mapping[str, str] | None = None

    def onto(self, use: Use) -> Use:
        """Return a use with these changes.

        Raises
        ------
        Malformed
            For texts that are empty, too long, or hold control characters, all at once.
        """
        faults = [
            *_text_faults("description", self.description, LONGEST_DESCRIPTION),
            *_text_faults("site", self.site, LONGEST_SITE),
        ]
        if faults:
            raise Malformed(*faults)
        return Use(
            description=use.description if self.description is None else self.description.strip(),
            site=use.site if self.site is None else self.site.strip(),
            impact={**use.impact, **(self.impact or {})},
        )


@dataclass(frozen=True, kw_only=True)
class UseChange:
    """One change of a declared use, its new assessment, and what came of the permit. `because` says why it stopped."""

    id: str
    submission: str
    model: str
    version: str
    by: str
    at: datetime
    reason: str
    before: Use
    after: Use
    old: Tier
    new: Tier
    assessment: Assessment
    outcome: Outcome
    because: tuple[Sentence, ...]

    def as_json(self) -> dict[str, object]:
        """Return the change as lists and the log carry it."""
        return {
            "id": self.id,
            "submission": self.submission,
            "model": self.model,
            "version": self.version,
            "by": self.by,
            "at": self.at.isoformat(),
            "reason": self.reason,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "old": str(self.old),
            "new": str(self.new),
            "assessment": self.assessment.as_json(),
            "tier_because": [cell.as_json() for cell in self.assessment.because],
            "outcome": self.outcome.value,
            "because": [sentence.as_json() for sentence in self.because],
        }


class UseChanges(PermitActs):
    """Takes changed uses in. One that stops the model binds first and is then recorded; one that does not is recorded
    before it binds."""

    def consider(self, submission: str, asked: Asked, *, by: Person, reason: str) -> UseChange:
        """Return what `change` would do; nothing is written. Raises as `change` does."""
        return self._considered(submission, asked, by, reason)[1]

    def change(self, submission: str, asked: Asked, *, by: Person, reason: str) -> UseChange:
        """Declare another use: it is assessed anew under the rules in force, at once.

        The permit stands where the tier does not rise, no answer is graver, the site stays, and the description speaks
        of no other purpose. Else it is suspended in the same moment, approvals given before count no more, and the
        deciders of the new tier decide anew. A tier that would fall stays: lowering it takes two people. A model's name
        belongs to its site, so all versions of it go along to another one.

        Raises
        ------
        NotAllowed, NotFound, Malformed, NotOpen, NothingChanges, OtherVersion, Raced
        """
        record, change = self._considered(submission, asked, by, reason)
        drafts = self._drafts(record, change)
        if change.outcome is Outcome.DECIDED_ANEW:
            self._bind(record, change, None)
            self._record(change, drafts)
            tell_registry(self._publish, [(record, Stage.EXAMINED)])
            return change
        entry = self._log.append(drafts)[0]
        try:
            self._bind(record, change, entry.id)
        except Raced:
            body = {"what": "changed use", "submission": record.id, "declared_by": by.name, "why": "someone was faster"}
            self._log.append([statement("refuse", by="mingjing", body=body, about=entry.id, **self._columns(record))])
            raise
        return change

    def of(self, submission: str, by: Person) -> tuple[UseChange, ...]:
        """Return the changes of a submission's use, oldest first. Raises NotAllowed, NotFound."""
        record = self._book.seen_by(submission, by)
        return self._read(use_changes.c.submission == record.id)

    def known_to(self, by: Person, *, limit: int = 200) -> tuple[UseChange, ...]:
        """Return the changes this person may know of, newest first. Raises NotAllowed."""
        require(by, Action.READ_SUBMISSIONS)
        sites = {record: self._book.get(record).site for record in {change.submission for change in self._read()}}
        mine = [change for change in self._read() if by.sees(sites[change.submission] or None, change.model)]
        return tuple(mine[::-1][:limit])

    def record_unrecorded(self) -> int:
        """Log every change whose process died before it was logged; return how many there were."""
        missing = self._read(use_changes.c.entry.is_(None))
        for change in missing:
            self._record(change, self._drafts(self._book.get(change.submission), change))
        return len(missing)

    def _considered(self, submission: str, asked: Asked, by: Person, reason: str) -> tuple[SubmissionRecord, UseChange]:
        require(by, Action.SUBMIT)
        record = self._book.seen_by(submission, by)
        said = require_reason(reason)
        if record.stage not in OPEN:
            raise NotOpen(record)
        before = Use.of(record.declaration)
        after = asked.onto(before)
        if after == before:
            raise NothingChanges(submission)
        if after.site != before.site:
            require_in_scope(by, after.site or None, record.model, "site", after.site)
            self._require_alone(record)
        rules = self._rulebooks.in_force()
        assessment = assess(rules.impact, after.impact)
        tier = _tier(record, assessment)
        because = () if record.stage is Stage.EXAMINED else _grounds(rules, record, before, after, tier)
        if because == () and by.name in self._rests_on(record):
            because = (_own_approval(by),)
        anew = record.stage is Stage.EXAMINED or bool(because)
        now = self._clock()
        return record, UseChange(
            id=identifier_text(new_identifier(microseconds_of(now))),
            submission=submission,
            model=record.model,
            version=record.version,
            by=by.name,
            at=now,
            reason=said,
            before=before,
            after=after,
            old=record.tier,
            new=tier,
            assessment=assessment,
            outcome=Outcome.DECIDED_ANEW if anew else Outcome.CONFIRMED,
            because=because,
        )

    def _rests_on(self, record: SubmissionRecord) -> set[str]:
        """Return whose word the approvals rest on: who gave them, and who delegated that where somebody did."""
        under = [verdict.delegation for verdict in record.approvals if verdict.delegation is not None]
        with self._database.reading() as connection:
            gave = connection.execute(select(delegations.c.by).where(delegations.c.id.in_(under))).scalars().all()
        return {verdict.by for verdict in record.approvals} | set(gave)

    def _require_alone(self, record: SubmissionRecord) -> None:
        """Raise `OtherVersion` where another one would move along that the deciders of this site permit or look at."""
        for stage in OPEN:
            found, _ = self._book.search(model=record.model, stage=stage, limit=2)
            for other in found:
                if other.id != record.id:
                    raise OtherVersion(other)

    def _bind(self, record: SubmissionRecord, change: UseChange, entry: str | None) -> None:
        known = record.changed.by if record.changed is not None else ()
        by = known if change.by in known else (*known, change.by)
        changed = ChangedUse(use=change.after, assessment=change.assessment, by=by).as_text()
        values: dict[str, object] = {"changed": changed, "tier": int(change.new)}
        if change.outcome is Outcome.DECIDED_ANEW:
            values |= {"stage": Stage.EXAMINED.value, "claimed": None, "reopened": microseconds_of(change.at)}
        with self._database.writing() as connection:
            moved = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.tier == int(record.tier))
                .where(submissions.c.stage == record.stage.value, _unchanged_since(record))
                .values(values)
            )
            if moved.rowcount != 1:
                raise Raced(record.id)
            if change.after.site != change.before.site:
                self._move(connection, record, change.after.site)
            if change.outcome is Outcome.DECIDED_ANEW:
                connection.execute(
                    update(permits)
                    .where(permits.c.submission == record.id, permits.c.state == PermitState.LIVE.value)
                    .values(state=PermitState.SUSPENDED.value)
                )
            # Who asked for a lower tier asked for it on other answers.
            connection.execute(
                update(tier_changes)
                .where(tier_changes.c.submission == record.id, tier_changes.c.state == ChangeState.WAITS.value)
                .values(state=ChangeState.DECLINED.value, confirmed_by=RULE, confirmed_at=microseconds_of(change.at))
            )
            connection.execute(insert(use_changes).values(**_columns(change), entry=entry))
            bump_epoch(connection)
        self._permits.forget()

    @staticmethod
    def _move(connection: Connection, record: SubmissionRecord, site: str) -> None:
        connection.execute(update(submissions).where(submissions.c.model == record.model).values(site=site))

    def _record(self, change: UseChange, drafts: list[Draft]) -> None:
        entry = self._log.append(drafts)[0]
        with self._database.writing() as connection:
            connection.execute(update(use_changes).where(use_changes.c.id == change.id).values(entry=entry.id))

    def _drafts(self, record: SubmissionRecord, change: UseChange) -> list[Draft]:
        columns = {**self._columns(record), "site": change.after.site or None}
        body = {"what": "another use is declared", **change.as_json()}
        drafts = [statement("assess", by=change.by, body=body, flags=(FLAG,), **columns)]
        if change.because:
            body = {
                "reason": "the permit was given for another use",
                "change": change.id,
                "says": [sentence.as_json() for sentence in change.because],
            }
            drafts.append(statement("suspend", by=RULE, body=body, **columns))
        return drafts

    def _columns(self, record: SubmissionRecord) -> dict[str, Any]:
        return {
            "model": record.model,
            "version": record.version,
            "artifact_digest": record.artifact_digest,
            "rulebook_digest": self._rulebooks.in_force().digest,
            "site": record.site or None,
        }

    def _read(self, *where: Any) -> tuple[UseChange, ...]:
        wanted = (
            select(use_changes, submissions.c.model, submissions.c.version)
            .join(submissions, submissions.c.id == use_changes.c.submission)
            .where(*where)
            .order_by(use_changes.c.id)
        )
        with self._database.reading() as connection:
            return tuple(_change(row) for row in connection.execute(wanted).all())


def _tier(record: SubmissionRecord, found: Assessment) -> Tier:
    """Return the tier after a new assessment: a tier people set stays while the answer is the same, none falls."""
    return record.tier if found.tier is record.assessment_now.tier else max(found.tier, record.tier)


def _grounds(rules: Rulebook, record: SubmissionRecord, before: Use, after: Use, tier: Tier) -> tuple[Sentence, ...]:
    """Return why the permit does not cover the use that is declared now; none where it does."""
    found = []
    if tier > record.tier:
        found.append(
            Sentence(
                en=f"the new answers make it {tier}; it was permitted as {record.tier}",
                zh=f"按新的回答其等级为 {tier}，而许可按 {record.tier} 给出",
            )
        )
    for name in graver_answers(rules.impact, before.impact, after.impact):
        was, now = before.impact.get(name, "–"), after.impact.get(name, "–")
        found.append(
            Sentence(en=f"'{name}' is now answered {now} (was {was})", zh=f"“{name}”的回答由 {was} 改为 {now}")
        )
    if after.site != before.site:
        found.append(
            Sentence(
                en=f"it shall run at {after.site}; it was permitted at {before.site or 'no site'}",
                zh=f"使用场所改为 {after.site}，而许可所限场所为 {before.site or '未写明'}",
            )
        )
    if words := _words_of_other_purposes(rules, tier, after.description):
        found.append(
            Sentence(
                en=f"the description speaks of {', '.join(words)}; what the output is used for has to be asked",
                zh=f"用途说明中出现 {'、'.join(words)}，须核实输出的实际用途",
            )
        )
    return tuple(found)


def _own_approval(by: Person) -> Sentence:
    """Return why a permit does not stand for a use that its own approver declares in another role."""
    return Sentence(
        en=f"the permit rests on the word of {by.name}, who declares this use; another person must decide",
        zh=f"许可系依据 {by.name} 的批准给出，而用途由其本人申报，须由他人裁定",
    )


def _words_of_other_purposes(rules: Rulebook, tier: Tier, description: str) -> list[str]:
    words = rules.limits("purpose", tier).get("words_of_other_purposes", []) if "purpose" in rules.checks else []
    told = description.casefold()
    return [str(word) for word in words if str(word).casefold() in told] if isinstance(words, list | tuple) else []


def _unchanged_since(record: SubmissionRecord) -> Any:
    """The condition that nobody changed the use since the record was read."""
    if record.changed is None:
        return submissions.c.changed.is_(None)
    return submissions.c.changed == record.changed.as_text()


def _text_faults(field: str, text: str | None, longest: int) -> list[Sentence]:
    if text is None or (0 < len(text.strip()) <= longest and all(_is_plain(letter) for letter in text)):
        return []
    return [
        Sentence(
            en=f"{field} must be a text of 1 to {longest} characters without control characters",
            zh=f"{field} 应为 1 至 {longest} 个字符的文本，且不含控制字符",
        )
    ]


def _is_plain(letter: str) -> bool:
    return letter.isprintable() or letter == "\n"


def _columns(change: UseChange) -> dict[str, object]:
    said = {
        "before": change.before.as_json(),
        "after": change.after.as_json(),
        "assessment": change.assessment.as_json(),
        "because": [sentence.as_json() for sentence in change.because],
    }
    return {
        "id": change.id,
        "submission": change.submission,
        "by": change.by,
        "at": microseconds_of(change.at),
        "reason": change.reason,
        "old": int(change.old),
        "new": int(change.new),
        "outcome": change.outcome.value,
        "said": json.dumps(said, ensure_ascii=False),
    }


def _change(row: Row[Any]) -> UseChange:
    said = json.loads(row.said)
    return UseChange(
        id=row.id,
        submission=row.submission,
        model=row.model,
        version=row.version,
        by=row.by,
        at=moment_of(row.at),
        reason=row.reason,
        before=Use.from_json(said["before"]),
        after=Use.from_json(said["after"]),
        old=Tier(row.old),
        new=Tier(row.new),
        assessment=Assessment.from_json(said["assessment"]),
        outcome=Outcome(row.outcome),
        because=tuple(Sentence(en=each["en"], zh=each["zh"]) for each in said["because"]),
    )
