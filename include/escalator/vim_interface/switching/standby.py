"""Which member takes over: one that runs, is healthy, and stands on a node in service."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from escalator.model.cloud import Node, Server
from escalator.upgrade_manager.schedule.switchovers import sort_standbys
from escalator.upgrade_manager.state.capacity import Tier, tier_of
from escalator.vim_interface.switching.switcher import Health, SwitchGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyChoice:
    """The member that takes over; None: nobody can, and ``reasons`` say why not, one a member."""

    server: Server | None
    reasons: tuple[str, ...] = ()


def choose_standby(
    group: SwitchGroup,
    leaving: str,
    nodes: Mapping[str, Node],
    *,
    is_healthy: Callable[[Server], Health],
    pending: Collection[str],
) -> StandbyChoice:
    """Choose who takes over from a member: the planner's choice, if that can now.

    The order is the planner's (``sort_standbys``), and so is who serves: what runs on a node in service. What
    only a look tells comes on top: who is busy or not healthy at this moment is passed over.

    :param nodes: host -> node, as they are now.
    :param is_healthy: asked for one after the other, until one is.
    :param pending: hosts of the campaign, upgraded or not.
    """
    reasons: list[str] = []
    able: dict[str, Server] = {}
    source = next((server.host for server in group.members if server.id == leaving), None)
    for server in group.members:
        if server.id == leaving:
            continue
        unfit = _find_unfit(server, nodes.get(server.host or ""), source)
        if unfit:
            reasons.append(f"{server.name} {unfit}")
        else:
            able[server.id] = server

    def find_tier(server_id: str) -> Tier:
        return tier_of(nodes[able[server_id].host or ""], pending)

    for server_id in sort_standbys(able, find_tier):
        health = is_healthy(able[server_id])
        if health.ok:
            return StandbyChoice(server=able[server_id], reasons=tuple(reasons))
        reasons.append(f"{able[server_id].name} is not healthy: {health.words}")
    return StandbyChoice(server=None, reasons=tuple(reasons) or (f"group {group.id} has no other member",))


def _find_unfit(server: Server, node: Node | None, source: str | None) -> str:
    """Say why a member cannot take over by what Nova has of it; nothing when it can."""
    if server.vm_state != "active" or server.power_state != "running":
        return f"does not run: it is {server.vm_state}, {server.power_state}"
    if server.task_state is not None:
        return f"is busy: {server.task_state}"
    if node is None:
        return "is on a node that is not known"
    if node.host == source or not node.eligible_destination:
        return f"is on {node.host}, which is out of service"
    return ""
