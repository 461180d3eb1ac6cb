"""Which rulebook is in force: kept in the database by digest, with every one before it and what was proposed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from audit.database import Database
from audit.entries import Clock, identifier_text, microseconds_of, moment_of, new_identifier
from governance.tables import rulebooks
from policies.roles import absent
from policies.rulebook import Rulebook, read_rulebook

logger = logging.getLogger("mingjing.rulebooks")

HOUSE = "mingjing"
"""Who put the first rulebook in force: the house itself, from its settings."""


class RevisionState(StrEnum):
    """What became of a rulebook. The last adopted one is in force."""

    PROPOSED = "proposed"
    ADOPTED = "adopted"
    DECLINED = "declined"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One rulebook and how it came about. `number` counts what was in force, from 0; None while it never was.

    `base` is the digest of the rulebook that was in force when this one was proposed; None for the first.
    """

    id: str
    number: int | None
    digest: str
    base: str | None
    state: RevisionState
    proposed_by: str
    proposed_at: datetime
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    decision: str | None
    entry: str | None
    book: Rulebook

    def as_json(self) -> dict[str, object]:
        """Return the revision as lists show it, without its text."""
        return {
            "id": self.id,
            "number": self.number,
            "digest": self.digest,
            "version": self.book.version,
            "title": self.book.title.as_json(),
            "base": self.base,
            "state": self.state.value,
            "proposed_by": self.proposed_by,
            "proposed_at": self.proposed_at.isoformat(),
            "reason": self.reason,
            "decided_by": self.decided_by,
            "decided_at": self.decided_at.isoformat() if self.decided_at is not None else None,
            "decision": self.decision,
            "entry": self.entry,
        }


class Rulebooks:
    """Answers from memory and looks at the database at most every `fresh_for` seconds.

    A rulebook adopted in another process is in force here within that time; one adopted in this process at once,
    through `forget`. While the database is away the one last seen stays in force.
    """

    def __init__(
        self,
        database: Database,
        first: Rulebook,
        clock: Clock,
        monotonic: Callable[[], float],
        *,
        fresh_for: float = 0.25,
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._fresh_for = fresh_for
        self._lock = threading.Lock()
        self._read: dict[str, Rulebook] = {first.digest: first}
        self._looked = float("-inf")
        _begin(database, first, clock())
        self._known = self._look()

    def in_force(self) -> Rulebook:
        """Return the rulebook in force."""
        if self._monotonic() - self._looked >= self._fresh_for and self._lock.acquire(blocking=False):
            try:
                self._known = self._look()
            except SQLAlchemyError as away:
                self._looked = self._monotonic()
                logger.error("the rulebook in force cannot be read (%s); the last one stays", type(away).__name__)
            finally:
                self._lock.release()
        return self._known

    def forget(self) -> None:
        """Read the database at the next question."""
        self._looked = float("-inf")

    def by_digest(self, digest: str) -> Rulebook | None:
        """Return any rulebook that was ever proposed or in force; None for one that never was here."""
        if digest in self._read:
            return self._read[digest]
        with self._database.reading() as connection:
            found = connection.execute(select(rulebooks.c.toml).where(rulebooks.c.digest == digest)).scalar()
        return self._parsed(digest, found) if found is not None else None

    def history(self) -> tuple[Revision, ...]:
        """Return every rulebook that was in force, the present one first."""
        return self._revisions(select(rulebooks).where(rulebooks.c.number.is_not(None)).order_by(_NEWEST))

    def proposals(self) -> tuple[Revision, ...]:
        """Return the rulebooks that wait for the committee, newest first."""
        wanted = rulebooks.c.state == RevisionState.PROPOSED.value
        return self._revisions(select(rulebooks).where(wanted).order_by(rulebooks.c.id.desc()))

    def get(self, revision: str) -> Revision:
        """Return one revision. Raises NotFound."""
        found = self._revisions(select(rulebooks).where(rulebooks.c.id == revision))
        if not found:
            raise absent("rulebook", revision)
        return found[0]

    def _look(self) -> Rulebook:
        with self._database.reading() as connection:
            row = connection.execute(
                select(rulebooks.c.digest, rulebooks.c.toml)
                .where(rulebooks.c.number.is_not(None))
                .order_by(_NEWEST)
                .limit(1)
            ).one()
        self._looked = self._monotonic()
        return self._parsed(row.digest, row.toml)

    def _parsed(self, digest: str, toml: str) -> Rulebook:
        if digest not in self._read:
            self._read[digest] = read_rulebook(toml.encode())
        return self._read[digest]

    def _revisions(self, wanted: Any) -> tuple[Revision, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        return tuple(self._revision(row) for row in rows)

    def _revision(self, row: Row[Any]) -> Revision:
        return Revision(
            id=row.id,
            number=row.number,
            digest=row.digest,
            base=row.base,
            state=RevisionState(row.state),
            proposed_by=row.proposed_by,
            proposed_at=moment_of(row.proposed_at),
            reason=row.reason,
            decided_by=row.decided_by,
            decided_at=moment_of(row.decided_at) if row.decided_at is not None else None,
            decision=row.decision,
            entry=row.entry,
            book=self._parsed(row.digest, row.toml),
        )


_NEWEST = rulebooks.c.number.desc()


def _begin(database: Database, first: Rulebook, now: datetime) -> None:
    """Put the first rulebook in force where none is; of several processes that start at once one does."""
    with database.reading() as connection:
        if _any(connection):
            return
    row = {
        "id": identifier_text(new_identifier(microseconds_of(now))),
        "number": 0,
        "digest": first.digest,
        "toml": first.source.decode(),
        "state": RevisionState.ADOPTED.value,
        "proposed_by": HOUSE,
        "proposed_at": microseconds_of(now),
        "reason": "the rulebook this house began with",
        "decided_by": HOUSE,
        "decided_at": microseconds_of(now),
    }
    try:
        with database.writing() as connection:
            if not _any(connection):
                connection.execute(insert(rulebooks).values(row))
    except IntegrityError:
        logger.info("another process put the first rulebook in force")


def _any(connection: Connection) -> bool:
    return (
        connection.execute(select(rulebooks.c.id).where(rulebooks.c.number.is_not(None)).limit(1)).first() is not None
    )
