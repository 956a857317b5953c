"""A PostgreSQL cluster of the stack's own, from Debian's binaries; never the machine's service.

PostgreSQL does not run as root and its folder may lie below one that its user cannot pass (``/root``). So the
folder is opened before the user changes, and the server reaches it through the open descriptor.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.airflow_stack.credentials import ensure_secret
from escalator.airflow_stack.errors import ComponentFailedError, StackError
from escalator.airflow_stack.ports import refuse_taken
from escalator.airflow_stack.sessions import end_family, find_at_home_in, kill_all
from escalator.lab.processes import PidFile, spawn, wait_until
from escalator.model.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BINARIES = Path("/usr/lib/postgresql")
USER = "airflow"
SYSTEM_USER = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
STARTS = 3
"""So often it is started: after a kill the first may end at once, while the old one still lets go."""
DESCRIPTOR = 9
# Opens the folder as this user, then becomes the program of the remaining arguments.
OPEN_FOLDER = f'folder=$1; shift; cd /; exec {DESCRIPTOR}<"$folder"; exec "$@"'
# A stack can be made anew at any time: speed is worth more than surviving a power cut.
SERVER_OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
    "shared_buffers=64MB",
    "unix_socket_directories=",
    "listen_addresses=127.0.0.1",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One database cluster.

    :param data: its folder.
    :param port: TCP port on 127.0.0.1.
    :param password: of the only role, ``airflow``.
    """

    data: Path
    port: int
    password: str = field(repr=False)
    pid_file: PidFile
    log: Path

    @property
    def exists(self) -> bool:
        """Tell whether the cluster was made."""
        return (self.data / "PG_VERSION").exists()

    def url(self, database: str) -> str:
        """Return the SQLAlchemy address of a database; it names the driver and holds the password."""
        return f"postgresql+psycopg2://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make an empty cluster.

        :raises ComponentFailedError: initdb failed.
        """
        self.data.mkdir(mode=0o700, parents=True)
        password_file = self.data.with_name("initdb-password")
        ensure_secret(password_file, lambda: self.password)
        try:
            _give_to_postgres(self.data)
            _give_to_postgres(password_file)
            with password_file.open() as handle:
                options = ["-U", USER, "-A", "scram-sha-256", "--pwfile=/proc/self/fd/0", "-E", "UTF8"]
                done = subprocess.run(
                    self._in_folder("initdb", *options, "--locale=C.UTF-8", "--wal-segsize=1", "--no-sync"),
                    stdin=handle,
                    capture_output=True,
                    text=True,
                    check=False,
                )
        finally:
            password_file.unlink()
        if done.returncode:
            raise ComponentFailedError(f"PostgreSQL's initdb failed: {done.stderr.strip()[-500:]}")

    def start(self) -> None:
        """Start the server and wait until it answers; a second run finds it there.

        What a server that was killed left behind is ended first: no other starts beside it.

        :raises PortTakenError: another process listens on its port.
        :raises ComponentFailedError: it did not answer in time, or ended at every try.
        """
        if self.pid_file.alive() is None:
            self._end_what_is_left()
            refuse_taken(self.port, wanted_by="PostgreSQL")
            self._spawn()
        if not wait_until(self._answers_or_starts_again(), timeout_seconds=START_SECONDS):
            raise ComponentFailedError("PostgreSQL does not answer", remedy=f"read {self.log}")

    def _spawn(self) -> None:
        options = [word for option in SERVER_OPTIONS for word in ("-c", option)]
        spawn(
            self._in_folder("postgres", "-p", str(self.port), *options),
            pid_file=self.pid_file,
            log=self.log,
            environment={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"},
        )

    def _answers_or_starts_again(self) -> Callable[[], bool]:
        """Make a look at the server; one that ended at once is started again, some times."""
        tries = 1

        def look() -> bool:
            nonlocal tries
            if self.pid_file.alive() is not None:
                return self._psql("select 1", "postgres").returncode == 0
            if tries == STARTS:
                raise ComponentFailedError("PostgreSQL ended at once", remedy=f"read {self.log}")
            tries += 1
            self._end_what_is_left()
            self._spawn()
            return False

        return look

    def _end_what_is_left(self) -> None:
        """Kill what outlived a server that was killed; its note of a process id that others may have, too."""
        kill_all(find_at_home_in(self.data.resolve(), "postgres"))
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> bool:
        """End the server; tell whether it ran."""
        leader = self.pid_file.read()
        if leader is None:
            return False
        was_alive = leader.is_alive()
        end_family(leader, grace_seconds=STOP_SECONDS, sig=signal.SIGINT)
        kill_all(find_at_home_in(self.data.resolve(), "postgres"))
        self.pid_file.forget()
        return was_alive

    def ensure_database(self, name: str) -> str:
        """Make a database when it is not there, and return its address.

        :raises InvalidRequestError: the name is not a plain identifier.
        """
        if not name.isidentifier() or not name.isascii():
            raise InvalidRequestError(f"{name!r} cannot be the name of a database", remedy="use [a-z0-9_]")
        if not self.query(f"select 1 from pg_database where datname = '{name}'"):  # noqa: S608 - an identifier
            self.query(f'create database "{name}"')
        return self.url(name)

    def query(self, statement: str, *, database: str = "postgres") -> str:
        """Run one statement and return its rows, one a line.

        :raises StackError: PostgreSQL refused it or does not run.
        """
        done = self._psql(statement, database)
        if done.returncode:
            raise StackError(f"PostgreSQL: {done.stderr.strip()}", remedy=f"read {self.log}")
        return done.stdout.strip()

    def _psql(self, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        return subprocess.run(
            [str(find_binaries() / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *where, "-c", statement],
            env={"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )

    def _in_folder(self, program: str, *arguments: str) -> list[str]:
        command = [
            *_as_postgres(),
            str(find_binaries() / program),
            "-D",
            f"/proc/self/fd/{DESCRIPTOR}",
            *arguments,
        ]
        return ["/bin/sh", "-c", OPEN_FOLDER, "sh", str(self.data), *command]


def find_binaries() -> Path:
    """Return the folder with the programs of the newest PostgreSQL here.

    :raises StackError: there is none.
    """
    found = [path for path in BINARIES.glob("*/bin") if (path / "initdb").exists()]
    if not found:
        raise StackError("PostgreSQL is not installed", remedy="apt-get install postgresql")
    return max(found, key=lambda path: int(path.parent.name))


def copy_cluster(source: Path, target: Path) -> None:
    """Copy the folder of a cluster that does not run, owners included.

    :raises StackError: the copy failed, for instance because the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.copying")
    shutil.rmtree(draft, ignore_errors=True)
    done = subprocess.run(
        ["cp", "-a", "--reflink=auto", str(source), str(draft)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StackError(f"the database cannot be copied: {done.stderr.strip()}")
    draft.rename(target)


def _as_postgres() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--clear-groups")


def _give_to_postgres(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
