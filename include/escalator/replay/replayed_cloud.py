"""The cloud as the events leave it: who is where, what is taken, which nodes are out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

from escalator.model.cloud import CloudSnapshot, HaGroup, Node, Server
from escalator.model.feature import Feature
from escalator.replay.events import Event
from escalator.replay.report import ReplayOptions, Violation, ViolationCode

NO_ROOM = frozenset({"shelved_offloaded", "deleted"})
"""States in which a server takes nothing of any node."""
UNMOVED = NO_ROOM | {"soft-delete"}
"""States in which a server is left where it is."""
COMMON_CLASSES = frozenset({"VCPU", "PCPU", "MEMORY_MB", "DISK_GB"})
"""Resource classes that are looked at though no node has any; others where some node has them."""
STAYING_MODES = frozenset({"active-standby", "load-balanced"})
"""Modes of HA groups whose members can stay on a node that is upgraded."""
ACTIVE_STANDBY = "active-standby"
NEVER_MOVED = frozenset({Feature.ACCELERATOR, Feature.ACCELERATOR_PORT, Feature.SHARE})
"""What Nova moves in no way."""
REFUSED = NEVER_MOVED | {Feature.MEMORY_ENCRYPTION, Feature.VTPM, Feature.PCI, Feature.VGPU}
"""What Nova does not move live, or not under every hypervisor: a non-smooth campaign may stop it instead."""


class PlayedNode:
    """One node as the replay has it."""

    __slots__ = (
        "capacity",
        "closed",
        "counted",
        "incoming",
        "leaving",
        "node",
        "out",
        "outgoing",
        "servers",
        "upgraded",
        "upgrading",
        "used",
    )

    def __init__(self, node: Node) -> None:
        self.node = node
        self.capacity = {name: item.capacity for name, item in node.inventory.items()}
        self.used: dict[str, int] = {}
        self.servers: set[str] = set()
        self.closed = not node.eligible_destination
        """Down, forced down or disabled: by others than this campaign."""
        self.out = False
        """Admitted and not released."""
        self.counted = False
        """Takes a place of K."""
        self.upgrading = False
        self.upgraded = node.upgraded
        self.incoming: set[str] = set()
        self.outgoing: set[str] = set()
        self.leaving = 0
        """Moves under way from here, standbys not counted."""

    @property
    def available(self) -> bool:
        """Tell whether servers may come here."""
        return not self.out and not self.closed

    def take(self, server: Server) -> None:
        """Allocate a server's resources here."""
        for name, amount in server.resources.items():
            self.used[name] = self.used.get(name, 0) + amount

    def give(self, server: Server) -> None:
        """Free a server's resources here."""
        for name, amount in server.resources.items():
            self.used[name] = self.used.get(name, 0) - amount


