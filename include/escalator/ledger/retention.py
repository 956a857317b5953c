"""Which runs the ledger may forget: by age and number, and never one that somebody still needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.facts import LEASED_AT, LEASES, RELEASED_AT, read_facts
from escalator.ledger.given_back import read_given_back
from escalator.ledger.records import Document
from escalator.ledger.released import find_only_told
from escalator.ledger.stop_rows import read_stops
from escalator.ledger.switch_book import read_switches
from escalator.ledger.tables import CampaignRow, DocumentRow, FactRow, NodeRow
from escalator.ledger.vim_tables import QuotaHolderRow, SessionRow, SessionRunRow, SwitchRow
from escalator.model.campaign import NodeState
from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import SessionState
from escalator.model.wording import name_some

KEPT_DAYS = 365
"""Runs are kept for so long at least, unless it is said otherwise: a year's report can be made again."""
KEPT_RUNS = 100
"""So many of the newest runs of each cloud are kept whatever their age: they tell how long steps take."""
MOST_DAYS = 36_500
MOST_RUNS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept in any case: runs opened since ``age``, and the newest ``runs`` of each cloud."""

    age: timedelta = timedelta(days=KEPT_DAYS)
    runs: int = KEPT_RUNS

    @classmethod
    def of_days(cls, days: int, *, runs: int) -> Self:
        """Make a retention of so many days and runs.

        :raises InvalidRequestError: a number is negative, or larger than any age.
        """
        if not 0 <= days <= MOST_DAYS or not 0 <= runs <= MOST_RUNS:
            raise InvalidRequestError(
                f"{days} days and {runs} runs cannot be kept",
                remedy=f"take 0 to {MOST_DAYS} days, and 0 to {MOST_RUNS} runs",
            )
        return cls(age=timedelta(days=days), runs=runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRun:
    """A run that is beyond the retention.

    :ivar needed: why it is kept all the same; empty: it may go.
    """

    key: int
    campaign: str
    run_id: str
    cloud: str
    opened_at: datetime
    needed: str = ""


def find_old_runs(session: Session, retention: Retention, now: datetime) -> tuple[OldRun, ...]:
    """Find the runs beyond the retention, the oldest first, and say which of them somebody still needs."""
    number = sa.func.row_number().over(
        partition_by=CampaignRow.cloud, order_by=(CampaignRow.opened_at.desc(), CampaignRow.id.desc())
    )
    numbered = sa.select(CampaignRow.id, number.label("number")).subquery()
    query = (
        sa.select(
            CampaignRow.id, CampaignRow.campaign, CampaignRow.run_id, CampaignRow.cloud, CampaignRow.opened_at
        )
        .join(numbered, numbered.c.id == CampaignRow.id)
        .where(CampaignRow.opened_at < now - retention.age, numbered.c.number > retention.runs)
        .order_by(CampaignRow.opened_at, CampaignRow.id)
    )
    found = session.execute(query).all()
    return tuple(
        OldRun(
            key=key,
            campaign=campaign,
            run_id=run_id,
            cloud=cloud,
            opened_at=opened_at,
            needed=find_need(session, key, campaign, run_id, cloud),
        )
        for key, campaign, run_id, cloud, opened_at in found
    )


def delete_run(session: Session, run: OldRun) -> None:
    """Remove a run with everything that is its own; gaps of services stay, and when nodes were given back."""
    of_run = {"campaign": run.campaign, "run_id": run.run_id}
    told = session.scalars(sa.select(SessionRunRow.session_id).filter_by(**of_run)).all()
    for table in (SessionRunRow, SwitchRow):
        session.execute(sa.delete(table).filter_by(**of_run))
    for session_id in told:
        others = sa.exists().where(SessionRunRow.session_id == session_id)
        session.execute(sa.delete(SessionRow).where(SessionRow.id == session_id, ~others))
    session.execute(sa.delete(CampaignRow).where(CampaignRow.id == run.key))


def find_need(session: Session, key: int, campaign: str, run_id: str, cloud: str) -> str:
    """Return why a run is still needed; empty: it is not. One of which that cannot be read is."""
    try:
        of_nodes = _list_needs_of_nodes(session, key, cloud)
        return next(chain(of_nodes, _list_needs_of_others(session, campaign, run_id)), "")
    except InvalidRequestError as exc:
        return exc.message


def _list_needs_of_nodes(session: Session, key: int, cloud: str) -> Iterator[str]:
    ended = [state.value for state in NodeState if state.ended]
    query = sa.select(NodeRow.host).where(NodeRow.campaign_id == key, NodeRow.state.not_in(ended))
    if unfinished := session.scalars(query.order_by(NodeRow.id)).all():
        yield f"the way of {name_some(unfinished)} is not at its end"
    kinds = session.scalars(sa.select(DocumentRow.kind).where(DocumentRow.campaign_id == key)).all()
    if not {Document.REPORT.value, Document.SETTLED.value} & set(kinds):
        yield "it was not concluded: clear its task conclude; deleted in Airflow, escalator leases settle"
    if leased := _find_leased(session, key, cloud):
        yield f"{name_some(leased)} may still be out under its lease: see escalator leases"
    if Document.SETTLED.value not in kinds and (down := _find_down(session, key)):
        yield f"it alone tells that {name_some(down)} ran before and may be down: see escalator interruptions"
    if told := find_only_told(session, key, cloud):
        yield f"it alone tells that {name_some(told)} went through its bundle: they would go again"


def _list_needs_of_others(session: Session, campaign: str, run_id: str) -> Iterator[str]:
    """Give what servers, projects and managers of VNFs still need of a run."""
    held = sa.select(QuotaHolderRow.project_id).filter_by(campaign=campaign, run_id=run_id)
    if projects := session.scalars(held).all():
        yield f"it keeps quotas of {name_some(projects)} frozen: clear its task restore_scale_up"
    if any(record.is_open for record in read_switches(session, campaign, run_id)):
        yield "a switchover of it is not restored: see its report"
    sessions = (
        sa.select(SessionRow.state)
        .join(SessionRunRow, SessionRunRow.session_id == SessionRow.id)
        .where(SessionRunRow.campaign == campaign, SessionRunRow.run_id == run_id)
    )
    if not all(SessionState(state).ended for state in session.scalars(sessions)):
        yield "its maintenance session has not ended"


def _find_down(session: Session, key: int) -> list[str]:
    """Return the names of the servers that a run stopped and that it did not see running again."""
    stops = read_stops(session, CampaignRow.id == key)
    return sorted(one.stop.server_name for one in stops if one.stop.is_down)


def _find_leased(session: Session, key: int, cloud: str) -> list[str]:
    """Return the hosts that a run took and that nobody has given back since, as far as the ledger knows."""
    query = (
        sa.select(NodeRow.host, FactRow.key, FactRow.value)
        .join(FactRow, FactRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == key, FactRow.key.in_([LEASES, RELEASED_AT, LEASED_AT]))
    )
    rows: dict[str, dict[str, object]] = {}
    for host, name, value in session.execute(query):
        rows.setdefault(host, {})[name] = value
    return sorted(_find_not_returned(rows, read_given_back(session, cloud)))


def _find_not_returned(
    rows: Mapping[str, Mapping[str, object]], returned: Mapping[str, datetime]
) -> set[str]:
    out = set()
    for host, values in rows.items():
        facts = read_facts(host, values)
        back = max(filter(None, (facts.released_at, returned.get(host))), default=None)
        if facts.leases and (back is None or facts.leased_at is None or back < facts.leased_at):
            out.add(host)
    return out
