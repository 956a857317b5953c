"""The stops of servers, as the facts of the nodes have them: interruptions that campaigns plan."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.facts import STOPS, read_facts
from escalator.ledger.tables import CampaignRow, FactRow, NodeRow
from escalator.model.stops import ServerStop


class HostStop(NamedTuple):
    """A stop, and where it was."""

    cloud: str
    host: str
    stop: ServerStop


def read_stops(session: Session, *which: sa.ColumnElement[bool]) -> tuple[HostStop, ...]:
    """Read the stops that Nova was asked for, by their time."""
    query = (
        sa.select(CampaignRow.cloud, NodeRow.host, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
        .where(FactRow.key == STOPS, *which)
    )
    found = [
        (stop.asked_at, HostStop(cloud, host, stop))
        for cloud, host, value in session.execute(query)
        for stop in read_facts(host, {STOPS: value}).stops
        if stop.asked_at is not None
    ]
    return tuple(one for _, one in sorted(found, key=lambda item: (item[0], item[1].stop.server_id)))
