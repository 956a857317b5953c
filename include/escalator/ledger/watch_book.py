"""What was told to those that watch the cloud, as the facts of the nodes have it, over all runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from escalator.ledger.database import Database
from escalator.ledger.facts import MAINTENANCE, SILENCING, read_facts
from escalator.ledger.tables import CampaignRow, FactRow, NodeRow
from escalator.model.watchers import MaintenanceFlag, Silencing, Told


class WatchBook:
    """What a ledger has of it; made by ``Ledger.watches()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_flag(self, cloud: str, host: str) -> MaintenanceFlag | None:
        """Return what the newest run that set Masakari's flag of a node remembers of it."""
        values = self._find(MAINTENANCE, cloud, host)
        found = (read_facts(host, {MAINTENANCE: value}).maintenance for value in values)
        return next((flag for flag in found if flag is not None), None)

    def find_silencings(self, cloud: str, host: str, now: datetime) -> tuple[Silencing, ...]:
        """Return the silences of a node that no run ended and that have not run out yet, the newest first."""
        values = self._find(SILENCING, cloud, host)
        found = (read_facts(host, {SILENCING: value}).silencing for value in values)
        return tuple(one for one in found if one is not None and one.ended_at is None and one.ends_at > now)

    def _find(self, key: str, cloud: str, host: str) -> Sequence[object]:
        """Read what the runs of a cloud remember of a node, the newest first."""
        query = (
            sa.select(FactRow.value)
            .join(NodeRow, FactRow.node_id == NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(FactRow.key == key, CampaignRow.cloud == cloud, NodeRow.host == host)
            .order_by(CampaignRow.id.desc())
        )
        with self._database.reading() as session:
            return session.scalars(query).all()

    def of_run(self, campaign: str, run_id: str) -> dict[str, Told]:
        """Return what a run told of its nodes: host -> that."""
        query = (
            sa.select(NodeRow.host, FactRow.key, FactRow.value)
            .join(NodeRow, FactRow.node_id == NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(
                CampaignRow.campaign == campaign,
                CampaignRow.run_id == run_id,
                FactRow.key.in_((MAINTENANCE, SILENCING)),
            )
            .order_by(NodeRow.host)
        )
        rows: dict[str, dict[str, object]] = {}
        with self._database.reading() as session:
            for host, key, value in session.execute(query):
                rows.setdefault(host, {})[key] = value
        facts = {host: read_facts(host, values) for host, values in rows.items()}
        return {
            host: Told(maintenance=f.maintenance, silencing=f.silencing)
            for host, f in facts.items()
            if (f.maintenance, f.silencing) != (None, None)
        }
