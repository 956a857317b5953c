"""Settings of a lab: where its files are, which ports and addresses it uses, how large it is."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from escalator.lab import pins
from escalator.lab.errors import LabError
from escalator.lab.machine.bridge import Bridge

LOOPBACK = "127.0.0.1"
INSTANCES = range(10)
INSTANCE_VARIABLE = "ESCALATOR_LAB_INSTANCE"
MAX_NODES = 99
NODE_SSH_PORT = 22


class NovaForm(StrEnum):
    """How nova-compute is on the nodes: by a link to a virtual environment, or as a Debian package."""

    VENV = "venv"
    PACKAGE = "package"


class Hypervisor(StrEnum):
    """What the guests of a lab run on: the lab's own hypervisor, or libvirt and QEMU."""

    SIM = "sim"
    QEMU = "qemu"

    @property
    def usual_nova(self) -> NovaForm:
        """Return how nova-compute is on nodes where nobody says; real guests go with the package alone."""
        return NovaForm.PACKAGE if self is Hypervisor.QEMU else NovaForm.VENV


def base_interpreter() -> Path:
    """Return the interpreter that this process's virtual environment was made from."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def find_home(environment: Mapping[str, str]) -> Path:
    """Return ESCALATOR_LAB_HOME, or ``escalator-lab`` in the user's cache folder."""
    if chosen := environment.get("ESCALATOR_LAB_HOME"):
        return Path(chosen).expanduser().absolute()
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "escalator-lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports of one lab instance on 127.0.0.1."""

    keystone: int
    placement: int
    nova: int
    glance: int
    neutron: int
    rabbitmq: int
    rabbitmq_distribution: int
    epmd: int
    postgresql: int

    @classmethod
    def of_instance(cls, instance: int) -> "Ports":
        """Compute the ports: a base of 21000, one hundred ports apart from instance to instance."""
        base = 21000 + 100 * instance
        return cls(
            keystone=base,
            placement=base + 1,
            nova=base + 2,
            glance=base + 3,
            neutron=base + 4,
            rabbitmq=base + 5,
            rabbitmq_distribution=base + 6,
            epmd=base + 7,
            postgresql=base + 8,
        )

    def as_dict(self) -> dict[str, int]:
        """Return the ports by the name of the service."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings:
    """What a person chooses about a lab; everything else is computed from it.

    :param home: folder shared by all instances: virtual environments, package caches, templates.
    :param instance: 0 to 9; chooses ports, addresses and the run folder.
    :param nodes: number of compute nodes, 1 to 99.
    :param servers: number of servers that ``up`` boots.
    :param from_release: Nova release that the nodes run at first.
    :param to_release: Nova release whose packages are made ready for an upgrade.
    :param ssh_port: port of the nodes' sshd, on an address of each node's own.
    :param zones: number of availability zones, each with one host aggregate.
    :param nova: how nova-compute is on the nodes.
    :param python: the interpreter that the virtual environment of the control plane is made from.
    :param hypervisor: what the guests run on; real ones are on a bridge of the lab's own.
    :param masakari: whether ``up`` starts Masakari too; a lab that has it keeps it.
    :raises LabError: when a value is out of range.
    """

    home: Path = field(default_factory=lambda: find_home(os.environ))
    instance: int = 0
    nodes: int = 4
    servers: int = 12
    from_release: str = "33.0.2"
    to_release: str = "34.0.0"
    ssh_port: int = NODE_SSH_PORT
    zones: int = 1
    nova: NovaForm = NovaForm.VENV
    python: Path = field(default_factory=base_interpreter)
    hypervisor: Hypervisor = Hypervisor.SIM
    masakari: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.instance not in INSTANCES:
            raise LabError(f"lab instance {self.instance} does not exist", "choose 0 to 9")
        if not 1 <= self.nodes <= MAX_NODES:
            raise LabError(f"a lab of {self.nodes} nodes is not possible", f"choose 1 to {MAX_NODES}")
        if self.servers < 0:
            raise LabError(f"{self.servers} servers are not possible", "choose 0 or more")
        if self.hypervisor == Hypervisor.QEMU and self.nova != NovaForm.PACKAGE:
            raise LabError("nodes with real guests have nova-compute as a package", "leave --nova out")
        if not 1 <= self.zones <= self.nodes:
            raise LabError(f"{self.zones} zones are not possible", "choose 1 up to the number of nodes")

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, **chosen: int | str
    ) -> "LabSettings":
        """Make settings from ESCALATOR_LAB_HOME, _INSTANCE and _SSH_PORT and the values given.

        :raises LabError: when a variable is not a number or out of range.
        """
        return cls(
            home=find_home(environment),
            instance=_number(environment, INSTANCE_VARIABLE, 0),
            ssh_port=_number(environment, "ESCALATOR_LAB_SSH_PORT", NODE_SSH_PORT),
            **chosen,  # type: ignore[arg-type]
        )

    @property
    def ports(self) -> Ports:
        """Return the TCP ports of this instance."""
        return Ports.of_instance(self.instance)

    @property
    def octavia_port(self) -> int:
        """Return the port of Octavia, which is started only where a VNF needs it."""
        return self.ports.postgresql + 1

    @property
    def masakari_port(self) -> int:
        """Return the port of Masakari's API, which is started only where somebody asks for it."""
        return self.ports.postgresql + 2

    @property
    def run(self) -> Path:
        """Return the folder of everything that belongs to the running instance."""
        return self.home / f"run-{self.instance}"

    @property
    def hypervisors(self) -> Path:
        """Return the folder of what hypervisors keep, a folder each: guests, faults, guest events."""
        return self.run / "hypervisors"

    @property
    def control_venv(self) -> Path:
        """Return the virtual environment of the control plane."""
        return self.home / "venvs" / f"control-{pins.control_plane_digest(self.python)}"

    @property
    def uv(self) -> Path:
        """Return the lab's own uv."""
        return self.home / "bin" / "uv"

    @property
    def uv_cache(self) -> Path:
        """Return the package cache that the nodes share."""
        return self.home / "uv-cache"

    @property
    def pycache(self) -> Path:
        """Return the bytecode cache that the nodes share (PYTHONPYCACHEPREFIX)."""
        return self.home / "pycache"

    @property
    def ssh_key(self) -> Path:
        """Return the private key that opens the nodes."""
        return self.home / "ssh" / "id_ed25519"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names of the nodes."""
        return tuple(f"node-{number:02d}" for number in range(1, self.nodes + 1))

    def machine_folder(self, host: str) -> Path:
        """Return the folder of the machine of a node; what it writes is in ``upper`` there."""
        return self.run / "machines" / host

    @property
    def bridge(self) -> Bridge:
        """Return the network of nodes with real guests; those of the lab's own hypervisor are on loopback."""
        return Bridge(instance=self.instance)

    @property
    def listen_addresses(self) -> tuple[str, ...]:
        """Return the addresses that the control plane answers at."""
        return (LOOPBACK, self.bridge.address) if self.hypervisor == Hypervisor.QEMU else (LOOPBACK,)

    def address(self, host: str) -> str:
        """Return the address of a node: on loopback, or on the bridge of real guests."""
        if self.hypervisor == Hypervisor.QEMU:
            return self.bridge.address_of(host)
        return f"127.0.{10 + self.instance}.{int(host.rpartition('-')[2])}"


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise LabError(f"{name}={text!r} is not a number", f"unset {name} or give it a number") from None
