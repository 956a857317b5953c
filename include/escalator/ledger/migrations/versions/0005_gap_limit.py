"""What the VNF bears at once, beside each gap of its service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; gaps that are there have none."""
    with op.batch_alter_table("escalator_gap") as table:
        table.add_column(sa.Column("limit_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    """Remove the column with everything in it."""
    with op.batch_alter_table("escalator_gap") as table:
        table.drop_column("limit_seconds")
