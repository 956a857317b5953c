"""Switchovers: who takes over the service of the active members on a node that goes out.

A standby whose own node is still to be upgraded would have to hand the service back later: it is moved to an
upgraded node first, where there is room to spare. Nobody notices the move of a standby.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from escalator.model.cloud import HaGroup, Server
from escalator.model.moves import MoveMethod
from escalator.upgrade_manager.drain.drains import choose_move_method
from escalator.upgrade_manager.drain.placing import Placing
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import MEMORY, Tier, needs_place

_AHEAD = 8
"""So many nodes of a domain are looked at that may go before its largest, to count the room they add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchover:
    """One group's switchover, from the active member to a standby; ``move_to`` is where that moves before."""

    group: str
    active: str
    standby: str
    move_to: str | None = None


def plan_switchovers(state: RoundState, host: str, *, move_standbys: bool = True) -> Iterator[Switchover]:
    """Say for each active member on a node who takes over; each is planned on top of those before it.

    Groups without a standby in service are left out: the admission has refused their node.

    :param move_standbys: to upgraded nodes, where there is room to spare.
    """
    book, availability = state.book, state.availability
    if not book.members_stay:
        return
    for group_id, members in list(availability.groups_on(host).items()):
        group = book.memberships.ha_groups[group_id]
        if group.mode != "active-standby":
            continue
        for active in members:
            if availability.is_active(active):
                found = _choose_standby(state, group, active, move_standbys=move_standbys)
                if found is not None:
                    yield found


def sort_standbys(able: Iterable[str], find_tier: Callable[[str], Tier]) -> list[str]:
    """Sort members that can take over, the preferred one first: that on the best node, then by id.

    :param find_tier: tells how good the node of a member is.
    """
    return sorted(able, key=lambda member: (find_tier(member), member))


def _choose_standby(
    state: RoundState, group: HaGroup, active: str, *, move_standbys: bool
) -> Switchover | None:
    availability = state.availability
    able = [m for m in group.members if m != active and availability.serves(m)]
    if not able:
        return None
    standby = sort_standbys(able, lambda m: state.book.tiers[_host(availability, m)])[0]
    move_to = plan_standby_move(state, group, standby) if move_standbys else None
    return Switchover(group=group.id, active=active, standby=standby, move_to=move_to)


def plan_standby_move(state: RoundState, group: HaGroup, standby: str) -> str | None:
    """Return where a standby should move before it takes over; None: it takes over where it is.

    It moves, live, from a node that is still to be upgraded to an upgraded one with room to spare.
    """
    book, source = state.book, _host(state.availability, standby)
    if not state.waits(source) or standby in state.on_the_way:
        return None
    server = next((s for s in book.servers(source) if s.id == standby), None)
    if server is None or choose_move_method(server) is not MoveMethod.LIVE:
        return None
    if not needs_place(server) or not _has_room_to_spare(state, server):
        return None
    taken = {h for m in group.members if (h := state.availability.host_of(m)) is not None}
    placing = Placing(book, worst=Tier.UPGRADED)
    return placing.placements[standby] if placing.try_add(server, beside=taken) else None


def _has_room_to_spare(state: RoundState, server: Server) -> bool:
    """Tell whether the largest waiting node will still find room on upgraded nodes at its turn.

    Each node that goes before it adds the room that is free on it. Where a domain has its share of places
    out, the next node goes when one of them is back: its room counts.
    """
    book = state.book
    domain = book.nodes[server.host or ""].domain
    free = sum(room for room, _ in book.open_tiers(domain)[Tier.UPGRADED] if room > 0)
    out = state.out.get(domain, ())
    if out and len(out) >= int(state.compute_shares().get(domain, 0.0)):
        free += min(book.free(host).get(MEMORY, 0) + state.compute_demand(host) for host in out)
    free -= server.resources.get(MEMORY, 0)
    most = state.find_largest_demand(domain)
    waiting = list(state.queues.get(domain, ())[:_AHEAD])
    while free < most:
        host = next((host for host in waiting if state.compute_demand(host) <= free), None)
        if host is None:
            return False
        waiting.remove(host)
        free += book.free(host).get(MEMORY, 0)
    return True


def _host(availability: Availability, server_id: str) -> str:
    return availability.host_of(server_id) or ""
