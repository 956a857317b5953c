"""Read the events of a trace; what is no trace is refused with every fault's place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from escalator.model.errors import InvalidRequestError

SCHEMA = "escalator.trace/1"
KINDS = ("live", "cold", "standby")
_MOVE = ("server", "from", "to", "kind")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "admit": ("host",),
    "upgrade_start": ("host",),
    "upgrade_end": ("host",),
    "release": ("host",),
    "move_start": _MOVE,
    "move_end": _MOVE,
    "stop": ("server",),
    "start": ("server",),
    "switchover": ("ha_group", "from", "to"),
    "found_active": ("ha_group", "server"),
}
_SHOWN = 5
"""Faults that a message names one by one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``subject`` is its host, server or HA group, ``source`` and ``to`` are hosts or servers."""

    index: int
    t: float
    name: str
    subject: str
    source: str = ""
    to: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace as read; ``held`` is host -> (code, reason), ``result`` the numbers as they were claimed.

    ``stays`` and ``leaves`` are the servers about which that was agreed with their managers.
    """

    events: tuple[Event, ...]
    max_parallel: int
    snapshot_sha256: str | None = None
    upgraded: tuple[str, ...] = ()
    held: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    stays: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()


def read_trace(document: Mapping[str, Any]) -> Trace:
    """Read a document ``escalator.trace/1``.

    :raises InvalidRequestError: names the first faults with their paths, such as ``events[3].to``.
    """
    faults: list[str] = []
    if document.get("schema") != SCHEMA:
        faults.append(f"schema: must be {SCHEMA}")
    parallel = document.get("max_parallel")
    if not isinstance(parallel, int) or isinstance(parallel, bool) or parallel < 1:
        faults.append("max_parallel: must be a number from 1")
        parallel = 1
    events = _events(document.get("events"), faults)
    result = document.get("result")
    if not isinstance(result, Mapping):
        faults.append("result: must be a mapping")
        result = {}
    upgraded, held = _upgraded(result.get("upgraded"), faults), _held(result.get("held"), faults)
    stays, leaves = (_servers(key, document.get(key, []), faults) for key in ("stays", "leaves"))
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise InvalidRequestError(
            f"the trace has {len(faults)} fault(s): {'; '.join(faults[:_SHOWN])}{more}",
            remedy=f"see {SCHEMA}",
        )
    digest = document.get("snapshot_sha256")
    return Trace(
        events=events,
        max_parallel=parallel,
        snapshot_sha256=digest if isinstance(digest, str) else None,
        upgraded=upgraded,
        held=held,
        result=result,
        stays=stays,
        leaves=leaves,
    )


def _events(items: object, faults: list[str]) -> tuple[Event, ...]:
    if not isinstance(items, Sequence) or isinstance(items, str):
        faults.append("events: must be a list")
        return ()
    events: list[Event] = []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            faults.append(f"events[{index}]: must be a mapping")
            continue
        event = _event(index, item, faults)
        if event is not None:
            events.append(event)
    return tuple(events)


def _event(index: int, item: Mapping[str, Any], faults: list[str]) -> Event | None:
    name, t = item.get("event"), item.get("t")
    keys = _KEYS.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or keys is None:
        faults.append(f"events[{index}].event: {name!r} is not known")
        return None
    if not isinstance(t, int | float) or isinstance(t, bool) or not math.isfinite(t):
        faults.append(f"events[{index}].t: must be a number of seconds")
        return None
    for key in keys:
        if not isinstance(item.get(key), str):
            faults.append(f"events[{index}].{key}: must be text")
            return None
    kind = item["kind"] if "kind" in keys else ""
    if kind and kind not in KINDS:
        faults.append(f"events[{index}].kind: must be one of {', '.join(KINDS)}")
        return None
    paired = "from" in keys
    return Event(
        index,
        float(t),
        name,
        item[keys[0]],
        item["from"] if paired else "",
        item["to"] if paired else item["server"] if keys[1:] == ("server",) else "",
        kind,
    )


def _servers(key: str, items: object, faults: list[str]) -> frozenset[str]:
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return frozenset(items)
    faults.append(f"{key}: must be a list of servers")
    return frozenset()


def _upgraded(items: object, faults: list[str]) -> tuple[str, ...]:
    if isinstance(items, Sequence) and all(isinstance(item, str) for item in items):
        return tuple(items)
    faults.append("result.upgraded: must be a list of hosts")
    return ()


def _held(items: object, faults: list[str]) -> dict[str, tuple[str, str]]:
    if not isinstance(items, Sequence) or isinstance(items, str):
        faults.append("result.held: must be a list")
        return {}
    held = {}
    for index, item in enumerate(items):
        if isinstance(item, Mapping) and isinstance(item.get("host"), str):
            held[item["host"]] = (str(item.get("code") or ""), str(item.get("reason") or ""))
        else:
            faults.append(f"result.held[{index}].host: must be text")
    return held
