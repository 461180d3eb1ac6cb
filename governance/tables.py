"""What governance remembers: submissions, verdicts, permits, vetoes, people and their tokens.

These rows are working state; the acts themselves are entries of the log. Times are whole microseconds
since 1970 UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    event,
)

from audit.guards import guards_of
from audit.tables import metadata

UNREGISTERED = ""
"""Version of a submission whose name is reserved while the registry takes it in; nobody sees it until it has one."""

submissions = Table(
    "submissions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("artifact_digest", Text, nullable=False),
    Column("rulebook_digest", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("site", Text),
    Column("owner", Text, nullable=False),
    Column("submitted_by", Text, nullable=False),
    Column("submitted_at", BigInteger, nullable=False),
    Column("declaration", Text, nullable=False),
    Column("assessment", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("shares_after", Text, nullable=False),
    Column("holds", Boolean),
    Column("claimed", BigInteger),
    Column("reopened", BigInteger),
    Column("changed", Text),
)
Index("submissions_by_stage", submissions.c.stage, submissions.c.submitted_at)
Index("submissions_by_model", submissions.c.model, submissions.c.version)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission", Text, ForeignKey("submissions.id"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("conditions", Text, nullable=False),
    Column("entry", Text),
    Column("delegation", Text),
)
Index("verdicts_of_submission", verdicts.c.submission, verdicts.c.at)

permits = Table(
    "permits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission", Text, ForeignKey("submissions.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("artifact_digest", Text, nullable=False),
    Column("rulebook_digest", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("state", Text, nullable=False),
)
Index("permits_by_model", permits.c.model, permits.c.state)

vetoes = Table(
    "vetoes",
    metadata,
    Column("artifact_digest", Text, primary_key=True),
    Column("submission", Text, ForeignKey("submissions.id"), nullable=False),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

epoch = Table(
    "governance_epoch",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

rulebooks = Table(
    "rulebooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer, unique=True),
    Column("digest", Text, nullable=False),
    Column("toml", Text, nullable=False),
    Column("base", Text),
    Column("state", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", BigInteger),
    Column("decision", Text),
    Column("entry", Text),
)
Index("rulebooks_by_digest", rulebooks.c.digest)

delegations = Table(
    "delegations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("models", Text, nullable=False),
    Column("sites", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("revoked_by", Text),
    Column("revoked_at", BigInteger),
    Column("entry", Text, nullable=False),
)

tier_changes = Table(
    "tier_changes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission", Text, ForeignKey("submissions.id"), nullable=False),
    Column("old", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("confirmed_by", Text),
    Column("confirmed_at", BigInteger),
    Column("confirmation", Text),
    Column("entry", Text),
)
Index("tier_changes_of_submission", tier_changes.c.submission)

use_changes = Table(
    "use_changes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission", Text, ForeignKey("submissions.id"), nullable=False),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("old", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("entry", Text),
)
Index("use_changes_of_submission", use_changes.c.submission)

registry_faults = Table(
    "registry_faults",
    metadata,
    Column("key", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("site", Text),
    Column("says", Text, nullable=False),
    Column("found", BigInteger, nullable=False),
    Column("entry", Text),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", BigInteger),
    Column("decision", Text),
    Column("result", Text),
)

people = Table(
    "people",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("site", Text),
    Column("subject", Text),
    Column("password_hash", Text),
    Column("created", BigInteger, nullable=False),
    Column("disabled", BigInteger),
    Column("until", BigInteger),
    Column("scope", Text),
    Column("identity", Text),
)
Index("people_by_identity", people.c.identity, unique=True)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("person", Text, ForeignKey("people.name"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("purpose", Text),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("scope", Text),
    Column("note", Text),
    Column("used", BigInteger),
)
Index("tokens_of_person", tokens.c.person)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("by", Text, ForeignKey("people.name"), nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("share", Double, nullable=False),
    Column("cancelling", Boolean, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("tries", Integer, nullable=False),
    Column("worker", Text),
    Column("heard_of", BigInteger),
    Column("result", Text),
    Column("faults", Text),
)
Index("jobs_by_state", jobs.c.state, jobs.c.id)
Index("jobs_by_person", jobs.c.by, jobs.c.id)

drafts = Table(
    "drafts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("by", Text, ForeignKey("people.name"), nullable=False),
    Column("fields", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("job", Text),
    Column("made_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
Index("drafts_of_person", drafts.c.by, drafts.c.id)
Index("drafts_by_age", drafts.c.changed_at)
Index("drafts_by_job", drafts.c.job)

disclosure_drafts = Table(
    "disclosure_drafts",
    metadata,
    Column("quarter", Text, primary_key=True),
    Column("prepared", BigInteger, nullable=False),
    Column("prepared_by", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

disclosures = Table(
    "disclosures",
    metadata,
    Column("number", Text, primary_key=True),
    Column("quarter", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("released_by", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("kept", LargeBinary, nullable=False),
)
Index("disclosures_by_quarter", disclosures.c.quarter, disclosures.c.revision, unique=True)

disclosure_documents = Table(
    "disclosure_documents",
    metadata,
    Column("disclosure", Text, ForeignKey("disclosures.number"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
)


def guard_what_is_released(connection: Connection) -> None:
    """Have the database refuse to change or delete what was released."""
    dialect = connection.dialect.name
    for table in (disclosures, disclosure_documents):
        for line in guards_of(table, dialect):
            # psycopg reads a bare % as the beginning of a parameter
            connection.exec_driver_sql(line if dialect == "sqlite" else line.replace("%", "%%"))


@event.listens_for(disclosure_documents, "after_create")
def _guarded(_table: Table, connection: Connection, **_: object) -> None:
    guard_what_is_released(connection)


sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("place", Text, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
)
Index("sign_in_tries_by_age", sign_in_tries.c.since)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("error", Text),
)
Index("outbox_once", outbox.c.channel, outbox.c.key, unique=True)
Index("outbox_by_state", outbox.c.state, outbox.c.due)

repeats = Table(
    "repeated_requests",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("answer", Text),
)
Index("repeated_requests_by_age", repeats.c.created)
