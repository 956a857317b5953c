"""Quotas that are frozen while a campaign runs, and the runs that keep them so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = sa.String(255)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "escalator_frozen_quota",
        sa.Column("cloud", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("set_to", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cloud", "project_id", "name", name="pk_escalator_frozen_quota"),
    )
    op.create_table(
        "escalator_quota_holder",
        sa.Column("cloud", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("campaign", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.PrimaryKeyConstraint(
            "cloud", "project_id", "campaign", "run_id", name="pk_escalator_quota_holder"
        ),
    )


def downgrade() -> None:
    """Remove the tables with everything in them."""
    op.drop_table("escalator_quota_holder")
    op.drop_table("escalator_frozen_quota")
