"""Staging: the nodes that go first before any goes, the others beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders import NOW
from tests.steps.worlds import World

from escalator.model.campaign import NodeState
from escalator.steps.campaign import prepare as module
from escalator.steps.campaign.prepare import prepare, prepare_others
from escalator.system_support.mechanisms import NodeJob


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the nodes that are staged, two at a time."""
    found: list[str] = []
    monkeypatch.setattr(module, "NODES_AT_ONCE", 2)
    monkeypatch.setattr(module, "_stage", lambda _campaign, host: found.append(host))
    return found


def test_the_first_in_the_order_are_staged_before_any_goes_and_the_others_later(
    world: World, staged: list[str]
) -> None:
    world.recorded.set_progress(world.plan.hosts[0], NodeState.MIGRATING, now=NOW)
    assert prepare(world.context()) == {}
    assert staged == list(world.plan.hosts[:2])
    staged.clear()
    assert prepare_others(world.context()) == {}
    assert staged == list(world.plan.hosts[2:])


def test_a_node_whose_turn_has_come_is_left_to_its_own_steps(world: World, staged: list[str]) -> None:
    late = world.plan.hosts[2]
    for state in (NodeState.ADMITTED, NodeState.RELEASED, NodeState.HELD):
        world.recorded.set_progress(late, state, now=NOW)
        prepare_others(world.context())
        assert late not in staged


def test_more_nodes_at_once_are_more_that_go_first(world: World, staged: list[str]) -> None:
    request = replace(world.plan.request, max_parallel=3)
    campaign = world.context()
    wide: Any = replace(campaign.record, plan=replace(world.plan, request=request))
    assert prepare(replace(campaign, record=wide)) == {}
    assert staged == list(world.plan.hosts[:3])


def test_after_the_window_no_other_is_begun(world: World, staged: list[str]) -> None:
    campaign = world.context()
    over = replace(world.plan, window_end=campaign.clock() - timedelta(seconds=1))
    prepare_others(replace(campaign, record=replace(campaign.record, plan=over)))
    assert staged == []


@pytest.mark.parametrize("why", ["turn", "window"])
def test_nobody_waits_for_the_staging_of_a_node_whose_turn_has_come_or_cannot_come(
    world: World, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(module, "NODES_AT_ONCE", 1)
    campaign, tried = world.context(), []

    class Endless:
        brings_software = True

        def stage(self, job: NodeJob) -> None:
            tried.append(job.job_id)
            for _ in range(3):
                job.sleep(2.0)
            if len(tried) > 1 or why == "window":
                world.clock.sleep(3600.0)
            else:
                world.recorded.set_progress(world.plan.hosts[1], NodeState.ADMITTED, now=NOW)
            job.sleep(2.0)
            pytest.fail("it is waited for")

    plan = replace(world.plan, window_end=campaign.clock() + timedelta(minutes=30))
    campaign = replace(campaign, record=replace(campaign.record, plan=plan), mechanism=Endless())
    assert prepare_others(campaign) == {}
    assert len(tried) == (1 if why == "window" else 2)
