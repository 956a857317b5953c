"""Facts of a node as rows: one for each field that is remembered, its key the field's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from escalator.ledger.codec import from_json, to_json
from escalator.model.errors import InvalidRequestError
from escalator.model.moves import DrainPlan
from escalator.model.node_facts import FactChanges, NodeFacts, UnreadablePlan

DRAIN_PLAN_VERSION = 1
WITH_STOPS_VERSION = 2
"""Of a plan that stops servers: an earlier release must not take it for one that lets them run."""
_KEYS = {field.name: field.name for field in fields(NodeFacts)}
# A key that is no field of NodeFacts fails when this module is imported.
RELEASED_AT = _KEYS["released_at"]
CLAIM = _KEYS["claim"]
VERSION = _KEYS["version"]
FROM_VERSION = _KEYS["from_version"]
FROM_COMPONENTS = _KEYS["from_components"]
BEHIND = _KEYS["behind"]
DRAIN_PLAN = _KEYS["drain_plan"]
FLYING = _KEYS["flying"]
MOVE_SLOWNESS = _KEYS["move_slowness"]
LEASES = _KEYS["leases"]
STOPS = _KEYS["stops"]
MAINTENANCE = _KEYS["maintenance"]
SILENCING = _KEYS["silencing"]
APPROVAL = _KEYS["approval"]
CROSSING = _KEYS["crossing"]
CROSSING_ASKED = _KEYS["crossing_asked"]
UPGRADE_BEGUN = _KEYS["upgrade_begun"]
LEASED_AT = _KEYS["leased_at"]


def read_facts(host: str, rows: Mapping[str, Any]) -> NodeFacts:
    """Read the facts of a node from the values of its rows, by key; a key that is not known is passed over.

    :raises InvalidRequestError: a value is of another form; the remedy names the task to clear. A drain plan
        is judged by who needs it: the facts hold an ``UnreadablePlan``.
    """
    known = {key: value for key, value in rows.items() if value is not None}
    plan = known.pop(DRAIN_PLAN, None)
    try:
        facts = from_json(NodeFacts, known)
    except InvalidRequestError as exc:
        raise describe_unreadable(host, exc.message) from exc
    return facts if plan is None else replace(facts, drain_plan=_read_plan(plan))


def describe_unreadable(host: str, why: str) -> InvalidRequestError:
    """Say that what is recorded of a node cannot be used, and which task records it anew."""
    return InvalidRequestError(
        f"what is recorded of {host} cannot be used: {why}",
        remedy=f"clear the task {host}.precheck with downstream",
    )


def write_fact_values(changes: FactChanges) -> Iterator[tuple[str, Any]]:
    """Give key and value of the row of each fact; the value is JSON.

    :raises InvalidRequestError: a value cannot be stored, or is no fact of a node.
    """
    for name, value in changes.items():
        if name not in _KEYS:
            raise InvalidRequestError(f"{name!r} is no fact of a node")
        yield _KEYS[name], _plan_values(value) if isinstance(value, DrainPlan) else to_json(value)


def _plan_values(plan: DrainPlan) -> dict[str, Any]:
    """Write a drain plan with its version, and without the findings: they are told by the step itself."""
    document = to_json(plan)
    del document["verdicts"]
    if not plan.stopping:
        del document["stopping"]
    version = WITH_STOPS_VERSION if plan.stopping else DRAIN_PLAN_VERSION
    return {"schema_version": version, **document}


def _read_plan(document: Any) -> DrainPlan | UnreadablePlan:  # noqa: ANN401  (JSON)
    version = document.get("schema_version") if isinstance(document, Mapping) else None
    if version not in {DRAIN_PLAN_VERSION, WITH_STOPS_VERSION}:
        read = f"{DRAIN_PLAN_VERSION} and {WITH_STOPS_VERSION}"
        return UnreadablePlan(why=f"its drain plan has version {version}, this release reads {read}")
    try:
        return from_json(DrainPlan, document)
    except InvalidRequestError as exc:
        return UnreadablePlan(why=exc.message)
