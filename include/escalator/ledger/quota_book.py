"""Quotas that are frozen while campaigns run: what they were before, and which runs keep them frozen."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.database import Database
from escalator.ledger.rows import insert_or_ignore
from escalator.ledger.vim_tables import FrozenQuotaRow, QuotaHolderRow
from escalator.model.quota import FrozenQuota


class QuotaBook:
    """The frozen quotas of a ledger; made by ``Ledger.quotas()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, cloud: str, project_id: str, campaign: str, run_id: str) -> None:
        """Record that a run keeps the quotas of a project frozen; a second call changes nothing.

        Before its limits are read: nobody restores them from then on, and what was found is not forgotten.
        """
        with self._database.writing() as rows:
            _hold(rows, cloud, project_id, campaign, run_id)

    def freeze(
        self, cloud: str, project_id: str, campaign: str, run_id: str, quotas: Sequence[FrozenQuota]
    ) -> tuple[FrozenQuota, ...]:
        """Record that a run keeps the quotas of a project frozen, before they are lowered.

        What is recorded already stays: it has the limits of before the first freeze.

        :return: what is recorded: set exactly that.
        """
        with self._database.writing() as rows:
            _lock_quotas(rows, cloud, project_id)
            _hold(rows, cloud, project_id, campaign, run_id)
            for quota in quotas:
                values = {
                    "cloud": cloud,
                    "project_id": project_id,
                    "name": quota.name,
                    "found": quota.found,
                    "set_to": quota.set_to,
                }
                insert_or_ignore(rows, FrozenQuotaRow, values)
            return tuple(map(_read_quota, _lock_quotas(rows, cloud, project_id)))

    def held_by(self, cloud: str, campaign: str, run_id: str) -> tuple[str, ...]:
        """Return the ids of the projects whose quotas a run keeps frozen, sorted."""
        query = sa.select(QuotaHolderRow.project_id).where(
            QuotaHolderRow.cloud == cloud,
            QuotaHolderRow.campaign == campaign,
            QuotaHolderRow.run_id == run_id,
        )
        with self._database.reading() as rows:
            return tuple(sorted(rows.scalars(query)))

    def frozen(self, cloud: str, project_id: str) -> tuple[FrozenQuota, ...]:
        """Return the frozen quotas of a project by name."""
        with self._database.reading() as rows:
            return tuple(map(_read_quota, rows.scalars(_select_quotas(cloud, project_id))))

    def find_others(
        self, cloud: str, project_id: str, campaign: str, run_id: str
    ) -> tuple[tuple[str, str], ...]:
        """Return campaign and id of the other runs that keep the quotas of a project frozen."""
        with self._database.reading() as rows:
            holders = rows.scalars(_select_holders(cloud, project_id))
            return tuple(key for row in holders if (key := (row.campaign, row.run_id)) != (campaign, run_id))

    def leave(
        self,
        cloud: str,
        project_id: str,
        campaign: str,
        run_id: str,
        *,
        dead: Collection[tuple[str, str]] = (),
    ) -> tuple[FrozenQuota, ...] | None:
        """Let a run go, unless it is the last one that keeps the quotas frozen: that one restores first.

        :param dead: other runs that are over and have not restored what they froze: they are let go first.
        :return: what the last one has to restore, before it calls ``close``; None: others keep it frozen, or
            the run was none of them.
        """
        with self._database.writing() as rows:
            quotas = _lock_quotas(rows, cloud, project_id)
            holders = []
            for row in _lock_holders(rows, cloud, project_id):
                if (row.campaign, row.run_id) in dead:
                    rows.delete(row)
                else:
                    holders.append(row)
            mine = [row for row in holders if (row.campaign, row.run_id) == (campaign, run_id)]
            if mine and len(holders) == 1:
                return tuple(map(_read_quota, quotas))
            for row in mine:
                rows.delete(row)
            return None

    def close(self, cloud: str, project_id: str, campaign: str, run_id: str) -> tuple[FrozenQuota, ...]:
        """Forget what was restored, and let the run go.

        :return: what has to be frozen again: another run came while it was restored.
        """
        with self._database.writing() as rows:
            quotas = _lock_quotas(rows, cloud, project_id)
            others = False
            for row in _lock_holders(rows, cloud, project_id):
                if (row.campaign, row.run_id) == (campaign, run_id):
                    rows.delete(row)
                else:
                    others = True
            if others:
                return tuple(map(_read_quota, quotas))
            for quota in quotas:
                rows.delete(quota)
            return ()


def _lock_quotas(rows: Session, cloud: str, project_id: str) -> list[FrozenQuotaRow]:
    """Return the frozen quotas of a project by name, locked until the transaction ends."""
    return list(rows.scalars(_select_quotas(cloud, project_id).with_for_update()))


def _lock_holders(rows: Session, cloud: str, project_id: str) -> list[QuotaHolderRow]:
    return list(rows.scalars(_select_holders(cloud, project_id).with_for_update()))


def _select_quotas(cloud: str, project_id: str) -> sa.Select[FrozenQuotaRow]:
    query = sa.select(FrozenQuotaRow).where(
        FrozenQuotaRow.cloud == cloud, FrozenQuotaRow.project_id == project_id
    )
    return query.order_by(FrozenQuotaRow.name)


def _select_holders(cloud: str, project_id: str) -> sa.Select[QuotaHolderRow]:
    query = sa.select(QuotaHolderRow).where(
        QuotaHolderRow.cloud == cloud, QuotaHolderRow.project_id == project_id
    )
    return query.order_by(QuotaHolderRow.campaign, QuotaHolderRow.run_id)


def _hold(rows: Session, cloud: str, project_id: str, campaign: str, run_id: str) -> None:
    holder = {"cloud": cloud, "project_id": project_id, "campaign": campaign, "run_id": run_id}
    insert_or_ignore(rows, QuotaHolderRow, holder)


def _read_quota(row: FrozenQuotaRow) -> FrozenQuota:
    return FrozenQuota(
        cloud=row.cloud, project_id=row.project_id, name=row.name, found=row.found, set_to=row.set_to
    )
