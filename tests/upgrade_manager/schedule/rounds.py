"""States of rounds to decide about."""

from __future__ import annotations

from typing import Any

from tests.builders import make_cloud, make_server, make_target

from escalator.model.cloud import CloudSnapshot
from escalator.model.durations import DEFAULT_DURATIONS
from escalator.upgrade_manager.schedule.round import Round
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import CapacityBook


def round_state(snapshot: CloudSnapshot, **fields: Any) -> RoundState:
    book = CapacityBook(snapshot)
    hosts = [
        n.host for n in snapshot.nodes if n.target and not n.upgraded and n.host not in fields.get("out", ())
    ]
    queues: dict[str, list[str]] = {}
    for host in hosts:
        queues.setdefault(book.nodes[host].domain, []).append(host)
    base = {
        "book": book,
        "availability": Availability(book.memberships),
        "queues": queues,
        "out": {},
        "durations": DEFAULT_DURATIONS,
        "slots": 1,
        "rank_of": {host: number for number, host in enumerate(hosts)},
    }
    return RoundState(**{**base, **fields})


def going(state: RoundState, now: float = 0.0) -> list[str]:
    return [departure.host for departure in Round(state, now).choose_departures()]


def full(*hosts: str, **fields: Any) -> CloudSnapshot:
    """Nodes of 16 GiB, each with three servers of 2 GiB."""
    servers = [make_server(f"{host}-{i}", host) for host in hosts for i in range(3)]
    return make_cloud([make_target(host) for host in hosts], servers, **fields)
