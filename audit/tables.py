"""The tables of the log: narrow rows for the tree and its questions, payloads apart from them.

An entry's row *is* its header: `audit.seal` writes the hashed bytes from the columns, so a changed column is a
changed leaf. Times are whole microseconds since 1970 UTC, ids and digests are raw bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from audit.subject_index import SEGMENT_OF

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_name)s",
        "uq": "%(table_name)s_%(column_0_name)s_once",
        "fk": "%(table_name)s_%(column_0_name)s_known",
        "pk": "%(table_name)s_key",
    }
)

_number = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY is SQLite's own row number

models = Table(
    "log_models",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)

contexts = Table(
    "log_contexts",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("model", _number, ForeignKey("log_models.number")),
    Column("version", Text),
    Column("artifact", LargeBinary(32)),
    Column("rulebook", LargeBinary(32)),
    Column("site", Text),
)

layouts = Table(
    "log_layouts",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

entries = Table(
    "log_entries",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("id", LargeBinary(16), nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("context", _number, ForeignKey("log_contexts.number"), nullable=False),
    Column("model", _number),
    Column("counter", BigInteger, nullable=False),
    Column("about", LargeBinary(16)),
    Column("flags", Text, nullable=False),
    Column("subject", Text),
    Column("actor", Text),
    Column("score", Float(53)),
    Column("verdict", Boolean),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("format", Integer, nullable=False),
)
Index("log_entries_by_model", entries.c.model, entries.c.time, entries.c.verdict, entries.c.score)
Index("log_entries_by_time", entries.c.time)
Index(
    "log_entries_by_subject",
    text(f"({SEGMENT_OF})"),
    entries.c.subject,
    sqlite_where=entries.c.subject.is_not(None),
    postgresql_where=entries.c.subject.is_not(None),
)
Index(
    "log_entries_by_kind",
    entries.c.kind,
    entries.c.time,
    sqlite_where=text("kind <> 'decision'"),
    postgresql_where=text("kind <> 'decision'"),
)
Index(
    "log_entries_flagged",
    entries.c.time,
    entries.c.flags,
    sqlite_where=text("flags <> ''"),
    postgresql_where=text("flags <> ''"),
)
Index(
    "log_entries_about",
    entries.c.about,
    sqlite_where=entries.c.about.is_not(None),
    postgresql_where=entries.c.about.is_not(None),
)

counts = Table(
    "log_counts",
    metadata,
    Column("day", BigInteger, nullable=False),
    Column("context", _number, ForeignKey("log_contexts.number"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("model", _number),
    Column("entries", BigInteger, nullable=False),
    Column("protective", BigInteger, nullable=False),
    Column("scored", BigInteger, nullable=False),
    Column("score_sum", Float(53), nullable=False),
    Column("newest", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "context", "kind", "flags", name="log_counts_key"),
    sqlite_with_rowid=False,
)
"""Sums over the entries before `log_counts_state.upto`; no evidence: `audit.kept_counts` can make them anew."""

counts_state = Table(
    "log_counts_state",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("upto", BigInteger, nullable=False),
    Column("erasures", BigInteger, nullable=False),
)

payload_keys = Table(
    "log_payload_keys",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("owner", Text),
    Column("quarter", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("wrapping", Text),
)
Index(
    "log_payload_keys_live",
    payload_keys.c.owner,
    payload_keys.c.quarter,
    unique=True,
    sqlite_where=payload_keys.c.wrapped.is_not(None),
    postgresql_where=payload_keys.c.wrapped.is_not(None),
)

payloads = Table(
    "log_payloads",
    metadata,
    Column("entry", _number, ForeignKey("log_entries.number"), primary_key=True, autoincrement=False),
    Column("payload_key", _number, ForeignKey("log_payload_keys.number"), nullable=False),
    Column("sealed", LargeBinary),
)

nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", _number, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

sources = Table(
    "log_sources",
    metadata,
    Column("source", Text, primary_key=True),
    Column("counter", BigInteger, nullable=False),
)

checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", _number, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
)

signing_keys = Table(
    "log_signing_keys",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False),
    Column("public", LargeBinary(32), nullable=False, unique=True),
    Column("endorsement", LargeBinary(64)),
    Column("since", BigInteger, nullable=False),
)

holds = Table(
    "log_holds",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("model", Text),
    Column("subject", Text),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted", BigInteger),
)

restrictions = Table(
    "log_restrictions",
    metadata,
    Column("entry", _number, ForeignKey("log_entries.number"), primary_key=True, autoincrement=False),
    Column("due", BigInteger, nullable=False),
)

anchors = Table(
    "log_anchors",
    metadata,
    Column("number", _number, primary_key=True),
    Column("size", _number, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
Index("log_anchors_by_size", anchors.c.size)
