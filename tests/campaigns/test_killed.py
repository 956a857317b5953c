"""kill -9 of the worker in the middle of migrate, upgrade and release: the retry converges."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.campaigns.harness import NEW, Harness, OutSampler, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOST = "node-01"
STEPS = ("migrate", "upgrade", "release")


@pytest.fixture(scope="module")
def killed(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(8)
    since = max((m.id for m in harness.world.cloud().fetch_migrations()), default=0)
    sampler = OutSampler(harness.world.cloud())
    with sampler.watching():
        run = harness.trigger(hosts=[HOST])
        for step in STEPS:
            harness.stack.kill_worker_of(run.dag_id, run.run_id, f"{HOST}.{step}", timeout_seconds=240)
        state = harness.wait(run)
    moves = [m for m in harness.world.cloud().fetch_migrations() if m.id > since]
    return {"run": run, "state": state, "before": before, "sampler": sampler, "moves": moves}


def test_the_run_ends_well(harness: Harness, killed: dict[str, Any]) -> None:
    assert killed["state"] == "success", harness.states(killed["run"])
    assert harness.running(HOST) == NEW


def test_each_killed_step_was_tried_again(harness: Harness, killed: dict[str, Any]) -> None:
    for step in STEPS:
        task = harness.client.get_task_instance(killed["run"].dag_id, killed["run"].run_id, f"{HOST}.{step}")
        assert task.try_number >= 2, task


def test_no_server_left_a_node_twice(killed: dict[str, Any]) -> None:
    left = Counter((m.server_id, m.source_host) for m in killed["moves"])
    assert left
    assert set(left.values()) == {1}


def test_no_lease_was_lost_and_none_is_left(harness: Harness, killed: dict[str, Any]) -> None:
    assert killed["sampler"].most == 1
    assert {s.disabled_reason for s in harness.services().values()} == {None}


def test_every_server_is_in_the_state_it_had(harness: Harness, killed: dict[str, Any]) -> None:
    after = {name: state_of(server) for name, server in harness.servers().items()}
    assert after == {name: state_of(server) for name, server in killed["before"].items()}
