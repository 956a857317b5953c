"""A small cloud, a clean trace of it, and the ways to write others.

Traces are plain documents, as anybody may write them: the checker knows nothing of what the simulator plays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from tests.builders import DOMAINS, disabled, make_busy_node, make_cloud, make_server

from escalator.model.cloud import (
    CloudSnapshot,
    HaGroup,
    Node,
    Server,
    ServerGroup,
)
from escalator.replay import ReplayOptions, ReplayReport, ViolationCode, check_trace

Document = dict[str, Any]
SIZE = {"VCPU": 2, "MEMORY_MB": 4096}


def node(host: str, **more: Any) -> Node:
    facts = {"vcpus": 4, "vcpu_ratio": 4.0, "memory": 33280, "target": True, "traits": frozenset()}
    return make_busy_node(host, **facts | more)


def server(name: str, host: str | None, **more: Any) -> Server:
    """Make a server whose id is its name, as events name it."""
    return make_server(name, host, **{"id": name, "resources": SIZE} | more)


NODES = (
    node("n1", traits=frozenset({"SSD"})),
    node("n2"),
    node("n3"),
    node("spare", target=False, traits=frozenset({"SSD"})),
    disabled(node("shut", target=False), "disk swap"),
    node("far", target=False, domain=DOMAINS[1]),
)
SERVERS = (
    server("web", "n1", required_traits=frozenset({"SSD"}), pinned_zone="az1", server_group="apart"),
    server("web-2", "n3", server_group="apart"),
    server("batch", "n1", migration="cold"),
    server("pin", "n1", migration="none"),
    server("db-a", "n1", ha_group="db", ha_role="active"),
    server("db-s", "n2", ha_group="db", ha_role="standby"),
)
SNAPSHOT = make_cloud(
    NODES,
    SERVERS,
    server_groups=(ServerGroup(id="apart", policy="anti-affinity", members=("web", "web-2")),),
    ha_groups=(HaGroup(id="db", mode="active-standby", members=("db-a", "db-s"), max_impacted=1),),
)


def on(t: float, event: str, host: str) -> Document:
    return {"t": t, "event": event, "host": host}


def guest(t: float, event: str, name: str) -> Document:
    return {"t": t, "event": event, "server": name}


def switch(t: float, source: str, to: str, group: str = "db") -> Document:
    return {"t": t, "event": "switchover", "ha_group": group, "from": source, "to": to}


def move(begin: float, end: float, name: str, source: str, to: str, kind: str = "live") -> list[Document]:
    place = {"server": name, "from": source, "to": to, "kind": kind}
    return [{"t": begin, "event": "move_start", **place}, {"t": end, "event": "move_end", **place}]


CLEAN: tuple[Document, ...] = (
    on(0, "admit", "n1"),
    switch(1, "db-a", "db-s"),
    *move(2, 20, "web", "n1", "spare"),
    *move(21, 40, "batch", "n1", "n2", "cold"),
    guest(41, "stop", "pin"),
    on(42, "upgrade_start", "n1"),
    on(942, "upgrade_end", "n1"),
    guest(943, "start", "pin"),
    on(944, "release", "n1"),
    on(950, "admit", "n2"),
    switch(951, "db-s", "db-a"),
    *move(952, 970, "batch", "n2", "n1", "cold"),
    on(971, "upgrade_start", "n2"),
    on(1871, "upgrade_end", "n2"),
    on(1872, "release", "n2"),
    on(1880, "admit", "n3"),
    *move(1881, 1890, "web-2", "n3", "n1"),
    on(1891, "upgrade_start", "n3"),
    on(2791, "upgrade_end", "n3"),
    on(2792, "release", "n3"),
)
"""Every kind of event once: a switchover and back, live and cold moves, a server that is stopped."""


def trace(
    events: Iterable[Mapping[str, Any]],
    *,
    snapshot: CloudSnapshot = SNAPSHOT,
    parallel: int = 1,
    held: Mapping[str, str] | None = None,
    **claims: Any,
) -> Document:
    """Write a trace whose result claims what its events come to, but for ``claims``."""
    result: Document = {
        "upgraded": [],
        "held": [{"host": h, "code": "capacity", "reason": why} for h, why in (held or {}).items()],
    }
    document = {
        "schema": "escalator.trace/1",
        "snapshot_sha256": None,
        "max_parallel": parallel,
        "events": [dict(event) for event in events],
        "result": result,
    }
    facts = asdict(check_trace(snapshot, document).facts)
    result["upgraded"] = list(facts["upgraded"])
    for key in (
        "moves",
        "standby_moves",
        "switchovers",
        "moves_lower_bound",
        "makespan_seconds",
        "makespan_lower_bound_seconds",
    ):
        result[key] = facts[key]
    result |= claims
    return document


def judge(
    events: Iterable[Mapping[str, Any]],
    *,
    snapshot: CloudSnapshot = SNAPSHOT,
    options: ReplayOptions | None = None,
    **more: Any,
) -> ReplayReport:
    return check_trace(snapshot, trace(events, snapshot=snapshot, **more), options)


def codes(report: ReplayReport) -> set[ViolationCode]:
    return {violation.code for violation in report.violations}


def cloud(
    *nodes: Node,
    servers: Iterable[Server] = (),
    server_groups: Iterable[ServerGroup] = (),
    ha_groups: Iterable[HaGroup] = (),
) -> CloudSnapshot:
    return replace(
        SNAPSHOT,
        nodes=nodes,
        servers=tuple(servers),
        server_groups=tuple(server_groups),
        ha_groups=tuple(ha_groups),
    )


def without(*indices: int) -> list[Document]:
    return [event for index, event in enumerate(CLEAN) if index not in indices]


def upgrade(host: str, t: float = 50.0) -> list[Document]:
    return [
        on(t, "upgrade_start", host),
        on(t + 900, "upgrade_end", host),
        on(t + 901, "release", host),
    ]


def lone(**more: Any) -> Server:
    return server("web", "n1", **more)


def two(*events: Document, options: ReplayOptions | None = None, **more: Any) -> set[ViolationCode]:
    snapshot = cloud(
        node("n1"),
        node("n2"),
        node("n3", target=False),
        servers=(lone(), server("web-2", "n1"), server("far", None, vm_state="shelved_offloaded")),
    )
    held = {"n1": "not of interest", "n2": "not of interest"}
    return codes(judge(events, snapshot=snapshot, held=held, options=options, **more))
