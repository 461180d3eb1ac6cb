"""The record of one submission, as governance keeps it and as every door shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, false, func, insert, or_, select, text, update

from audit.database import Database
from audit.entries import microseconds_of, moment_of
from governance.declared_use import ChangedUse
from governance.permits import bump_epoch
from governance.stages import Stage
from governance.tables import UNREGISTERED, permits, submissions, verdicts
from policies.declaration import Declaration, read_declaration
from policies.errors import Conflict, Sentence
from policies.impact_matrix import Assessment
from policies.roles import Action, Person, Role, absent, require, require_in_scope
from policies.tiers import Tier


class NameTaken(Conflict):
    """The model's name belongs to another site; permits go by name."""

    def __init__(self, model: str) -> None:
        super().__init__(
            Sentence(
                en=f"the model name '{model}' is not free for this site; choose another",
                zh=f"模型名称“{model}”不能用于该场所，请另选名称",
            )
        )


class InFlight(Conflict):
    """One submission of a model at a time is before the officer."""

    def __init__(self, model: str, submission: str) -> None:
        super().__init__(
            Sentence(
                en=f"submission {submission} of '{model}' still waits for its verdict; "
                "hand the next one in once it has been decided",
                zh=f"“{model}”的提交 {submission} 仍在等待裁定，请待裁定后再提交",
            )
        )
        self.model, self.submission = model, submission


@dataclass(frozen=True, kw_only=True)
class VerdictRecord:
    """One verdict a person gave: approve, return or veto, with the reason.

    `delegation` is the officer's leave it rests on, None for a decider's own.
    """

    id: str
    submission: str
    verdict: str
    reason: str
    by: str
    role: str
    at: datetime
    until: datetime | None
    conditions: list[dict[str, object]]
    entry: str | None
    delegation: str | None = None

    @property
    def stands_for(self) -> str:
        """The role whose approval it is: under a delegation the officer's."""
        return self.role if self.delegation is None else Role.DSO.value

    def as_json(self) -> dict[str, object]:
        """Return the verdict as doors and reports show it."""
        return {
            "id": self.id,
            "verdict": self.verdict,
            "reason": self.reason,
            "by": self.by,
            "role": self.role,
            "at": self.at.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "conditions": self.conditions,
            "entry": self.entry,
            "delegation": self.delegation,
        }


@dataclass(frozen=True, kw_only=True)
class SubmissionRecord:
    """A registered submission with its tier, stage and findings.

    `assessment` is the one it was examined under, `changed` the use its team declared since. `shares_after` is the mean
    share of each capped feature once caps are enforced, all together under "".
    """

    id: str
    model: str
    version: str
    artifact_digest: str
    rulebook_digest: str
    tier: Tier
    stage: Stage
    site: str
    owner: str
    submitted_by: str
    submitted_at: datetime
    toml: str
    assessment: Assessment
    findings: tuple[Mapping[str, Any], ...]
    shares_after: Mapping[str, float]
    holds: bool | None
    verdicts: tuple[VerdictRecord, ...] = ()
    reopened: datetime | None = None
    changed: ChangedUse | None = None

    @property
    def assessment_now(self) -> Assessment:
        """The assessment of the use that is declared now."""
        return self.assessment if self.changed is None else self.changed.assessment

    def is_by(self, name: str) -> bool:
        """Whether this person handed it in, or declared what it is used for now."""
        return name == self.submitted_by or (self.changed is not None and name in self.changed.by)

    @property
    def approvals(self) -> tuple[VerdictRecord, ...]:
        """The approvals that count: those given since the submission last came before the deciders."""
        approved = (verdict for verdict in self.verdicts if verdict.verdict == "approve")
        return tuple(v for v in approved if self.reopened is None or v.at > self.reopened)

    @property
    def declaration(self) -> Declaration:
        """The declaration, read again from the text that was submitted, with the use that is declared now."""
        submitted = read_declaration(self.toml)
        return submitted if self.changed is None else self.changed.use.over(submitted)

    def as_json(self) -> dict[str, object]:
        """Return the submission as lists show it; findings have an address of their own."""
        return {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "artifact_digest": self.artifact_digest,
            "rulebook_digest": self.rulebook_digest,
            "tier": str(self.tier),
            "tier_because": [cell.as_json() for cell in self.assessment_now.because],
            "stage": self.stage.value,
            "site": self.site,
            "owner": self.owner,
            "submitted_by": self.submitted_by,
            "use_changed_by": list(self.changed.by) if self.changed is not None else [],
            "submitted_at": self.submitted_at.isoformat(),
            "holds": self.holds,
            "failing": sorted({f["check"] for f in self.findings if f["holds"] is False}),
            "inconclusive": sorted({f["check"] for f in self.findings if f["holds"] is None}),
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
        }


