"""Capacity: what is free on the nodes of a snapshot, and which servers need a place elsewhere.

Places are counted from Placement's inventories and usages; what a drain frees on its source is never counted
on before the source is back.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from escalator.model.cloud import ON_NO_NODE, CloudSnapshot, Migration, Node, Server
from escalator.upgrade_manager.state.hypervisors import HypervisorAges
from escalator.upgrade_manager.state.memberships import Memberships
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

MEMORY = "MEMORY_MB"
_COMMON = frozenset({"VCPU", "PCPU", MEMORY, "DISK_GB"})
"""Resource classes that count though no node has any; others count where the snapshot knows of them."""
_STAYING = ON_NO_NODE | {"soft-delete"}
"""States of servers that never move to another node."""


class Tier(IntEnum):
    """How good a node is as a destination; lower is better."""

    UPGRADED = 0
    SPARE = 1
    """It is not upgraded and will not be: what lands there need not move again."""
    PENDING = 2
    """It is still to be upgraded: what lands there moves again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a server asks of a node; servers that ask for the same share it.

    :ivar need: resource class and amount, without zeros, and without classes that no node is known to have.
    :ivar forbidden: traits that a node must not have.
    :ivar live: it moves live, so that the age of hypervisors binds it.
    """

    need: tuple[tuple[str, int], ...]
    memory: int
    traits: frozenset[str]
    forbidden: frozenset[str]
    zone: str | None
    live: bool

    def allows(self, traits: frozenset[str]) -> bool:
        """Tell whether a node with these traits will do."""
        return self.traits <= traits and self.forbidden.isdisjoint(traits)


def needs_place(server: Server) -> bool:
    """Tell whether a server must find another node before its own is empty."""
    return server.migration != "none" and server.vm_state not in _STAYING


def is_moved_cold(server: Server) -> bool:
    """Tell whether a server moves cold in the state it is in; of one whose state passes it is not known."""
    return server.migration == "cold" or server.vm_state == "stopped"


def sort_largest_first(servers: Iterable[Server]) -> tuple[Server, ...]:
    """Put servers in the order in which they are placed: largest memory first, then by id."""
    return tuple(sorted(servers, key=lambda s: (-s.resources.get(MEMORY, 0), s.id)))


class CapacityBook:
    """What is free where. Decisions only read it; the simulator writes moves into it as they happen.

    What is taken is what Placement says, or the sum of the servers there where that is more.

    :param members_stay: members of HA groups stay where they are and need no place.
    :param pending: hosts that are still to be upgraded; None: those that the snapshot calls targets.
    :param in_flight: members of server groups that are on their way count at both ends of it; a decision for
        later leaves this out, as they will have landed.
    """

    def __init__(
        self,
        snapshot: CloudSnapshot,
        *,
        members_stay: bool = True,
        pending: Collection[str] | None = None,
        in_flight: bool = True,
    ) -> None:
        self.members_stay = members_stay
        self.nodes: dict[str, Node] = {node.host: node for node in snapshot.nodes}
        self.memberships = Memberships(snapshot)
        self.ages = HypervisorAges(snapshot.nodes)
        self._older: dict[str, frozenset[str]] = {}
        self._scarce: dict[str, frozenset[str]] = {}
        self._shapes: dict[object, Shape] = {}
        there = self.memberships.servers_on
        self._servers: dict[str, Sequence[Server]] = {host: there.get(host, ()) for host in self.nodes}
        self._used: dict[str, dict[str, int]] = {}
        self._free: dict[str, dict[str, int]] = {}
        self._group_hosts: dict[str, list[str]] | None = None
        self._counted = _COMMON.union(*(node.inventory for node in snapshot.nodes))
        self.tiers = {node.host: tier_of(node, pending) for node in snapshot.nodes}
        self.rank_of: Mapping[str, int] = {}
        self._by_rank: dict[str, list[str]] = {}
        self._open: dict[str, list[list[tuple[int, str]]] | None] = {}
        self._closed = {node.host for node in snapshot.nodes if not node.eligible_destination}
        self.heading: Mapping[str, str] = self._find_heading(snapshot.migrations) if in_flight else {}
        self._hosts: dict[str, list[str]] = {}
        for node in snapshot.nodes:
            self._hosts.setdefault(node.domain, []).append(node.host)

    # what is where

    def used(self, host: str) -> Mapping[str, int]:
        """Return what is taken of each resource class on a node; of an unknown node nothing is."""
        node = self.nodes.get(host)
        if node is None:
            return {}
        if host not in self._used:
            self._used[host] = _used(node, self.servers(host))
        return self._used[host]

    def free(self, host: str) -> Mapping[str, int]:
        """Return what is left of each resource class on a node; below zero where too much is taken."""
        if host not in self._free:
            used = self.used(host)
            inventory = self.nodes[host].inventory
            self._free[host] = {name: item.capacity - used.get(name, 0) for name, item in inventory.items()}
        return self._free[host]

    def is_pending(self, host: str) -> bool:
        """Tell whether a node takes servers but is still to be upgraded."""
        return host not in self._closed and self.tiers[host] is Tier.PENDING

    def servers(self, host: str) -> Sequence[Server]:
        """Return the servers whose host is that node."""
        return self._servers.get(host, ())

    def stays(self, server: Server) -> bool:
        """Tell whether a server stays on its node while that is upgraded, its service being elsewhere."""
        return self.members_stay and self.memberships.is_switchable(server.id)

    def movable(self, hosts: Iterable[str]) -> tuple[Server, ...]:
        """Return the servers that must leave some nodes, largest memory first, then by id."""
        return sort_largest_first(
            s for host in set(hosts) for s in self.servers(host) if needs_place(s) and not self.stays(s)
        )

    def shape(self, server: Server) -> Shape:
        """Return what a server asks of a node."""
        key = (
            tuple(server.resources.items()),
            server.required_traits,
            server.forbidden_traits,
            server.pinned_zone,
            is_moved_cold(server),
        )
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = Shape(
                need=tuple(
                    (name, amount)
                    for name, amount in server.resources.items()
                    if amount > 0 and name in self._counted
                ),
                memory=server.resources.get(MEMORY, 0),
                traits=server.required_traits,
                forbidden=server.forbidden_traits,
                zone=server.pinned_zone,
                live=not is_moved_cold(server),
            )
        return found

    def find_uncounted(self, server: Server) -> frozenset[str]:
        """Return the resource classes that a server asks for and no node of the snapshot has."""
        return frozenset(name for name, amount in server.resources.items() if amount > 0) - self._counted

    def group_hosts(self, group_id: str) -> list[str]:
        """Return where the members of a server group are, one entry a member; two of one on its way."""
        if self._group_hosts is None:
            self._group_hosts = {group: [] for group in self.memberships.server_groups}
            for server in self.memberships.grouped_servers:
                hosts = self._group_hosts[self.memberships.server_group_of[server.id]]
                if server.host in self.nodes and server.vm_state not in ON_NO_NODE:
                    hosts.append(server.host)
                if server.id in self.heading:
                    hosts.append(self.heading[server.id])
        return self._group_hosts[group_id]

    def _find_heading(self, migrations: Iterable[Migration]) -> dict[str, str]:
        """Return where servers are on their way to: server id -> host, until they have arrived.

        A server on its way has a task; an unfinished record of one without a task is only a record.
        """
        found: dict[str, str] = {}
        for migration in migrations:
            if migration.status.unfinished and migration.dest_host in self.nodes:
                there = self.servers(migration.source_host)
                if any(s.id == migration.server_id and s.task_state is not None for s in there):
                    found[migration.server_id] = migration.dest_host
        return found

    # where servers may go

    def open_tiers(self, domain: str) -> list[list[tuple[int, str]]]:
        """Return the nodes of a domain that take servers: by tier, each sorted by free memory and name."""
        tiers = self._open.get(domain)
        if tiers is None:
            tiers = self._open[domain] = [[] for _ in Tier]
            for host in self._hosts.get(domain, ()):
                if host not in self._closed:
                    tiers[self.tiers[host]].append((self.free(host).get(MEMORY, 0), host))
            for tier in tiers:
                tier.sort()
        return tiers

    def open_nodes(self, server: Server, closed: Collection[str] = ()) -> list[Node]:
        """Return the nodes of a server's domain that take servers, best tier first, then by name."""
        source = self.nodes.get(server.host or "")
        if source is None:
            return []
        found = [
            self.nodes[host]
            for tier in self.open_tiers(source.domain)
            for host in sorted(host for _, host in tier)
        ]
        return [node for node in found if node.host not in closed and node.host != server.host]

    def scarce(self, domain: str) -> frozenset[str]:
        """Return the traits that servers of a domain ask for: nodes that have them are kept for these."""
        if domain not in self._scarce:
            hosts = self._hosts.get(domain, ())
            wanted = {server.required_traits for host in hosts for server in self._servers[host]}
            self._scarce[domain] = frozenset().union(*wanted)
        return self._scarce[domain]

    def older(self, host: str) -> frozenset[str]:
        """Return the hosts where a node's servers must not go live, as their hypervisor is older."""
        if host not in self._older:
            self._older[host] = self.ages.older(host)
        return self._older[host]

    def max_unit(self, host: str, name: str) -> int:
        """Return the most of a resource class that one server may have on a node."""
        item = self.nodes[host].inventory.get(name)
        if item is None:
            return 0
        return item.capacity if item.max_unit is None else min(item.max_unit, item.capacity)

    # what happens

    def expect_order(self, hosts: Iterable[str]) -> None:
        """Note the order in which the pending nodes are to go; nodes that are not named have no rank."""
        self.rank_of = dict.fromkeys(self.nodes, -1) | {host: number for number, host in enumerate(hosts)}
        self._by_rank.clear()

    def last_first(self, domain: str) -> Sequence[str]:
        """Return the nodes of a domain whose rank in the order is known, the last first."""
        if domain not in self._by_rank:
            known = (host for host in self._hosts.get(domain, ()) if self.rank_of.get(host, -1) >= 0)
            self._by_rank[domain] = sorted(known, key=self.rank_of.__getitem__, reverse=True)
        return self._by_rank[domain]

    def note_hypervisor(self, host: str, version: ReleaseVersion) -> None:
        """Note that a node has another hypervisor now."""
        self.ages.note(self.nodes[host], version)
        self._older.clear()

    def leave_out(self, host: str) -> None:
        """Note that a node is not going to be upgraded: what lands there need not move again."""
        if self.tiers[host] is Tier.PENDING:
            self.tiers[host] = Tier.SPARE
            self._open.pop(self.nodes[host].domain, None)

    def close(self, host: str) -> None:
        """Take a node out of the destinations."""
        if host not in self._closed:
            self._entry(host, remove=True)
            self._closed.add(host)

    def reopen(self, host: str, *, upgraded: bool) -> None:
        """Let a node take servers again."""
        if host in self._closed:
            if upgraded:
                self.tiers[host] = Tier.UPGRADED
            self._closed.discard(host)
            self._entry(host, remove=False)

    def take(self, host: str, server: Server, *, give_back: bool = False) -> None:
        """Count a server's resources on a node, or give them back."""
        is_open = host not in self._closed
        if is_open:
            self._entry(host, remove=True)
        self.free(host)
        sign = -1 if give_back else 1
        for name, amount in self.shape(server).need:
            self._used[host][name] = self._used[host].get(name, 0) + sign * amount
            if name in self._free[host]:  # a node without that resource class has none to give back
                self._free[host][name] -= sign * amount
        if is_open:
            self._entry(host, remove=False)

    def expect(self, host: str, server: Server, *, over: bool = False) -> None:
        """Count a server on its way to a node as a member of its server group there; ``over``: no longer."""
        group = self.memberships.server_group_of.get(server.id)
        if group is not None:
            hosts = self.group_hosts(group)
            if over:
                hosts.remove(host)
            else:
                hosts.append(host)

    def relocate(self, server: Server, moved: Server) -> None:
        """Record that a server is on another node; its resources are counted by :meth:`take`."""
        group = self.memberships.server_group_of.get(server.id)
        if group is not None and server.host is not None and moved.host is not None:
            hosts = self.group_hosts(group)
            hosts.remove(server.host)
            hosts.append(moved.host)
        if server.host is not None:
            self._servers[server.host] = [s for s in self._servers[server.host] if s is not server]
        if moved.host is not None:
            self._servers[moved.host] = [*self._servers[moved.host], moved]

    def _entry(self, host: str, *, remove: bool) -> None:
        tiers = self._open.get(self.nodes[host].domain)
        if tiers is None:
            return
        entry = (self.free(host).get(MEMORY, 0), host)
        tier = tiers[self.tiers[host]]
        if remove:
            del tier[bisect_left(tier, entry)]
        else:
            insort(tier, entry)


def tier_of(node: Node, pending: Collection[str] | None) -> Tier:
    """Tell how good a node is as a destination.

    :param pending: hosts that are still to be upgraded; None: those that the nodes say.
    """
    if node.upgraded:
        return Tier.UPGRADED
    is_pending = node.target if pending is None else node.host in pending
    return Tier.PENDING if is_pending else Tier.SPARE


def _used(node: Node, servers: Iterable[Server]) -> dict[str, int]:
    taken: dict[str, int] = {}
    for server in servers:
        if server.vm_state not in ON_NO_NODE:
            for name, amount in server.resources.items():
                taken[name] = taken.get(name, 0) + amount
    for name, amount in node.usage.items():
        if amount > taken.get(name, 0):
            taken[name] = amount
    return taken
