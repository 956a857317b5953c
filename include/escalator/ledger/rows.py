"""Finding, locking and putting rows, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from escalator.ledger.records import END_UNKNOWN, StepAttempt
from escalator.ledger.tables import Base, CampaignRow, NodeRow, StepRow
from escalator.model.campaign import LeftOut, NodeState
from escalator.model.errors import NotFoundError, SupersededError
from escalator.model.step import Outcome
from escalator.model.verdict import Code

named_bundle = CampaignRow.plan["request"]["bundle"].as_string()
"""The bundle that a run was asked to bring, by its name."""
is_dry = CampaignRow.plan["request"]["dry_run"].as_boolean()
"""Whether a run only says what it would do."""


def insert_or_ignore(session: Session, row: type[Base], values: Mapping[str, Any]) -> None:
    """Insert a row unless one with the same unique key is there."""
    session.execute(_insert(session, row).values(**values).on_conflict_do_nothing())


def insert_uniquely(session: Session, row: type[Base], values: Mapping[str, Any]) -> bool:
    """Insert a row unless one with the same unique key is there; tell whether this one was inserted."""
    insert = _insert(session, row).values(**values).on_conflict_do_nothing()
    done = cast("sa.CursorResult[Any]", session.execute(insert))
    return done.rowcount > 0


def insert_or_update(
    session: Session,
    row: type[Base],
    values: Mapping[str, Any],
    *,
    key: Sequence[str],
    keep: str | None = None,
    larger: str | None = None,
) -> None:
    """Insert a row, or overwrite the one with the same key.

    :param key: names of the columns of a unique key.
    :param keep: name of a column whose value stays when the new one is NULL.
    :param larger: name of a column; the row there stays unless the new value of it is larger.
    """
    insert = _insert(session, row).values(**values)
    changes = {name: insert.excluded[name] for name in values if name not in key}
    if keep is not None:
        changes[keep] = sa.func.coalesce(insert.excluded[keep], row.__table__.c[keep])
    where = None if larger is None else insert.excluded[larger] > row.__table__.c[larger]
    session.execute(insert.on_conflict_do_update(index_elements=list(key), set_=changes, where=where))


def find_campaign(session: Session, campaign: str, run_id: str) -> CampaignRow | None:
    """Return the row of a run; None when it was never opened."""
    return session.scalar(
        sa.select(CampaignRow).where(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)
    )


def select_campaign_id(session: Session, campaign: str, run_id: str) -> int:
    """Return the key of a run.

    :raises NotFoundError: when it was never opened.
    """
    found = session.scalar(
        sa.select(CampaignRow.id).where(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)
    )
    if found is None:
        raise NotFoundError(
            f"run {run_id} of campaign {campaign} is not in the ledger",
            remedy="see whether check_conditions has run, and on this ledger",
        )
    return found


def find_node(session: Session, campaign: str, run_id: str, host: str) -> NodeRow | None:
    """Return the row of a node in a run; None when nothing is recorded."""
    return session.scalar(
        sa.select(NodeRow)
        .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
        .where(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id, NodeRow.host == host)
    )


def lock_node(session: Session, campaign: str, run_id: str, host: str) -> NodeRow:
    """Return the row of a node, made when missing, locked until the transaction ends.

    :raises NotFoundError: when the run was never opened.
    """
    owner = select_campaign_id(session, campaign, run_id)
    insert_or_ignore(session, NodeRow, make_waiting_node(owner, host))
    return session.scalars(
        sa.select(NodeRow).where(NodeRow.campaign_id == owner, NodeRow.host == host).with_for_update()
    ).one()


def check_newest(attempt: StepAttempt, newest: int) -> None:
    """See that no newer attempt at a node has begun.

    :raises SupersededError: when one has.
    """
    if newest > attempt.fence:
        raise SupersededError(
            f"attempt {attempt.fence} at {attempt.step} of {attempt.host} is superseded by attempt {newest}",
            remedy="leave the node to the newer attempt",
        )


def close_steps(session: Session, which: sa.ColumnElement[bool], *, found_by: str, now: datetime) -> int:
    """Close attempts that have no end, and count them; one that ended meanwhile keeps its own end."""
    done = session.execute(
        sa.update(StepRow)
        .where(StepRow.result.is_(None), which)
        .values(
            result=Outcome.FAILED.value,
            ended_at=now,
            code=Code.CUT_OFF.value,
            message=f"its process ended before it did, or lost the node; found by {found_by}",
            details={END_UNKNOWN: True},
        )
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def make_waiting_node(owner: int, host: str, since: object = None) -> dict[str, Any]:
    """Return the columns of a node that nothing was done with."""
    return {
        "campaign_id": owner,
        "host": host,
        "state": NodeState.WAITING.value,
        "message": "",
        "since": since,
        "fence": 0,
    }


def make_left_out_node(owner: int, node: LeftOut, since: object) -> dict[str, Any]:
    """Return the columns of a node that its campaign leaves out."""
    reason = {"state": NodeState.SKIPPED.value, "code": node.code.value, "message": node.message}
    return make_waiting_node(owner, node.host, since) | reason


def _insert(session: Session, row: type[Base]) -> Any:  # noqa: ANN401  (two dialects, one interface)
    postgresql = session.get_bind().dialect.name == "postgresql"
    return postgresql_insert(row) if postgresql else sqlite_insert(row)
