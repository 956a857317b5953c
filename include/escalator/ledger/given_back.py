"""When each node was given back last, by any campaign: one row a node, whatever else is forgotten."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.rows import insert_or_update
from escalator.ledger.tables import GivenBackRow


def record_given_back(session: Session, cloud: str, host: str, at: datetime) -> None:
    """Note that a node was given back; the last time stays."""
    values = {"cloud": cloud, "host": host, "at": at}
    insert_or_update(session, GivenBackRow, values, key=("cloud", "host"), larger="at")


def read_given_back(session: Session, cloud: str | None) -> dict[str, datetime]:
    """Return when the nodes of a cloud were given back last, by host; of all clouds without one."""
    query = sa.select(GivenBackRow.host, GivenBackRow.at)
    if cloud is not None:
        query = query.where(GivenBackRow.cloud == cloud)
    last: dict[str, datetime] = {}
    for host, at in session.execute(query):
        last[host] = max(at, last.get(host, at))
    return last
