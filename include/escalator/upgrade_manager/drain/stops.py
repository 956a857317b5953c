"""Stops: which servers are stopped around the upgrade of their node, in which order, and what is next.

A server is stopped for one of two reasons. It cannot be moved, and the campaign is non-smooth; or it stays
where it is, its service being elsewhere, and the machine restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from escalator.model.campaign import UpgradeMode
from escalator.model.cloud import CloudSnapshot, Node, Server
from escalator.model.stops import RUNNING, PlannedStop, ServerStop
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.refusals import find_fixed, find_not_live
from escalator.upgrade_manager.state.capacity import is_moved_cold
from escalator.upgrade_manager.state.hypervisors import hypervisor_of
from escalator.upgrade_manager.state.memberships import Memberships
from escalator.upgrade_manager.state.roles import ACTIVE
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

STOPPABLE_STATES = frozenset({"active", "stopped"})
"""States in which a server can be kept from running by Nova, and be started again: it stops no paused one."""
PINNED = "it must not be moved"
KEPT = "it was found that it cannot be moved"
DOWN = "it was stopped for this upgrade"
SERVED_ELSEWHERE = "its service is elsewhere, and its machine restarts"


class StopStep(StrEnum):
    """What is next for a server that must not run: ask Nova to stop it, wait, go on, or give up."""

    ASK = "ask"
    WAIT = "wait"
    DONE = "done"
    STUCK = "stuck"


class StartStep(StrEnum):
    """What is next for a server that was stopped: ask Nova to start it, wait, or see how it ended."""

    ASK = "ask"
    WAIT = "wait"
    RUNS = "runs"
    FAILED = "failed"
    BY_OWNER = "by_owner"
    GONE = "gone"


def find_why_unmovable(server: Server, hypervisor: ReleaseVersion | None = None) -> str:
    """Say what keeps a server from being moved in the state it is in; empty when it can be.

    :param hypervisor: that of its node; None: not known, so that nothing is said by it.
    """
    found = find_fixed(server) or (() if is_moved_cold(server) else find_not_live(server, hypervisor))
    if found:
        return f"it has {' and '.join(found)}"
    return PINNED if server.migration == "none" else ""


def is_stoppable(server: Server) -> bool:
    """Tell whether Nova can keep a server from running for a while: it stops no paused or suspended one."""
    return server.vm_state in STOPPABLE_STATES


def mark_unmovable(snapshot: CloudSnapshot, mode: UpgradeMode) -> CloudSnapshot:
    """Return the cloud as a campaign of that mode sees it: what it stops needs no place elsewhere.

    In non-smooth mode a server that Nova refuses to move is one that must not be moved. Twice is as once.
    """
    if mode is UpgradeMode.SMOOTH:
        return snapshot
    ages = {node.host: hypervisor_of(node) for node in snapshot.nodes}
    pinned = {
        server.id
        for server in snapshot.servers
        if server.features
        and server.migration != "none"
        and is_stoppable(server)
        and find_why_unmovable(server, ages.get(server.host or ""))
    }
    if not pinned:
        return snapshot
    servers = (replace(s, migration="none") if s.id in pinned else s for s in snapshot.servers)
    return replace(snapshot, servers=tuple(servers))


def find_why_stopped(server: Server, mode: UpgradeMode, hypervisor: ReleaseVersion | None = None) -> str:
    """Say why a campaign of that mode stops a server in place of a move; empty when it does not."""
    if mode is UpgradeMode.SMOOTH or not is_stoppable(server):
        return ""
    return find_why_unmovable(server, hypervisor)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """Which servers a campaign stops around the upgrade of their node.

    :ivar mode: in non-smooth mode those are that cannot be moved.
    :ivar restarts: the machine restarts: those are that stay on it, whatever keeps them there.
    :ivar kept: ids of servers that were found before to be such.
    :ivar down: ids of servers that the campaign has stopped: while they are shut off they stay so.
    """

    mode: UpgradeMode = UpgradeMode.SMOOTH
    restarts: bool = False
    kept: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()

    def find_unmovable(self, servers: Iterable[Server], node: Node | None) -> dict[str, str]:
        """Return which servers of a node are stopped as they cannot be moved: server id -> why."""
        hypervisor = hypervisor_of(node)
        found: dict[str, str] = {}
        for server in servers:
            why = find_why_stopped(server, self.mode, hypervisor)
            if not why and server.id in self.kept and is_stoppable(server):
                why = KEPT
            if not why and server.id in self.down and server.vm_state == "stopped":
                why = DOWN
            if why and not server.on_no_node:
                found[server.id] = why
        return found


NO_STOPS = StopRule()
"""No server is stopped."""


def plan_stops(
    servers: Iterable[Server], memberships: Memberships, unmovable: Mapping[str, str]
) -> tuple[PlannedStop, ...]:
    """Put the servers of a node that must not run in the order in which they start: actives, then the rest.

    Members of an HA group start one after the other as the group names them, the active one first, and stop
    the other way round: its service leaves last and comes back first. What is in no group waits for nobody.

    :param unmovable: server id -> why it cannot be moved; the others stay as their service is elsewhere.
    """
    of_group: dict[str | None, list[Server]] = {}
    for server in servers:
        of_group.setdefault(memberships.ha_group_of.get(server.id), []).append(server)
    planned = []
    for group, here in of_group.items():
        members = memberships.ha_groups[group].members if group is not None else ()
        place = {member: number for number, member in enumerate(members)}
        ordered = sorted(here, key=lambda s: (s.ha_role != ACTIVE, place.get(s.id, len(place)), s.id))
        for number, server in enumerate(ordered):
            planned.append(
                PlannedStop(
                    server_id=server.id,
                    server_name=server.name,
                    ha_group=group,
                    rank=number if group is not None else 0,
                    why=unmovable.get(server.id, SERVED_ELSEWHERE),
                    unmovable=server.id in unmovable,
                )
            )
    return tuple(sorted(planned, key=lambda stop: (stop.rank, stop.server_name, stop.server_id)))


def decide_stop(server: Server | None, host: str) -> StopStep:
    """Decide what is next for a server that must not run while its node is upgraded.

    :param server: as it is now; None: it was deleted.
    """
    if server is None or server.host != host or server.on_no_node:
        return StopStep.DONE
    if server.task_state is not None:
        return StopStep.WAIT
    match server.vm_state:
        case "stopped":
            return StopStep.DONE
        case "active":
            return StopStep.ASK
        case _:
            return StopStep.STUCK


def decide_start(server: Server | None, *, asked: bool) -> StartStep:
    """Decide what is next for a server that Nova was asked to stop, wherever it is now.

    What its owner did with it meanwhile holds: one that is in any state but shut off is left alone.

    :param server: as it is now; None: it was deleted.
    :param asked: this attempt has asked Nova to start it already.
    """
    if server is None or server.vm_state in {"deleted", "soft-delete"}:
        return StartStep.GONE
    if server.task_state is not None or server.vm_state == "resized":  # shut off again, once it is confirmed
        return StartStep.WAIT
    match server.vm_state:
        case "active":
            return StartStep.RUNS if server.power_state == RUNNING else StartStep.WAIT
        case "stopped":
            return StartStep.FAILED if asked else StartStep.ASK
        case "error":
            return StartStep.FAILED
        case _:
            return StartStep.BY_OWNER


def list_ranks(stops: Sequence[ServerStop | PlannedStop]) -> tuple[int, ...]:
    """Return the ranks of stops in the order of their start: each waits for the one before it."""
    return tuple(sorted({stop.rank for stop in stops}))


def find_why_left_off(*, ours: bool, service_up: bool, upgrade_begun: bool, code: Code | None) -> str:
    """Say why servers that are down must not be started now, though their node was not proved; else nothing.

    Where the node's nova-compute answers they are started: it is better that they run on a node that stays
    out than that they do not run. While a job may go on there they are not: it may stop them as it likes.

    :param ours: the node is out under the campaign's lease, or in service.
    :param service_up: its nova-compute is up.
    :param upgrade_begun: its software was about to be changed.
    :param code: why its way ended; None: the job that upgrades it has ended.
    """
    if not ours:
        return "its node is not this run's any more"
    if not service_up:
        return "nova-compute of its node is not up"
    if upgrade_begun and code in _MAY_GO_ON:
        return "the job that upgrades its node may go on"
    return ""


_MAY_GO_ON = frozenset(
    {
        Code.STEP_HUNG,
        Code.CUT_OFF,
        Code.REBOOT_OVERDUE,
        Code.NODE_UNREACHABLE,
        Code.CLOUD_UNREACHABLE,
        Code.INTERNAL,
    }
)
"""With these the step ended, and nobody saw its job end: it does not care whether somebody looks."""
