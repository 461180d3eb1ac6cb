"""The officer lets simple models be approved without him: L1 by itself when everything holds, L2 by a reviewer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from audit.database import Database
from audit.entries import Clock, TraceSink, identifier_text, microseconds_of, moment_of, new_identifier
from governance.reasons import require_reason
from governance.statements import statement
from governance.submissions import SubmissionRecord
from governance.tables import delegations
from policies.errors import Conflict, Malformed, Refused, Sentence
from policies.roles import Action, Person, Role, absent, require
from policies.rulebook import Rulebook
from policies.tiers import Tier

DELEGABLE = (Tier.L1, Tier.L2)
"""No rulebook and no officer lets graver models be approved without him."""


class NotDelegable(Refused):
    """The officer decides on grave models himself."""

    def __init__(self, tier: Tier) -> None:
        super().__init__(
            Sentence(
                en=f"{tier} cannot be delegated; L1 can be approved by itself when everything holds, L2 by a reviewer",
                zh=f"{tier} 级不得授权他人批准；仅 L1 可在全部符合时自动批准，L2 可由复核人员批准",
            )
        )


class RevokedAlready(Conflict):
    """A delegation ends once."""

    def __init__(self, delegation: str) -> None:
        super().__init__(Sentence(en=f"delegation {delegation} is revoked already", zh=f"授权 {delegation} 已被撤销"))


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """An officer's leave to approve at one tier, for some models and sites (None: all in his scope), until a moment.

    At L1 a submission is approved by itself when everything holds; at L2 a reviewer approves. The officer's veto stays.
    """

    id: str
    by: str
    tier: Tier
    models: tuple[str, ...] | None
    sites: tuple[str, ...] | None
    since: datetime
    until: datetime
    reason: str
    revoked_by: str | None
    revoked_at: datetime | None
    entry: str

    def covers(self, model: str, site: str, tier: Tier, now: datetime) -> bool:
        """Whether it holds now for a model of this site and tier."""
        return (
            self.revoked_at is None
            and self.since <= now < self.until
            and tier is self.tier
            and (self.models is None or model in self.models)
            and (self.sites is None or site in self.sites)
        )

    def as_json(self) -> dict[str, object]:
        """Return the delegation as lists show it."""
        return {
            "id": self.id,
            "by": self.by,
            "tier": str(self.tier),
            "how": "automatic" if self.tier is Tier.L1 else Role.REVIEWER.value,
            "models": list(self.models) if self.models is not None else None,
            "sites": list(self.sites) if self.sites is not None else None,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "reason": self.reason,
            "revoked_by": self.revoked_by,
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at is not None else None,
            "entry": self.entry,
        }


class Delegations:
    """Gives and revokes delegations, both acts in the log. Those of an officer who is none any more do not count."""

    def __init__(
        self,
        database: Database,
        log: TraceSink,
        rulebook: Callable[[], Rulebook],
        clock: Clock,
        in_office: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._log = log
        self._rulebook = rulebook
        self._clock = clock
        self._in_office = in_office

    def give(
        self,
        tier: Tier,
        *,
        by: Person,
        reason: str,
        until: datetime,
        models: Sequence[str] | None = None,
        sites: Sequence[str] | None = None,
    ) -> Delegation:
        """Delegate approvals of one tier. An officer of one site delegates within it.

        Raises
        ------
        NotAllowed, NotDelegable, NotFound, Malformed
        """
        body, end = self._considered(tier, by, reason, until, models, sites)
        now = self._clock()
        identifier = identifier_text(new_identifier(microseconds_of(now)))
        entry = self._log.append(
            [
                statement(
                    "delegate",
                    by=by.name,
                    body={"delegation": identifier, **body},
                    rulebook_digest=self._rulebook().digest,
                    site=by.site,
                )
            ]
        )[0]
        with self._database.writing() as connection:
            connection.execute(
                insert(delegations).values(
                    id=identifier,
                    by=by.name,
                    tier=int(tier),
                    models=json.dumps(body["models"], ensure_ascii=False),
                    sites=json.dumps(body["sites"], ensure_ascii=False),
                    since=microseconds_of(now),
                    until=microseconds_of(end),
                    reason=body["reason"],
                    entry=entry.id,
                )
            )
        return self._get(identifier)

    def consider(
        self,
        tier: Tier,
        *,
        by: Person,
        reason: str,
        until: datetime,
        models: Sequence[str] | None = None,
        sites: Sequence[str] | None = None,
    ) -> datetime:
        """Raise whatever stands against this delegation now, as `give` would; return its end and record nothing."""
        return self._considered(tier, by, reason, until, models, sites)[1]

    def revoke(self, delegation: str, *, by: Person, reason: str) -> Delegation:
        """End a delegation now: it binds first and is then recorded. What was approved under it stays approved.

        Raises
        ------
        NotAllowed, NotFound, RevokedAlready, Malformed
        """
        require(by, Action.DELEGATE)
        found = self._get(delegation)
        if by.site is not None and found.sites != (by.site,):
            raise absent("delegation", delegation)
        said = require_reason(reason)
        with self._database.writing() as connection:
            done = connection.execute(
                update(delegations)
                .where(delegations.c.id == delegation, delegations.c.revoked_at.is_(None))
                .values(revoked_by=by.name, revoked_at=microseconds_of(self._clock()))
            )
        if done.rowcount != 1:
            raise RevokedAlready(delegation)
        body = {"delegation": delegation, "revoked": True, "reason": said}
        self._log.append([statement("delegate", by=by.name, body=body, about=found.entry, site=by.site)])
        return self._get(delegation)

    def list(self, by: Person) -> tuple[Delegation, ...]:
        """Return the delegations this person may see, newest first: a reviewer those that are live for reviewers."""
        found = self._read()
        if by.may(Action.READ_SUBMISSIONS):
            return tuple(d for d in found if by.site is None or d.sites is None or by.site in d.sites)
        require(by, Action.REVIEW)
        return tuple(d for d in found if self._open_to(d, by))

    def covering(self, record: SubmissionRecord, by: Person | None = None) -> Delegation | None:
        """Return the delegation under which a submission may be approved now, by a reviewer or, None, by itself.

        None where there is none, and where it was given by who handed the submission in.
        """
        now = self._clock()
        for found in self._read():
            if not found.covers(record.model, record.site, record.tier, now) or not self._in_office(found.by):
                continue
            if not record.is_by(found.by) and (by is None or self._open_to(found, by)):
                return found
        return None

    def any_for(self, by: Person) -> bool:
        """Whether this reviewer may approve anything at all now."""
        return any(self._open_to(found, by) for found in self._read())

    def _open_to(self, found: Delegation, by: Person) -> bool:
        now = self._clock()
        return (
            by.role is Role.REVIEWER
            and found.tier is Tier.L2
            and found.revoked_at is None
            and found.since <= now < found.until
            and (by.site is None or found.sites is None or by.site in found.sites)
            and found.by != by.name
            and self._in_office(found.by)
        )

    def _considered(
        self,
        tier: Tier,
        by: Person,
        reason: str,
        until: datetime,
        models: Sequence[str] | None,
        sites: Sequence[str] | None,
    ) -> tuple[dict[str, Any], datetime]:
        """Return what the log says of a delegation, and its end, once nothing speaks against it."""
        require(by, Action.DELEGATE)
        if tier not in DELEGABLE:
            raise NotDelegable(tier)
        if by.site is not None:
            foreign = [site for site in sites or () if site != by.site]
            if foreign:
                raise absent("site", foreign[0])
            sites = (by.site,)
        said, end = require_reason(reason), self._end(until, self._clock())
        body = {
            "tier": str(tier),
            "models": list(models) if models is not None else None,
            "sites": list(sites) if sites is not None else None,
            "until": end.isoformat(),
            "reason": said,
        }
        return body, end

    def _end(self, until: datetime, now: datetime) -> datetime:
        end = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        longest = now + timedelta(days=self._rulebook().permits.longest_delegation_days)
        if end.date() == longest.date():
            end = min(end, longest)
        if not now < end <= longest:
            raise Malformed(
                Sentence(
                    en=f"a delegation ends after now and by {longest:%Y-%m-%d}; found {end:%Y-%m-%d}",
                    zh=f"授权的截止日应晚于当前且不晚于 {longest:%Y-%m-%d}，实际为 {end:%Y-%m-%d}",
                )
            )
        return end

    def _get(self, delegation: str) -> Delegation:
        for found in self._read():
            if found.id == delegation:
                return found
        raise absent("delegation", delegation)

    def _read(self) -> tuple[Delegation, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(select(delegations).order_by(delegations.c.id.desc())).all()
        return tuple(_delegation(row) for row in rows)


def _delegation(row: Row[Any]) -> Delegation:
    models, sites = json.loads(row.models), json.loads(row.sites)
    return Delegation(
        id=row.id,
        by=row.by,
        tier=Tier(row.tier),
        models=tuple(models) if models is not None else None,
        sites=tuple(sites) if sites is not None else None,
        since=moment_of(row.since),
        until=moment_of(row.until),
        reason=row.reason,
        revoked_by=row.revoked_by,
        revoked_at=moment_of(row.revoked_at) if row.revoked_at is not None else None,
        entry=row.entry,
    )
