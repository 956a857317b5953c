"""A run that a person marks failed while servers move off a node: it is red, has its report, and says why.

What is mended goes on in the same run.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.campaigns.harness import NEW, Harness

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOSTS = ("node-01", "node-02")
WHY = "the run was marked failed while migrate was going on"


@pytest.fixture(scope="module")
def marked(harness: Harness) -> dict[str, Any]:
    harness.fresh(12)
    run = harness.trigger(hosts=list(HOSTS), max_parallel=1)
    first = harness.order(run)[0]
    harness.lab.node(first).fault(seconds=60)  # it migrates long enough to be marked in it
    harness.wait_for(run, f"{first}.migrate", "running")
    _wait_for_moves(harness, first)
    harness.client.end_run(harness.dag_id, run.run_id)
    state = harness.wait(run)
    return {"run": run, "first": first, "state": state, "service": harness.services()[first]}


def _wait_for_moves(harness: Harness, host: str) -> None:
    """Wait until servers are on their way from a node."""
    cloud, deadline = harness.world.cloud(), time.monotonic() + 60
    while not any(server.task_state == "migrating" for server in cloud.fetch_servers(host)):
        assert time.monotonic() < deadline, "no server moves"
        time.sleep(0.3)


def test_the_run_is_red_and_has_its_report(harness: Harness, marked: dict[str, Any]) -> None:
    assert marked["state"] == "failed", harness.states(marked["run"])
    assert harness.states(marked["run"])["conclude"] == "failed"
    report = harness.report(marked["run"])
    assert report["outcome"] == "incomplete"
    assert WHY in {f["message"].removeprefix("held: ") for f in report["findings"]}


def test_the_node_is_out_and_its_lease_says_why(marked: dict[str, Any]) -> None:
    service = marked["service"]
    assert service.status == "disabled"
    assert ":HELD " in service.disabled_reason
    assert service.disabled_reason.endswith(f" [cut_off] {WHY}")


def test_the_node_that_waited_is_left_as_it_was(harness: Harness, marked: dict[str, Any]) -> None:
    (other,) = set(HOSTS) - {marked["first"]}
    assert harness.services()[other].status == "enabled"


def test_clearing_its_admission_completes_the_node(harness: Harness, marked: dict[str, Any]) -> None:
    """The held node first: while it is held, no other is admitted."""
    first, run = marked["first"], marked["run"]
    harness.lab.node(first).clear_faults()
    for host in sorted(HOSTS, key=lambda host: host != first):
        harness.clear(run, f"{host}.admit")
        state = harness.wait(run)
    assert state == "success", harness.states(run)
    assert {harness.services()[host].status for host in HOSTS} == {"enabled"}
    assert {harness.running(host) for host in HOSTS} == {NEW}
