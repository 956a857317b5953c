"""Rules about groups: how many members of a HA group may be impacted, switchovers, (anti-)affinity."""

from __future__ import annotations

from collections.abc import Iterable

from escalator.replay.events import Event
from escalator.replay.replayed_cloud import ACTIVE_STANDBY, ReplayedCloud
from escalator.replay.report import ViolationCode

_HARD_ANTI = "anti-affinity"
_HARD_AFFINE = "affinity"
_SOFT = {f"soft-{_HARD_ANTI}": _HARD_ANTI, f"soft-{_HARD_AFFINE}": _HARD_AFFINE}


def find_impacted(world: ReplayedCloud, member: str) -> bool:
    """Tell whether a member is impacted: on a node that is out, recovering, or not running."""
    return (
        world.on_out_node(member)
        or world.recovering.get(member, world.now) > world.now
        or not world.running(member)
    )


def find_untouched(world: ReplayedCloud, servers: Iterable[str]) -> tuple[str, ...]:
    """Return those of some servers that are members of HA groups and not impacted now."""
    return tuple(s for s in sorted(servers) if s in world.groups_of and not find_impacted(world, s))


def check_impact(world: ReplayedCloud, newly: Iterable[str]) -> None:
    """Judge the groups of members that an event has impacted; what was broken before is nobody's fault."""
    for group_id in dict.fromkeys(g for member in newly for g in world.groups_of[member]):
        group = world.groups[group_id]
        down = [m for m in world.members[group_id] if find_impacted(world, m)]
        if len(down) > group.tolerated:
            names = ", ".join(f"{world.name(m)} on {world.place[m]}" for m in down[:4])
            world.fault(
                ViolationCode.HA_IMPACT,
                f"ha_group {group_id}",
                f"{len(down)} members are impacted at once, {group.tolerated} are tolerated: {names}",
            )


def play_switchover(world: ReplayedCloud, event: Event) -> None:
    """Let a running standby take over from the active."""
    subject = f"ha_group {event.subject}"
    actives = world.actives.get(event.subject)
    if actives is None:
        world.fault(ViolationCode.UNKNOWN_GROUP, subject, "the snapshot has no such group")
        return
    world.switchovers += 1
    if event.source not in actives:
        world.fault(ViolationCode.SWITCHOVER_FROM, subject, f"{world.name(event.source)} is not its active")
    wrong = _not_a_standby(world, event)
    if wrong:
        world.fault(ViolationCode.SWITCHOVER_TO, subject, f"{world.name(event.to)} {wrong}")
    actives.discard(event.source)
    if event.to in world.servers:
        actives.add(event.to)


def play_found_active(world: ReplayedCloud, event: Event) -> None:
    """Believe that one member has the service: it was seen there, and nobody in the campaign switched it."""
    group, actives = world.groups.get(event.subject), world.actives.get(event.subject)
    known = group is not None and group.mode == ACTIVE_STANDBY and event.to in world.members[event.subject]
    if not known or actives is None:
        words = f"{world.name(event.to)} is no member of an active-standby group of that name"
        world.fault(ViolationCode.UNKNOWN_GROUP, f"ha_group {event.subject}", words)
        return
    actives.clear()
    actives.add(event.to)


def _not_a_standby(world: ReplayedCloud, event: Event) -> str:
    """Say why a server cannot take over; nothing when it can."""
    if event.to not in world.members[event.subject]:
        return "is no member of it"
    if event.to in world.actives[event.subject]:
        return "is active already"
    if not world.running(event.to):
        return "does not run"
    return f"is on {world.place[event.to]}, which is out" if world.on_out_node(event.to) else ""


def find_only_active(world: ReplayedCloud, member: str) -> str | None:
    """Return the group whose service depends on a member alone: no other active serves."""
    for group in world.groups_of.get(member, ()):
        if world.groups[group].mode == ACTIVE_STANDBY and member in world.actives[group]:
            others = (m for m in world.actives[group] if m != member)
            if not any(world.running(m) and not world.on_out_node(m) for m in others):
                return group
    return None


def is_standby(world: ReplayedCloud, server_id: str) -> bool:
    """Tell whether a server stands by in an active-standby group now."""
    return any(
        world.groups[g].mode == ACTIVE_STANDBY and server_id not in world.actives[g]
        for g in world.groups_of.get(server_id, ())
    )


def check_affinity(world: ReplayedCloud, event: Event) -> None:
    """Judge where a member of a server group is about to land."""
    for group_id in world.affine_of.get(event.subject, ()):
        policy = world.affine[group_id].policy
        hard = _SOFT.get(policy, policy)
        broken = _broken(world, event, group_id, hard)
        if broken is None:
            continue
        if policy in _SOFT:
            world.soft_breaks += 1
            continue
        code = ViolationCode.ANTI_AFFINITY if hard == _HARD_ANTI else ViolationCode.AFFINITY
        world.fault(code, world.name(event.subject), broken)


def _broken(world: ReplayedCloud, event: Event, group_id: str, policy: str) -> str | None:
    """Say which member a landing meets, or leaves behind; members that still wait to follow are not left.

    Where a group allows several members on a node, a landing meets the one that is too many.
    """
    room = world.affine[group_id].max_server_per_host
    for other in world.affine_members[group_id]:
        if other == event.subject or world.servers[other].vm_state == "deleted":
            continue
        flight, here = world.flights.get(other), world.place[other]
        met = here == event.to or (flight is not None and flight.to == event.to)
        room -= policy == _HARD_ANTI and met
        if not room:
            return f"lands on {event.to} beside {world.name(other)} of group {group_id}"
        follows = flight is None and here == event.source
        if policy == _HARD_AFFINE and not met and not follows:
            return f"lands on {event.to} away from {world.name(other)} of group {group_id}"
    return None


def find_spread(world: ReplayedCloud, group_id: str) -> int:
    """Return on how many nodes the members of a server group are."""
    return len({world.place[m] for m in world.affine_members[group_id] if world.place[m] is not None})


def check_affinity_spreads(world: ReplayedCloud) -> dict[str, int]:
    """Return how spread each hard affinity group is."""
    return {g: find_spread(world, g) for g, group in world.affine.items() if group.policy == _HARD_AFFINE}
