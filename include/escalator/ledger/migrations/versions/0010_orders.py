"""What persons order of runs that go on: pause, stop, skip and hold, with who, when and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = sa.String(255)
WORD = sa.String(64)
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLE = "escalator_order"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        TABLE,
        sa.Column("id", KEY, nullable=False),
        sa.Column("campaign_id", KEY, nullable=False),
        sa.Column("verb", WORD, nullable=False),
        sa.Column("host", NAME, nullable=True),
        sa.Column("ordered_by", NAME, nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("plan_hash", WORD, nullable=False),
        sa.Column("in_flight", sa.Boolean(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["escalator_campaign.id"],
            name="fk_escalator_order_campaign_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_order"),
    )
    op.create_index("ix_escalator_order_campaign_id", TABLE, ["campaign_id"])


def downgrade() -> None:
    """Remove the table: what was ordered of runs that go on is forgotten, and they go on as if never."""
    op.drop_table(TABLE)
