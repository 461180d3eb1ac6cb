"""Quarterly disclosures: a draft that may be prepared again, and numbers that are released once and stay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from audit.database import Database
from audit.entries import identifier_text, microseconds_of, moment_of, new_identifier
from audit.log_writer import Batch
from audit.trace_log import TraceLog
from governance.statements import statement
from governance.tables import disclosure_documents, disclosure_drafts, disclosures
from policies.errors import Conflict, NotFound, Refused, Sentence
from policies.quarters import Quarter
from policies.roles import Action, Person, require


class NotDisclosed(NotFound):
    """No number of this quarter's disclosure has been released."""

    def __init__(self, what: str) -> None:
        super().__init__(Sentence(en=f"nothing has been disclosed for {what}", zh=f"{what} 尚无已发布的披露报告"))


class NothingPrepared(NotFound):
    """There is no draft to release."""

    def __init__(self, quarter: Quarter) -> None:
        super().__init__(
            Sentence(
                en=f"no disclosure of {quarter} has been prepared; prepare it first, then look at it, then release it",
                zh=f"{quarter} 的披露报告尚未编制，请先编制并审阅，再行发布",
            )
        )


class DraftReplaced(Conflict):
    """What was released meanwhile, or prepared anew, is not what the officer looked at."""

    def __init__(self, quarter: Quarter) -> None:
        super().__init__(
            Sentence(
                en=f"the draft of {quarter} is no longer the one you looked at; look at the new one before releasing",
                zh=f"{quarter} 的草案已不是您审阅的版本，请重新审阅后再发布",
            )
        )


class OneSiteOnly(Refused):
    """A disclosure speaks for all sites; an officer of one site cannot speak for the others."""

    def __init__(self, by: Person) -> None:
        super().__init__(
            Sentence(
                en=f"{by.name} acts for {by.site} only; a disclosure speaks for all sites",
                zh=f"{by.name} 仅负责 {by.site}，而披露报告涵盖全部场所",
            )
        )


def require_discloser(by: Person) -> None:
    """Raise unless this person may prepare and release what speaks for all sites. Raises NotAllowed, OneSiteOnly."""
    require(by, Action.DISCLOSE)
    if by.places or by.only_models is not None:
        raise OneSiteOnly(by)


@dataclass(frozen=True, kw_only=True)
class DisclosureDraft:
    """What was prepared: `body` as the room above wrote it, and the log it was counted from."""

    quarter: Quarter
    prepared: datetime
    by: str
    size: int
    body: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the body, by which the officer says what he looked at."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Released:
    """One released number. `kept` are the counts behind it, which are not published; `entry` is in the log."""

    number: str
    quarter: Quarter
    revision: int
    released: datetime
    by: str
    entry: str
    kept: bytes
    digests: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """Return what is public about the number itself."""
        return {
            "number": self.number,
            "quarter": str(self.quarter),
            "revision": self.revision,
            "released": self.released.isoformat(),
            "entry": self.entry,
            "documents": dict(self.digests),
        }


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """What a release is called, before it is written: handed to whoever writes the documents."""

    number: str
    revision: int
    entry: str
    released: datetime
    by: str


Writes = Callable[[DisclosureDraft, Numbered], Mapping[str, bytes]]
"""Writes the documents of a release, by name."""


