"""The ledger: the runs of all campaigns, in a database that many processes use at once."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Self, TypeVar

import sqlalchemy as sa

from escalator.ledger.backup_book import BackupBook
from escalator.ledger.board_book import BoardBook, find_concluded
from escalator.ledger.constraint_book import ConstraintBook
from escalator.ledger.database import Database, ledger_url, parse_url
from escalator.ledger.gap_book import GapBook
from escalator.ledger.lease_runs import LeaseRun, RunKey, read_lease_runs
from escalator.ledger.notice_book import NoticeBook
from escalator.ledger.open_runs import OpenRun, read_open_runs, read_unsettled_runs
from escalator.ledger.quota_book import QuotaBook
from escalator.ledger.records import CampaignSummary, plan_of
from escalator.ledger.retention import OldRun, Retention, delete_run, find_need, find_old_runs
from escalator.ledger.run import CampaignRun
from escalator.ledger.switch_book import SwitchBook
from escalator.ledger.tables import CampaignRow, InstallationRow, NodeRow
from escalator.ledger.undoable import LastHolder, UndoableRun, read_last_holder, read_undoable
from escalator.ledger.views import read_stand
from escalator.ledger.watch_book import WatchBook
from escalator.model.campaign import LedgerView, NodeState
from escalator.model.verdict import Code

T = TypeVar("T")
_selected = sa.or_(NodeRow.code.is_(None), NodeRow.code != Code.NOT_SELECTED.value)
"""The nodes of a domain that a run is about."""


class Ledger:
    """What campaigns planned and did, in one SQLite file or PostgreSQL database.

    :param url: SQLAlchemy URL; None means ESCALATOR_LEDGER_URL or the file in ESCALATOR_HOME.
    :raises InvalidRequestError: when the URL is not usable, or its schema is not this release's.
    :raises TransientError: when the database is away or busy.
    """

    def __init__(self, url: str | None = None) -> None:
        self._database = Database(parse_url(url or ledger_url()))
        self._database.require_head()

    @classmethod
    def create_or_upgrade(cls, url: str | None = None) -> Self:
        """Make the ledger or bring its schema up to date, then open it."""
        from escalator.ledger import schema  # noqa: PLC0415  (Alembic: 0.3 s that no task needs)

        schema.upgrade(url or ledger_url())
        return cls(url)

    def installation(self) -> str:
        """Return the id of the installation, eight hexadecimal digits; it was made with the ledger."""
        with self._database.reading() as session:
            return session.scalars(sa.select(InstallationRow.id)).one()

    def claim(self) -> str:
        """Give the ledger an id of its own: a copy of another ledger becomes an installation for itself.

        Leases that were written before are another installation's from then on.

        :return: the new id.
        """
        made = secrets.token_hex(4)
        with self._database.writing() as session:
            session.execute(sa.update(InstallationRow).values(id=made))
        return made

    def run(self, campaign: str, run_id: str) -> CampaignRun:
        """Return the handle of a run, opened or not; nothing is read yet."""
        return CampaignRun(self._database, campaign, run_id)

    def open(self, make: Callable[[Database], T]) -> T:
        """Return a book or a run of this ledger as somebody else makes it: one that tells what it records."""
        return make(self._database)

    def notices(self) -> NoticeBook:
        """Return the maintenance sessions, and the notices to managers of VNFs."""
        return NoticeBook(self._database)

    def constraints(self) -> ConstraintBook:
        """Return what managers of VNFs ask for their instances and groups."""
        return ConstraintBook(self._database)

    def gaps(self) -> GapBook:
        """Return the gaps that probes measured in services."""
        return GapBook(self._database)

    def switches(self) -> SwitchBook:
        """Return the switchovers of VNFs without a manager."""
        return SwitchBook(self._database)

    def quotas(self) -> QuotaBook:
        """Return the quotas that runs keep frozen."""
        return QuotaBook(self._database)

    def watches(self) -> WatchBook:
        """Return what runs told to those that watch their cloud."""
        return WatchBook(self._database)

    def backups(self) -> BackupBook:
        """Return the backups that were taken."""
        return BackupBook(self._database)

    def board(self) -> BoardBook:
        """Return the runs as the board shows them."""
        return BoardBook(self._database)

    def open_runs(self, cloud: str) -> tuple[OpenRun, ...]:
        """Return the runs in a cloud that have a node whose way is not at its end, the newest first."""
        with self._database.reading() as session:
            return read_open_runs(session, cloud)

    def unsettled_runs(self, cloud: str) -> tuple[OpenRun, ...]:
        """Return the runs in a cloud that are open, or that nobody concluded and nobody settled."""
        with self._database.reading() as session:
            return read_unsettled_runs(session, cloud)

    def undoable(self, campaign: str, run_id: str | None = None) -> UndoableRun | None:
        """Return what a run changed on nodes; None: there is no such run, or it changed none.

        :param run_id: None: the last run of the campaign that changed a node.
        """
        with self._database.reading() as session:
            return read_undoable(session, campaign, run_id)

    def last_holder(self, campaigns: Sequence[str], host: str) -> LastHolder | None:
        """Return which run of some campaigns had a node out last; None: none had it."""
        with self._database.reading() as session:
            return read_last_holder(session, campaigns, host)

    def lease_runs(self) -> Mapping[RunKey, LeaseRun]:
        """Return every run by the words that its leases name it with."""
        with self._database.reading() as session:
            return read_lease_runs(session)

    def prune(self, retention: Retention, now: datetime, *, dry_run: bool = False) -> tuple[OldRun, ...]:
        """Forget the runs beyond the retention, but none that somebody still needs; a second run goes on.

        :param now: an aware time.
        :param dry_run: forget nothing.
        :return: every run beyond the retention, the oldest first; those that are needed are still there.
        """
        with self._database.reading() as session:
            found = find_old_runs(session, retention, now)
        for run in () if dry_run else found:
            with self._database.writing() as session:
                # again: a task of it may have been cleared meanwhile
                if not find_need(session, run.key, run.campaign, run.run_id, run.cloud):
                    delete_run(session, run)
        return found

    def campaigns(self, limit: int = 100) -> tuple[CampaignSummary, ...]:
        """Return the runs opened last, newest first, with how their nodes stand."""
        newest = (
            sa.select(CampaignRow).order_by(CampaignRow.opened_at.desc(), CampaignRow.id.desc()).limit(limit)
        )
        with self._database.reading() as session:
            rows = session.scalars(newest).all()
            keys = [row.id for row in rows]
            nodes = session.execute(
                sa.select(NodeRow.campaign_id, NodeRow.state).where(NodeRow.campaign_id.in_(keys), _selected)
            )
            counts: dict[int, Counter[NodeState]] = {key: Counter() for key in keys}
            for key, state in nodes:
                counts[key][NodeState(state)] += 1
            concluded = find_concluded(session, keys)
            views = {key: read_stand(session, key) for key in keys if key not in concluded}
        return tuple(_summary_of(row, counts[row.id], views.get(row.id)) for row in rows)


def _summary_of(row: CampaignRow, nodes: Mapping[NodeState, int], view: LedgerView | None) -> CampaignSummary:
    """Make the line of a run; ``view``: how it stands, None of one that is concluded."""
    plan = plan_of(row)
    return CampaignSummary(
        campaign=row.campaign,
        run_id=row.run_id,
        dag_id=row.dag_id,
        opened_at=row.opened_at,
        bundle=plan.request.bundle,
        target_version=plan.target_version,
        nodes={state: nodes[state] for state in NodeState if nodes[state]},
        concluded=view is None,
        plan=None if view is None else plan,
        view=view,
    )
