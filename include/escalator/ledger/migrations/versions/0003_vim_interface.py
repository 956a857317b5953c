"""The VIM interface: sessions and their runs, notices, constraints, gaps, switchovers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.String(255)
WORD = sa.String(64)
TIME = sa.DateTime(timezone=True)
TABLES = ("session", "session_run", "notice", "instance_constraints", "group_constraints", "gap", "switch")


def upgrade() -> None:
    """Make the tables."""
    _session()
    _session_run()
    _notice()
    _constraints("instance")
    _constraints("group")
    _gap()
    _switch()


def downgrade() -> None:
    """Remove the tables with everything in them."""
    for name in reversed(TABLES):
        op.drop_table(f"escalator_{name}")


def _of_session(table: str) -> sa.Column[str]:
    name = f"fk_escalator_{table}_session_id"
    target = sa.ForeignKey("escalator_session.id", name=name, ondelete="CASCADE")
    return sa.Column("session_id", NAME, target, nullable=False)


def _session() -> None:
    op.create_table(
        "escalator_session",
        sa.Column("id", NAME, nullable=False),
        sa.Column("cloud", NAME, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("notices", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_session"),
    )
    op.create_index("ix_escalator_session_cloud_opened_at", "escalator_session", ["cloud", "opened_at"])


def _session_run() -> None:
    op.create_table(
        "escalator_session_run",
        sa.Column("id", KEY, nullable=False),
        _of_session("session_run"),
        sa.Column("campaign", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_session_run"),
        sa.UniqueConstraint(
            "session_id", "campaign", "run_id", name="uq_escalator_session_run_session_id_campaign_run_id"
        ),
    )


def _notice() -> None:
    op.create_table(
        "escalator_notice",
        sa.Column("id", KEY, nullable=False),
        _of_session("notice"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", WORD, nullable=False),
        sa.Column("vnfm", NAME, nullable=False),
        sa.Column("project_id", NAME, nullable=False),
        sa.Column("event", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("host", NAME),
        sa.Column("instance_id", NAME),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("actions_at", TIME),
        sa.Column("reply_at", TIME),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("delivered_at", TIME),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("next_try_at", TIME),
        sa.Column("given_up", sa.Boolean(), nullable=False),
        sa.Column("reply", sa.JSON()),
        sa.Column("replied_at", TIME),
        sa.Column("closed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_notice"),
        sa.UniqueConstraint("session_id", "digest", name="uq_escalator_notice_session_id_digest"),
        sa.UniqueConstraint("session_id", "number", name="uq_escalator_notice_session_id_number"),
    )


def _constraints(of: str) -> None:
    op.create_table(
        f"escalator_{of}_constraints",
        sa.Column("cloud", NAME, nullable=False),
        sa.Column(f"{of}_id", NAME, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("put_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("cloud", f"{of}_id", name=f"pk_escalator_{of}_constraints"),
    )


def _gap() -> None:
    op.create_table(
        "escalator_gap",
        sa.Column("id", KEY, nullable=False),
        sa.Column("cloud", NAME, nullable=False),
        sa.Column("campaign", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("host", NAME, nullable=False),
        sa.Column("group_name", NAME, nullable=False),
        sa.Column("address", NAME, nullable=False),
        sa.Column("method", WORD, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_gap"),
        sa.UniqueConstraint(
            "campaign",
            "run_id",
            "address",
            "started_at",
            name="uq_escalator_gap_campaign_run_id_address_started_at",
        ),
    )
    op.create_index("ix_escalator_gap_cloud_started_at", "escalator_gap", ["cloud", "started_at"])


def _switch() -> None:
    op.create_table(
        "escalator_switch",
        sa.Column("id", KEY, nullable=False),
        sa.Column("campaign", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("host", NAME, nullable=False),
        sa.Column("group_name", NAME, nullable=False),
        sa.Column("from_server", NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("method", WORD, nullable=False),
        sa.Column("to_server", NAME),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("restored_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_escalator_switch"),
        sa.UniqueConstraint(
            "campaign",
            "run_id",
            "host",
            "group_name",
            "from_server",
            "number",
            name="uq_escalator_switch_one",
        ),
    )
