"""Masakari's own API, on loopback with a database of its own: flags of hosts, and recoveries.

Its hosts are put into the database, as its API asks a Nova for each that it is told of.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from tests.alerts.running import find_port

from escalator.cloud_manager.api import ServiceApi
from escalator.cloud_manager.instance_ha import InstanceHa
from escalator.lab.install import Installer
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings
from escalator.model.errors import TransientError

pytestmark = pytest.mark.lab
TOKEN = "admin:admin"
CONFIG = """
[DEFAULT]
auth_strategy = noauth2
state_path = {home}
masakari_api_listen = 127.0.0.1
masakari_api_listen_port = {port}
masakari_api_workers = 1
transport_url = fake://
[wsgi]
api_paste_config = {venv}/etc/masakari/api-paste.ini
[oslo_policy]
enforce_scope = false
[database]
connection = sqlite:///{home}/masakari.db
[taskflow]
connection = sqlite:///{home}/taskflow.db
[oslo_concurrency]
lock_path = {home}
"""
SEED = """
import sys
from masakari import config, context, objects
config.parse_args(["seed", "--config-file", sys.argv[1]])
objects.register_all()
admin = context.get_admin_context()
for name, hosts in (("one", ("node-01", "node-02")), ("two", ("node-03",))):
    segment = objects.FailoverSegment(context=admin, name=name, description="", recovery_method="auto",
                                      service_type="compute", enabled=True)
    segment.create()
    for host in hosts:
        made = objects.Host(context=admin, name=host, type="COMPUTE", control_attributes="SSH",
                            on_maintenance=False, reserved=False)
        made.failover_segment = segment
        made.create()
"""


@dataclass(frozen=True, kw_only=True)
class Masakari:
    """The API that runs, and its database."""

    api: InstanceHa
    url: str
    database: Path

    def notify(self, host: str) -> str:
        """Tell it that a host is dead; return the id of the notification."""
        told: dict[str, Any] = {
            "hostname": host,
            "type": "COMPUTE_HOST",
            "generated_time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
            "payload": {"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"},
        }
        answer = httpx.post(
            f"{self.url}/notifications",
            json={"notification": told},
            headers={"X-Auth-Token": TOKEN},
            trust_env=False,
            timeout=60,
        )
        answer.raise_for_status()
        return str(answer.json()["notification"]["notification_uuid"])

    def end(self, status: str) -> None:
        """Let its engine, which does not run, have come that far with all of them."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("UPDATE notifications SET status = ?", (status,))
            connection.commit()


@pytest.fixture(scope="module")
def masakari(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Masakari]:
    installer = Installer(settings=LabSettings.from_environment(os.environ), progress=Progress())
    installer.ensure_tools()
    venv, home, port = installer.ensure_masakari(), tmp_path_factory.mktemp("masakari"), find_port()
    config = home / "masakari.conf"
    config.write_text(CONFIG.format(home=home, venv=venv, port=port))
    (home / "seed.py").write_text(SEED)

    def run(*command: str) -> None:
        done = subprocess.run([*command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]

    run(f"{venv}/bin/masakari-manage", "--config-file", str(config), "db", "sync")
    run(f"{venv}/bin/python", str(home / "seed.py"), str(config))
    url = f"http://127.0.0.1:{port}/v1"
    with (home / "log").open("wb") as log:
        command = [f"{venv}/bin/masakari-api", "--config-file", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_api(url, process, home / "log")
        session = Session(auth=Token(url, TOKEN))
        adapter = Adapter(session, service_type="instance-ha", endpoint_override=url)
        api = InstanceHa(ServiceApi(adapter, "instance-ha", root="/v1"))
        yield Masakari(api=api, url=url, database=home / "masakari.db")
    finally:
        process.terminate()
        process.wait(30)


def await_api(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/segments", headers={"X-Auth-Token": TOKEN}, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    pytest.fail(f"Masakari's API does not come up: {log.read_text()[-2000:]}")


def test_a_host_is_found_by_its_name_and_put_on_maintenance_and_off(masakari: Masakari) -> None:
    api = masakari.api
    assert api.exists()
    assert [host.name for host in api.fetch_hosts()] == ["node-01", "node-02", "node-03"]
    assert api.find_host("node-0") is None
    host = api.find_host("node-02")
    assert host is not None
    for on in (True, True, False, False):
        assert api.ensure_maintenance(host.segment_id, host.id, on=on).on_maintenance is on
        assert api.fetch_host(host.segment_id, host.id).on_maintenance is on
    assert [h.on_maintenance for h in api.fetch_hosts()] == [False] * 3


@pytest.mark.parametrize("status", ["new", "running", "error"])
def test_a_segment_under_recovery_is_told_and_takes_no_change(masakari: Masakari, status: str) -> None:
    api = masakari.api
    host, other = api.find_host("node-02"), api.find_host("node-03")
    assert host is not None
    assert other is not None
    masakari.end("finished")
    if not api_knows_one(masakari):
        masakari.notify("node-01")
    masakari.end(status)
    (found,) = api.fetch_recoveries()
    assert (found.status, found.source, found.hosts) == (status, "node-01", {"node-01", "node-02"})
    with pytest.raises(TransientError, match="changes nothing of node-02 now"):
        api.ensure_maintenance(host.segment_id, host.id, on=True)
    assert api.ensure_maintenance(other.segment_id, other.id, on=True).on_maintenance
    api.ensure_maintenance(other.segment_id, other.id, on=False)
    for over in ("finished", "failed", "ignored"):
        masakari.end(over)
        assert api.fetch_recoveries() == ()


def api_knows_one(masakari: Masakari) -> bool:
    with closing(sqlite3.connect(masakari.database)) as connection:
        return bool(connection.execute("SELECT count(*) FROM notifications").fetchone()[0])


def test_a_host_on_maintenance_is_not_recovered(masakari: Masakari) -> None:
    masakari.end("finished")
    host = masakari.api.find_host("node-03")
    assert host is not None
    masakari.api.ensure_maintenance(host.segment_id, host.id, on=True)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        masakari.notify("node-03")
    assert masakari.api.fetch_recoveries() == ()
    masakari.api.ensure_maintenance(host.segment_id, host.id, on=False)
