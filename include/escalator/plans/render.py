"""Plans and traces for people, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from escalator.plans.no_return import list_no_return_lines
from escalator.plans.version_steps import list_step_lines
from escalator.upgrade_manager.conditions.timing import format_minutes

_METHODS = {"live": "moved live", "cold": "moved cold", "standby": "standby to move"}
_SHOWN = 12
"""Servers that are shown one by one for a node of a small plan."""
_SMALL = 20
"""Nodes up to which a plan shows every server."""


def list_plan_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Give a plan as lines: the sum, then each node in order with its reason and its servers."""
    nodes, expected = document["nodes"], document["expected"]
    feasible = "feasible" if document["feasible"] else "NOT FEASIBLE"
    if document["feasible"] and not nodes and document["held"]:
        feasible = "nothing goes out as things are"
    bundle = f", bundle {document['bundle']}" if document["bundle"] else ""
    at_once = f"{document['max_parallel']} at once"
    yield f"{feasible}: {len(nodes)} node(s) of {document['cloud']}{bundle}, {at_once}"
    yield (
        f"{format_minutes(expected['seconds'])} expected "
        f"(at least {format_minutes(expected['least_seconds'])}), "
        f"{expected['moves']} move(s) (at least {expected['least_moves']}), "
        f"{expected['standby_moves']} standby move(s), {expected['switchovers']} switchover(s)"
    )
    if expected["standby_moves"] or expected["switchovers"]:
        yield (
            "a service is switched over where its VNF manager agrees or its VNF file says how, and a standby "
            "moves first in the latter case; other members of HA groups stay on their node as they are"
        )
    yield from list_step_lines(document.get("versions", ()))
    for number, node in enumerate(nodes, start=1):
        yield from _node_lines(number, node, detailed=len(nodes) <= _SMALL)
    yield from list_no_return_lines(document.get("no_return", {}))
    for held in document["held"]:
        yield f"held {held['host']}: {held['reason']} [{held['code']}]"
    for node in document["left_out"]:
        yield f"skipped {node['host']}: {node['reason']} [{node['code']}]"
    yield f"plan {document['sha256']}"


def _node_lines(number: int, node: Mapping[str, Any], *, detailed: bool) -> Iterator[str]:
    methods = Counter(move["method"] for move in node["moves"])
    what = [f"{count} {_METHODS[method]}" for method, count in sorted(methods.items())]
    stopping = node["stopping"]
    if len(node["staying"]) > len(stopping):
        what.append(f"{len(node['staying']) - len(stopping)} stay")
    if stopping:
        what.append(f"{len(stopping)} stopped and started")
    if node["switchovers"]:
        what.append(f"{len(node['switchovers'])} to switch over")
    times = f"{format_minutes(node['starts_at_seconds'])} to {format_minutes(node['ends_at_seconds'])}"
    where = f"wave {node['wave']}, {node['domain']}, {times}"
    yield f"{number:>4}. {node['host']} ({where}): {', '.join(what) or 'empty'}"
    if not detailed:
        return
    yield f"      because: {node['reason']}"
    for move in node["moves"][:_SHOWN]:
        yield f"      {move['name']}: {move['method']}, {move['from']} -> {move['to']}"
    if len(node["moves"]) > _SHOWN:
        yield f"      and {len(node['moves']) - _SHOWN} more"
    for name in stopping[:_SHOWN]:
        yield f"      {name}: stopped before the upgrade, started after it"
    if len(stopping) > _SHOWN:
        yield f"      and {len(stopping) - _SHOWN} more"


def list_trace_lines(trace: Mapping[str, Any]) -> Iterator[str]:
    """Give the result of a trace as lines."""
    result = trace["result"]
    nodes = f"{len(result['upgraded'])} node(s) upgraded, {len(result['held'])} held"
    yield f"{nodes}, {trace['max_parallel']} at once"
    yield f"moves           {result['moves']} (lower bound {result['moves_lower_bound']})"
    yield f"standby moves   {result['standby_moves']}"
    yield f"switchovers     {result['switchovers']}"
    bound = format_minutes(result["makespan_lower_bound_seconds"])
    yield f"makespan        {format_minutes(result['makespan_seconds'])} (lower bound {bound})"
    for held in result["held"]:
        yield f"held {held['host']}: {held['reason']} [{held['code']}]"
