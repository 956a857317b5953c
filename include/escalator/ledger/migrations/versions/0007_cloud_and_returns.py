"""The cloud of each run, and when each node was given back last: nothing reads all runs for that any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME = sa.String(255)
INDEX = "ix_escalator_campaign_cloud_opened_at"


def upgrade() -> None:
    """Add column, index and table, and fill them from what is there.

    The table of runs is altered in place: SQLite would make it anew in a batch, and with the old one all that
    belongs to runs would be deleted.
    """
    op.add_column("escalator_campaign", sa.Column("cloud", NAME, nullable=False, server_default=""))
    clouds = _fill_clouds()
    op.create_index(INDEX, "escalator_campaign", ["cloud", "opened_at"])
    returns = op.create_table(
        "escalator_given_back",
        sa.Column("cloud", NAME, nullable=False),
        sa.Column("host", NAME, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cloud", "host", name="pk_escalator_given_back"),
    )
    rows = _find_returns(clouds)
    if rows:
        op.bulk_insert(returns, rows)


def downgrade() -> None:
    """Remove them with everything in them; the facts of nodes still say when they were given back."""
    op.drop_table("escalator_given_back")
    op.drop_index(INDEX, "escalator_campaign")
    op.drop_column("escalator_campaign", "cloud")


def _fill_clouds() -> dict[int, str]:
    """Write the cloud of each run, as its plan says."""
    campaigns: Any = sa.table(
        "escalator_campaign", sa.column("id"), sa.column("plan", sa.JSON), sa.column("cloud")
    )
    connection = op.get_bind()
    found = connection.execute(sa.select(campaigns.c.id, campaigns.c.plan))
    clouds = {key: str(plan["request"]["cloud"]) for key, plan in found}
    for key, cloud in clouds.items():
        connection.execute(sa.update(campaigns).where(campaigns.c.id == key).values(cloud=cloud))
    return clouds


def _find_returns(clouds: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return when each node was given back last, as the facts say; times are ISO 8601 with their offset."""
    nodes = sa.table("escalator_node", sa.column("id"), sa.column("campaign_id"), sa.column("host"))
    facts = sa.table("escalator_fact", sa.column("node_id"), sa.column("key"), sa.column("value", sa.JSON))
    query = (
        sa.select(nodes.c.campaign_id, nodes.c.host, facts.c.value)
        .join(facts, facts.c.node_id == nodes.c.id)
        .where(facts.c.key == "released_at")
    )
    last: dict[tuple[str, str], datetime] = {}
    for campaign, host, value in op.get_bind().execute(query):
        if value is not None:
            key, moment = (clouds[campaign], host), datetime.fromisoformat(value).astimezone(UTC)
            last[key] = max(moment, last.get(key, moment))
    return [{"cloud": cloud, "host": host, "at": at} for (cloud, host), at in sorted(last.items())]
