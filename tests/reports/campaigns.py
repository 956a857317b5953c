"""A campaign of two nodes, made by hand: node-01 goes through, node-02 fails and is mended."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.builders import NOW, disabled, make_cloud, make_node, make_plan, make_server

from escalator.cloud_manager.snapshots import snapshot_from_document, snapshot_to_document
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState, Step
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.verdict import Code
from escalator.reports.facts import CampaignFacts, RecordedSnapshot, StepRun
from escalator.reports.interruptions import GuestEvent, GuestEvents

T0 = NOW
HOSTS = ("node-01", "node-02")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def run(host: str, step: Step, start: float, end: float | None, **more: Any) -> StepRun:
    more.setdefault("result", None if end is None else "ok")
    more.setdefault("try_number", 1)
    ended = None if end is None else at(end)
    return StepRun(host=host, step=step, started_at=at(start), ended_at=ended, **more)


def move(name: str, source: str, target: str, start: float, end: float, **more: Any) -> MoveRecord:
    more.setdefault("method", MoveMethod.LIVE)
    more.setdefault("succeeded", True)
    return MoveRecord(
        server_id=f"id-{name}",
        server_name=name,
        from_host=source,
        to_host=target,
        started_at=at(start),
        ended_at=at(end),
        **more,
    )


def plan(**request: Any) -> CampaignPlan:
    return make_plan(
        *HOSTS, campaign="upgrade__lab__cell1-az1-general", run_id="manual__1", hosts=HOSTS, **request
    )


def snapshot(places: Mapping[str, str], **out: str) -> dict[str, Any]:
    """Write the snapshot of three nodes: where each server is, and who was disabled with which reason."""
    nodes = [make_node(host, domain="cell1/az1/none") for host in (*HOSTS, "node-03")]
    reasons = {host.replace("_", "-"): reason for host, reason in out.items()}
    states = {"web-3": {"vm_state": "stopped", "power_state": "shutdown"}}
    servers = [make_server(name, host, **states.get(name, {})) for name, host in places.items()]
    return snapshot_to_document(
        make_cloud([disabled(n, reasons[n.host]) if n.host in reasons else n for n in nodes], servers)
    )


BEFORE = snapshot({"web-1": "node-01", "web-2": "node-01", "web-3": "node-02", "web-4": "node-03"})
AFTER = snapshot({"web-1": "node-01", "web-2": "node-03", "web-3": "node-01", "web-4": "node-03"})

STEPS = (
    run("node-01", Step.ADMIT, 10, 12, api_calls=20),
    run("node-01", Step.PRECHECK, 13, 16, api_calls=15),
    run("node-01", Step.SWITCHOVER, 17, 18, api_calls=1),
    run("node-01", Step.MIGRATE, 19, 31, api_calls=5),
    run("node-01", Step.UPGRADE, 32, 45, api_calls=3, details={"upgrade_seconds": 10.0}),
    run("node-01", Step.VERIFY, 46, 56, api_calls=12),
    run("node-01", Step.RELEASE, 57, 58, api_calls=3),
    # node-02: its admit is killed after the lease was written, its upgrade fails, a person mends it
    run("node-02", Step.ADMIT, 60, None),
    run("node-02", Step.ADMIT, 64, 65, try_number=2, api_calls=20),
    run("node-02", Step.PRECHECK, 66, 68, api_calls=15),
    run("node-02", Step.SWITCHOVER, 69, 70, api_calls=1),
    run("node-02", Step.MIGRATE, 71, 82, api_calls=4),
    run("node-02", Step.UPGRADE, 83, 90, result="failed", code="upgrade_failed", message="exit code 1"),
    run("node-02", Step.RELEASE, 92, 93, result="failed", code="upgrade_failed", api_calls=3),
    run("node-02", Step.UPGRADE, 193, 205, try_number=2, api_calls=3, details={"upgrade_seconds": 8.0}),
    run("node-02", Step.VERIFY, 206, 216, api_calls=12),
    run("node-02", Step.RELEASE, 217, 218, try_number=2, api_calls=3),
)
MOVES = (
    move("web-1", "node-01", "node-02", 20, 27, migration="m-1"),
    move("web-2", "node-01", "node-02", 20, 23, migration="m-2", succeeded=False,
         code=Code.MIGRATION_FAILED, message="ended in status error"),
    move("web-2", "node-01", "node-03", 24, 30, migration="m-3"),
    move("web-1", "node-02", "node-01", 72, 78, migration="m-4"),
    move("web-3", "node-02", "node-01", 72, 81, migration="m-5", method=MoveMethod.COLD),
)  # fmt: skip
EVENTS = (
    ("web-1", "paused", 26.0), ("web-1", "resumed", 26.12),
    ("web-2", "paused", 29.0), ("web-2", "resumed", 29.34),
    ("web-1", "paused", 77.0), ("web-1", "resumed", 77.2),
    ("web-3", "moved", 80.0),
)  # fmt: skip
"""Interruptions of 120, 340 and 200 ms."""


def events(rows: tuple[tuple[str, str, float], ...] = EVENTS) -> GuestEvents:
    return GuestEvents.of(
        GuestEvent(t=at(seconds).timestamp(), guest=f"id-{name}", event=event)
        for name, event, seconds in rows
    )


def recorded(document: dict[str, Any] | None) -> RecordedSnapshot | None:
    if document is None:
        return None
    return RecordedSnapshot(document=document, cloud=snapshot_from_document(document))


def facts(**changes: Any) -> CampaignFacts:
    """Make the facts; the snapshots are given as documents."""
    view = LedgerView(
        nodes=(
            NodeProgress(host="node-01", state=NodeState.RELEASED, message="runs 34.0.0"),
            NodeProgress(host="node-02", state=NodeState.RELEASED, message="runs 34.0.0"),
        )
    )
    known: dict[str, Any] = {
        "plan": plan(),
        "started_at": T0,
        "ended_at": at(230),
        "view": view,
        "steps": STEPS,
        "moves": MOVES,
        "versions_before": {"node-01": "33.0.2", "node-02": "33.0.2"},
        "versions_after": {"node-01": "34.0.0", "node-02": "34.0.0"},
        "snapshot_before": BEFORE,
        "snapshot_after": AFTER,
        "campaign_api_calls": {"check_conditions": 16, "conclude": 16},
    }
    known |= changes
    snapshots = {name: recorded(known[name]) for name in ("snapshot_before", "snapshot_after")}
    return CampaignFacts(**(known | snapshots))
