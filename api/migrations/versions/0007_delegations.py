"""Delegations of the officer, changes of a tier by people, and the verdicts that rest on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and columns; verdicts before this rest on no delegation."""
    op.add_column("submissions", sa.Column("reopened", sa.BigInteger))
    op.add_column("verdicts", sa.Column("delegation", sa.Text))
    op.create_table(
        "delegations",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "by")),
        sa.Column("tier", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("models", "sites")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("since", "until")),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("revoked_by", sa.Text),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("entry", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="delegations_key"),
    )
    op.create_table(
        "tier_changes",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "submission")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("old", "new")),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("reason", "state")),
        sa.Column("confirmed_by", sa.Text),
        sa.Column("confirmed_at", sa.BigInteger),
        *(sa.Column(name, sa.Text) for name in ("confirmation", "entry")),
        sa.PrimaryKeyConstraint("id", name="tier_changes_key"),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="tier_changes_submission_known"),
    )
    op.create_index("tier_changes_of_submission", "tier_changes", ["submission"])
