"""Play a trace and judge it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeGuard

from escalator.model.cloud import CloudSnapshot
from escalator.replay.bounds import Start, compute_makespan_lower_bound, compute_moves_lower_bound
from escalator.replay.events import Event, Trace, read_trace
from escalator.replay.groups import check_affinity_spreads, play_found_active, play_switchover
from escalator.replay.moves import STANDBY, play_move_end, play_move_start
from escalator.replay.nodes import (
    play_admit,
    play_release,
    play_start,
    play_stop,
    play_upgrade_end,
    play_upgrade_start,
)
from escalator.replay.replayed_cloud import ACTIVE_STANDBY, STAYING_MODES, ReplayedCloud
from escalator.replay.report import ReplayFacts, ReplayOptions, ReplayReport, ViolationCode

_ROUNDING = 0.005
"""Seconds by which two times may differ and still be the same."""
_PLAYS = {
    "move_start": play_move_start,
    "move_end": play_move_end,
    "switchover": play_switchover,
    "found_active": play_found_active,
    "stop": play_stop,
    "start": play_start,
    "upgrade_start": play_upgrade_start,
    "upgrade_end": play_upgrade_end,
    "release": play_release,
}


def check_trace(
    snapshot: CloudSnapshot, trace: Mapping[str, Any], options: ReplayOptions | None = None
) -> ReplayReport:
    """Play a document ``escalator.trace/1`` from a snapshot on and find every rule that it breaks.

    What was broken in the snapshot already is held against the trace only where the trace makes it worse.

    :param snapshot: the cloud before the first event.
    :param trace: of a simulation, or of a real campaign's report.
    :raises InvalidRequestError: the document is no trace.
    """
    known = options or ReplayOptions()
    read = read_trace(trace)
    world = ReplayedCloud(
        snapshot,
        known,
        members_stay=_members_stay(snapshot, read, known),
        stays=read.stays,
        leaves=read.leaves,
        rests={event.subject for event in read.events if event.name == "stop"},
    )
    start = Start.of(world)
    spreads = check_affinity_spreads(world)
    _play(world, read)
    _check_ends(world, read, spreads)
    facts = _facts(world, read, start)
    _check_result(world, read, facts)
    return ReplayReport(violations=tuple(world.violations), facts=facts)


def _members_stay(snapshot: CloudSnapshot, trace: Trace, options: ReplayOptions) -> bool:
    """Tell whether members of HA groups stay on their nodes; else the trace moves one like any server."""
    if options.members_stay is not None:
        return options.members_stay
    staying = {g.id for g in snapshot.ha_groups if g.mode in STAYING_MODES}
    members = {s.id for s in snapshot.servers if s.ha_group in staying}
    members.update(m for g in snapshot.ha_groups if g.id in staying for m in g.members)
    bound = members - trace.leaves
    return not any(e.name == "move_start" and e.kind != STANDBY and e.subject in bound for e in trace.events)


def _play(world: ReplayedCloud, trace: Trace) -> None:
    any_target = any(played.node.target for played in world.nodes.values())
    last = _last_signs(trace)
    for event in trace.events:
        if event.t < world.now:
            world.fault(
                ViolationCode.TIME_BACKWARDS, f"event {event.index}", f"is at {event.t}, after {world.now}"
            )
        world.now = max(world.now, event.t)
        if event.name == "admit":
            play_admit(world, event, max_parallel=trace.max_parallel, any_target=any_target)
        else:
            _PLAYS[event.name](world, event)
        host = last.get(event.index)
        if host is not None and host in world.nodes:
            world.count(world.nodes[host], counted=False)


def _last_signs(trace: Trace) -> dict[int, str]:
    """Return when nodes that were held for good gave up their place of K: index of an event -> host.

    The trace has no event for it: it is taken for the last thing that happened to the node.
    """
    last: dict[str, Event] = {}
    for event in trace.events:
        host = event.source if event.name.startswith("move") else event.subject
        if host in trace.held:
            last[host] = event
    return {event.index: host for host, event in last.items() if event.name != "release"}


def _check_ends(world: ReplayedCloud, trace: Trace, spreads: Mapping[str, int]) -> None:
    for server_id, event in sorted(world.flights.items()):
        world.fault(ViolationCode.MOVE_UNENDED, world.name(server_id), f"its move to {event.to} never ends")
    for group, now in check_affinity_spreads(world).items():
        if now > spreads[group]:
            world.fault(
                ViolationCode.AFFINITY,
                f"server_group {group}",
                f"its members are on {now} nodes, {spreads[group]} before",
            )
    for server_id in sorted(world.stopped):
        played = world.nodes.get(world.place[server_id] or "")
        if played is None or played.node.host not in trace.held:
            world.fault(ViolationCode.NOT_STARTED_AGAIN, world.name(server_id), "is stopped at the end")
    done = set(list_upgraded_hosts(world))
    for host, played in sorted(world.nodes.items()):
        touched = played.node.target or played.out
        if (
            touched
            and not played.node.upgraded
            and host not in done
            and not all(trace.held.get(host, ("", "")))
        ):
            world.fault(
                ViolationCode.UNEXPLAINED_TARGET,
                f"node {host}",
                "is neither upgraded and released nor held with a code and a reason",
            )


def list_upgraded_hosts(world: ReplayedCloud) -> tuple[str, ...]:
    """Return the nodes that were upgraded and given back, sorted."""
    return tuple(
        sorted(h for h, n in world.nodes.items() if n.upgraded and not n.out and not n.node.upgraded)
    )


def _facts(world: ReplayedCloud, trace: Trace, start: Start) -> ReplayFacts:
    upgraded = frozenset(list_upgraded_hosts(world))
    events = trace.events
    stuck = (h for h, n in world.nodes.items() if n.node.target and not n.upgraded)
    return ReplayFacts(
        upgraded=tuple(sorted(upgraded)),
        held=tuple(sorted(trace.held)),
        moves=world.kinds.total() - world.kinds[STANDBY],
        standby_moves=world.kinds[STANDBY],
        moves_lower_bound=compute_moves_lower_bound(world, start, upgraded),
        most_moves_of_one_server=max(world.moves.values(), default=0),
        moved_twice=sum(count > 1 for count in world.moves.values()),
        switchovers=world.switchovers,
        groups=sum(_touched(world, group, upgraded) for group in world.groups),
        double_faults=sum(v.code is ViolationCode.HA_IMPACT for v in world.violations),
        soft_affinity_breaks=world.soft_breaks,
        stuck=sum(sum(1 for _ in world.leavers(host)) for host in stuck),
        most_out=world.most_out,
        makespan_seconds=events[-1].t - events[0].t if events else 0.0,
        makespan_lower_bound_seconds=compute_makespan_lower_bound(
            world, start, upgraded, events, trace.max_parallel
        ),
    )


def _touched(world: ReplayedCloud, group: str, upgraded: Collection[str]) -> bool:
    return world.groups[group].mode == ACTIVE_STANDBY and any(
        world.servers[m].host in upgraded for m in world.members[group]
    )


def _check_result(world: ReplayedCloud, trace: Trace, facts: ReplayFacts) -> None:
    """Compare what the trace claims of itself with what its events come to."""
    if world.options.snapshot_sha256 not in {None, trace.snapshot_sha256} and trace.snapshot_sha256:
        world.fault(ViolationCode.SNAPSHOT_MISMATCH, "trace", "was made from another snapshot")
    for wrong in _wrong_claims(trace, facts):
        world.fault(ViolationCode.RESULT_MISMATCH, "result", wrong)


def _wrong_claims(trace: Trace, facts: ReplayFacts) -> Iterable[str]:
    """Name every claim that the events do not bear out.

    A claimed lower bound may be lower than ours: it flatters nobody.
    """
    if set(trace.upgraded) != set(facts.upgraded):
        names = ", ".join(sorted(set(trace.upgraded) ^ set(facts.upgraded))[:5])
        yield f"upgraded: differs from the events in {names}"
    both = sorted(set(trace.held) & set(facts.upgraded))
    if both:
        yield f"held: {both[0]} was upgraded and released"
    for key in ("moves", "standby_moves", "switchovers", "makespan_seconds"):
        claimed, counted = trace.result.get(key), getattr(facts, key)
        if not _same(claimed, counted):
            yield f"{key}: says {claimed}, the events come to {counted}"
    for key in ("moves_lower_bound", "makespan_lower_bound_seconds"):
        claimed, bound = trace.result.get(key), getattr(facts, key)
        if not _same(claimed, bound) and not (_number(claimed) and claimed <= bound):
            yield f"{key}: says {claimed}, it is {bound}"


def _same(claimed: object, counted: float) -> bool:
    return _number(claimed) and math.isclose(claimed, counted, rel_tol=1e-6, abs_tol=_ROUNDING)


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
