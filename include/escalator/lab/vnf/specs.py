"""Which VNFs a lab shall have, and what they are once they are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from escalator.lab.vnf.load_balancers import LoadBalancer
from escalator.lab.vnf.vnfm import ABOUT_INSTANCES, Behaviour


class Form(StrEnum):
    """How the load of a VNF is on its members, and how it is taken off one of them.

    http: a pair; a member is told over HTTP, and the address of the service goes to its peer.
    floating-ip: a pair; the address is a floating IP in Neutron.
    vip-port: a pair; the address is an allowed address pair of one member's port in Neutron.
    balancer: members behind a balancer with weights.
    octavia: members behind a load balancer of Octavia's.
    """

    HTTP = "http"
    FLOATING_IP = "floating-ip"
    VIP_PORT = "vip-port"
    BALANCER = "balancer"
    OCTAVIA = "octavia"

    @property
    def is_pool(self) -> bool:
        """Tell whether all members share the load; else one is active."""
        return self in {Form.BALANCER, Form.OCTAVIA}


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfmSpec:
    """A manager to start. See ``Behaviour``.

    :param dialect: ``a``, ``b`` or ``webhook``.
    :param on: states of the messages in which it behaves so.
    :param seconds: of ``slow`` and ``late``.
    :param action: what it wants done with its instances.
    :param group: more of its group's constraints; :param instance: more of its instances' constraints.
    :param pushes: whether it puts constraints at the API.
    """

    dialect: str = "a"
    behaviour: Behaviour = Behaviour.GOOD
    on: tuple[str, ...] = ABOUT_INSTANCES
    seconds: float = 3.0
    action: str = "OWN_ACTION"
    group: Mapping[str, object] = field(default_factory=dict)
    instance: Mapping[str, object] = field(default_factory=dict)
    pushes: bool = True
    authorization: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfSpec:
    """A VNF to start: a server on each of the nodes, the first one active.

    :param nodes: two for a pair, three or so for a balancer.
    :param vnfm: its manager; None: it has none.
    :param project: name of its project; None: ``vnf-`` and its name.
    :param takeover_seconds: how long a member takes from being told until it serves.
    :param hard: whether its server group forbids two members on a node (anti-affinity); else it prefers not.
    """

    name: str
    nodes: tuple[str, ...]
    form: Form = Form.HTTP
    vnfm: VnfmSpec | None = None
    project: str | None = None
    takeover_seconds: float = 0.02
    hard: bool = False
    flavor: str = "m1.tiny"

    @property
    def project_name(self) -> str:
        """Return the name of its project, and of the user there."""
        return self.project or f"vnf-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfServer:
    """A member. ``address`` is the fixed IP of its port, where its guest answers, below ``path``."""

    name: str
    id: str
    host: str
    port_id: str
    address: str
    port: int
    path: str = ""

    @property
    def url(self) -> str:
        """Return where its guest answers."""
        return f"http://{self.address}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vnf:
    """A VNF that runs.

    :param group_id: of its server group in Nova.
    :param address: where the service is served; :param address_id: of the floating IP or of the port that
        reserves the address.
    :param balancer: where the weights of its balancer are told, and set where it is not Octavia's.
    :param load_balancer: of Octavia; None: it has none there.
    :param vnfm_url: where its manager takes messages.
    :param is_real: whether its members are real guests: its address answers echoes then, and an HTTP probe
        ten times a second would be much for a processor that is emulated.
    """

    spec: VnfSpec
    project_id: str
    group_id: str
    servers: tuple[VnfServer, ...]
    address: str
    port: int
    address_id: str
    folder: Path
    balancer: str | None = None
    load_balancer: LoadBalancer | None = None
    vnfm_url: str | None = None
    is_real: bool = False

    @property
    def url(self) -> str:
        """Return where its service is served."""
        return f"http://{self.address}:{self.port}"

    @property
    def logs(self) -> tuple[Path, ...]:
        """Return the logs of its processes, its manager's left out."""
        names = [server.name for server in self.servers] + (["balancer"] if self.balancer else [])
        return tuple(self.folder / f"{name}.jsonl" for name in names)

    @property
    def vnfm_log(self) -> Path:
        """Return the log of its manager."""
        return self.folder / "vnfm.jsonl"
