"""How a session's runs have ended, and what of a switchover is not as it was before it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of what is there, nothing is known."""
    with op.batch_alter_table("escalator_session_run") as table:
        table.add_column(sa.Column("failed", sa.Boolean(), nullable=True))
    with op.batch_alter_table("escalator_switch") as table:
        table.add_column(sa.Column("not_restored", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Remove the columns with what is in them."""
    with op.batch_alter_table("escalator_switch") as table:
        table.drop_column("not_restored")
    with op.batch_alter_table("escalator_session_run") as table:
        table.drop_column("failed")
