"""The part of a report about each node: its steps, its times, its moved servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from escalator.model.campaign import Step
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.reports.askings import find_waits
from escalator.reports.facts import CampaignFacts, StepRun
from escalator.reports.interruptions import GuestEvents
from escalator.reports.node_times import NodeTimes, measure
from escalator.reports.software import describe_software

NOT_MEASURED = "not measured"
NOT_RUNNING = "was not running"


def format_time(moment: datetime | None) -> str | None:
    """Write a time in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def round_seconds(seconds: float | None) -> float | None:
    """Round seconds to milliseconds."""
    return None if seconds is None else round(seconds, 3)


def describe_nodes(
    facts: CampaignFacts, times: Mapping[str, NodeTimes], events: GuestEvents
) -> list[dict[str, Any]]:
    """Describe every node of the plan, in the plan's order; those that were left out come last."""
    states = {} if facts.before is None else {s.id: s.vm_state for s in facts.before.servers}
    return [_describe(facts, host, times[host], states, events) for host in facts.plan.named_hosts]


def measure_nodes(facts: CampaignFacts) -> dict[str, NodeTimes]:
    """Divide the time of every node of the plan."""
    waits = find_waits(facts)
    return {
        host: measure(facts.steps_of(host), facts.moves_of(host), facts.ended_at, waits=waits.get(host, ()))
        for host in facts.plan.named_hosts
    }


def _describe(
    facts: CampaignFacts, host: str, times: NodeTimes, states: Mapping[str, str], events: GuestEvents
) -> dict[str, Any]:
    progress, runs = facts.view.of(host), facts.steps_of(host)
    steps = _describe_steps(runs)
    return {
        "host": host,
        "state": str(progress.state),
        "code": None if progress.code is None else str(progress.code),
        "message": progress.message,
        "from_version": facts.versions_before.get(host),
        "to_version": facts.versions_after.get(host),
        "out_of_service": times.out_of_service,
        "leased": format_time(times.outages[0].start) if times.outages else None,
        "released": format_time(times.outages[-1].end) if times.outages else None,
        "wall_seconds": round_seconds(times.wall_seconds),
        "waited_for_vnfs_seconds": round_seconds(times.waited_seconds),
        "migrate_seconds": round_seconds(times.migrate_seconds),
        "upgrade_seconds": round_seconds(times.upgrade_seconds or None),
        "parked_seconds": round_seconds(times.parked_seconds),
        "own_overhead_seconds": round_seconds(times.own_overhead_seconds),
        "steps": steps,
        "hooks": _describe_hooks(runs),
        "reboots": [run.details["reboot"] for run in runs if run.details.get("reboot")],
        "images": next((run.details["images"] for run in reversed(runs) if run.details.get("images")), []),
        "software": describe_software(facts, host),
        "api_calls": {row["step"]: row["api_calls"] for row in steps},
        "moves": [_describe_move(move, states, events) for move in facts.moves_of(host)],
    }


def _describe_steps(runs: Sequence[StepRun]) -> list[dict[str, Any]]:
    """Describe each step that was tried, in the order of a node's life."""
    tried = {step: [run for run in runs if run.step is step] for step in Step}
    return [_describe_step(step, own) for step, own in tried.items() if own]


def _describe_step(step: Step, runs: Sequence[StepRun]) -> dict[str, Any]:
    last = runs[-1]
    ended = [run.ended_at for run in runs if run.ended_at is not None]
    return {
        "step": str(step),
        "started": format_time(runs[0].started_at),
        "ended": format_time(max(ended, default=None)),
        "seconds": round_seconds(sum(_seconds(run) for run in runs)),
        "attempts": len(runs),
        "unfinished_attempts": len(runs) - len(ended),
        "result": last.result,
        "code": last.code,
        "message": last.message,
        "api_calls": sum(run.api_calls for run in runs),
        "runs": [_describe_run(run) for run in runs],
    }


def _describe_hooks(runs: Iterable[StepRun]) -> list[dict[str, Any]]:
    """Describe what the bundle's own commands printed, at every attempt at which some were run."""
    return [
        {"step": str(run.step), "try_number": run.try_number, "ended": format_time(run.ended_at), **hook}
        for run in runs
        for hook in run.details.get("hooks", ())
    ]


def _describe_run(run: StepRun) -> dict[str, Any]:
    return {
        "try_number": run.try_number,
        "started": format_time(run.started_at),
        "ended": format_time(run.ended_at),
        "result": run.result,
    }


def _seconds(run: StepRun) -> float:
    """Return how long an attempt took; one whose end is not on record counts nothing."""
    return 0.0 if run.ended_at is None else max(0.0, (run.ended_at - run.started_at).total_seconds())


def _describe_move(move: MoveRecord, states: Mapping[str, str], events: GuestEvents) -> dict[str, Any]:
    milliseconds, note = _interruption(move, states.get(move.server_id), events)
    return {
        "id": move.server_id,
        "name": move.server_name,
        "from": move.from_host,
        "to": move.to_host,
        "method": str(move.method),
        "succeeded": move.succeeded,
        "started": format_time(move.started_at),
        "ended": format_time(move.ended_at),
        "seconds": round_seconds((move.ended_at - move.started_at).total_seconds()),
        "interruption_ms": milliseconds,
        "interruption_note": note,
        "migration": move.migration,
        "code": None if move.code is None else str(move.code),
        "message": move.message,
    }


def _interruption(
    move: MoveRecord, vm_state: str | None, events: GuestEvents
) -> tuple[float | None, str | None]:
    """Return the interruption in milliseconds, or None and why there is none to tell."""
    if vm_state not in {None, "active"}:
        return None, NOT_RUNNING
    if move.interruption_ms is not None:
        return move.interruption_ms, None
    gap = events.longest_gap_ms(move.server_id, move.started_at, move.ended_at)
    if gap == 0.0 and move.method is MoveMethod.COLD:
        gap = None  # a cold move stops a guest that runs: without a gap on record, nobody watched it
    return gap, NOT_MEASURED if gap is None else None


def list_moved(moves: Iterable[MoveRecord]) -> tuple[MoveRecord, ...]:
    """Return the moves that succeeded."""
    return tuple(move for move in moves if move.succeeded)
