"""Brings the ledger's schema to a revision with Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import exc as sa_exc

from escalator.ledger.database import Database, parse_url

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x45534341
"""Key of the PostgreSQL lock under which only one process migrates."""


def is_owned(item: object, name: str | None, kind: str, reflected: object, compared: object) -> bool:
    """Tell Alembic which tables are the ledger's; others in the same database are left alone."""
    del item, reflected, compared
    return kind != "table" or (name or "").startswith("escalator_")


def make_alembic_config(connection: sa.Connection | None = None) -> Config:
    """Make Alembic's configuration in memory: no ``alembic.ini`` is needed."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def upgrade(url: str) -> None:
    """Make the ledger if it is missing, and bring it to this release's schema; safe to run at once and again.

    :raises InvalidRequestError: when the URL is not usable.
    :raises TransientError: when the database is away.
    """
    _migrate(url, "head", up=True)


def downgrade(url: str, revision: str) -> None:
    """Bring the schema back to a revision (``base``: remove it with everything in it).

    :raises TransientError: when the database is away.
    """
    _migrate(url, revision, up=False)


def _migrate(url: str, revision: str, *, up: bool) -> None:
    database = Database(parse_url(url))
    if database.url.get_backend_name() == "sqlite":
        Path(str(database.url.database)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with database.engine.begin() as connection:
            if database.url.get_backend_name() == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            move = command.upgrade if up else command.downgrade
            move(make_alembic_config(connection), revision)
    except sa_exc.SQLAlchemyError as exc:
        raise database.translated(exc) from exc
