"""Fleets that plans are compared on: made up, but the same for every arm and every run.

Three zones of two aggregates each, about 40 servers a node at 85 % use, about a quarter of the servers in
1+1 pairs on different nodes, a part of the pairs split over two zones, a part anti-affine in Nova too. Names
say nothing about load or place: the nodes of a domain are dealt out over the fleet.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from escalator.model.cloud import CloudSnapshot, HaGroup, Node, ResourceInventory, Server, ServerGroup

ZONES = ("az1", "az2", "az3")
AGGREGATES = ("general", "network")
SPLIT_ZONES = 0.3
"""Share of the pairs whose members are in two zones."""
IN_NOVA_TOO = 0.5
"""Share of the pairs that are a server group of hard anti-affinity as well."""
RECOVERY_SECONDS = 60.0
NODE_GIB = 206
RESERVED_GIB = 2
NODE_VCPUS = 32
VCPU_RATIO = 6.0
NODE_DISK_GB = 6000
UNEVEN = 0.05
"""How far the nodes' use lies around the mean, each way."""
_FLAVORS = (
    (1, 1, 0.20),
    (1, 2, 0.25),
    (2, 4, 0.30),
    (4, 8, 0.17),
    (8, 16, 0.08),
)
"""VCPUs, GiB and how frequent."""
RESOURCES = tuple(
    MappingProxyType({"VCPU": vcpus, "MEMORY_MB": gib * 1024, "DISK_GB": 20 * vcpus})
    for vcpus, gib, _ in _FLAVORS
)
_WEIGHTS = tuple(weight for _, _, weight in _FLAVORS)
_SMALLEST = min(resources["MEMORY_MB"] for resources in RESOURCES)
_FULL = NODE_GIB - RESERVED_GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What a fleet is like: ``used`` is the share of memory in use, ``empty`` the empty nodes of a domain."""

    nodes: int
    used: float = 0.85
    empty: int = 0
    in_pairs: float = 0.24
    seed: int = 1

    def snapshot(self) -> CloudSnapshot:
        """Make the fleet; the same description always gives the same one."""
        return _Maker(self, random.Random(f"{self.seed}/{self.nodes}/{self.used}/{self.empty}")).make()  # noqa: S311 - no secret


@dataclass(slots=True)
class _Maker:
    fleet: Fleet
    dice: random.Random
    servers: dict[str, Server] = field(default_factory=dict)
    groups: list[HaGroup] = field(default_factory=list)
    server_groups: list[ServerGroup] = field(default_factory=list)

    def make(self) -> CloudSnapshot:
        nodes = list(_nodes(self.fleet.nodes))
        seen: dict[str, int] = defaultdict(int)
        for node in nodes:
            seen[node.domain] += 1
            if seen[node.domain] > self.fleet.empty:
                self._fill(node)
        self._pair(nodes)
        return CloudSnapshot(
            cloud=f"fleet-{self.fleet.nodes}",
            taken_at=datetime(2026, 1, 1, tzinfo=UTC),
            nodes=tuple(nodes),
            servers=tuple(self.servers.values()),
            server_groups=tuple(self.server_groups),
            ha_groups=tuple(self.groups),
        )

    def _fill(self, node: Node) -> None:
        """Put servers on a node until its share of memory is in use."""
        share = self.fleet.used + self.dice.uniform(-UNEVEN, UNEVEN)
        wanted = int(_FULL * 1024 * min(share, 0.99))
        while wanted >= _SMALLEST:
            resources = self.dice.choices(RESOURCES, _WEIGHTS)[0]
            if resources["MEMORY_MB"] > wanted:
                continue
            wanted -= resources["MEMORY_MB"]
            name = f"server-{len(self.servers):06d}"
            self.servers[name] = Server(
                id=name,
                name=name,
                host=node.host,
                vm_state="active",
                resources=resources,
                pinned_zone=node.zone if self.dice.random() < SPLIT_ZONES else None,
            )

    def _pair(self, nodes: list[Node]) -> None:
        """Join servers to pairs of one flavor on two nodes: of a domain, or of an aggregate in two zones."""
        domains = {node.host: node.domain for node in nodes}
        pools: dict[tuple[str, object], list[Server]] = defaultdict(list)
        for server in self.servers.values():
            if self.dice.random() < self.fleet.in_pairs:
                domain = domains[server.host or ""]
                split = self.dice.random() < SPLIT_ZONES
                pool = domain.rpartition("/")[2] if split else domain
                pools[pool, tuple(server.resources.items())].append(server)
        for (pool, _), servers in sorted(pools.items(), key=lambda item: str(item[0])):
            self.dice.shuffle(servers)
            for one, other in _apart(servers, domains, zones="/" not in pool):
                self._join(one, other)

    def _join(self, one: Server, other: Server) -> None:
        group = f"pair-{len(self.groups):05d}"
        members = (one.id, other.id)
        apart = None
        if self.dice.random() < IN_NOVA_TOO:
            apart = f"apart-{group}"
            self.server_groups.append(ServerGroup(id=apart, policy="anti-affinity", members=members))
        self.groups.append(
            HaGroup(
                id=group,
                mode="active-standby",
                members=members,
                max_impacted=1,
                min_preserved=1,
                recovery_seconds=RECOVERY_SECONDS,
            )
        )
        for server, role in ((one, "active"), (other, "standby")):
            self.servers[server.id] = replace(server, ha_group=group, ha_role=role, server_group=apart)


def _nodes(count: int) -> Iterator[Node]:
    inventory = {
        "VCPU": ResourceInventory(total=NODE_VCPUS, allocation_ratio=VCPU_RATIO),
        "MEMORY_MB": ResourceInventory(total=NODE_GIB * 1024, reserved=RESERVED_GIB * 1024),
        "DISK_GB": ResourceInventory(total=NODE_DISK_GB),
    }
    places = [(zone, aggregate) for zone in ZONES for aggregate in AGGREGATES]
    for number in range(count):
        zone, aggregate = places[number % len(places)]
        yield Node(
            host=f"node-{number:04d}",
            domain=f"cell1/{zone}/{aggregate}",
            zone=zone,
            aggregates=(aggregate,),
            target=True,
            inventory=inventory,
        )


def _apart(
    servers: list[Server], domains: Mapping[str, str], *, zones: bool
) -> Iterator[tuple[Server, Server]]:
    """Give neighbours of a list that are on two nodes, or in two zones; what fits no neighbour is left."""
    waiting: list[Server] = []
    for server in servers:
        for index, other in enumerate(waiting):
            home, there = server.host or "", other.host or ""
            if (domains[home] != domains[there]) if zones else (home != there):
                yield waiting.pop(index), server
                break
        else:
            waiting.append(server)
