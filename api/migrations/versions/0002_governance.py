"""The tables of governance: submissions, verdicts, permits, vetoes, people and tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and their indexes; there are no rows before this."""
    _submissions()
    _permits()
    _people()


def _submissions() -> None:
    op.create_table(
        "submissions",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "model", "version")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("artifact_digest", "rulebook_digest")),
        sa.Column("tier", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("site", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "submitted_by")),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("declaration", "assessment", "findings")),
        sa.Column("shares_after", sa.Text, nullable=False),
        sa.Column("holds", sa.Boolean),
        sa.Column("claimed", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="submissions_key"),
    )
    op.create_index("submissions_by_stage", "submissions", ["stage", "submitted_at"])
    op.create_index("submissions_by_model", "submissions", ["model", "version"])
    op.create_table(
        "verdicts",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "submission", "verdict", "reason", "by", "role")),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("conditions", sa.Text, nullable=False),
        sa.Column("entry", sa.Text),
        sa.PrimaryKeyConstraint("id", name="verdicts_key"),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="verdicts_submission_known"),
    )
    op.create_index("verdicts_of_submission", "verdicts", ["submission", "at"])


def _permits() -> None:
    op.create_table(
        "permits",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "submission", "model", "version")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("artifact_digest", "rulebook_digest")),
        sa.Column("tier", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("conditions", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="permits_key"),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="permits_submission_known"),
    )
    op.create_index("permits_by_model", "permits", ["model", "state"])
    op.create_table(
        "vetoes",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("artifact_digest", "submission", "by")),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("artifact_digest", name="vetoes_key"),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="vetoes_submission_known"),
    )
    op.create_table(
        "governance_epoch",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="governance_epoch_key"),
    )


def _people() -> None:
    op.create_table(
        "people",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "role")),
        *(sa.Column(name, sa.Text) for name in ("site", "subject", "password_hash")),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("disabled", sa.BigInteger),
        sa.PrimaryKeyConstraint("name", name="people_key"),
    )
    op.create_table(
        "tokens",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("digest", "person", "kind")),
        sa.Column("purpose", sa.Text),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="tokens_key"),
        sa.ForeignKeyConstraint(["person"], ["people.name"], name="tokens_person_known"),
    )
    op.create_index("tokens_of_person", "tokens", ["person"])
