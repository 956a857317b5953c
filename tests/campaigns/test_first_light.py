"""Four nodes, twelve servers: everything is upgraded and nobody notices.

On the last of the nodes the worker is killed with SIGKILL in the middle of three steps: the retries converge.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from tests.campaigns.harness import NEW, Harness, OutSampler, host_of, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]
KILLED = ("migrate", "upgrade", "release")


@pytest.fixture(scope="module")
def light(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(12)
    since = max((m.id for m in harness.world.cloud().fetch_migrations()), default=0)
    sampler = OutSampler(harness.world.cloud())
    begun = time.monotonic()
    with sampler.watching():
        run = harness.trigger()
        last = harness.order(run)[-1]
        for step in KILLED:
            harness.stack.kill_worker_of(run.dag_id, run.run_id, f"{last}.{step}", timeout_seconds=1200)
        state = harness.wait(run)
    return {
        "before": before,
        "last": last,
        "migrations": [m for m in harness.world.cloud().fetch_migrations() if m.id > since],
        "run": run,
        "state": state,
        "sampler": sampler,
        "seconds": time.monotonic() - begun,
        "after": harness.servers(),
    }


def test_the_run_is_green_and_every_node_runs_the_new_release(
    harness: Harness, light: dict[str, Any]
) -> None:
    assert light["state"] == "success", harness.states(light["run"])
    assert {h: harness.running(h) for h in harness.services()} == dict.fromkeys(harness.services(), NEW)


def test_every_server_is_in_the_state_it_had(light: dict[str, Any]) -> None:
    assert len(light["before"]) == 12
    before = {name: state_of(server) for name, server in light["before"].items()}
    assert {"ACTIVE", "SHUTOFF", "PAUSED"} <= {status for status, _ in before.values()}
    assert {name: state_of(server) for name, server in light["after"].items()} == before


def test_nobody_is_on_a_disabled_node_and_nobody_was_rebuilt(harness: Harness, light: dict[str, Any]) -> None:
    services = harness.services()
    assert {services[host_of(s)].status for s in light["after"].values()} == {"enabled"}
    assert {s["id"] for s in light["after"].values()} == {s["id"] for s in light["before"].values()}


def test_never_more_than_one_node_was_out(harness: Harness, light: dict[str, Any]) -> None:
    sampler: OutSampler = light["sampler"]
    assert sampler.samples > 100
    assert sampler.samples / light["seconds"] >= 1
    assert sampler.seen == set(harness.services())
    assert sampler.most == 1


def test_no_lease_was_lost_and_none_is_left(harness: Harness) -> None:
    assert {s.disabled_reason for s in harness.services().values()} == {None}


def test_each_killed_step_was_tried_again(harness: Harness, light: dict[str, Any]) -> None:
    run = light["run"]
    for step in KILLED:
        task = harness.client.get_task_instance(run.dag_id, run.run_id, f"{light['last']}.{step}")
        assert task.try_number >= 2, task


def test_no_server_left_a_node_twice(light: dict[str, Any]) -> None:
    left = Counter((m.server_id, m.source_host) for m in light["migrations"])
    assert len(left) >= 12
    assert set(left.values()) == {1}


def test_the_report_says_what_nova_did(harness: Harness, light: dict[str, Any]) -> None:
    report = harness.report(light["run"])
    assert report["schema"] == "escalator.report/1"
    assert {n["host"]: (n["from_version"], n["to_version"]) for n in report["nodes"]} == dict.fromkeys(
        harness.services(), ("33.0.2", NEW)
    )
    moved = [m for n in report["nodes"] for m in n["moves"]]
    assert len(moved) >= 12
    live = [m for m in moved if m["method"] == "live"]
    assert live
    running = [m for m in live if m["interruption_note"] is None]
    assert len(running) >= len(live) / 2
    assert all(0 < m["interruption_ms"] < 1000 for m in running)
    events = [e["event"] for e in report["trace"]["events"]]
    assert events.count("admit") == events.count("release") == 4
    assert events.count("move_start") == events.count("move_end") == len(moved)


def test_the_pool_was_made_by_the_project(harness: Harness) -> None:
    assert harness.client.get_pool("escalator_admission").slots == 1


def test_the_vnf_step_says_that_no_vnf_is_registered(harness: Harness, light: dict[str, Any]) -> None:
    host = host_of(light["before"]["web-01"])
    assert "server web-01: no VNF manager is asked" in harness.log(light["run"], f"{host}.switchover")


def test_a_waiting_node_says_why(harness: Harness, light: dict[str, Any]) -> None:
    assert "wait: " in harness.log(light["run"], f"{light['last']}.admit")
