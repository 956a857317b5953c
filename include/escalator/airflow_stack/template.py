"""The migrated database that new stacks start from: migrations run once a version, not once a stack."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from escalator.airflow_stack.errors import ComponentFailedError
from escalator.airflow_stack.postgres import copy_cluster, find_binaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from escalator.airflow_stack.postgres import Cluster
    from escalator.lab.progress import Progress

AIRFLOW_DATABASE = "airflow"
LEDGER_DATABASE = "escalator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Where the migrated database is kept, and what it was made for.

    :param home: folder shared by all instances.
    :param include: folder that the package ``escalator`` of the checkout lies in.
    """

    home: Path
    include: Path

    @property
    def key(self) -> str:
        """Return what the schemas depend on: Airflow, PostgreSQL and the ledger's migrations."""
        postgres, ledger = find_binaries().parent.name, read_ledger_head(self.include)
        return f"airflow-{version('apache-airflow')}-pg{postgres}-{ledger}"

    @property
    def folder(self) -> Path:
        """Return the folder of the template that fits this key."""
        return self.home / "templates" / self.key


def read_ledger_head(include: Path) -> str:
    """Return a short digest of the ledger's migrations; ``none`` when it has none."""
    files = sorted((include / "escalator" / "ledger").rglob("versions/*.py"))
    if not files:
        return "none"
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def ensure_cluster(
    cluster: Cluster, template: Template, *, environment: Mapping[str, str], progress: Progress
) -> None:
    """Start a cluster with migrated databases in it; a second run finds them there.

    A new cluster is a copy of the template; the template is made from the first cluster of its key. A cluster
    of another key keeps its data and is migrated where it is.
    """
    marker = cluster.data.with_name("template-key")
    of_checkout = {**environment, "PYTHONPATH": str(template.include)}  # the components may have it otherwise
    if cluster.exists:
        cluster.start()
        if not marker.exists() or marker.read_text() != template.key:
            progress.say("the database is of another version: migrating it")
            migrate(cluster, environment=of_checkout, include=template.include)
    else:
        with _lock(template.home / "templates.lock"):
            is_copy = template.folder.exists()
            if is_copy:
                copy_cluster(template.folder, cluster.data)
            else:
                _make(cluster, template, environment=of_checkout, progress=progress)
        cluster.start()
        if is_copy and _has_ledger(template.include):
            _run("escalator.ledger", "claim", environment=of_checkout)
    marker.write_text(template.key)


def migrate(cluster: Cluster, *, environment: Mapping[str, str], include: Path) -> None:
    """Make the databases and bring both schemas to their newest version; a second run changes nothing.

    :raises ComponentFailedError: a migration failed.
    """
    cluster.ensure_database(AIRFLOW_DATABASE)
    cluster.ensure_database(LEDGER_DATABASE)
    _run("airflow", "db", "migrate", environment=environment)
    if _has_ledger(include):
        _run("escalator.ledger", "upgrade", environment=environment)


def _has_ledger(include: Path) -> bool:
    return (include / "escalator" / "ledger" / "__main__.py").exists()


def _make(
    cluster: Cluster, template: Template, *, environment: Mapping[str, str], progress: Progress
) -> None:
    progress.say("first start with this version: making the database (some 20 s, once)")
    try:
        cluster.create()
        cluster.start()
        migrate(cluster, environment=environment, include=template.include)
        cluster.query("checkpoint")
    except BaseException:
        cluster.stop()
        shutil.rmtree(cluster.data, ignore_errors=True)
        raise
    cluster.stop()
    copy_cluster(cluster.data, template.folder)


def _run(module: str, *arguments: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ComponentFailedError(f"{module} {' '.join(arguments)} failed:\n{tail}")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes; the second one waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
