"""Ledgers of both kinds: a SQLite file, and a database in a throw-away PostgreSQL cluster."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from tests.builders import NOW, make_plan
from tests.ledger.notices import SESSION

from escalator.ledger.ledger import Ledger
from escalator.ledger.notice_book import NoticeBook
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import CampaignPlan

HOSTS = ("node-02", "node-01", "node-03")
_NUMBERS = itertools.count()


class Cluster:
    """A PostgreSQL cluster without TCP, in a folder of its own; root becomes the user postgres."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            pytest.fail("the Debian package postgresql is not installed")
        self._programs = found[-1].parent
        self._as: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.home, "postgres", "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def start(self) -> None:
        data = self.home / "data"
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "ledger", "-E", "UTF8", "-D", str(data))
        options = f"-k {self.home} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", str(data), "-l", str(self.home / "log"), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.home / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.home)

    def new_schema(self) -> str:
        """Make an empty schema and return a URL that sees nothing else: quicker than a database."""
        name = f"ledger_{next(_NUMBERS)}"
        with closing(psycopg2.connect(host=str(self.home), user="ledger", dbname="postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE SCHEMA {name}")
        options = quote(f"-csearch_path={name}")
        return f"postgresql+psycopg2://ledger@/postgres?host={self.home}&options={options}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as, str(self._programs / program), *arguments],
            check=True,
            cwd=self.home,
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/home/ledger.db"
    new: str = request.getfixturevalue("cluster").new_schema()
    return new


@pytest.fixture
def ledger(url: str) -> Ledger:
    return Ledger.create_or_upgrade(url)


@pytest.fixture
def plan() -> CampaignPlan:
    return make_plan(*HOSTS, domain="cell1/nova/none", max_parallel=2)


@pytest.fixture
def book(ledger: Ledger) -> NoticeBook:
    """The notices of a ledger with one session."""
    book = ledger.notices()
    book.open_session(SESSION)
    return book


Open = Callable[..., CampaignPlan]


@pytest.fixture
def run(ledger: Ledger, plan: CampaignPlan) -> CampaignRun:
    """The handle of a run that is opened."""
    open_plan(ledger, plan)
    return ledger.run(plan.campaign, plan.run_id)


def open_plan(ledger: Ledger, plan: CampaignPlan, **changes: Any) -> CampaignPlan:
    fields: dict[str, Any] = {
        "dag_id": "upgrade__lab__domain",
        "bundle_document": {"name": "nova-34"},
        "snapshot_before": {"cloud": "lab"},
        "now": NOW,
    }
    return ledger.run(plan.campaign, plan.run_id).open(plan, **(fields | changes))


@pytest.fixture
def open_campaign() -> Open:
    return open_plan