class ReplayedCloud:
    """Everything that the rules look at and the events change."""

    def __init__(
        self,
        snapshot: CloudSnapshot,
        options: ReplayOptions,
        *,
        members_stay: bool,
        stays: Collection[str] = (),
        leaves: Collection[str] = (),
        rests: Collection[str] = (),
    ) -> None:
        self.options = options
        self.members_stay = members_stay
        self._agreed_stays, self._agreed_leaves = stays, leaves
        self._rests = rests
        self.now = 0.0
        self.nodes = {node.host: PlayedNode(node) for node in snapshot.nodes}
        self.classes = COMMON_CLASSES.union(*(node.inventory for node in snapshot.nodes))
        self.servers = {server.id: server for server in snapshot.servers}
        self.place = {server.id: server.host for server in snapshot.servers}
        self.flights: dict[str, Event] = {}
        self.stopped: set[str] = set()
        """Servers that the campaign stopped and has not started again."""
        self.groups: dict[str, HaGroup] = {group.id: group for group in snapshot.ha_groups}
        self.members: dict[str, tuple[str, ...]] = {}
        self.groups_of: dict[str, list[str]] = defaultdict(list)
        self.actives: dict[str, set[str]] = {}
        self.recovering: dict[str, float] = {}
        self.affine = {group.id: group for group in snapshot.server_groups}
        self.affine_of: dict[str, list[str]] = defaultdict(list)
        self.moves: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.switchovers = 0
        self.soft_breaks = 0
        self.out_now = 0
        self.most_out = 0
        self.violations: list[Violation] = []
        self._fill()
        self._gather(snapshot)

    def fault(self, code: ViolationCode, subject: str, message: str) -> None:
        """Note a broken rule."""
        self.violations.append(Violation(code=code, t=self.now, subject=subject, message=message))

    def name(self, server_id: str) -> str:
        """Name a server for a message."""
        server = self.servers.get(server_id)
        return f"server {server.name if server is not None and server.name else server_id}"

    def count(self, played: PlayedNode, *, counted: bool) -> None:
        """Let a node take a place of K, or give it up."""
        self.out_now += counted - played.counted
        self.most_out = max(self.most_out, self.out_now)
        played.counted = counted

    def running(self, server_id: str) -> bool:
        """Tell whether a server serves: active, running, and not stopped by the campaign."""
        server = self.servers[server_id]
        return (
            server.vm_state == "active" and server.power_state == "running" and server_id not in self.stopped
        )

    def on_out_node(self, server_id: str) -> bool:
        """Tell whether the node that a server is on is out of service, for whatever reason."""
        node = self.nodes.get(self.place[server_id] or "")
        return node is not None and not node.available

    def stays(self, server_id: str) -> bool:
        """Tell whether a server stays on its node while that is upgraded: as agreed, or as a member.

        One that left a node and stays on a later one, as its manager answered each time, may do either.
        """
        if server_id in self._agreed_leaves or server_id in self._agreed_stays:
            return server_id in self._agreed_stays
        return self.members_stay and any(
            self.groups[group].mode in STAYING_MODES for group in self.groups_of.get(server_id, ())
        )

    def must_leave(self, server_id: str) -> bool:
        """Tell whether a server has to be elsewhere before its node is upgraded.

        One that Nova refuses to move does not have to where the trace stops it, or where it is shut off.
        """
        server = self.servers[server_id]
        if not REFUSED.isdisjoint(server.features):
            off = server.vm_state == "stopped" and not NEVER_MOVED.isdisjoint(server.features)
            if off or server_id in self._rests:
                return False
        return server.migration != "none" and server.vm_state not in UNMOVED and not self.stays(server_id)

    def leavers(self, host: str) -> Iterator[Server]:
        """Give the servers now on a node that have to leave it."""
        return (self.servers[s] for s in self.nodes[host].servers if self.must_leave(s))

    def _fill(self) -> None:
        for server in self.servers.values():
            node = self.nodes.get(server.host or "")
            if node is None:
                continue
            node.servers.add(server.id)
            if server.vm_state not in NO_ROOM:
                node.take(server)
        for node in self.nodes.values():
            for name, amount in node.node.usage.items():
                node.used[name] = max(node.used.get(name, 0), amount)

    def _gather(self, snapshot: CloudSnapshot) -> None:
        """Join what groups say of their members and what servers say of their groups."""
        named: dict[str, list[str]] = {group.id: list(group.members) for group in snapshot.ha_groups}
        affine: dict[str, list[str]] = {group.id: list(group.members) for group in snapshot.server_groups}
        for server in snapshot.servers:
            if server.ha_group in named:
                named[server.ha_group].append(server.id)
            if server.server_group in affine:
                affine[server.server_group].append(server.id)
        for group, listed in named.items():
            self.members[group] = tuple(m for m in dict.fromkeys(listed) if m in self.servers)
            self.actives[group] = {m for m in self.members[group] if self.servers[m].ha_role == "active"}
            for member in self.members[group]:
                self.groups_of[member].append(group)
        self.affine_members = {
            group: tuple(m for m in dict.fromkeys(listed) if m in self.servers)
            for group, listed in affine.items()
        }
        for group, members in self.affine_members.items():
            for member in members:
                self.affine_of[member].append(group)
