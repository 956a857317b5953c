"""The first tables: campaigns, documents, nodes, steps, moves, facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.String(255)
WORD = sa.String(64)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    _campaign()
    _document()
    _node()
    _step()
    _move()
    _fact()


def downgrade() -> None:
    """Remove the tables with everything in them."""
    for name in ("fact", "move", "step", "node", "document", "campaign"):
        op.drop_table(f"escalator_{name}")


def _belongs_to(table: str, owner: str) -> sa.Column[int]:
    name = f"fk_escalator_{table}_{owner}_id"
    target = sa.ForeignKey(f"escalator_{owner}.id", name=name, ondelete="CASCADE")
    return sa.Column(f"{owner}_id", KEY, target, nullable=False)


def _campaign() -> None:
    op.create_table(
        "escalator_campaign",
        sa.Column("id", KEY, nullable=False),
        sa.Column("campaign", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("dag_id", NAME, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_campaign"),
        sa.UniqueConstraint("campaign", "run_id", name="uq_escalator_campaign_campaign_run_id"),
    )


def _document() -> None:
    op.create_table(
        "escalator_document",
        _belongs_to("document", "campaign"),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "kind", name="pk_escalator_document"),
    )


def _node() -> None:
    op.create_table(
        "escalator_node",
        sa.Column("id", KEY, nullable=False),
        _belongs_to("node", "campaign"),
        sa.Column("host", NAME, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("code", WORD),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("since", TIME),
        sa.Column("mark", WORD),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_node"),
        sa.UniqueConstraint("campaign_id", "host", name="uq_escalator_node_campaign_id_host"),
    )


def _step() -> None:
    op.create_table(
        "escalator_step",
        sa.Column("id", KEY, nullable=False),
        _belongs_to("step", "node"),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("step", WORD, nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("result", WORD),
        sa.Column("code", WORD),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("api_calls", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_step"),
        sa.UniqueConstraint("node_id", "fence", name="uq_escalator_step_node_id_fence"),
    )


def _move() -> None:
    op.create_table(
        "escalator_move",
        sa.Column("id", KEY, nullable=False),
        _belongs_to("move", "campaign"),
        sa.Column("host", NAME, nullable=False),
        sa.Column("server_id", NAME, nullable=False),
        sa.Column("server_name", sa.Text(), nullable=False),
        sa.Column("from_host", NAME, nullable=False),
        sa.Column("to_host", NAME),
        sa.Column("method", WORD, nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.Column("migration", WORD),
        sa.Column("code", WORD),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("interruption_ms", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_move"),
        sa.UniqueConstraint("campaign_id", "migration", name="uq_escalator_move_campaign_id_migration"),
    )
    op.create_index("ix_escalator_move_campaign_id_host", "escalator_move", ["campaign_id", "host"])


def _fact() -> None:
    op.create_table(
        "escalator_fact",
        _belongs_to("fact", "node"),
        sa.Column("key", NAME, nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "key", name="pk_escalator_fact"),
    )
