"""Quarterly disclosures: drafts, and what was released and stays as it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from governance.tables import guard_what_is_released

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and their guards; there are no rows before this."""
    op.create_table(
        "disclosure_drafts",
        sa.Column("quarter", sa.Text, nullable=False),
        sa.Column("prepared", sa.BigInteger, nullable=False),
        sa.Column("prepared_by", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("quarter", name="disclosure_drafts_key"),
    )
    op.create_table(
        "disclosures",
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("quarter", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("released", sa.BigInteger, nullable=False),
        sa.Column("released_by", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("kept", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="disclosures_key"),
    )
    op.create_index("disclosures_by_quarter", "disclosures", ["quarter", "revision"], unique=True)
    op.create_table(
        "disclosure_documents",
        sa.Column("disclosure", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("disclosure", "name", name="disclosure_documents_key"),
        sa.ForeignKeyConstraint(["disclosure"], ["disclosures.number"], name="disclosure_documents_disclosure_known"),
    )
    guard_what_is_released(op.get_bind())
