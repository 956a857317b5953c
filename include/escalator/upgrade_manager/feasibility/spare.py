"""Spare nodes: the fewest that make an infeasible upgrade of a drain domain feasible, and what else would.

Feasible: every target of the domain can be emptied, one at a time, in some order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from escalator.model.check_report import SpareProposal
from escalator.model.cloud import CloudSnapshot, Node, ResourceInventory
from escalator.upgrade_manager.feasibility.alternatives import Trial, find_alternatives
from escalator.upgrade_manager.state.capacity import MEMORY
from escalator.upgrade_manager.state.hypervisors import hypervisor_of
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

_ONE_BY_ONE = 8
"""For up to so many targets as many spare nodes are tried one by one; beyond, the range is halved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a node has: its inventory and its traits."""

    inventory: Mapping[str, ResourceInventory]
    traits: frozenset[str]

    @property
    def key(self) -> str:
        """Return what two nodes of the same shape have in common."""
        return f"{sorted(self.inventory.items(), key=lambda item: item[0])} {sorted(self.traits)}"

    @property
    def size(self) -> tuple[int, ...]:
        """Return how large it is, memory first."""
        return tuple(
            self.inventory[name].capacity if name in self.inventory else 0
            for name in (MEMORY, "VCPU", "DISK_GB")
        )


def propose_spare(
    snapshot: CloudSnapshot,
    domain: str,
    hosts: Iterable[str],
    *,
    members_stay: bool = True,
    brings: ReleaseVersion | None = None,
) -> SpareProposal | None:
    """Propose spare nodes for a domain; None when it needs none, or when no number of nodes would do.

    The shape is that of most nodes of the domain; where no number of those would do, another one there, the
    smallest that does; at last one that has the most of everything that a node of the domain has.

    :param hosts: the targets of the domain.
    :param brings: the hypervisor that an upgraded node has; None: the one it had.
    """
    trial = Trial(hosts=tuple(hosts), members_stay=members_stay, brings=brings)
    part = cut_to_domain(snapshot, domain)
    stuck = trial.find_sequence(part)
    if stuck.feasible:
        return None
    for number, shape in enumerate(_shapes(part)):
        nodes = _fewest(trial, part, domain, shape)
        if nodes is not None:
            larger = ("nodes of the shape that most nodes of the domain have would not do",) if number else ()
            return SpareProposal(
                nodes=nodes,
                domain=domain,
                inventory=shape.inventory,
                traits=tuple(sorted(shape.traits)),
                alternatives=(*find_alternatives(trial, part, stuck), *larger),
            )
    return None


def add_spares(snapshot: CloudSnapshot, proposal: SpareProposal) -> CloudSnapshot:
    """Return the cloud as it would be with the proposed nodes."""
    shape = _Shape(inventory=proposal.inventory, traits=frozenset(proposal.traits))
    return _with_spares(snapshot, proposal.domain, shape, proposal.nodes)


def cut_to_domain(snapshot: CloudSnapshot, domain: str) -> CloudSnapshot:
    """Return the part of a cloud that is one domain."""
    nodes = tuple(node for node in snapshot.nodes if node.domain == domain)
    hosts = {node.host for node in nodes}
    servers = tuple(server for server in snapshot.servers if server.host in hosts)
    return replace(snapshot, nodes=nodes, servers=servers, migrations=(), agents=())


def _shapes(snapshot: CloudSnapshot) -> Iterator[_Shape]:
    """Give the shapes to try: the most common one, the others by size, then the most of everything."""
    shapes = [_Shape(inventory=node.inventory, traits=node.traits) for node in snapshot.nodes]
    times = Counter(shape.key for shape in shapes)
    distinct = {shape.key: shape for shape in shapes}
    common = max(distinct.values(), key=lambda s: (times[s.key], s.size, s.key))
    yield common
    del distinct[common.key]
    yield from sorted(distinct.values(), key=lambda s: (s.size, s.key))
    largest: dict[str, ResourceInventory] = {}
    for shape in shapes:
        for name, item in shape.inventory.items():
            if name not in largest or item.capacity > largest[name].capacity:
                largest[name] = item
    wanted = (server.required_traits for server in snapshot.servers)
    yield _Shape(inventory=largest, traits=frozenset[str]().union(*wanted, *(s.traits for s in shapes)))


def _fewest(trial: Trial, snapshot: CloudSnapshot, domain: str, shape: _Shape) -> int | None:
    """Return the fewest nodes of a shape that would do; None when twice as many as targets would not."""

    def is_enough(number: int) -> bool:
        return trial.is_feasible(_with_spares(snapshot, domain, shape, number))

    most = 2 * len(trial.hosts)
    few = min(most, _ONE_BY_ONE if len(trial.hosts) <= _ONE_BY_ONE else 1)
    for number in range(1, few + 1):
        if is_enough(number):
            return number
    low, high = few, min(most, 2 * few)
    while not is_enough(high):
        if high == most:
            return None
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _with_spares(snapshot: CloudSnapshot, domain: str, shape: _Shape, number: int) -> CloudSnapshot:
    """Add empty nodes to a domain; their hypervisor is the newest there, so that every server may come."""
    example = max((node for node in snapshot.nodes if node.domain == domain), key=_age)
    spares = (
        Node(
            host=f"spare-{index + 1}",
            domain=domain,
            cell=example.cell,
            zone=example.zone,
            aggregates=example.aggregates,
            inventory=shape.inventory,
            traits=shape.traits,
            versions=example.versions,
        )
        for index in range(number)
    )
    return replace(snapshot, nodes=(*snapshot.nodes, *spares))


def _age(node: Node) -> tuple[bool, ReleaseVersion, str]:
    version = hypervisor_of(node)
    return (version is not None, version or ReleaseVersion(major=0), node.host)
