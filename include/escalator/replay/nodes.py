"""Rules about nodes: when one may go out, be upgraded and come back, and what stays on it."""

from __future__ import annotations

from escalator.replay.events import Event
from escalator.replay.groups import check_impact, find_only_active, find_untouched
from escalator.replay.replayed_cloud import UNMOVED, PlayedNode, ReplayedCloud
from escalator.replay.report import ViolationCode


def play_admit(world: ReplayedCloud, event: Event, *, max_parallel: int, any_target: bool) -> None:
    """Take a node out of service."""
    played = _node(world, event)
    if played is None:
        return
    node, subject = played.node, f"node {event.subject}"
    if any_target and not node.target:
        world.fault(ViolationCode.NOT_A_TARGET, subject, "is admitted but is no target")
    if played.closed and node.lease is None:
        world.fault(ViolationCode.NODE_UNAVAILABLE, subject, "is admitted although it is down or disabled")
    if played.upgraded:
        world.fault(ViolationCode.ALREADY_UPGRADED, subject, "is admitted although it is upgraded")
    if played.out:
        world.fault(ViolationCode.ALREADY_OUT, subject, "is admitted while it is out")
    if played.incoming:
        world.fault(
            ViolationCode.DESTINATION_UNAVAILABLE,
            subject,
            f"goes out while {world.name(min(played.incoming))} is on its way to it",
        )
    newly = find_untouched(world, played.servers)
    played.out = True
    world.count(played, counted=True)
    if world.out_now > max_parallel:
        world.fault(
            ViolationCode.PARALLEL_EXCEEDED, subject, f"{world.out_now} nodes are out, {max_parallel} may be"
        )
    check_impact(world, newly)


def play_upgrade_start(world: ReplayedCloud, event: Event) -> None:
    """Begin a node's upgrade: nothing may be left on it that it would hurt."""
    played = _node(world, event)
    if played is None:
        return
    subject = f"node {event.subject}"
    if not played.out:
        world.fault(ViolationCode.NOT_ADMITTED, subject, "is upgraded without being admitted")
    if played.upgraded:
        world.fault(ViolationCode.ALREADY_UPGRADED, subject, "is upgraded a second time")
    if played.upgrading:
        world.fault(ViolationCode.NODE_BUSY, subject, "its upgrade starts while it is being upgraded")
    for server_id in sorted(played.incoming | played.outgoing):
        world.fault(
            ViolationCode.NODE_BUSY, subject, f"its upgrade starts in a move of {world.name(server_id)}"
        )
    for server_id in sorted(played.servers - played.outgoing):
        _check_staying(world, server_id, event.subject)
    played.upgrading = True


def _check_staying(world: ReplayedCloud, server_id: str, host: str) -> None:
    server, options = world.servers[server_id], world.options
    if server.vm_state in UNMOVED:
        return
    if world.must_leave(server_id):
        world.fault(
            ViolationCode.SERVER_LEFT_BEHIND, world.name(server_id), f"is still on {host}, which is upgraded"
        )
    elif options.guests_untouched or not world.running(server_id):
        return
    elif not world.stays(server_id):
        world.fault(
            ViolationCode.SERVER_NOT_STOPPED, world.name(server_id), f"runs on {host}, which is upgraded"
        )
    elif (group := find_only_active(world, server_id)) is not None:
        world.fault(
            ViolationCode.ACTIVE_NOT_SWITCHED,
            f"ha_group {group}",
            f"{world.name(server_id)} is its active on {host}, which is upgraded",
        )


def play_upgrade_end(world: ReplayedCloud, event: Event) -> None:
    """End a node's upgrade."""
    played = _node(world, event)
    if played is None:
        return
    if not played.upgrading:
        world.fault(ViolationCode.UPGRADE_UNSTARTED, f"node {event.subject}", "its upgrade ends unstarted")
    played.upgrading = False
    played.upgraded = True


def play_release(world: ReplayedCloud, event: Event) -> None:
    """Give a node back; what stayed on it recovers from now on."""
    played = _node(world, event)
    if played is None:
        return
    subject = f"node {event.subject}"
    if not played.out:
        world.fault(ViolationCode.NOT_ADMITTED, subject, "is released without being out")
    if played.upgrading:
        world.fault(ViolationCode.UPGRADE_UNFINISHED, subject, "is released before its upgrade ended")
    if played.outgoing:
        moving = world.name(min(played.outgoing))
        world.fault(ViolationCode.NODE_BUSY, subject, f"is released while {moving} leaves it")
    for server_id in sorted(played.servers & world.stopped):
        world.fault(
            ViolationCode.NOT_STARTED_AGAIN, world.name(server_id), f"is stopped when {subject} is released"
        )
    world.stopped -= played.servers
    if played.out:
        played.closed = played.closed and played.node.lease is None
    played.out = played.upgrading = False
    world.count(played, counted=False)
    for server_id in played.servers:
        seconds = max(
            (world.groups[g].recovery_seconds for g in world.groups_of.get(server_id, ())), default=0.0
        )
        if seconds > 0:
            world.recovering[server_id] = world.now + seconds


def play_stop(world: ReplayedCloud, event: Event) -> None:
    """Stop a server that stays on a node that is about to be upgraded."""
    if event.subject not in world.servers:
        world.fault(
            ViolationCode.UNKNOWN_SERVER, world.name(event.subject), "the snapshot has no such server"
        )
        return
    played = world.nodes.get(world.place[event.subject] or "")
    subject = world.name(event.subject)
    if played is None or not played.out or played.upgrading or played.upgraded:
        world.fault(
            ViolationCode.STOP_MISPLACED, subject, "is stopped although its node is not being emptied"
        )
    if event.subject in world.flights:
        world.fault(ViolationCode.STOP_MISPLACED, subject, "is stopped while it is being moved")
    if event.subject in world.stopped:
        world.fault(ViolationCode.STOP_MISPLACED, subject, "is stopped a second time")
    if world.must_leave(event.subject):
        world.fault(ViolationCode.STOP_MISPLACED, subject, "is stopped although it can be moved")
    newly = find_untouched(world, (event.subject,))
    world.stopped.add(event.subject)
    check_impact(world, newly)


def play_start(world: ReplayedCloud, event: Event) -> None:
    """Start a server again that the campaign stopped."""
    subject = world.name(event.subject)
    if event.subject not in world.servers:
        world.fault(ViolationCode.UNKNOWN_SERVER, subject, "the snapshot has no such server")
    elif event.subject not in world.stopped:
        world.fault(
            ViolationCode.START_MISPLACED, subject, "is started although the campaign did not stop it"
        )
    else:
        played = world.nodes.get(world.place[event.subject] or "")
        if played is not None and played.upgrading:
            world.fault(ViolationCode.START_MISPLACED, subject, "is started in the upgrade of its node")
        world.stopped.discard(event.subject)


def _node(world: ReplayedCloud, event: Event) -> PlayedNode | None:
    played = world.nodes.get(event.subject)
    if played is None:
        world.fault(ViolationCode.UNKNOWN_HOST, f"node {event.subject}", "the snapshot has no such node")
    return played
