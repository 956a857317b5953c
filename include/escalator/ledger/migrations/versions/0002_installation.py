"""The installation: an id that tells the leases of this ledger's campaigns from those of any other."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the id."""
    table = op.create_table(
        "escalator_installation",
        sa.Column("id", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_installation"),
    )
    op.bulk_insert(table, [{"id": secrets.token_hex(4)}])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("escalator_installation")
