"""What the members of VNFs are: processes beside guests that are files, or real guests that serve."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from escalator.lab.errors import LabError
from escalator.lab.machine import guest
from escalator.lab.machine.guest_service import PATH
from escalator.lab.processes import wait_until
from escalator.lab.servers import ServerSpec
from escalator.lab.services import VNF_PREFIX, Service, ServiceRunner
from escalator.lab.vnf.json_server import OK, call
from escalator.lab.vnf.networks import NETWORK, VnfNetworks
from escalator.lab.vnf.processes import PORT, VnfProcesses
from escalator.lab.vnf.specs import Form, Vnf, VnfServer, VnfSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from escalator.lab.lab import Lab

READY_SECONDS = 15.0
BOOTED_SECONDS = 180.0
"""How long a real guest may take until it answers: QEMU emulates it, beside all that starts just then."""
HTTP_PORT = 80


class Members(Protocol):
    """The members of the VNFs of one lab.

    :ivar port: where a member answers on its own address; :ivar path: below which path.
    """

    @property
    def port(self) -> int:
        """Return the port where a member answers, on its own address and on that of its service."""

    @property
    def path(self) -> str:
        """Return the path below which a member takes commands."""

    def check(self, spec: VnfSpec) -> None:
        """Refuse a VNF that there cannot be here.

        :raises LabError: saying why.
        """

    def list_servers(self, spec: VnfSpec, group_id: str) -> list[ServerSpec]:
        """Return the servers to boot for a VNF."""

    def start(self, vnfs: Sequence[Vnf], known: Mapping[str, Vnf]) -> None:
        """Make the members of new VNFs serve.

        :param known: all VNFs by name, the new ones among them.
        :raises LabError: when one does not.
        """

    def wait_served(self, vnf: Vnf) -> None:
        """Wait until a VNF is served at its address.

        :raises LabError: when it is not in time.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMembers:
    """A process of this computer for each member, frozen, stopped and started with its server.

    :param folder: of logs and configurations.
    """

    lab: Lab
    processes: VnfProcesses
    runner: ServiceRunner
    folder: Path
    port: int = PORT
    path: str = ""

    def check(self, spec: VnfSpec) -> None:
        """Refuse nothing."""

    def list_servers(self, spec: VnfSpec, group_id: str) -> list[ServerSpec]:
        """Return a server on each node, in the network of the VNFs."""
        return [
            replace(_bare(spec, number, host, group_id), flavor=spec.flavor, network=NETWORK)
            for number, host in enumerate(spec.nodes, start=1)
        ]

    def start(self, vnfs: Sequence[Vnf], known: Mapping[str, Vnf]) -> None:
        """Start the processes, and those that follow Nova and Neutron."""
        everything = tuple(known.values())
        self.processes.write_guests(self.folder, everything)
        wanted = [(self.processes.guest(vnf, server), server) for vnf in vnfs for server in vnf.servers]
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda each: self._run(*each), wanted))
        self.processes.write_power(self.folder, everything)
        events = [node.events_file for node in self.lab.nodes()]
        self.runner.ensure_started(self.processes.guest_power(self.folder, events))
        if any(vnf.spec.form in {Form.FLOATING_IP, Form.VIP_PORT} for vnf in vnfs):
            self.runner.ensure_started(self.processes.l3_agent(self.folder))

    def wait_served(self, vnf: Vnf) -> None:
        """Wait until the address answers; a first member that has ended is not waited for."""
        name = f"{VNF_PREFIX}{vnf.servers[0].name}"
        asked = Service(name=name, command=(), port=vnf.port, speaks_http=True)
        self.runner.wait_ready(asked, address=vnf.address, timeout_seconds=READY_SECONDS)

    def _run(self, service: Service, server: VnfServer) -> None:
        self.runner.ensure_started(service)
        self.runner.wait_ready(service, address=server.address, timeout_seconds=READY_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestMembers:
    """Real guests: they take the address of their service and give it up themselves, once they know it."""

    networks: VnfNetworks
    port: int = HTTP_PORT
    path: str = PATH

    def check(self, spec: VnfSpec) -> None:
        """Refuse whatever is no pair of members that switch over by HTTP."""
        if spec.form is not Form.HTTP:
            raise LabError(f"{spec.name}: a real guest is no member of the form {spec.form}", "choose http")

    def list_servers(self, spec: VnfSpec, group_id: str) -> list[ServerSpec]:
        """Return a real guest on each node."""
        return [
            replace(guest.spec_of(plain.name, plain.host), project=plain.project, group=plain.group)
            for plain in (
                _bare(spec, number, host, group_id) for number, host in enumerate(spec.nodes, start=1)
            )
        ]

    def start(self, vnfs: Sequence[Vnf], known: Mapping[str, Vnf]) -> None:  # noqa: ARG002
        """Allow both the address of their service, and tell them; the first one is active."""
        for vnf in vnfs:
            for server in vnf.servers:
                self.networks.allow_address(server.port_id, vnf.address)
            for server in reversed(vnf.servers):  # the peer is there before one is active
                body = describe_role(vnf, server)
                _wait_ok(server.name, "POST", f"{server.url}/configure", body)

    def wait_served(self, vnf: Vnf) -> None:
        """Wait until the address answers."""
        _wait_ok(vnf.spec.name, "GET", f"{vnf.url}/health")


def _bare(spec: VnfSpec, number: int, host: str, group_id: str) -> ServerSpec:
    return ServerSpec(name=f"{spec.name}-{number}", host=host, project=spec.project_name, group=group_id)


def describe_role(vnf: Vnf, server: VnfServer) -> dict[str, str]:
    """Return what a real guest is told of itself and its peer."""
    peer = next(other for other in vnf.servers if other.id != server.id)
    role = "active" if server == vnf.servers[0] else "standby"
    about = {"name": server.name, "server": server.id, "role": role}
    return {**about, "service": vnf.address, "peer": peer.url}


def _wait_ok(name: str, method: str, url: str, body: object = None) -> None:
    def is_ok() -> bool:
        try:
            return call(method, url, body).status == OK
        except OSError:
            return False

    if not wait_until(is_ok, timeout_seconds=BOOTED_SECONDS):
        raise LabError(f"{name} does not answer {method} {url}", "read the consoles of its servers")
