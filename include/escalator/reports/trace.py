"""The trace of a real campaign, in the form that a simulated one has: ``escalator.trace/1``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from escalator.model.campaign import NodeState, Step
from escalator.model.digest import compute_digest
from escalator.model.moves import MoveMethod
from escalator.model.stops import StopEnd
from escalator.model.switch import SwitchMethod
from escalator.model.verdict import Code
from escalator.reports.facts import CampaignFacts
from escalator.reports.node_times import NodeTimes, upgrade_jobs
from escalator.reports.nodes import list_moved

SCHEMA = "escalator.trace/1"
_ORDER = (
    "upgrade_end",
    "start",
    "move_end",
    "release",
    "admit",
    "found_active",
    "switchover",
    "move_start",
    "stop",
    "upgrade_start",
)
"""Events of one moment: what ends comes before what begins."""

_Moment = tuple[datetime, dict[str, Any]]


def build_trace(facts: CampaignFacts, times: Mapping[str, NodeTimes]) -> dict[str, Any]:
    """Write what happened as events; ``t`` is in seconds since the campaign's start.

    Moves that failed are not in it: they changed no server's place.
    """
    moments = [*_moves(facts), *_switchovers(facts), *_found(facts)]
    for host in facts.plan.hosts:
        moments += [*_outages(host, times[host]), *_upgrades(facts, host), *_stops(facts, host)]
    moments.sort(key=lambda m: (m[0], _ORDER.index(m[1]["event"])))
    start = facts.started_at
    events = [{"t": round((at - start).total_seconds(), 3), **event} for at, event in moments]
    return {
        "schema": SCHEMA,
        "snapshot_sha256": compute_digest(before.document) if (before := facts.snapshot_before) else None,
        "max_parallel": facts.plan.request.max_parallel,
        "events": events,
        **_agreed(facts),
        "result": _result(facts, times, events),
    }


def list_upgraded_hosts(facts: CampaignFacts) -> tuple[str, ...]:
    """Return the nodes that the campaign upgraded, verified and gave back."""
    return tuple(h for h in facts.plan.hosts if facts.view.of(h).state is NodeState.RELEASED)


def _switchovers(facts: CampaignFacts) -> list[_Moment]:
    """Write the switchovers from one member to another: seen to be done, or believed."""
    return [
        (
            switch.ended_at,
            {
                "event": "switchover",
                "ha_group": switch.group,
                "from": switch.from_server,
                "to": switch.to_server,
            },
        )
        for switch in facts.switches
        if switch.changed_active and switch.ended_at is not None and switch.method is not SwitchMethod.FOUND
    ]


def _found(facts: CampaignFacts) -> list[_Moment]:
    """Write where services were found that nobody in the campaign had switched there."""
    return [
        (switch.ended_at, {"event": "found_active", "ha_group": switch.group, "server": switch.to_server})
        for switch in facts.switches
        if switch.method is SwitchMethod.FOUND and switch.ended_at is not None
    ]


def _agreed(facts: CampaignFacts) -> dict[str, list[str]]:
    """Return what was agreed with the managers of servers, by the last switchover of each node."""
    found: dict[str, set[str]] = {"stays": set(), "leaves": set()}
    for host in facts.plan.hosts:
        runs = [run for run in facts.steps_of(host) if run.step is Step.SWITCHOVER and run.result == "ok"]
        for key, servers in found.items():
            servers.update(runs[-1].details.get(key, ()) if runs else ())
    return {key: sorted(servers) for key, servers in found.items() if servers}


def _outages(host: str, times: NodeTimes) -> list[_Moment]:
    moments: list[_Moment] = []
    for outage in times.outages:
        moments.append((outage.start, {"event": "admit", "host": host}))
        if outage.end is not None:
            moments.append((outage.end, {"event": "release", "host": host}))
    return moments


def _moves(facts: CampaignFacts) -> list[_Moment]:
    moments: list[_Moment] = []
    for move in list_moved(facts.moves):
        place = {
            "server": move.server_id,
            "from": move.from_host,
            "to": move.to_host,
            "kind": str(move.method),
        }
        moments.append((move.started_at, {"event": "move_start", **place}))
        moments.append((move.ended_at, {"event": "move_end", **place}))
    return moments


def _upgrades(facts: CampaignFacts, host: str) -> list[_Moment]:
    """Write the upgrade of a node: from its first begin to its last success, if there was one."""
    runs = [run for run in facts.steps_of(host) if run.step is Step.UPGRADE and run.result != "held"]
    if not runs:
        return []
    jobs = upgrade_jobs(runs[:1])
    begin = jobs[0].start if jobs else runs[0].started_at
    ended = [run.ended_at for run in runs if run.result == "ok" and run.ended_at is not None]
    stops = _asked_stops(facts, host)
    if stops:  # a try that was killed has not said when its job began: not before the servers were down
        begin = max(begin, *(min(times) for times in stops.values()))
    moments: list[_Moment] = [(begin, {"event": "upgrade_start", "host": host})]
    if ended:
        moments.append((max(ended), {"event": "upgrade_end", "host": host}))
    return moments


def _stops(facts: CampaignFacts, host: str) -> list[_Moment]:
    """Write each server that was stopped: from its first stop to its last start, if its node came back.

    On a node that stays out what runs again is no part of an upgrade that was carried out.
    """
    moments: list[_Moment] = []
    back = facts.view.of(host).state is NodeState.RELEASED
    for server_id, times in _asked_stops(facts, host).items():
        moments.append((min(times), {"event": "stop", "server": server_id}))
        ends = [s.ended_at for s in facts.stops[host] if s.server_id == server_id and s.ended_at is not None]
        if back and ends:
            moments.append((max(ends), {"event": "start", "server": server_id}))
    return moments


def _asked_stops(facts: CampaignFacts, host: str) -> dict[str, list[datetime]]:
    """Return when Nova was asked to stop each server of a node, in whatever attempt."""
    found: dict[str, list[datetime]] = {}
    for stop in facts.stops.get(host, ()):
        if stop.asked_at is not None and stop.end is not StopEnd.NOT_OURS:
            found.setdefault(stop.server_id, []).append(stop.asked_at)
    return found


def _result(
    facts: CampaignFacts, times: Mapping[str, NodeTimes], events: list[dict[str, Any]]
) -> dict[str, Any]:
    """Sum up; the lower bounds are what no order of the nodes could have gone below."""
    upgraded, moved = list_upgraded_hosts(facts), list_moved(facts.moves)
    jobs = [times[host].upgrade_seconds for host in upgraded]
    bound = max([sum(jobs) / facts.plan.request.max_parallel, *jobs])
    return {
        "upgraded": list(upgraded),
        "held": _held(facts),
        "moves": sum(move.method is not MoveMethod.STANDBY for move in moved),
        "standby_moves": sum(move.method is MoveMethod.STANDBY for move in moved),
        "moves_lower_bound": _count_leavers(facts, upgraded),
        "switchovers": len(_switchovers(facts)),
        "makespan_seconds": round(events[-1]["t"] - events[0]["t"], 3) if events else 0.0,
        "makespan_lower_bound_seconds": round(bound, 3),
        "cpu_seconds": 0.0,
    }


def _held(facts: CampaignFacts) -> list[dict[str, str]]:
    """Name every node that was not upgraded and does not run the target already, with the reason."""
    held = []
    for host in facts.plan.hosts:
        node = facts.view.of(host)
        if node.state is not NodeState.RELEASED and node.code is not Code.ALREADY_UPGRADED:
            held.append({"host": host, "code": str(node.code or node.state), "reason": node.message})
    return held


def _count_leavers(facts: CampaignFacts, hosts: tuple[str, ...]) -> int:
    """Count the servers that were on nodes which had to be emptied; what stayed there did not have to."""
    servers = () if facts.before is None else facts.before.servers
    moved = {m.server_id for m in list_moved(facts.moves) if m.method is not MoveMethod.STANDBY}
    return sum(s.host in hosts and s.id in moved for s in servers)
