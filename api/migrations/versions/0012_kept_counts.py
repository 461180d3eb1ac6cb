"""Sums of the log by day, kept beside it, and an index of the entries that carry a flag."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create both tables empty: whoever keeps house counts what is there on its first round."""
    op.create_table(
        "log_counts",
        sa.Column("day", sa.BigInteger, nullable=False),
        sa.Column("context", _number, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("flags", sa.Text, nullable=False),
        sa.Column("model", _number),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("entries", "protective", "scored")),
        sa.Column("score_sum", sa.Float(53), nullable=False),
        sa.Column("newest", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("day", "context", "kind", "flags", name="log_counts_key"),
        sa.ForeignKeyConstraint(["context"], ["log_contexts.number"], name="log_counts_context_known"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_counts_state",
        sa.Column("number", _number, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("upto", "erasures")),
        sa.PrimaryKeyConstraint("number", name="log_counts_state_key"),
    )
    carries_one = sa.text("flags <> ''")
    op.create_index(
        "log_entries_flagged", "log_entries", ["time", "flags"], sqlite_where=carries_one, postgresql_where=carries_one
    )
