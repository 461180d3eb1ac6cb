"""What still has to be told outside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; there are no rows before this."""
    op.create_table(
        "outbox",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "channel", "key", "notice", "state")),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="outbox_key"),
    )
    op.create_index("outbox_once", "outbox", ["channel", "key"], unique=True)
    op.create_index("outbox_by_state", "outbox", ["state", "due"])
