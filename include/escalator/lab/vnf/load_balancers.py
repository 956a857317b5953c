"""Octavia in the lab: its real API and worker, with the no-op drivers of its own for what would be machines.

It is started by the first VNF that has a load balancer, so that labs without one are none the slower. See
docs/adr/0019-octavia-in-the-lab.md.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.lab.config import REGION, ControlConfig, Ini, render
from escalator.lab.errors import LabError
from escalator.lab.services import VNF_PREFIX, Service, ServiceRunner, clean_environment, run_sql, wsgi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from escalator.lab.api import Cloud

DATABASE = "octavia"
SERVICE_TYPE = "load-balancer"
API, WORKER = f"{VNF_PREFIX}octavia-api", f"{VNF_PREFIX}octavia-worker"
WITHIN_SECONDS = 60.0
POLL_SECONDS = 0.2
_PATH = "/v2.0/lbaas"
_PASSPHRASE = "insecure-key-do-not-use-this-key"  # noqa: S105  (32 letters; of a cloud on loopback)
_NOOP = ("amphora", "compute", "network", "image", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """A load balancer with one listener and one pool. ``members`` are ids by name."""

    id: str
    pool_id: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Octavia:
    """The load balancing service of one lab.

    :param cloud: as its administrator; Keystone, PostgreSQL and RabbitMQ must run.
    """

    config: ControlConfig
    cloud: Cloud

    def ensure(self) -> None:
        """Start Octavia; what is there stays.

        :raises LabError: when a part does not start.
        """
        settings = self.config.settings
        runner = ServiceRunner(run=settings.run)
        folder = self.config.etc / DATABASE
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "octavia.conf"
        file.write_text(render(self._config(folder)))
        self._ensure_authority(folder)
        self._ensure_database(folder)
        self._ensure_endpoint()
        worker = (settings.control_venv / "bin/octavia-worker", "--config-file", file)
        runner.ensure_started(Service(name=WORKER, command=worker))
        api = wsgi(
            self.config,
            API,
            "octavia.wsgi.api",
            {},
            port=settings.octavia_port,
            words=f"--config-file {file}",
        )
        runner.ensure_started(api)
        runner.wait_ready(api)

    def make_balancer(
        self, name: str, project: str, address: str, members: Mapping[str, tuple[str, int]], port: int
    ) -> LoadBalancer:
        """Make a load balancer in a project and wait for it.

        :param address: of the service; :param port: of the service.
        :param members: address and port by name.
        :raises LabError: when it does not become ACTIVE.
        """
        wanted = [
            {"name": member, "address": own, "protocol_port": own_port}
            for member, (own, own_port) in members.items()
        ]
        pool = {"name": name, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": wanted}
        listener = {"name": name, "protocol": "TCP", "protocol_port": port, "default_pool": pool}
        subnet = self.cloud.get("neutron", f"/v2.0/subnets?cidr={address.rpartition('.')[0]}.0/24")[
            "subnets"
        ][0]
        about = {"name": name, "vip_address": address, "vip_subnet_id": subnet["id"], "listeners": [listener]}
        cloud = self.cloud.within(project)
        made = cloud.post(DATABASE, f"{_PATH}/loadbalancers", {"loadbalancer": about})["loadbalancer"]
        self.wait_active(made["id"])
        pool_id = self.cloud.get(DATABASE, f"{_PATH}/pools?loadbalancer_id={made['id']}")["pools"][0]["id"]
        found = self.fetch_members(pool_id)
        return LoadBalancer(id=made["id"], pool_id=pool_id, members={m["name"]: m["id"] for m in found})

    def fetch_members(self, pool_id: str) -> list[dict[str, Any]]:
        """Read the members of a pool."""
        return list(self.cloud.get(DATABASE, f"{_PATH}/pools/{pool_id}/members")["members"])

    def count_connections(self, balancer_id: str) -> int:
        """Return how many connections are open through a load balancer."""
        stats = self.cloud.get(DATABASE, f"{_PATH}/loadbalancers/{balancer_id}/stats")["stats"]
        return int(stats["active_connections"])

    def set_weight(self, pool_id: str, member_id: str, weight: int) -> None:
        """Change the weight of a member; it is immutable while another change is under way."""
        body = {"member": {"weight": weight}}
        self.cloud.put(DATABASE, f"{_PATH}/pools/{pool_id}/members/{member_id}", body)

    def delete_balancer(self, balancer_id: str) -> None:
        """Delete a load balancer with all that it has; one that is gone is fine."""
        self.cloud.delete(DATABASE, f"{_PATH}/loadbalancers/{balancer_id}?cascade=true")

    def wait_active(self, balancer_id: str) -> None:
        """Wait until a load balancer may be changed.

        :raises LabError: when it ends in ERROR, or time runs out.
        """
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            path = f"{_PATH}/loadbalancers/{balancer_id}"
            status = self.cloud.get(DATABASE, path)["loadbalancer"]["provisioning_status"]
            if status == "ACTIVE":
                return
            if status == "ERROR" or time.monotonic() > deadline:
                log = self.config.log / f"{WORKER}.out"
                raise LabError(f"load balancer {balancer_id} is {status}", f"read {log}")
            time.sleep(POLL_SECONDS)

    def _ensure_authority(self, folder: Path) -> None:
        """Make the authority that signs the certificates of amphorae, which are never used."""
        if (folder / "ca.pem").exists():
            return
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "3650", "-subj", "/CN=lab"]
        words += ["-passout", f"pass:{_PASSPHRASE}", "-keyout", str(folder / "ca.key")]
        _run([*words, "-out", str(folder / "ca.pem")])

    def _ensure_database(self, folder: Path) -> None:
        """Make database and tables; one that was not finished is made anew."""
        if (folder / "tables-made").exists():
            return
        settings = self.config.settings
        run_sql(settings, "postgres", f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        run_sql(settings, "postgres", f"CREATE DATABASE {DATABASE}")
        script = Path(__file__).with_name("octavia_schema.py")
        _run([settings.control_venv / "bin/python", script, self.config.database(DATABASE)])
        (folder / "tables-made").touch()

    def _ensure_endpoint(self) -> None:
        if self.cloud.get("keystone", f"/services?type={SERVICE_TYPE}")["services"]:
            return
        service = self.cloud.post(
            "keystone", "/services", {"service": {"name": DATABASE, "type": SERVICE_TYPE}}
        )
        for interface in ("public", "internal", "admin"):
            endpoint = {
                "interface": interface,
                "region_id": REGION,
                "service_id": service["service"]["id"],
                "url": self.config.endpoint(DATABASE),
            }
            self.cloud.post("keystone", "/endpoints", {"endpoint": endpoint})

    def _config(self, folder: Path) -> Ini:
        nova = self.config.nova(state=self.config.state, log=self.config.log)  # its account does for Octavia
        certificates = {"ca_certificate": folder / "ca.pem", "ca_private_key": folder / "ca.key"}
        return {
            "DEFAULT": {"transport_url": self.config.transport_url},
            "database": {"connection": self.config.database(DATABASE)},
            "api_settings": {
                "auth_strategy": "keystone",
                "default_provider_driver": "amphora",
                "enabled_provider_drivers": "amphora: the one there is",
            },
            "keystone_authtoken": nova["keystone_authtoken"],
            "service_auth": nova["service_user"],
            "controller_worker": {
                "workers": 1,
                **{f"{kind}_driver": f"{kind}_noop_driver" for kind in _NOOP},
                "amp_active_wait_sec": 1,
                "amp_flavor_id": 1,
                "amp_boot_network_list": "00000000-0000-0000-0000-000000000001",
                "amp_image_tag": "amphora",
                "loadbalancer_topology": "SINGLE",
                "client_ca": folder / "ca.pem",
            },
            "certificates": {
                "cert_generator": "local_cert_generator",
                "cert_manager": "noop_cert_manager",
                "ca_private_key_passphrase": _PASSPHRASE,
                "server_certs_key_passphrase": _PASSPHRASE,
                **certificates,
            },
            "health_manager": {"heartbeat_key": "insecure"},
            "oslo_messaging": {"topic": "octavia_prov"},
            "oslo_messaging_rabbit": nova["oslo_messaging_rabbit"],
            "oslo_policy": {"enforce_scope": False},
        }


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(
        [str(part) for part in command], env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(
            f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-1500:]}", "see the message above"
        )
