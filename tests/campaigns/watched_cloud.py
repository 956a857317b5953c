"""A cloud that others watch: Masakari, an Alertmanager, a pair of servers with a manager and a quota.

Beside a campaign its witness asks them all the time what they were told, whatever our own records say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from escalator.airflow_client.records import Connection
from escalator.demo.demo_world import CLOUD
from escalator.demo.vnfs import register_api, register_vnfs
from escalator.inventory.inventory_file import find_inventory_path, read_inventory, write_inventory
from escalator.lab.vnf.specs import Vnf, VnfmSpec, VnfSpec
from escalator.lab.vnf.world import VnfLab
from escalator.model.alerts import AlertSettings, Matcher
from escalator.model.cloud import ComputeService
from escalator.model.quota import COUNTED
from tests.alerts.running import running_alertmanager
from tests.campaigns.harness import Harness

CONNECTION = "alertmanager"
GATE = ((Matcher.parse("severity=critical"),),)
PAIR = "sbc"
QUOTA = {"instances": 2, "cores": 40, "ram": 8192}
"""Of the pair's project: it may have no more servers than it has, and more of all else."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was found at one moment."""

    services: Mapping[str, ComputeService]
    flags: Mapping[str, bool]
    silences: frozenset[str]
    quota: Mapping[str, int]

    @property
    def out(self) -> frozenset[str]:
        """Return the nodes that a run has out; those that it left out are not among them."""
        leases = {host: service.lease for host, service in self.services.items()}
        return frozenset(host for host, lease in leases.items() if lease and lease.mark is None)


@dataclass
class Witness:
    """Looks at a cloud every other second; what it finds wrong it writes down."""

    world: WatchedCloud
    looks: list[Look] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[Witness]:
        thread = threading.Thread(target=self._look_on, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _look_on(self) -> None:
        before = self.world.look()
        while not self._stop.wait(2.0):
            found = self.world.look()
            self.looks.append(found)
            self._judge(before, found)
            before = found

    def _judge(self, before: Look, found: Look) -> None:
        """Between two looks a node may have gone or come back: what one of them shows counts."""
        for host in before.out & found.out:
            if not (before.flags[host] or found.flags[host]):
                self.wrong.append(f"{host} is out, and not on maintenance")
            if host not in before.silences | found.silences:
                self.wrong.append(f"{host} is out, and its alerts are not silenced")
        if before.out & found.out and QUOTA in (before.quota, found.quota):
            self.wrong.append("a node is out, and the quota is not frozen")

    @property
    def seen_out(self) -> frozenset[str]:
        """Return all nodes that were out at some moment."""
        return frozenset(host for look in self.looks for host in look.out)

    @property
    def most_out(self) -> int:
        """Return how many nodes were out at the same moment, at most."""
        return max((len(look.out) for look in self.looks), default=0)


@dataclass(frozen=True, kw_only=True)
class WatchedCloud:
    """The lab with all who watch it."""

    harness: Harness
    vnfs: VnfLab
    pair: Vnf
    alertmanager: str

    def look(self) -> Look:
        """Look once."""
        return Look(
            services=self.harness.services(),
            flags=self.fetch_flags(),
            silences=frozenset(words.split()[1] for words in self.fetch_silences()),
            quota=self.fetch_quota(),
        )

    def fetch_flags(self) -> dict[str, bool]:
        """Return which hosts are on maintenance in Masakari."""
        found = self.harness.lab.masakari.fetch_hosts()
        return {name: bool(host["on_maintenance"]) for name, host in found.items()}

    def fetch_silences(self) -> tuple[str, ...]:
        """Return the comments of the silences that are not over; the second word is the node."""
        found = httpx.get(f"{self.alertmanager}/api/v2/silences", trust_env=False).raise_for_status().json()
        return tuple(one["comment"] for one in found if one["status"]["state"] != "expired")

    def end_silences(self) -> None:
        """End all silences, as a person may who mended what they were for."""
        for one in httpx.get(f"{self.alertmanager}/api/v2/silences", trust_env=False).json():
            if one["status"]["state"] != "expired":
                url = f"{self.alertmanager}/api/v2/silence/{one['id']}"
                httpx.delete(url, trust_env=False).raise_for_status()

    def fetch_quota(self) -> dict[str, int]:
        """Return the limits of the pair's project."""
        found = self.harness.lab.cloud.get("nova", f"/os-quota-sets/{self.pair.project_id}")["quota_set"]
        return {name: found[name] for name in COUNTED}

    def longest_gap(self) -> float:
        """Return for how long nobody served the pair, at most, as its own processes say; in seconds."""
        return max((gap.seconds or 0.0 for gap in self.vnfs.gaps(PAIR)), default=0.0)


@contextmanager
def watched_cloud(harness: Harness, folder: Path, nodes: tuple[str, str]) -> Iterator[WatchedCloud]:
    """Let others watch the cloud of a lab, and put a pair on two nodes; end that.

    Masakari stays in the lab: who has seen it in the catalogue would ask for it.
    """
    lab, world = harness.lab, harness.world
    lab.masakari.ensure(lab.settings.hosts)
    vnfs = VnfLab(lab)
    with running_alertmanager(folder) as url:
        declare_alerts(harness, url)
        register_api(world, harness.stack.settings.url)
        try:
            spec = VnfSpec(name=PAIR, nodes=nodes, vnfm=VnfmSpec(dialect="a"), takeover_seconds=0.3)
            (pair,) = vnfs.start(spec)
            register_vnfs(world, [pair])
            body = {"quota_set": {**QUOTA, "force": True}}
            lab.cloud.put("nova", f"/os-quota-sets/{pair.project_id}", body)
            yield WatchedCloud(harness=harness, vnfs=vnfs, pair=pair, alertmanager=url)
        finally:
            vnfs.stop()
            world.write_inventory()
            (world.inventory_dir / "vnfms.yaml").unlink(missing_ok=True)
            (world.vnf_dir / f"{PAIR}.yaml").unlink(missing_ok=True)
            for host in lab.settings.hosts:
                lab.masakari.set_maintenance(host, on=False)


def declare_alerts(harness: Harness, url: str) -> None:
    """Tell the campaigns of an Alertmanager, as the inventory settings do."""
    path = find_inventory_path(harness.world.inventory_dir, CLOUD)
    alerts = AlertSettings(conn_id=CONNECTION, gate=GATE)
    write_inventory(path, replace(read_inventory(path), alerts=alerts))
    place = urlsplit(url)
    connection = Connection(connection_id=CONNECTION, conn_type="http", host=place.hostname, port=place.port)
    harness.client.ensure_connection(connection)


def read_told(report: Mapping[str, Any], what: str) -> dict[str, bool]:
    """Return of whom a report says that it was told: node -> whether that was cleared."""
    return {row["host"]: row["cleared"] is not None for row in report["told"] if row["what"] == what}
