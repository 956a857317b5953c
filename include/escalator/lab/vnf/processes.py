"""The processes of VNFs: with which words each is started, and where it answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.lab.config import PASSWORD
from escalator.lab.services import VNF_PREFIX, Service
from escalator.lab.vnf.json_file import write_json
from escalator.lab.vnf.specs import Form, Vnf, VnfmSpec, VnfServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from escalator.lab.config import ControlConfig

PORT, CONTROL_PORT, MANAGER_PORT = 8080, 8081, 9890
L3_AGENT = f"{VNF_PREFIX}l3-agent"
_INCLUDE = Path(__file__).resolve().parents[3]
_BY_AGENT = (Form.FLOATING_IP, Form.VIP_PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfProcesses:
    """What to run for a VNF.

    :param config: of the lab.
    """

    config: ControlConfig

    def guest(self, vnf: Vnf, server: VnfServer) -> Service:
        """Return the guest of a server; the first one of a pair that moves its address itself is active."""
        words: list[str | Path] = ["--name", server.name, "--server", server.id]
        words += ["--own", f"{server.address}:{server.port}", "--log", vnf.folder / f"{server.name}.jsonl"]
        words += ["--takeover-seconds", str(vnf.spec.takeover_seconds)]
        if vnf.spec.form is Form.HTTP:
            peers = [other for other in vnf.servers if other.id != server.id]
            words += ["--service", f"{vnf.address}:{vnf.port}", "--peer", peers[0].url]
            words += ["--active"] if server == vnf.servers[0] else []
        return self._python("guest", server.name, words, port=server.port)

    def balancer(self, vnf: Vnf) -> Service:
        """Return the balancer of a VNF."""
        words: list[str | Path] = [
            "--listen",
            f"{vnf.address}:{vnf.port}",
            "--log",
            vnf.folder / "balancer.jsonl",
        ]
        words += ["--control", f"{vnf.address}:{CONTROL_PORT}"]
        for server in vnf.servers:
            words += ["--member", f"{server.name}={server.address}:{server.port}"]
        name = f"{vnf.spec.name}-balancer"
        if vnf.load_balancer is None:
            return self._python("balancer", name, words, port=CONTROL_PORT)
        words = ["--database", self._database("octavia"), "--load-balancer", vnf.load_balancer.id, *words]
        return self._python("amphora", name, words, port=CONTROL_PORT, interpreter=self._with_libraries)

    def manager(self, vnf: Vnf, spec: VnfmSpec) -> Service:
        """Write the configuration of a VNF's manager, and return the manager."""
        path = vnf.folder / "vnfm.json"
        path.write_text(json.dumps(self._manager_config(vnf, spec), indent=1))
        path.chmod(0o600)
        words: list[str | Path] = ["--config", path, "--dialect", spec.dialect, "--behaviour", spec.behaviour]
        words += ["--on", *spec.on, "--seconds", str(spec.seconds), "--action", spec.action]
        name = f"{vnf.spec.name}-vnfm"
        return self._python("vnfm", name, words, port=MANAGER_PORT, interpreter=self._with_libraries)

    def l3_agent(self, folder: Path) -> Service:
        """Return the L3 agent; it needs the control plane's interpreter for the database."""
        words: list[str | Path] = ["--database", self._database("neutron")]
        words += ["--guests", folder / "guests.json"]
        words += ["--log", folder / "l3-agent.jsonl"]
        return self._python("l3_agent", "l3-agent", words, interpreter=self._with_libraries)

    @staticmethod
    def write_guests(folder: Path, vnfs: tuple[Vnf, ...]) -> None:
        """Tell the L3 agent which guests take part."""
        folder.mkdir(parents=True, exist_ok=True)
        guests = [
            {"own": server.address, "port": server.port}
            for vnf in vnfs
            if vnf.spec.form in _BY_AGENT
            for server in vnf.servers
        ]
        write_json(folder / "guests.json", guests)

    def write_power(self, folder: Path, vnfs: tuple[Vnf, ...]) -> None:
        """Tell the process that follows Nova what the guests of the servers are."""
        guests = {server.id: self._power(vnf, server) for vnf in vnfs for server in vnf.servers}
        write_json(folder / "power.json", guests)

    def guest_power(self, folder: Path, events: Iterable[Path]) -> Service:
        """Return what pauses, stops and starts guests with their servers."""
        words: list[str | Path] = ["--guests", folder / "power.json", "--log", folder / "power.jsonl"]
        return self._python("guest_power", "guest-power", [*words, "--events", *events])

    def _power(self, vnf: Vnf, server: VnfServer) -> dict[str, Any]:
        service = self.guest(vnf, server)
        run = self.config.settings.run
        again = ["--active"] if vnf.spec.form is Form.HTTP else []  # unless its peer serves
        return {
            "name": server.name,
            "url": server.url,
            "address": None if vnf.spec.form.is_pool else vnf.address,
            "command": [str(word) for word in (*service.command, *again)],
            "environment": dict(service.environment),
            "pid_file": run / "pid" / f"{service.name}.json",
            "out": run / "log" / f"{service.name}.out",
        }

    @property
    def _with_libraries(self) -> Path:
        """Return the control plane's interpreter: it has psycopg and a YAML reader."""
        return self.config.settings.control_venv / "bin/python"

    def _database(self, name: str) -> str:
        """Return the address of a database, as libpq has it."""
        return f"host=127.0.0.1 port={self.config.settings.ports.postgresql} user=lab dbname={name}"

    def _python(
        self,
        module: str,
        name: str,
        words: list[str | Path],
        *,
        port: int | None = None,
        interpreter: Path | None = None,
    ) -> Service:
        python = interpreter or self.config.settings.python
        return Service(
            name=f"{VNF_PREFIX}{name}",
            command=(python, "-m", f"escalator.lab.vnf.{module}", *words),
            environment={
                "PYTHONPATH": str(_INCLUDE),
                "PYTHONPYCACHEPREFIX": str(self.config.settings.pycache),
            },
            port=port,
            speaks_http=True,
        )

    def _manager_config(self, vnf: Vnf, spec: VnfmSpec) -> dict[str, Any]:
        name = vnf.spec.project_name
        account = {"auth_url": self.config.auth_url, "username": name, "password": PASSWORD, "project": name}
        address = (vnf.vnfm_url or "").removeprefix("http://").partition("/")[0]
        return {
            "name": f"{vnf.spec.name}-vnfm",
            "listen": address,
            "log": str(vnf.vnfm_log),
            "account": account,
            "authorization": spec.authorization,
            "members": [
                {"id": server.id, "name": server.name, "url": server.url, "port_id": server.port_id}
                for server in vnf.servers
            ],
            "balancer": vnf.balancer,
            "floating_ip": vnf.address_id if vnf.spec.form is Form.FLOATING_IP else None,
            "groups": [_group(vnf, spec)] if spec.pushes else [],
            "instances": [_instance(vnf, server, spec) for server in vnf.servers] if spec.pushes else [],
        }


def _group(vnf: Vnf, spec: VnfmSpec) -> dict[str, object]:
    """Return the body of the group's constraints, with the names and units of Fenix."""
    return {
        "group_id": vnf.group_id,
        "project_id": vnf.project_id,
        "group_name": vnf.spec.name,
        "anti_affinity_group": True,
        "max_instances_per_host": 1,
        "max_impacted_members": 1,
        "recovery_time": 2,
        "resource_mitigation": False,
        **spec.group,
    }


def _instance(vnf: Vnf, server: VnfServer, spec: VnfmSpec) -> dict[str, object]:
    """Return the body of a server's constraints, with the names and units of Fenix."""
    return {
        "instance_id": server.id,
        "project_id": vnf.project_id,
        "group_id": vnf.group_id,
        "instance_name": server.name,
        "max_interruption_time": 120,
        "migration_type": spec.action,
        "resource_mitigation": False,
        "lead_time": 0,
        **spec.instance,
    }


def describe(vnf: Vnf) -> dict[str, Any]:
    """Return what programs need to know about a VNF."""
    return json.loads(json.dumps(asdict(vnf), default=str))  # type: ignore[no-any-return]
