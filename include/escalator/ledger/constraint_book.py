"""What managers of VNFs ask for their instances and groups; the last word of each counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from escalator.ledger.codec import from_json, to_json
from escalator.ledger.database import Database
from escalator.ledger.rows import insert_or_update
from escalator.ledger.vim_tables import Base, GroupConstraintsRow, InstanceConstraintsRow
from escalator.model.constraints import GroupConstraints, InstanceConstraints

C = TypeVar("C", InstanceConstraints, GroupConstraints)


class ConstraintBook:
    """The constraints of a ledger, by cloud; made by ``Ledger.constraints()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_instance(self, cloud: str, c: InstanceConstraints, now: datetime) -> None:
        """Record the constraints of a server, in place of earlier ones."""
        self._put(InstanceConstraintsRow, {"cloud": cloud, "instance_id": c.instance_id}, to_json(c), now)

    def put_group(self, cloud: str, c: GroupConstraints, now: datetime) -> None:
        """Record the constraints of a group, in place of earlier ones."""
        self._put(GroupConstraintsRow, {"cloud": cloud, "group_id": c.group_id}, to_json(c), now)

    def instance(self, cloud: str, instance_id: str) -> InstanceConstraints | None:
        """Return the constraints of a server; None when there are none."""
        row = InstanceConstraintsRow
        query = sa.select(row.body).where(row.cloud == cloud, row.instance_id == instance_id)
        return next(iter(self._list(query, InstanceConstraints)), None)

    def group(self, cloud: str, group_id: str) -> GroupConstraints | None:
        """Return the constraints of a group; None when there are none."""
        row = GroupConstraintsRow
        query = sa.select(row.body).where(row.cloud == cloud, row.group_id == group_id)
        return next(iter(self._list(query, GroupConstraints)), None)

    def delete_instance(self, cloud: str, instance_id: str) -> bool:
        """Forget the constraints of a server; tell whether there were any."""
        row = InstanceConstraintsRow
        return self._delete(sa.delete(row).where(row.cloud == cloud, row.instance_id == instance_id))

    def delete_group(self, cloud: str, group_id: str) -> bool:
        """Forget the constraints of a group, not those of its members; tell whether there were any."""
        row = GroupConstraintsRow
        return self._delete(sa.delete(row).where(row.cloud == cloud, row.group_id == group_id))

    def instances(self, cloud: str) -> tuple[InstanceConstraints, ...]:
        """Return the constraints of all servers of a cloud, by id."""
        row = InstanceConstraintsRow
        query = sa.select(row.body).where(row.cloud == cloud).order_by(row.instance_id)
        return self._list(query, InstanceConstraints)

    def groups(self, cloud: str) -> tuple[GroupConstraints, ...]:
        """Return the constraints of all groups of a cloud, by id."""
        row = GroupConstraintsRow
        query = sa.select(row.body).where(row.cloud == cloud).order_by(row.group_id)
        return self._list(query, GroupConstraints)

    def _put(self, row: type[Base], key: dict[str, str], body: object, now: datetime) -> None:
        with self._database.writing() as rows:
            insert_or_update(rows, row, {**key, "body": body, "put_at": now}, key=tuple(key))

    def _delete(self, statement: sa.Delete) -> bool:
        with self._database.writing() as rows:
            result: Any = rows.execute(statement)
            return bool(result.rowcount)

    def _list(self, query: sa.Select[tuple[Any]], kind: type[C]) -> tuple[C, ...]:
        with self._database.reading() as rows:
            return tuple(from_json(kind, body) for body in rows.scalars(query))
