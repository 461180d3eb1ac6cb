"""Rulebooks: the one in force, those before it, and those proposed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; the first rulebook is put in force when the house opens."""
    op.create_table(
        "rulebooks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("toml", sa.Text, nullable=False),
        sa.Column("base", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("proposed_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("decision", sa.Text),
        sa.Column("entry", sa.Text),
        sa.PrimaryKeyConstraint("id", name="rulebooks_key"),
        sa.UniqueConstraint("number", name="rulebooks_number_once"),
    )
    op.create_index("rulebooks_by_digest", "rulebooks", ["digest"])
