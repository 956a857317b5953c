"""The tables. Names begin with ``escalator_``: the ledger may share a database with others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from escalator.model.errors import InvalidRequestError

HEAD = "0010"
"""The Alembic revision whose tables these are."""
VERSION_TABLE = "escalator_alembic_version"
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
NAME = String(255)
WORD = String(64)
KEY = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """An aware time, stored and returned in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        :raises InvalidRequestError: when the time has no zone.
        """
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise InvalidRequestError(f"time {value.isoformat()} has no zone", remedy="use aware times")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware UTC time; SQLite gives back a naive one."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text of any origin; what a database cannot hold (NUL, lone surrogates) is written as an escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what cannot be stored."""
        del dialect
        return _escape(value)


class CleanName(TypeDecorator[str]):
    """A name that somebody outside chose; otherwise as ``CleanText``."""

    impl = String(255)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what cannot be stored."""
        del dialect
        return _escape(value)


def _escape(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def dump_json(value: object) -> str:
    """Write strict JSON; NaN and infinities are refused with ValueError."""
    return json.dumps(value, allow_nan=False)


class Base(DeclarativeBase):
    """The ledger's own metadata."""

    metadata = MetaData(naming_convention=NAMING)


class InstallationRow(Base):
    """The one installation whose ledger this is."""

    __tablename__ = "escalator_installation"

    id: Mapped[str] = mapped_column(String(8), primary_key=True)


class CampaignRow(Base):
    """One run of a campaign, with the plan as it was made."""

    __tablename__ = "escalator_campaign"
    __table_args__ = (UniqueConstraint("campaign", "run_id"), Index(None, "cloud", "opened_at"))

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    campaign: Mapped[str] = mapped_column(NAME)
    run_id: Mapped[str] = mapped_column(NAME)
    dag_id: Mapped[str] = mapped_column(NAME)
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    plan: Mapped[Any] = mapped_column(JSON)
    cloud: Mapped[str] = mapped_column(NAME)


class DocumentRow(Base):
    """A document of a campaign: bundle, snapshots, report."""

    __tablename__ = "escalator_document"

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("escalator_campaign.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(WORD, primary_key=True)
    body: Mapped[Any] = mapped_column(JSON)


class NodeRow(Base):
    """How a node of a campaign stands; ``fence`` counts the attempts at any of its steps."""

    __tablename__ = "escalator_node"
    __table_args__ = (UniqueConstraint("campaign_id", "host"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("escalator_campaign.id", ondelete="CASCADE"))
    host: Mapped[str] = mapped_column(NAME)
    state: Mapped[str] = mapped_column(WORD)
    code: Mapped[str | None] = mapped_column(WORD)
    message: Mapped[str] = mapped_column(CleanText)
    since: Mapped[datetime | None] = mapped_column(UtcTime)
    mark: Mapped[str | None] = mapped_column(WORD)
    fence: Mapped[int] = mapped_column(Integer)


class StepRow(Base):
    """One attempt at one step of a node."""

    __tablename__ = "escalator_step"
    __table_args__ = (UniqueConstraint("node_id", "fence"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("escalator_node.id", ondelete="CASCADE"))
    fence: Mapped[int] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(WORD)
    try_number: Mapped[int] = mapped_column(Integer)
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    result: Mapped[str | None] = mapped_column(WORD)
    code: Mapped[str | None] = mapped_column(WORD)
    message: Mapped[str] = mapped_column(CleanText)
    api_calls: Mapped[int] = mapped_column(Integer)
    details: Mapped[Any] = mapped_column(JSON)


class MoveRow(Base):
    """One attempt to move a server, in the life of a node."""

    __tablename__ = "escalator_move"
    __table_args__ = (
        UniqueConstraint("campaign_id", "migration"),
        Index(None, "campaign_id", "host"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("escalator_campaign.id", ondelete="CASCADE"))
    host: Mapped[str] = mapped_column(NAME)
    server_id: Mapped[str] = mapped_column(NAME)
    server_name: Mapped[str] = mapped_column(CleanText)
    from_host: Mapped[str] = mapped_column(NAME)
    to_host: Mapped[str | None] = mapped_column(NAME)
    method: Mapped[str] = mapped_column(WORD)
    succeeded: Mapped[bool] = mapped_column()
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime] = mapped_column(UtcTime)
    migration: Mapped[str | None] = mapped_column(WORD)
    code: Mapped[str | None] = mapped_column(WORD)
    message: Mapped[str] = mapped_column(CleanText)
    interruption_ms: Mapped[float | None] = mapped_column()


class FactRow(Base):
    """A small fact that a step keeps for a later one."""

    __tablename__ = "escalator_fact"

    node_id: Mapped[int] = mapped_column(
        ForeignKey("escalator_node.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(NAME, primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)


class OrderRow(Base):
    """What a person ordered of a run, or of one of its nodes."""

    __tablename__ = "escalator_order"
    __table_args__ = (Index(None, "campaign_id"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("escalator_campaign.id", ondelete="CASCADE"))
    verb: Mapped[str] = mapped_column(WORD)
    host: Mapped[str | None] = mapped_column(NAME)
    ordered_by: Mapped[str] = mapped_column(CleanName)
    ordered_at: Mapped[datetime] = mapped_column(UtcTime)
    reason: Mapped[str] = mapped_column(CleanText)
    plan_hash: Mapped[str] = mapped_column(WORD)
    in_flight: Mapped[bool] = mapped_column()
    effective_at: Mapped[datetime | None] = mapped_column(UtcTime)
    effect: Mapped[str] = mapped_column(CleanText)


class GivenBackRow(Base):
    """When a node was given back last, by whichever run."""

    __tablename__ = "escalator_given_back"

    cloud: Mapped[str] = mapped_column(NAME, primary_key=True)
    host: Mapped[str] = mapped_column(NAME, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


class BackupRow(Base):
    """A backup that was taken and read back; it outlives the run that it was taken for."""

    __tablename__ = "escalator_backup"
    __table_args__ = (Index(None, "cloud", "host", "taken_at"),)

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    kind: Mapped[str] = mapped_column(WORD)
    cloud: Mapped[str] = mapped_column(NAME)
    host: Mapped[str] = mapped_column(NAME)
    campaign: Mapped[str] = mapped_column(NAME)
    run_id: Mapped[str] = mapped_column(NAME)
    bundle: Mapped[str] = mapped_column(NAME)
    taken_at: Mapped[datetime] = mapped_column(UtcTime)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(WORD)
    manifest_sha256: Mapped[str] = mapped_column(WORD)
    url: Mapped[str] = mapped_column(CleanText)
    verified_at: Mapped[datetime] = mapped_column(UtcTime)


class NoteRow(Base):
    """A note to people about a run, for one of those that get notes."""

    __tablename__ = "escalator_note"

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("escalator_campaign.id", ondelete="CASCADE"), primary_key=True
    )
    note: Mapped[str] = mapped_column(WORD, primary_key=True)
    receiver: Mapped[str] = mapped_column(NAME, primary_key=True)
    body: Mapped[Any] = mapped_column(JSON)
    kept_at: Mapped[datetime] = mapped_column(UtcTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    error: Mapped[str] = mapped_column(CleanText)
