"""The report of a campaign as one document: ``escalator.report/1``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Any

from escalator.model.backup import RestoreOf
from escalator.model.campaign import NodeState, RunOf, Step
from escalator.reports.backups import describe_backups
from escalator.reports.facts import CampaignFacts, RecordedSnapshot
from escalator.reports.findings import compare_servers, find
from escalator.reports.interruptions import GuestEvents
from escalator.reports.negotiations import describe_negotiations
from escalator.reports.no_return import describe_crossed
from escalator.reports.node_times import NodeTimes
from escalator.reports.nodes import NOT_MEASURED, describe_nodes, format_time, measure_nodes, round_seconds
from escalator.reports.own_rollbacks import describe_own_rollbacks
from escalator.reports.service_gaps import describe_service_gaps
from escalator.reports.stops import describe_stops
from escalator.reports.trace import build_trace
from escalator.reports.watchers import describe_told

SCHEMA = "escalator.report/1"
_AT_REST = frozenset({NodeState.RELEASED, NodeState.SKIPPED})


class CampaignOutcome(StrEnum):
    """How a campaign ended."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    WINDOW_CLOSED = "window-closed"
    REFUSED = "refused"
    DRY_RUN = "dry-run"


def build_report(facts: CampaignFacts, events: GuestEvents | None = None) -> dict[str, Any]:
    """Write the report.

    :param events: what the hypervisors logged of their guests; without, interruptions are not measured.
    :return: JSON-able; times in UTC, durations in seconds, interruptions in milliseconds.
    """
    watched = events or GuestEvents()
    times = measure_nodes(facts)
    nodes = describe_nodes(facts, times, watched)
    plan = facts.plan
    return {
        "schema": SCHEMA,
        "campaign": plan.campaign,
        "run_id": plan.run_id,
        "procedure": plan.procedure,
        "undoes": _describe_undone(plan.undoes),
        "restores": _describe_restored(plan.restores),
        "cloud": plan.request.cloud,
        "domain": plan.request.domain,
        "bundle": {
            "name": plan.request.bundle,
            "target_version": plan.target_version,
            "document": dict(facts.bundle_document),
        },
        "request": _request(facts),
        "plan": _plan(facts),
        "outcome": str(_outcome(facts)),
        "started": format_time(facts.started_at),
        "ended": format_time(facts.ended_at),
        "nodes": nodes,
        "totals": _totals(facts, times, nodes),
        "servers": compare_servers(facts),
        "findings": find(facts, watched, [move for node in nodes for move in node["moves"]]),
        "negotiations": describe_negotiations(facts),
        "service_interruptions": describe_service_gaps(facts),
        "stops": describe_stops(facts),
        "told": describe_told(facts),
        "backups": describe_backups(facts),
        "rollbacks": describe_own_rollbacks(facts),
        "no_return": describe_crossed(facts),
        "trace": build_trace(facts, times),
        "snapshot_before": _document_of(facts.snapshot_before),
        "snapshot_after": _document_of(facts.snapshot_after),
    }


def _describe_undone(run: RunOf | None) -> dict[str, Any] | None:
    """Name the run that is taken back; the other components only where its bundle had some."""
    return None if run is None else {key: value for key, value in asdict(run).items() if value}


def _describe_restored(restored: RestoreOf | None) -> dict[str, Any] | None:
    """Name the backup that the node is put back to, and when it was taken."""
    if restored is None:
        return None
    return {"backup": restored.backup, "taken_at": format_time(restored.taken_at)}


def _document_of(snapshot: RecordedSnapshot | None) -> Mapping[str, Any] | None:
    return None if snapshot is None else snapshot.document


def _plan(facts: CampaignFacts) -> dict[str, Any] | None:
    """Describe the plan that the campaign began with: its hash, and the turn of each node with its reason."""
    plan = facts.plan_document
    if plan is None:
        return None
    turns = [{key: node[key] for key in ("host", "wave", "reason")} for node in plan["nodes"]]
    return {
        "sha256": plan["sha256"],
        "expected_seconds": plan["expected"]["seconds"],
        "turns": turns,
        "no_return": plan.get("no_return"),
    }


def _request(facts: CampaignFacts) -> dict[str, Any]:
    request = asdict(facts.plan.request)
    return {
        **request,
        "hosts": list(facts.plan.request.hosts),
        "window_end": format_time(facts.plan.request.window_end),
    }


def _outcome(facts: CampaignFacts) -> CampaignOutcome:
    """Judge the campaign: complete when every node was upgraded, or needed or wanted no upgrade.

    One that only the end of its window kept from being complete goes on in the next window.
    """
    if facts.refused:
        return CampaignOutcome.REFUSED
    if facts.plan.request.dry_run:
        return CampaignOutcome.DRY_RUN
    unrested = [n for h in facts.plan.hosts if (n := facts.view.of(h)).state not in _AT_REST]
    if not unrested:
        return CampaignOutcome.COMPLETED
    left = all(node.left_for_next_window for node in unrested)
    return CampaignOutcome.WINDOW_CLOSED if left else CampaignOutcome.INCOMPLETE


def _totals(
    facts: CampaignFacts, times: Mapping[str, NodeTimes], nodes: list[dict[str, Any]]
) -> dict[str, Any]:
    moves = [move for node in nodes for move in node["moves"]]
    done = [move for move in moves if move["succeeded"]]
    migrate_calls = sum(node["api_calls"].get(Step.MIGRATE, 0) for node in nodes)
    node_calls = sum(sum(node["api_calls"].values()) for node in nodes)
    overheads = [t.own_overhead_seconds for t in times.values() if t.own_overhead_seconds is not None]
    states = [node["state"] for node in nodes]
    return {
        "nodes": len(nodes),
        "states": {state: states.count(state) for state in sorted(set(states))},
        "moves": len(done),
        "move_attempts": len(moves),
        "servers_moved": len({move["id"] for move in done}),
        "api_calls": node_calls + sum(facts.campaign_api_calls.values()),
        "campaign_api_calls": dict(facts.campaign_api_calls),
        "migrate_api_calls": migrate_calls,
        "api_calls_per_moved_server": round(migrate_calls / len(done), 3) if done else None,
        "interruption_ms": _interruptions(done),
        "own_overhead_seconds": _spread(overheads),
        "upgrade_duration_seconds": _upgrade_duration(facts, times),
    }


def _interruptions(moves: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    values = [m["interruption_ms"] for m in moves if m["interruption_ms"] is not None]
    unknown = sum(m["interruption_note"] == NOT_MEASURED for m in moves)
    return {**_spread(values), "measured": len(values), "not_measured": unknown}


def _spread(values: list[float]) -> dict[str, float | None]:
    if not values:
        return {"longest": None, "median": None}
    return {"longest": round(max(values), 3), "median": round(median(values), 3)}


def _upgrade_duration(facts: CampaignFacts, times: Mapping[str, NodeTimes]) -> float | None:
    """Return the seconds from the first possible impact, the first lease, to the end of the last release."""
    leases: list[datetime] = [outage.start for t in times.values() for outage in t.outages]
    releases = [s.ended_at for s in facts.steps if s.step is Step.RELEASE and s.ended_at is not None]
    if not leases or not releases:
        return None
    return round_seconds(max(0.0, (max(releases) - min(leases)).total_seconds()))
