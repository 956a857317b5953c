"""Where the ledger is, how its transactions begin, and what a database error means for the caller."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session

from escalator.ledger.tables import HEAD, VERSION_TABLE, dump_json
from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError
from escalator.settings.places import find_home
from escalator.settings.sharing import LEDGER_VARIABLE as URL_VARIABLE
from escalator.settings.sharing import refuse_private

BUSY_SECONDS = 30
"""How long a SQLite writer waits for another."""
UPGRADE_COMMAND = "escalator ledger upgrade"
_READ_ONLY = "escalator_read_only"
_UNDEFINED = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")


def ledger_url(environment: Mapping[str, str] = os.environ) -> str:
    """Return ESCALATOR_LEDGER_URL, or the URL of ``ledger.db`` in ESCALATOR_HOME (``~/.escalator``).

    :raises InvalidRequestError: neither is set, and several components of Airflow must agree on it.
    """
    if chosen := environment.get(URL_VARIABLE):
        return chosen
    refuse_private(URL_VARIABLE, environment=environment)
    return _make_own_url(environment).render_as_string()


def _make_own_url(environment: Mapping[str, str]) -> URL:
    return URL.create("sqlite", database=str(find_home(environment) / "ledger.db"))


def parse_url(text: str) -> URL:
    """Read a database URL; PostgreSQL without a driver means psycopg2.

    :raises InvalidRequestError: when it is no URL of SQLite (a file) or PostgreSQL.
    """
    remedy = f"set {URL_VARIABLE} to sqlite:////path/ledger.db or postgresql+psycopg2://user@host/name"
    try:
        url = make_url(text)
    except (sa_exc.ArgumentError, ValueError):  # such as a port of letters
        raise InvalidRequestError("the ledger's URL cannot be read", remedy=remedy) from None
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername == "postgresql+psycopg2":
        return url
    if url.drivername in {"sqlite", "sqlite+pysqlite"} and url.database and url.database != ":memory:":
        return url
    shown = url.render_as_string(hide_password=True)
    raise InvalidRequestError(f"the ledger cannot be kept in {shown}", remedy=remedy)


class Database:
    """Short transactions on the ledger's database. Safe to use from threads and after a fork."""

    def __init__(self, url: URL) -> None:
        self.url = url
        # A new connection each time: none is idle, and none is shared with a forked child.
        self.engine = sa.create_engine(url, poolclass=sa.NullPool, json_serializer=dump_json)
        if url.get_backend_name() == "sqlite":
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @property
    def shown(self) -> str:
        """Return the URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Run one transaction that only reads; in SQLite it waits for no writer.

        :raises TransientError: when the database is away or busy.
        """
        with self._session(self.engine.execution_options(**{_READ_ONLY: True})) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Run one transaction, committed at the end, rolled back by any exception.

        :raises TransientError: when the database is away or busy.
        """
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def _session(self, engine: sa.Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except sa_exc.SQLAlchemyError as exc:
            raise self.translated(exc) from exc

    def translated(self, exc: sa_exc.SQLAlchemyError) -> EscalatorError:
        """Say what a database error means for the caller."""
        original = getattr(exc, "orig", None) or exc
        words = f"{type(original).__name__}: {original}".strip().splitlines()[0]
        if any(word in words for word in _UNDEFINED):
            return InvalidRequestError(
                f"the ledger {self.shown} lacks tables ({words})", remedy=UPGRADE_COMMAND
            )
        if isinstance(original, EscalatorError):
            return original
        if isinstance(exc, sa_exc.OperationalError | sa_exc.InterfaceError | sa_exc.TimeoutError):
            return TransientError(f"the ledger {self.shown} does not answer: {words}")
        if isinstance(exc, sa_exc.StatementError):
            return InvalidRequestError(f"the ledger cannot store this: {words}")
        return EscalatorError(f"the ledger {self.shown}: {words}")

    def revision(self) -> str | None:
        """Read the schema's revision; None when there is no ledger yet. Makes no file.

        :raises TransientError: when the database is away.
        """
        if self.url.get_backend_name() == "sqlite" and not Path(str(self.url.database)).exists():
            return None
        with self.reading() as session:
            if not sa.inspect(session.connection()).has_table(VERSION_TABLE):
                return None
            found: str | None = session.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
            return found

    def require_head(self) -> None:
        """See that the schema is the one this code knows.

        :raises InvalidRequestError: when it is older, newer or missing; the remedy names the command.
        """
        found = self.revision()
        if found == HEAD:
            return
        if found is None:
            raise InvalidRequestError(f"there is no ledger at {self.shown}", remedy=self._find_remedy())
        if found > HEAD:
            raise InvalidRequestError(
                f"the ledger {self.shown} has schema {found}, this release knows {HEAD}",
                remedy="install the release that upgraded it",
            )
        raise InvalidRequestError(
            f"the ledger {self.shown} has schema {found}, this release needs {HEAD}", remedy=UPGRADE_COMMAND
        )

    def _find_remedy(self) -> str:
        """Say what to do where there is no ledger: mostly, where nobody named one, another is meant."""
        if os.environ.get(URL_VARIABLE) or self.url != _make_own_url(os.environ):
            return UPGRADE_COMMAND
        return f"set {URL_VARIABLE} to the ledger that Airflow uses; a new one here: {UPGRADE_COMMAND}"


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    """Let SQLAlchemy's own BEGIN be the only one; write-ahead log, waiting, foreign keys."""
    del record
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    # A commit survives the process, not the machine's power: what steps did is read from the cloud.
    connection.execute("PRAGMA synchronous = NORMAL")
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        # Processes that switch a new file at the same moment get "locked" at once, without the time-out.
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock at once: a transaction that read first could not get it later."""
    reads = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
