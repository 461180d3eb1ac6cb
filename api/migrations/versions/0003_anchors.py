"""What others outside signed about the log: witnesses' cosignatures and time stamps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; there are no rows before this."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "log_anchors",
        sa.Column("number", number, nullable=False),
        sa.Column("size", number, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="log_anchors_key"),
    )
    op.create_index("log_anchors_by_size", "log_anchors", ["size"])
