"""Submissions that are not complete yet: what was typed and which files lie beside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; there are no rows before this."""
    op.create_table(
        "drafts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("job", sa.Text),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["by"], ["people.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("drafts_of_person", "drafts", ["by", "id"])
    op.create_index("drafts_by_age", "drafts", ["changed_at"])
    op.create_index("drafts_by_job", "drafts", ["job"])
