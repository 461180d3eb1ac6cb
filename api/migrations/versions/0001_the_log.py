"""The tables of the log, and the guards that keep them as written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from audit.guards import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
DIGEST = sa.LargeBinary(32)


def upgrade() -> None:
    """Create the tables, their indexes and guards; there are no rows before this."""
    _shared()
    _entries()
    _payloads()
    _tree()
    _retention()
    for statement in guards(op.get_bind().dialect.name):
        op.execute(sa.text(statement.replace(":", r"\:")))


def _shared() -> None:
    op.create_table(
        "log_models",
        _numbered("number"),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="log_models_key"),
        sa.UniqueConstraint("name", name="log_models_name_once"),
    )
    op.create_table(
        "log_contexts",
        _numbered("number"),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("model", NUMBER),
        sa.Column("version", sa.Text),
        sa.Column("artifact", DIGEST),
        sa.Column("rulebook", DIGEST),
        sa.Column("site", sa.Text),
        sa.PrimaryKeyConstraint("number", name="log_contexts_key"),
        sa.UniqueConstraint("digest", name="log_contexts_digest_once"),
        sa.ForeignKeyConstraint(["model"], ["log_models.number"], name="log_contexts_model_known"),
    )
    op.create_table(
        "log_layouts",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="log_layouts_key"),
    )


def _entries() -> None:
    op.create_table(
        "log_entries",
        _numbered("number"),
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("context", NUMBER, nullable=False),
        sa.Column("model", NUMBER),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("about", sa.LargeBinary(16)),
        sa.Column("flags", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("actor", sa.Text),
        sa.Column("score", sa.Float(53)),
        sa.Column("verdict", sa.Boolean),
        sa.Column("commitment", DIGEST, nullable=False),
        sa.Column("leaf", DIGEST, nullable=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="log_entries_key"),
        sa.UniqueConstraint("id", name="log_entries_id_once"),
        sa.ForeignKeyConstraint(["context"], ["log_contexts.number"], name="log_entries_context_known"),
    )
    op.create_index("log_entries_by_model", "log_entries", ["model", "time", "verdict", "score"])
    op.create_index("log_entries_by_time", "log_entries", ["time"])
    _partial("log_entries_by_subject", "log_entries", ["subject", "time"], "subject IS NOT NULL")
    _partial("log_entries_by_kind", "log_entries", ["kind", "time"], "kind <> 'decision'")
    _partial("log_entries_about", "log_entries", ["about"], "about IS NOT NULL")


def _payloads() -> None:
    op.create_table(
        "log_payload_keys",
        _numbered("number"),
        sa.Column("owner", sa.Text),
        sa.Column("quarter", sa.Text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("wrapping", sa.Text),
        sa.PrimaryKeyConstraint("number", name="log_payload_keys_key"),
    )
    _partial("log_payload_keys_live", "log_payload_keys", ["owner", "quarter"], "wrapped IS NOT NULL", unique=True)
    op.create_table(
        "log_payloads",
        _numbered("entry"),
        sa.Column("payload_key", NUMBER, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.PrimaryKeyConstraint("entry", name="log_payloads_key"),
        sa.ForeignKeyConstraint(["entry"], ["log_entries.number"], name="log_payloads_entry_known"),
        sa.ForeignKeyConstraint(["payload_key"], ["log_payload_keys.number"], name="log_payloads_payload_key_known"),
    )


def _tree() -> None:
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer, nullable=False, autoincrement=False),
        _numbered("position"),
        sa.Column("hash", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="log_nodes_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_sources",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source", name="log_sources_key"),
    )
    op.create_table(
        "log_checkpoints",
        _numbered("size"),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("root", DIGEST, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", name="log_checkpoints_key"),
    )
    op.create_table(
        "log_signing_keys",
        _numbered("number"),
        sa.Column("public", DIGEST, nullable=False),
        sa.Column("endorsement", sa.LargeBinary(64)),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="log_signing_keys_key"),
        sa.UniqueConstraint("public", name="log_signing_keys_public_once"),
    )


def _retention() -> None:
    op.create_table(
        "log_holds",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("lifted", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="log_holds_key"),
    )
    op.create_table(
        "log_restrictions",
        _numbered("entry"),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("entry", name="log_restrictions_key"),
        sa.ForeignKeyConstraint(["entry"], ["log_entries.number"], name="log_restrictions_entry_known"),
    )


def _numbered(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=False, autoincrement=False)


def _partial(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )
