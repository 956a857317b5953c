"""A cloud at one moment: nodes, servers, migrations. The Python form of ``escalator.snapshot/1``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from escalator.model.control_plane import ControlPlane
from escalator.model.feature import Feature
from escalator.model.lease import Lease
from escalator.model.unread import Unread
from escalator.model.verdict import Subject

Resources = Mapping[str, int]
"""Placement resource class -> amount (VCPU: count, MEMORY_MB: MiB, DISK_GB: GiB)."""
EMPTY: Mapping[str, int] = MappingProxyType({})


UNKNOWN_CELL = "unknown"
"""The cell of a node of which nobody tells it, where the cells of others are told."""
ON_NO_NODE = frozenset({"shelved_offloaded", "deleted"})
"""vm_states of servers that are on no node."""


class ServiceState(StrEnum):
    """Whether nova-compute sends heartbeats (Nova's ``state``)."""

    UP = "up"
    DOWN = "down"


class ServiceStatus(StrEnum):
    """Whether the scheduler may use the node (Nova's ``status``)."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceInventory:
    """One resource class of one resource provider, as Placement has it."""

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0
    max_unit: int | None = None

    @property
    def capacity(self) -> int:
        """Return what can be allocated in all: (total - reserved) x allocation ratio, rounded down."""
        return int((self.total - self.reserved) * self.allocation_ratio)


class _WithService:
    """What is told by the state of a nova-compute service, of the service and of its node alike."""

    __slots__ = ()
    state: ServiceState
    status: ServiceStatus
    disabled_reason: str | None
    forced_down: bool

    @property
    def lease(self) -> Lease | None:
        """Return Escalator's lease on the node, if it is disabled with one."""
        return Lease.parse(self.disabled_reason) if self.status is ServiceStatus.DISABLED else None

    @property
    def counting_lease(self) -> Lease | None:
        """Return the lease if it counts against K: one with a mark does not."""
        lease = self.lease
        return lease if lease is not None and lease.mark is None else None

    @property
    def eligible_destination(self) -> bool:
        """Tell whether servers may come here: up, enabled and not forced down."""
        in_service = self.state is ServiceState.UP and self.status is ServiceStatus.ENABLED
        return in_service and not self.forced_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(_WithService):
    """One compute node. ``host`` is the nova-compute service host, the other two names are apart.

    ``usage`` is what Placement has allocated on the provider, migrations included. ``upgraded`` tells that
    the node already runs what the campaign brings, ``target`` that the campaign is to upgrade it.
    ``hypervisor_type`` is Nova's word: QEMU, ironic.
    """

    host: str
    domain: str
    cell: str = "cell1"
    zone: str = "nova"
    aggregates: tuple[str, ...] = ()
    service_id: str | None = None
    hypervisor_hostname: str | None = None
    hypervisor_type: str | None = None
    provider_id: str | None = None
    state: ServiceState = ServiceState.UP
    status: ServiceStatus = ServiceStatus.ENABLED
    disabled_reason: str | None = None
    forced_down: bool = False
    upgraded: bool = False
    target: bool = False
    inventory: Mapping[str, ResourceInventory] = field(default_factory=dict)
    usage: Resources = field(default_factory=lambda: EMPTY)
    traits: frozenset[str] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def bare_metal(self) -> bool:
        """Tell whether its servers are machines (Ironic): none of them moves, it is no node to upgrade."""
        return (self.hypervisor_type or "").casefold() == "ironic"

    def free(self) -> dict[str, int]:
        """Return what is left of each resource class, never below zero."""
        return {
            name: max(0, item.capacity - self.usage.get(name, 0)) for name, item in self.inventory.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server. ``vm_state``, ``task_state`` and ``power_state`` are Nova's OS-EXT-STS words.

    :ivar features: what it has that decides whether Nova moves it.
    :ivar lead_seconds: time between the notice and the first impact on it, beyond what its HA group is given.
    :ivar max_interruption_seconds: interruption of its service that does no harm (ETSI:
        max_undetectable_interruption_time); None: nothing is said of it.
    """

    id: str
    name: str
    host: str | None
    vm_state: str
    project_id: str = ""
    status: str = ""
    task_state: str | None = None
    power_state: str = "running"
    locked: bool = False
    resources: Resources = field(default_factory=lambda: EMPTY)
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    features: frozenset[Feature] = frozenset()
    pinned_zone: str | None = None
    migration: str = "live"
    server_group: str | None = None
    ha_group: str | None = None
    ha_role: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    lead_seconds: float = 0.0
    max_interruption_seconds: float | None = None

    @property
    def on_no_node(self) -> bool:
        """Tell whether the server takes no room on any node, whatever its record says of a host."""
        return self.vm_state in ON_NO_NODE

    @property
    def subject(self) -> Subject:
        """Name the server in a verdict."""
        return Subject.of_server(self.id, self.name)


class MigrationStatus(StrEnum):
    """Nova's migration statuses (``GET /os-migrations``)."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PREPARING = "preparing"
    PRE_MIGRATING = "pre-migrating"
    RUNNING = "running"
    MIGRATING = "migrating"
    POST_MIGRATING = "post-migrating"
    FINISHED = "finished"
    COMPLETED = "completed"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REVERTING = "reverting"
    REVERTED = "reverted"
    DONE = "done"
    ERROR = "error"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def unfinished(self) -> bool:
        """Tell whether a node in it may still be written to; ``finished`` is a resize that waits."""
        return self not in _ENDED

    @property
    def failed(self) -> bool:
        """Tell whether the server was not moved."""
        return self in _FAILED


_FAILED = frozenset({MigrationStatus.ERROR, MigrationStatus.FAILED, MigrationStatus.CANCELLED})
_ENDED = _FAILED | {
    MigrationStatus.COMPLETED,
    MigrationStatus.CONFIRMED,
    MigrationStatus.REVERTED,
    MigrationStatus.DONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One record of ``GET /os-migrations``; ``type`` is live-migration, migration, resize or evacuation."""

    id: int
    uuid: str
    server_id: str
    type: str
    status: MigrationStatus
    source_host: str
    dest_host: str | None
    created_at: datetime
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeService(_WithService):
    """One nova-compute service as ``GET /os-services`` shows it; ``updated_at`` is the last heartbeat."""

    id: str
    host: str
    zone: str
    state: ServiceState
    status: ServiceStatus
    disabled_reason: str | None = None
    forced_down: bool = False
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypervisor:
    """One hypervisor as Nova lists it; ``id`` is also that of its resource provider in Placement.

    ``version`` is the hypervisor's own (QEMU's, not Nova's), such as 8.2.0; ``host_ip`` its ``my_ip``;
    ``type`` is QEMU, ironic and the like.
    """

    id: str
    hostname: str
    host: str
    state: ServiceState
    status: ServiceStatus
    version: str | None = None
    host_ip: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAgent:
    """One Neutron agent on a host: whether it reports and whether it may be used."""

    id: str
    binary: str
    host: str
    alive: bool
    admin_state_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """One server group of Nova's: its policy and the ids of its members.

    :ivar max_server_per_host: members that may be on one node under the policy anti-affinity.
    """

    id: str
    policy: str
    members: tuple[str, ...] = ()
    max_server_per_host: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HaGroup:
    """Servers that stand in for one another; ``mode`` is active-standby, load-balanced or none.

    :ivar max_impacted: members that may be impacted at once (ETSI: max_number_of_impacted_instances).
    :ivar min_preserved: members that must not be (ETSI: min_number_of_preserved_instances).
    :ivar recovery_seconds: for how long a member still counts as impacted after its node was given back
        (ETSI: min_recovery_time_between_impacts).
    :ivar lead_seconds: time between the notice and the first impact (ETSI: impact_notification_lead_time).
    """

    id: str
    mode: str
    members: tuple[str, ...] = ()
    max_impacted: int | None = None
    min_preserved: int | None = None
    recovery_seconds: float = 0.0
    lead_seconds: float = 0.0

    @property
    def has_limits(self) -> bool:
        """Tell whether the group says itself how many members may be impacted at once."""
        return self.max_impacted is not None or self.min_preserved is not None

    @property
    def tolerated(self) -> int:
        """Return how many members may be impacted at once; one when the group does not say.

        Nothing stands in for the members of a group of mode ``none``: its limits hold where it has some.
        """
        if not self.has_limits:
            return len(self.members) if self.mode == "none" else min(1, len(self.members))
        most = len(self.members) if self.max_impacted is None else self.max_impacted
        return max(0, min(most, len(self.members) - (self.min_preserved or 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSnapshot:
    """A cloud at ``taken_at`` (aware); nodes and servers sorted by name.

    :ivar control_plane: None: nobody looked at it.
    :ivar unread: lists that the cloud does not let us read: they are empty here, and not known.
    """

    cloud: str
    taken_at: datetime
    nodes: tuple[Node, ...]
    servers: tuple[Server, ...] = ()
    migrations: tuple[Migration, ...] = ()
    server_groups: tuple[ServerGroup, ...] = ()
    ha_groups: tuple[HaGroup, ...] = ()
    agents: tuple[NetworkAgent, ...] = ()
    control_plane: ControlPlane | None = None
    unread: tuple[Unread, ...] = ()

    def node(self, host: str) -> Node | None:
        """Return the node of that nova-compute service host."""
        return next((n for n in self.nodes if n.host == host), None)

    def servers_on(self, host: str) -> tuple[Server, ...]:
        """Return the servers whose host is that node."""
        return tuple(s for s in self.servers if s.host == host)
