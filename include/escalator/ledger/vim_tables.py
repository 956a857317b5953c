"""The tables of the VIM interface: sessions, notices, constraints, gaps, switchovers, frozen quotas.

None holds a secret.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from escalator.ledger.tables import KEY, NAME, WORD, Base, CleanName, CleanText, UtcTime

__all__ = [
    "Base",
    "FrozenQuotaRow",
    "GapRow",
    "GroupConstraintsRow",
    "InstanceConstraintsRow",
    "NoticeRow",
    "QuotaHolderRow",
    "SessionRow",
    "SessionRunRow",
    "SwitchRow",
]


class SessionRow(Base):
    """A maintenance session; ``notices`` counts those that were queued, and its lock numbers them."""

    __tablename__ = "escalator_session"
    __table_args__ = (Index(None, "cloud", "opened_at"),)

    id: Mapped[str] = mapped_column(CleanName, primary_key=True)
    cloud: Mapped[str] = mapped_column(CleanName)
    state: Mapped[str] = mapped_column(WORD)
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    request: Mapped[Any] = mapped_column(JSON)
    notices: Mapped[int] = mapped_column(Integer)
    deleted: Mapped[bool] = mapped_column()


class SessionRunRow(Base):
    """A run of a session; ``failed`` says how it ended, null: it has not ended."""

    __tablename__ = "escalator_session_run"
    __table_args__ = (UniqueConstraint("session_id", "campaign", "run_id"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("escalator_session.id", ondelete="CASCADE"))
    campaign: Mapped[str] = mapped_column(NAME)
    run_id: Mapped[str] = mapped_column(NAME)
    failed: Mapped[bool | None] = mapped_column()


class NoticeRow(Base):
    """A notice to a manager of a VNF, its way to it, and its reply; ``digest`` is that of its key."""

    __tablename__ = "escalator_notice"
    __table_args__ = (UniqueConstraint("session_id", "digest"), UniqueConstraint("session_id", "number"))

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("escalator_session.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(WORD)
    vnfm: Mapped[str] = mapped_column(NAME)
    project_id: Mapped[str] = mapped_column(CleanName)
    event: Mapped[str] = mapped_column(WORD)
    state: Mapped[str] = mapped_column(WORD)
    host: Mapped[str | None] = mapped_column(CleanName)
    instance_id: Mapped[str | None] = mapped_column(CleanName)
    round: Mapped[int] = mapped_column(Integer)
    actions_at: Mapped[datetime | None] = mapped_column(UtcTime)
    reply_at: Mapped[datetime | None] = mapped_column(UtcTime)
    payload: Mapped[Any] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    tries: Mapped[int] = mapped_column(Integer)
    error: Mapped[str] = mapped_column(CleanText)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcTime)
    given_up: Mapped[bool] = mapped_column()
    reply: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    replied_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class InstanceConstraintsRow(Base):
    """What the manager of a server asks for it."""

    __tablename__ = "escalator_instance_constraints"

    cloud: Mapped[str] = mapped_column(CleanName, primary_key=True)
    instance_id: Mapped[str] = mapped_column(CleanName, primary_key=True)
    body: Mapped[Any] = mapped_column(JSON)
    put_at: Mapped[datetime] = mapped_column(UtcTime)


class GroupConstraintsRow(Base):
    """What the manager of a group asks for it."""

    __tablename__ = "escalator_group_constraints"

    cloud: Mapped[str] = mapped_column(CleanName, primary_key=True)
    group_id: Mapped[str] = mapped_column(CleanName, primary_key=True)
    body: Mapped[Any] = mapped_column(JSON)
    put_at: Mapped[datetime] = mapped_column(UtcTime)


class GapRow(Base):
    """One time in which a service address did not answer."""

    __tablename__ = "escalator_gap"
    __table_args__ = (
        UniqueConstraint("campaign", "run_id", "address", "started_at"),
        Index(None, "cloud", "started_at"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    cloud: Mapped[str] = mapped_column(NAME)
    campaign: Mapped[str] = mapped_column(NAME)
    run_id: Mapped[str] = mapped_column(NAME)
    host: Mapped[str] = mapped_column(NAME)
    group_name: Mapped[str] = mapped_column(CleanName)
    address: Mapped[str] = mapped_column(CleanName)
    method: Mapped[str] = mapped_column(WORD)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    seconds: Mapped[float] = mapped_column()
    cause: Mapped[str] = mapped_column(CleanText)
    limit_seconds: Mapped[float | None] = mapped_column()


class SwitchRow(Base):
    """One switchover of one server; ``number`` counts those of the same server and group in a run from 1."""

    __tablename__ = "escalator_switch"
    __table_args__ = (
        UniqueConstraint(
            "campaign",
            "run_id",
            "host",
            "group_name",
            "from_server",
            "number",
            name="uq_escalator_switch_one",
        ),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    campaign: Mapped[str] = mapped_column(NAME)
    run_id: Mapped[str] = mapped_column(NAME)
    host: Mapped[str] = mapped_column(NAME)
    group_name: Mapped[str] = mapped_column(CleanName)
    from_server: Mapped[str] = mapped_column(CleanName)
    number: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(WORD)
    to_server: Mapped[str | None] = mapped_column(CleanName)
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    verified: Mapped[bool] = mapped_column()
    message: Mapped[str] = mapped_column(CleanText)
    found: Mapped[Any] = mapped_column(JSON)
    restored_at: Mapped[datetime | None] = mapped_column(UtcTime)
    not_restored: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)


class FrozenQuotaRow(Base):
    """A quota of a project that was lowered, with the limit before."""

    __tablename__ = "escalator_frozen_quota"

    cloud: Mapped[str] = mapped_column(CleanName, primary_key=True)
    project_id: Mapped[str] = mapped_column(CleanName, primary_key=True)
    name: Mapped[str] = mapped_column(WORD, primary_key=True)
    found: Mapped[int] = mapped_column(Integer)
    set_to: Mapped[int] = mapped_column(Integer)


class QuotaHolderRow(Base):
    """A run that keeps the quotas of a project frozen: the last one of them restores."""

    __tablename__ = "escalator_quota_holder"

    cloud: Mapped[str] = mapped_column(CleanName, primary_key=True)
    project_id: Mapped[str] = mapped_column(CleanName, primary_key=True)
    campaign: Mapped[str] = mapped_column(NAME, primary_key=True)
    run_id: Mapped[str] = mapped_column(NAME, primary_key=True)
