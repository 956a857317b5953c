"""The plan as data: ``escalator.plan/1``. Order, waves, methods, expected times, and the reason of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from escalator.model.bundle import Component
from escalator.model.campaign import LeftOut
from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.digest import compute_digest
from escalator.model.no_return import NoReturn
from escalator.model.verdict import Code
from escalator.plans.no_return import describe_no_return
from escalator.plans.version_steps import list_steps
from escalator.simulator.engine import play_campaign
from escalator.simulator.options import SimulationOptions
from escalator.upgrade_manager.conditions.servers import Method, choose_method
from escalator.upgrade_manager.drain.stops import mark_unmovable
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.memberships import Memberships

SCHEMA = "escalator.plan/1"
SKIPPED = frozenset(
    {
        Code.DISABLED_BY_OTHERS,
        Code.DISABLED_BY_NOVA,
        Code.LEASED_BY_OTHERS,
        Code.NODE_BARE_METAL,
        Code.CELLS_UNKNOWN,
        Code.PARALLEL_LIMIT,
    }
)
"""Codes of nodes that somebody else has or keeps in: a plan leaves them alone without being infeasible."""

Document = dict[str, Any]
NO_POINT = NoReturn()
"""Nobody looked for points of no return, or there is none."""


class MadePlan(NamedTuple):
    """A plan: the document ``escalator.plan/1``, and its targets in the order that a campaign is to keep."""

    document: Document
    hosts: tuple[str, ...]


def make_plan(
    snapshot: CloudSnapshot,
    options: SimulationOptions,
    *,
    bundle: str | None,
    components: Sequence[Component] = (),
    left_out: Sequence[LeftOut] = (),
    no_return: NoReturn = NO_POINT,
    ties_servers: bool = False,
) -> MadePlan:
    """Plan a campaign: when each node goes, why, and where its servers go.

    The ``sha256`` of the document is that of all its other keys, as canonical JSON.

    :param components: what the bundle brings.
    :param left_out: nodes that were asked for and are no targets of the snapshot, as something blocks them.
    :param no_return: which nodes cannot go back once they are changed.
    :param ties_servers: the bundle brings a hypervisor: Nova moves no server to an older one live.
    """
    snapshot = mark_unmovable(snapshot, options.mode)
    trace, order = play_campaign(snapshot, options)
    result = trace["result"]
    nodes = _nodes(snapshot, trace, options)
    document: Document = {
        "schema": SCHEMA,
        "cloud": snapshot.cloud,
        "taken_at": snapshot.taken_at.isoformat(),
        "bundle": bundle,
        "max_parallel": options.max_parallel,
        "feasible": not _find_infeasible(snapshot, result["held"]),
        "nodes": nodes,
        "versions": list_steps(snapshot, [node["host"] for node in nodes], components),
        "no_return": describe_no_return(nodes, no_return, ties_servers=ties_servers),
        "held": result["held"],
        "left_out": [{"host": n.host, "code": n.code.value, "reason": n.message} for n in left_out],
        "expected": {
            "seconds": result["makespan_seconds"],
            "least_seconds": result["makespan_lower_bound_seconds"],
            "moves": result["moves"],
            "standby_moves": result["standby_moves"],
            "least_moves": result["moves_lower_bound"],
            "switchovers": result["switchovers"],
        },
        "counted_only": [],  # of the format: what no step of a campaign carries out
    }
    return MadePlan({**document, "sha256": compute_digest(document)}, order.hosts)


def _find_infeasible(snapshot: CloudSnapshot, held: Sequence[Mapping[str, str]]) -> set[str]:
    """Return the nodes that do not go, and that would not go either once other campaigns have ended.

    A group with members on nodes that other campaigns have out waits for these, as the check says too.
    """
    found = {node["host"] for node in held if node["code"] not in SKIPPED}
    of_groups = {node["host"] for node in held if node["code"] == Code.HA_GROUP}
    if not of_groups or not any(node.counting_lease for node in snapshot.nodes):
        return found
    away = {n.host for n in snapshot.nodes if not n.eligible_destination and n.counting_lease is None}
    later = Availability(Memberships(snapshot), out=away)
    return found - {host for host in of_groups if later.find_obstacle(host, 0.0) is None}


def _nodes(snapshot: CloudSnapshot, trace: Document, options: SimulationOptions) -> list[Document]:
    """Read every node's part from the events."""
    servers = {server.id: server for server in snapshot.servers}
    where = {server.id: server.host for server in snapshot.servers}
    domains = {node.host: node.domain for node in snapshot.nodes}
    first = _first_hosts(trace, domains)
    parts: dict[str, Document] = {}
    waves: dict[float, int] = {}
    making_way: dict[str, Document] = {}
    for event in trace["events"]:
        match event["event"]:
            case "admit":
                wave = waves.setdefault(event["t"], len(waves) + 1)
                parts[event["host"]] = _part(event, domains, wave, first)
            case "move_end":
                where[event["server"]] = event["to"]
                move = _move(servers[event["server"]], event)
                if event["kind"] == "standby":
                    making_way[event["server"]] = move  # it is part of the switchover that follows
                else:
                    parts[event["from"]]["moves"].append(move)
            case "switchover":
                part = parts[where[event["from"]] or ""]
                part["switchovers"].append({k: event[k] for k in ("ha_group", "from", "to")})
                if event["to"] in making_way:
                    part["moves"].append(making_way.pop(event["to"]))
            case "release":
                parts[event["host"]]["ends_at_seconds"] = event["t"]
    book = CapacityBook(snapshot, members_stay=options.members_stay)
    for host, part in parts.items():
        here = (s for s in book.servers(host) if where[s.id] == host)
        staying = [s for s in here if book.stays(s) or s.migration == "none"]
        part["staying"] = [_staying(s) for s in staying]
        part["stopping"] = [s.name for s in staying if choose_method(book, s) is Method.STOP]
    return list(parts.values())


def _part(event: Document, domains: Mapping[str, str], wave: int, first: Mapping[str, str]) -> Document:
    host = event["host"]
    domain = domains[host]
    return {
        "host": host,
        "domain": domain,
        "wave": wave,
        "reason": _reason(host, domain, event["t"], first),
        "starts_at_seconds": event["t"],
        "ends_at_seconds": None,
        "moves": [],
        "switchovers": [],
        "staying": [],
        "stopping": [],
    }


def _reason(host: str, domain: str, when: float, first: Mapping[str, str]) -> str:
    if first.get(domain) == host:
        return f"the first node of {domain}, cheap to empty: it makes room for the others"
    if when == 0:
        return "goes at once: there is room beside the nodes before it"
    return "goes as soon as its servers have room on upgraded nodes and no HA group forbids it"


def _first_hosts(trace: Document, domains: Mapping[str, str]) -> dict[str, str]:
    first: dict[str, str] = {}
    for event in trace["events"]:
        if event["event"] == "admit":
            first.setdefault(domains[event["host"]], event["host"])
    return first


def _move(server: Server, event: Document) -> Document:
    return {
        "server": server.id,
        "name": server.name,
        "method": event["kind"],
        "from": event["from"],
        "to": event["to"],
    }


def _staying(server: Server) -> Document:
    return {"server": server.id, "name": server.name, "ha_group": server.ha_group, "ha_role": server.ha_role}
