"""The notes to people: which were sent, so that none goes out twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "escalator_note"
KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
JSON = sa.JSON()


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        TABLE,
        sa.Column("campaign_id", KEY, nullable=False),
        sa.Column("note", sa.String(64), nullable=False),
        sa.Column("receiver", sa.String(255), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["escalator_campaign.id"],
            name="fk_escalator_note_campaign_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "note", "receiver", name="pk_escalator_note"),
    )


def downgrade() -> None:
    """Remove the table; what was sent is not taken back."""
    op.drop_table(TABLE)
