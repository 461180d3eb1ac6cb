"""Accounts end and are narrowed, tokens have a scope and a note, tries to sign in are counted for all processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables. Accounts and tokens that exist stay as wide as they were."""
    for column in (sa.Column("until", sa.BigInteger), sa.Column("scope", sa.Text), sa.Column("identity", sa.Text)):
        op.add_column("people", column)
    op.create_index("people_by_identity", "people", ["identity"], unique=True)
    for column in (sa.Column("scope", sa.Text), sa.Column("note", sa.Text), sa.Column("used", sa.BigInteger)):
        op.add_column("tokens", column)
    op.create_table(
        "sign_in_tries",
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("place", name="sign_in_tries_key"),
    )
    op.create_index("sign_in_tries_by_age", "sign_in_tries", ["since"])