class DisclosureBook:
    """Keeps drafts and released numbers. What is released is neither changed nor deleted: the tables refuse it."""

    def __init__(self, database: Database, log: TraceLog) -> None:
        self._database = database
        self._log = log

    def keep_draft(self, draft: DisclosureDraft) -> None:
        """Keep a draft in place of the one before."""
        row = {
            "quarter": str(draft.quarter),
            "prepared": microseconds_of(draft.prepared),
            "prepared_by": draft.by,
            "size": draft.size,
            "body": draft.body,
        }
        with self._database.writing() as connection:
            connection.execute(delete(disclosure_drafts).where(disclosure_drafts.c.quarter == str(draft.quarter)))
            connection.execute(insert(disclosure_drafts).values(row))

    def draft(self, quarter: Quarter) -> DisclosureDraft | None:
        """Return the draft that waits for its release, or None."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(disclosure_drafts).where(disclosure_drafts.c.quarter == str(quarter))
            ).one_or_none()
        if row is None:
            return None
        return DisclosureDraft(
            quarter=quarter, prepared=moment_of(row.prepared), by=row.prepared_by, size=row.size, body=bytes(row.body)
        )

    def release(
        self, quarter: Quarter, *, by: Person, digest: str, kept: Callable[[DisclosureDraft], bytes], writes: Writes
    ) -> Released:
        """Freeze the draft under the next number and seal its digests into the log, in one transaction.

        Parameters
        ----------
        digest : str
            SHA-256 of the draft the officer looked at.
        kept : callable
            Takes the counts that later numbers are measured against out of the draft.
        writes : callable
            Writes the documents that are published.

        Raises
        ------
        NotAllowed, NothingPrepared
        DraftReplaced
            When the draft is not the one with this digest, or another release came first.
        """
        require_discloser(by)
        draft = self.draft(quarter)
        if draft is None:
            raise NothingPrepared(quarter)
        if draft.digest != digest:
            raise DraftReplaced(quarter)
        now = self._log.clock()
        numbered = self._next(quarter, now, by)
        documents = dict(writes(draft, numbered))
        digests = {name: hashlib.sha256(body).hexdigest() for name, body in sorted(documents.items())}
        made = Released(
            number=numbered.number,
            quarter=quarter,
            revision=numbered.revision,
            released=now,
            by=by.name,
            entry=numbered.entry,
            kept=kept(draft),
            digests=digests,
        )
        self._freeze(draft, made, documents)
        return made

    def numbers(self, quarter: Quarter | None = None) -> tuple[Released, ...]:
        """Return the released numbers, newest quarter and newest number first."""
        wanted = select(disclosures).order_by(disclosures.c.quarter.desc(), disclosures.c.revision.desc())
        if quarter is not None:
            wanted = wanted.where(disclosures.c.quarter == str(quarter))
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
            listed = connection.execute(
                select(
                    disclosure_documents.c.disclosure, disclosure_documents.c.name, disclosure_documents.c.digest
                ).order_by(disclosure_documents.c.name)
            ).all()
        digests: dict[str, dict[str, str]] = {}
        for document in listed:
            digests.setdefault(document.disclosure, {})[document.name] = bytes(document.digest).hex()
        return tuple(_released(row, digests.get(row.number, {})) for row in rows)

    def find(self, quarter: Quarter, revision: int | None = None) -> Released:
        """Return one released number, the newest unless another is named. Raises NotDisclosed."""
        for released in self.numbers(quarter):
            if revision is None or released.revision == revision:
                return released
        raise NotDisclosed(str(quarter) if revision is None else f"{quarter}-{revision}")

    def document(self, released: Released, name: str) -> bytes:
        """Return one document of a released number, exactly as it was frozen. Raises NotDisclosed."""
        with self._database.reading() as connection:
            body = connection.execute(
                select(disclosure_documents.c.body).where(
                    disclosure_documents.c.disclosure == released.number, disclosure_documents.c.name == name
                )
            ).scalar_one_or_none()
        if body is None:
            raise NotDisclosed(f"{released.number} ({name})")
        return bytes(body)

    def _next(self, quarter: Quarter, now: datetime, by: Person) -> Numbered:
        revision = 1 + max((released.revision for released in self.numbers(quarter)), default=0)
        return Numbered(
            number=f"{quarter}-{revision}",
            revision=revision,
            entry=identifier_text(new_identifier(microseconds_of(now))),
            released=now,
            by=by.name,
        )

    def _freeze(self, draft: DisclosureDraft, made: Released, documents: Mapping[str, bytes]) -> None:
        quarter, released = str(made.quarter), microseconds_of(made.released)

        def store(writer: Any) -> None:
            """Insert the number; runs in the transaction that appends the `publish` entry."""
            held = writer.rows("SELECT body FROM disclosure_drafts WHERE quarter = ?", quarter)
            taken = writer.rows("SELECT 1 FROM disclosures WHERE number = ?", made.number)
            if taken or not held or bytes(held[0][0]) != draft.body:
                raise DraftReplaced(made.quarter)
            writer.insert(
                "disclosures",
                ("number", "quarter", "revision", "released", "released_by", "entry", "kept"),
                [(made.number, quarter, made.revision, released, made.by, made.entry, made.kept)],
            )
            for name, body in documents.items():
                row = (made.number, name, bytes.fromhex(made.digests[name]), body)
                writer.insert("disclosure_documents", ("disclosure", "name", "digest", "body"), [row])
            writer.rows("DELETE FROM disclosure_drafts WHERE quarter = ?", quarter)

        sealed = statement(
            "publish",
            by=made.by,
            body={
                "what": "disclosure",
                "number": made.number,
                "quarter": quarter,
                "counted_to": draft.size,
                "documents": dict(made.digests),
            },
            id=made.entry,
            time=made.released,
        )
        self._log.commit(Batch((sealed,), released, self._log.source, also=store))


def _released(row: Any, digests: Mapping[str, str]) -> Released:
    year, number = str(row.quarter).split("Q")
    return Released(
        number=row.number,
        quarter=Quarter(int(year), int(number)),
        revision=row.revision,
        released=moment_of(row.released),
        by=row.released_by,
        entry=row.entry,
        kept=bytes(row.kept),
        digests=digests,
    )
