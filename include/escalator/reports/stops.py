"""Servers that were stopped for the upgrade of their node, in a report: how long, and who is down still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escalator.model.campaign import NodeState
from escalator.model.stops import ServerStop, StopEnd
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.reports.facts import CampaignFacts
from escalator.reports.nodes import format_time, round_seconds
from escalator.reports.rows import Row, make_row

_BECAME = {
    StopEnd.RUNS: "runs again",
    StopEnd.BY_OWNER: "left to its owner",
    StopEnd.GONE: "was deleted",
    StopEnd.NOT_OURS: "was stopped by its owner",
}


def describe_stops(facts: CampaignFacts) -> list[Row]:
    """Describe every server that was stopped, by node and time: planned interruptions."""
    return [_describe(host, stop) for host, stops in sorted(facts.stops.items()) for stop in stops]


def find_down(facts: CampaignFacts) -> Iterator[Row]:
    """Find the servers that ran before and do not run now, and say what became of their node."""
    for host, stops in sorted(facts.stops.items()):
        node = facts.view.of(host)
        fate = "it is in service" if node.state is NodeState.RELEASED else f"it is {node.state}"
        for stop in stops:
            if stop.is_down:
                why = f": {stop.fault}" if stop.fault else ""
                yield make_row(
                    Severity.BLOCKER,
                    Code.SERVER_NOT_STARTED,
                    SubjectType.SERVER,
                    stop.server_id,
                    stop.server_name,
                    message=f"was stopped for the upgrade of {host} ({fate}) and does not run again{why}",
                    remedy=f"start it (openstack server start {stop.server_id}), or clear {host}.verify "
                    "with downstream, which starts it again",
                )


def sum_stops(stops: Iterable[ServerStop]) -> Row:
    """Sum how long servers were silent, one for one; those that are down still count without a time."""
    known = tuple(stops)
    seconds = [stop.silent_seconds for stop in known if stop.silent_seconds is not None]
    return {
        "stops": len(known),
        "longest_seconds": round_seconds(max(seconds, default=0.0)),
        "sum_seconds": round_seconds(sum(seconds)),
        "down": sum(stop.is_down for stop in known),
    }


def _describe(host: str, stop: ServerStop) -> Row:
    return {
        "id": stop.server_id,
        "name": stop.server_name,
        "host": host,
        "ha_group": stop.ha_group,
        "asked": format_time(stop.asked_at),
        "stopped": format_time(stop.stopped_at),
        "ended": format_time(stop.ended_at),
        "silent_seconds": round_seconds(stop.silent_seconds),
        "became": "is down" if stop.end is None else _BECAME[stop.end],
        "fault": stop.fault,
    }
