"""Changed uses and their assessments, what the registry shows wrongly, and requests for early erasure."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the tables; nobody changed a use or asked for an erasure before this."""
    op.add_column("submissions", sa.Column("changed", sa.Text))
    op.create_table(
        "use_changes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("submission", sa.Text, sa.ForeignKey("submissions.id"), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("old", sa.Integer, nullable=False),
        sa.Column("new", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("entry", sa.Text),
    )
    op.create_index("use_changes_of_submission", "use_changes", ["submission"])
    op.create_table(
        "registry_faults",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("site", sa.Text),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("found", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.Text),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("decision", sa.Text),
        sa.Column("result", sa.Text),
    )
