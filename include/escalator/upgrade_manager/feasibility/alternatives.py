"""Alternatives to spare nodes: what else would make an infeasible upgrade of a drain domain feasible."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.wording import name_some
from escalator.upgrade_manager.feasibility.sequence import DrainSequence, drain_in_turn
from escalator.upgrade_manager.state.capacity import MEMORY
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR
from escalator.upgrade_manager.state.memberships import SWITCHABLE, Memberships
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

_CHOICES = 200
"""Ways to choose the members that a group is scaled in by, at most, that are tried for each number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which targets are to be emptied, and how an upgraded node differs; asked of one cloud after another."""

    hosts: tuple[str, ...]
    members_stay: bool = True
    brings: ReleaseVersion | None = None

    def find_sequence(self, snapshot: CloudSnapshot) -> DrainSequence:
        """Empty the targets one after the other on paper."""
        return drain_in_turn(
            snapshot, self.hosts, members_stay=self.members_stay, brings=self.brings, explained=0
        )

    def is_feasible(self, snapshot: CloudSnapshot) -> bool:
        """Tell whether every target can be emptied."""
        return self.find_sequence(snapshot).feasible


def find_alternatives(trial: Trial, snapshot: CloudSnapshot, stuck: DrainSequence) -> Iterator[str]:
    """Give what would do instead of spare nodes, in words; each was tried on paper.

    :param snapshot: the cloud of one domain.
    :param stuck: how far its targets can be emptied as it is.
    """
    homeless = {v.subject.id for simulation in stuck.stuck.values() for v in simulation.unplaced}
    names = {server.id: server.name for server in snapshot.servers}
    if trial.is_feasible(_ageless(snapshot)):
        yield f"allow {_named(names, homeless)} to move cold, which may go to an older hypervisor"
    for group_id, members, most in list_scalable(snapshot, homeless):
        fewest = find_fewest_out(trial, snapshot, members, most)
        if fewest:
            yield f"scale VNF {group_id} in by {len(fewest)} ({_named(names, fewest)})"
    stopped = (replace(s, migration="none") if s.id in homeless else s for s in snapshot.servers)
    if trial.is_feasible(replace(snapshot, servers=tuple(stopped))):
        yield (
            f"in non-smooth mode, stop {_named(names, homeless)} around the upgrade of their nodes "
            "(migration none)"
        )
    yield f"leave {_named({}, stuck.stuck)} out"


def _ageless(snapshot: CloudSnapshot) -> CloudSnapshot:
    """Forget the versions of hypervisors, which do not bind a cold move."""
    nodes = (
        replace(node, versions={name: v for name, v in node.versions.items() if name != HYPERVISOR})
        for node in snapshot.nodes
    )
    return replace(snapshot, nodes=tuple(nodes))


def list_scalable(
    snapshot: CloudSnapshot, homeless: Collection[str], among: Collection[str] | None = None
) -> Iterator[tuple[str, Sequence[Server], int]]:
    """Give the groups that could be smaller: id, the members, those without a place first, and by how many.

    An HA group keeps as many members as must be preserved; every group keeps one.

    :param among: ids of the servers that may go; None: all.
    """
    memberships = Memberships(snapshot)
    there = {server.id: server for server in snapshot.servers}
    groups = {
        group.id: (group.members, max(1, group.min_preserved or 1))
        for group in memberships.ha_groups.values()
        if group.mode in SWITCHABLE
    }
    for server_group in memberships.server_groups.values():
        groups.setdefault(server_group.id, (server_group.members, 1))
    for group_id, (ids, kept) in sorted(groups.items()):
        members = [there[m] for m in ids if m in there and (among is None or m in among)]
        members.sort(key=lambda s: (s.id not in homeless, -s.resources.get(MEMORY, 0), s.id))
        yield group_id, members, min(len(members), len(ids) - kept)


def find_fewest_out(
    trial: Trial, snapshot: CloudSnapshot, members: Sequence[Server], most: int
) -> frozenset[str]:
    """Return the fewest members without which it would be feasible; none when up to most would not do."""
    if most < 1 or not trial.is_feasible(leave_servers_out(snapshot, members[:most])):
        return frozenset()
    for number in range(1, most + 1):
        for chosen in islice(combinations(members, number), _CHOICES):
            if trial.is_feasible(leave_servers_out(snapshot, chosen)):
                return frozenset(server.id for server in chosen)
    return frozenset()


def leave_servers_out(snapshot: CloudSnapshot, servers: Sequence[Server]) -> CloudSnapshot:
    """Return the cloud without some servers, and what they use."""
    if not servers:
        return snapshot
    ids = {server.id for server in servers}
    nodes = []
    for node in snapshot.nodes:
        usage = dict(node.usage)
        for server in servers:
            for name, amount in server.resources.items() if server.host == node.host else ():
                usage[name] = max(0, usage.get(name, 0) - amount)
        nodes.append(replace(node, usage=usage))
    left = tuple(server for server in snapshot.servers if server.id not in ids)
    return replace(snapshot, nodes=tuple(nodes), servers=left)


def _named(names: Mapping[str, str], ids: Collection[str]) -> str:
    return name_some(sorted(names.get(server, server) for server in ids))
