"""The backups that runs took: where each is, and what it must read as."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NAME = sa.String(255)
TABLE = "escalator_backup"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        TABLE,
        sa.Column("id", NAME, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("cloud", NAME, nullable=False),
        sa.Column("host", NAME, nullable=False),
        sa.Column("campaign", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("bundle", NAME, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_backup"),
    )
    op.create_index("ix_escalator_backup_cloud_host_taken_at", TABLE, ["cloud", "host", "taken_at"])


def downgrade() -> None:
    """Remove the table; the backups themselves stay where they are."""
    op.drop_table(TABLE)
