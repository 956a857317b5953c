"""Rules about moves: from where, to where, how, and what fits."""

from __future__ import annotations

from escalator.model.cloud import Server
from escalator.replay.events import Event
from escalator.replay.groups import check_affinity, check_impact, find_untouched, is_standby
from escalator.replay.replayed_cloud import NO_ROOM, PlayedNode, ReplayedCloud
from escalator.replay.report import ViolationCode

STANDBY = "standby"
_RUNNING = frozenset({"active", "paused"})
_PASSING = frozenset({"building", "shelved"})
"""States that a server may have left when its turn comes; what it does by then the snapshot does not say."""


def play_move_start(world: ReplayedCloud, event: Event) -> None:
    """Begin a move: from now on both nodes hold the server's allocation."""
    server, dest = world.servers.get(event.subject), world.nodes.get(event.to)
    if server is None:
        world.fault(
            ViolationCode.UNKNOWN_SERVER, world.name(event.subject), "the snapshot has no such server"
        )
        return
    if dest is None:
        world.fault(ViolationCode.UNKNOWN_HOST, f"node {event.to}", "the snapshot has no such node")
        return
    if event.subject in world.flights:
        world.fault(ViolationCode.MOVE_OVERLAP, world.name(server.id), "is moved while it is being moved")
        return
    _check_source(world, event)
    _check_kind(world, event, server)
    _check_destination(world, event, server, dest)
    check_affinity(world, event)
    world.flights[server.id] = event
    dest.incoming.add(server.id)
    if server.vm_state not in NO_ROOM:
        dest.take(server)
    _depart(world, event)


def play_move_end(world: ReplayedCloud, event: Event) -> None:
    """End a move: the server is at its destination, and its source is free of it."""
    begun = world.flights.get(event.subject)
    if begun is None or (begun.source, begun.to, begun.kind) != (event.source, event.to, event.kind):
        world.fault(
            ViolationCode.MOVE_UNSTARTED,
            world.name(event.subject),
            f"no {event.kind} move from {event.source} to {event.to} was under way",
        )
        return
    del world.flights[event.subject]
    server, dest = world.servers[event.subject], world.nodes[event.to]
    source = world.nodes.get(world.place[server.id] or "")
    safe = find_untouched(world, (server.id,))
    dest.incoming.discard(server.id)
    if not dest.available:
        _unavailable(world, event, dest, "ends on")
    if source is not None:
        source.outgoing.discard(server.id)
        source.servers.discard(server.id)
        source.leaving -= event.kind != STANDBY
        if server.vm_state not in NO_ROOM:
            source.give(server)
    dest.servers.add(server.id)
    world.place[server.id] = event.to
    world.moves[server.id] += 1
    world.kinds[event.kind] += 1
    check_impact(world, safe if not dest.available else ())


def _depart(world: ReplayedCloud, event: Event) -> None:
    source = world.nodes.get(world.place[event.subject] or "")
    if source is None:
        return
    source.outgoing.add(event.subject)
    source.leaving += event.kind != STANDBY
    limit = world.options.concurrent_migrations
    if limit is not None and event.kind != STANDBY and source.leaving > limit:
        world.fault(
            ViolationCode.SOURCE_CROWDED,
            f"node {source.node.host}",
            f"{source.leaving} servers leave it at once, {limit} may",
        )


def _check_source(world: ReplayedCloud, event: Event) -> None:
    place = world.place[event.subject]
    if place != event.source:
        world.fault(
            ViolationCode.WRONG_SOURCE,
            world.name(event.subject),
            f"is moved from {event.source} but is on {place or 'no node'}",
        )
    source = world.nodes.get(place or "")
    if source is not None and source.upgrading:
        world.fault(
            ViolationCode.NODE_BUSY, f"node {place}", f"{world.name(event.subject)} leaves it in its upgrade"
        )


def _check_kind(world: ReplayedCloud, event: Event, server: Server) -> None:
    wrong = _unfit(world, event, server)
    if wrong:
        world.fault(ViolationCode.KIND_UNFIT, world.name(server.id), f"is moved {event.kind}, but {wrong}")


def _unfit(world: ReplayedCloud, event: Event, server: Server) -> str:
    """Say why a server cannot be moved that way; nothing when it can."""
    if server.migration == "none":
        return "must not be moved"
    if server.id in world.stopped:
        return "was stopped to stay"
    match event.kind:
        case "standby":
            fits, why = is_standby(world, server.id), "stands by in no group"
        case "live":
            passing = server.vm_state in _PASSING or server.task_state is not None
            fits = server.migration == "live" and (server.vm_state in _RUNNING or passing)
            why = f"is {server.vm_state} and can be moved {server.migration}"
        case _:
            fits = server.vm_state == "stopped" or (server.migration, server.vm_state) == ("cold", "active")
            why = f"is {server.vm_state} and can be moved {server.migration}"
    return "" if fits else why


def _check_destination(world: ReplayedCloud, event: Event, server: Server, dest: PlayedNode) -> None:
    subject = world.name(server.id)
    home, node = world.nodes.get(world.place[server.id] or ""), dest.node
    if home is dest:
        world.fault(ViolationCode.DESTINATION_UNAVAILABLE, subject, f"is moved to {node.host}, where it is")
    if home is not None and home.node.domain != node.domain:
        world.fault(ViolationCode.LEFT_DOMAIN, subject, f"leaves {home.node.domain} for {node.domain}")
    if not dest.available:
        _unavailable(world, event, dest, "starts for")
    missing = server.required_traits - node.traits
    if missing:
        world.fault(ViolationCode.TRAITS_MISSING, subject, f"{node.host} lacks {', '.join(sorted(missing))}")
    forbidden = server.forbidden_traits & node.traits
    if forbidden:
        words = ", ".join(sorted(forbidden))
        world.fault(ViolationCode.TRAITS_MISSING, subject, f"{node.host} has {words}, which it forbids")
    if server.pinned_zone not in {None, node.zone}:
        world.fault(ViolationCode.ZONE_LEFT, subject, f"is pinned to {server.pinned_zone}, not {node.zone}")
    _check_room(world, server, dest)


def _check_room(world: ReplayedCloud, server: Server, dest: PlayedNode) -> None:
    if server.vm_state in NO_ROOM:
        return
    for name, amount in server.resources.items():
        if amount <= 0 or name not in world.classes:
            continue
        held, capacity = dest.used.get(name, 0), dest.capacity.get(name, 0)
        if held + amount > capacity:
            world.fault(
                ViolationCode.CAPACITY,
                f"node {dest.node.host}",
                f"{world.name(server.id)} wants {amount} {name}, {capacity - held} of {capacity} are free",
            )
        item = dest.node.inventory.get(name)
        if item is not None and item.max_unit is not None and amount > item.max_unit:
            world.fault(
                ViolationCode.MAX_UNIT,
                f"node {dest.node.host}",
                f"{world.name(server.id)} wants {amount} {name}, one server may have {item.max_unit}",
            )


def _unavailable(world: ReplayedCloud, event: Event, dest: PlayedNode, verb: str) -> None:
    why = "out" if dest.out else "down or disabled"
    world.fault(
        ViolationCode.DESTINATION_UNAVAILABLE,
        world.name(event.subject),
        f"its move {verb} {dest.node.host}, which is {why}",
    )