class SubmissionBook:
    """Reads and writes submission records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def require_free(self, model: str, site: str) -> None:
        """Raise `NameTaken` or `InFlight` unless a submission of this name may come in now."""
        with self._database.reading() as connection:
            _require_free(connection, model, site)

    def reserve(self, record: SubmissionRecord) -> None:
        """Write a record that nobody sees until `complete` says which version it became.

        Raises
        ------
        NameTaken, InFlight
            Also for all but one of several that come in at the same moment.
        """
        with self._database.writing() as connection:
            if self._database.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": record.model})
            _require_free(connection, record.model, record.site)
            connection.execute(insert(submissions).values(_columns(record)))

    def complete(self, submission: str, version: str) -> None:
        """Name the version a reserved record became; from now on everyone sees it, examined."""
        with self._database.writing() as connection:
            connection.execute(update(submissions).where(submissions.c.id == submission).values(version=version))
            # Its artifact may have been vetoed under another name meanwhile; that stays.
            connection.execute(
                update(submissions)
                .where(submissions.c.id == submission, submissions.c.stage == Stage.SUBMITTED.value)
                .values(stage=Stage.EXAMINED.value)
            )
            bump_epoch(connection)

    def drop(self, submission: str) -> None:
        """Take a reserved record back."""
        with self._database.writing() as connection:
            connection.execute(
                delete(submissions).where(submissions.c.id == submission, submissions.c.version == UNREGISTERED)
            )

    def reserved(self, before: datetime) -> tuple[SubmissionRecord, ...]:
        """Return reserved records from before a moment: their process died, or they would have a version."""
        wanted = select(submissions).where(
            submissions.c.version == UNREGISTERED, submissions.c.submitted_at < microseconds_of(before)
        )
        return self._read(wanted)

    def get(self, submission: str) -> SubmissionRecord:
        """Return one record with its verdicts. Raises NotFound."""
        found = self._read(select(submissions).where(submissions.c.id == submission, _WHOLE))
        if not found:
            raise absent("submission", submission)
        return found[0]

    def seen_by(self, submission: str, by: Person) -> SubmissionRecord:
        """Return one record if this person may know of it.

        Raises
        ------
        NotAllowed
            When the role reads no submissions.
        NotFound
            When it is absent or of another site: both look the same.
        """
        require(by, Action.READ_SUBMISSIONS)
        record = self.get(submission)
        require_in_scope(by, record.site or None, record.model, "submission", submission)
        return record

    def of_version(self, model: str, version: str) -> SubmissionRecord:
        """Return the record of one model version. Raises NotFound."""
        wanted = select(submissions).where(submissions.c.model == model, submissions.c.version == version, _WHOLE)
        found = self._read(wanted)
        if not found:
            raise absent("model version", f"{model}:{version}")
        return found[0]

    def site_of(self, model: str) -> str | None:
        """Return the site a model's name belongs to, "" where it belongs to none; None for a name nobody took."""
        with self._database.reading() as connection:
            row = connection.execute(select(submissions.c.site).where(submissions.c.model == model).limit(1)).first()
        return None if row is None else row.site or ""

    def search(
        self,
        *,
        model: str | None = None,
        stage: Stage | None = None,
        after: str | None = None,
        limit: int = 50,
        seen_by: Person | None = None,
    ) -> tuple[tuple[SubmissionRecord, ...], str | None]:
        """Return records newest first and the cursor that continues, None at the end.

        With `seen_by`, what lies outside that person's scope is neither returned nor counted: no cursor hints at it.
        """
        wanted = select(submissions).where(_WHOLE).order_by(submissions.c.id.desc()).limit(limit + 1)
        if model is not None:
            wanted = wanted.where(submissions.c.model == model)
        if stage is not None:
            wanted = wanted.where(submissions.c.stage == stage.value)
        if after is not None:
            wanted = wanted.where(submissions.c.id < after)
        if seen_by is not None:
            wanted = wanted.where(*_in_scope(seen_by))
        found = self._read(wanted)
        more = found[limit - 1].id if len(found) > limit else None
        return found[:limit], more

    def sites_before(self, moment: datetime) -> tuple[str, ...]:
        """Return the sites of all models that had a permit before a moment, whatever became of it."""
        wanted = (
            select(submissions.c.site)
            .join(permits, permits.c.submission == submissions.c.id)
            .where(permits.c.since < microseconds_of(moment))
            .distinct()
            .order_by(submissions.c.site)
        )
        with self._database.reading() as connection:
            return tuple(site for site in connection.execute(wanted).scalars() if site)

    def _read(self, wanted: Select[Any]) -> tuple[SubmissionRecord, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
            ids = [row.id for row in rows]
            said: dict[str, list[VerdictRecord]] = {}
            for row in connection.execute(
                select(verdicts).where(verdicts.c.submission.in_(ids)).order_by(verdicts.c.at)
            ):
                said.setdefault(row.submission, []).append(_verdict(row))
        return tuple(_record(row, tuple(said.get(row.id, ()))) for row in rows)


_WHOLE = submissions.c.version != UNREGISTERED


def _in_scope(person: Person) -> list[ColumnElement[bool]]:
    site = submissions.c.site
    conditions = [
        or_(false(), *(or_(site == place, func.substr(site, 1, len(place) + 1) == f"{place}/") for place in group))
        for group in person.places
    ]
    if person.only_models is not None:
        conditions.append(submissions.c.model.in_(person.only_models))
    return conditions


def _require_free(connection: Connection, model: str, site: str) -> None:
    held = connection.execute(
        select(submissions.c.id, submissions.c.site, submissions.c.stage).where(submissions.c.model == model)
    ).all()
    if any((row.site or "") != site for row in held):
        raise NameTaken(model)
    for row in held:
        if row.stage in (Stage.SUBMITTED.value, Stage.EXAMINED.value):
            raise InFlight(model, row.id)


def _columns(record: SubmissionRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "model": record.model,
        "version": record.version,
        "artifact_digest": record.artifact_digest,
        "rulebook_digest": record.rulebook_digest,
        "tier": int(record.tier),
        "stage": record.stage.value,
        "site": record.site or None,
        "owner": record.owner,
        "submitted_by": record.submitted_by,
        "submitted_at": microseconds_of(record.submitted_at),
        "declaration": record.toml,
        "assessment": json.dumps(record.assessment.as_json(), ensure_ascii=False),
        "findings": json.dumps(list(record.findings), ensure_ascii=False),
        "shares_after": json.dumps(dict(record.shares_after), ensure_ascii=False),
        "holds": record.holds,
    }


def _record(row: Row[Any], said: tuple[VerdictRecord, ...]) -> SubmissionRecord:
    return SubmissionRecord(
        id=row.id,
        model=row.model,
        version=row.version,
        artifact_digest=row.artifact_digest,
        rulebook_digest=row.rulebook_digest,
        tier=Tier(row.tier),
        stage=Stage(row.stage),
        site=row.site or "",
        owner=row.owner,
        submitted_by=row.submitted_by,
        submitted_at=moment_of(row.submitted_at),
        toml=row.declaration,
        assessment=Assessment.from_json(json.loads(row.assessment)),
        findings=tuple(json.loads(row.findings)),
        shares_after=json.loads(row.shares_after),
        holds=row.holds,
        verdicts=said,
        reopened=moment_of(row.reopened) if row.reopened is not None else None,
        changed=ChangedUse.from_text(row.changed) if row.changed is not None else None,
    )


def _verdict(row: Row[Any]) -> VerdictRecord:
    return VerdictRecord(
        id=row.id,
        submission=row.submission,
        verdict=row.verdict,
        reason=row.reason,
        by=row.by,
        role=row.role,
        at=moment_of(row.at),
        until=moment_of(row.until) if row.until is not None else None,
        conditions=json.loads(row.conditions),
        entry=row.entry,
        delegation=row.delegation,
    )
