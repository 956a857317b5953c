"""Points of no return in a plan: which nodes cross one in their turn, and which servers are tied by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from escalator.model.no_return import NoReturn
from escalator.model.wording import name_some

_SHOWN = 12
"""Servers that are named one by one."""


def describe_no_return(
    nodes: Sequence[Mapping[str, Any]], no_return: NoReturn, *, ties_servers: bool
) -> dict[str, Any]:
    """Say of each node that cannot go back why, and which servers a newer hypervisor will hold.

    :param nodes: of the plan, in their order, with their moves.
    :param ties_servers: the bundle brings a hypervisor: Nova moves no server to an older one live.
    """
    hosts = [str(node["host"]) for node in nodes]
    crossing = ((host, no_return.find_reason(host, number)) for number, host in enumerate(hosts))
    turn = {host: number for number, host in enumerate(hosts)}
    tied = {
        move["server"]: {"server": move["server"], "name": move["name"], "host": move["to"]}
        for number, node in enumerate(nodes)
        for move in node["moves"]
        if ties_servers and turn.get(move["to"], number) < number
    }
    return {
        "nodes": [{"host": host, "reason": reason} for host, reason in crossing if reason],
        "servers": list(tied.values()),
    }


def list_no_return_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Give it as lines: each reason once, with its nodes; then the servers."""
    hosts_of: dict[str, list[str]] = {}
    for node in found.get("nodes", ()):
        hosts_of.setdefault(node["reason"], []).append(node["host"])
    for reason, hosts in hosts_of.items():
        yield f"no return once {name_some(hosts)} is about to be changed: {reason}"
    servers = found.get("servers", ())
    if servers:
        named = ", ".join(f"{server['name']} on {server['host']}" for server in servers[:_SHOWN])
        more = f" and {len(servers) - _SHOWN} more" if len(servers) > _SHOWN else ""
        yield f"will not move live back to an older hypervisor: {named}{more}"
