"""What goes on on a node while a step would act: work on servers that stay, kills, time-outs, long moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.steps.fake_mechanism import FakeMechanism
from tests.steps.worlds import NODE, QuickRun, World

from escalator.model.campaign import NodeState, Step
from escalator.model.step import Outcome
from escalator.steps import upgrade as upgrading
from escalator.steps.running.run_step import record_hang
from escalator.system_support.mechanisms import Effect, NodeJob

MakeWorld = Callable[[], World]


def with_a_busy_member(make_world: MakeWorld) -> World:
    world = make_world()
    world.pairs = (("sbc-a", "sbc-b"),)
    world.boot("sbc-a")
    world.boot("sbc-b", "node-02")
    return world


def test_nova_compute_is_not_restarted_under_a_busy_server_that_stays(make_world: MakeWorld) -> None:
    world = with_a_busy_member(make_world)
    world.run_up_to(Step.MIGRATE)
    world.cloud.guests["sbc-a"].task_state = "rebuilding"
    result = world.run(Step.UPGRADE)
    assert result.outcome is Outcome.HELD
    assert "sbc-a" in result.message
    assert world.nodes[NODE].switched == 0


def test_a_server_that_stays_and_never_comes_to_rest_holds_its_node(make_world: MakeWorld) -> None:
    world = with_a_busy_member(make_world)
    world.cloud.guests["sbc-a"].task_state = "rebuilding"
    assert world.run_up_to(Step.MIGRATE) is not None
    assert world.progress().state is NodeState.EMPTY
    result = world.run(Step.UPGRADE)
    assert (result.outcome, world.nodes[NODE].switched) == (Outcome.HELD, 0)
    assert "sbc-a" in result.message
    assert "rebuilding" in result.message


def test_a_return_is_known_although_release_was_killed_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    world.run_up_to(Step.VERIFY)
    with monkeypatch.context() as patched:
        patched.setattr(QuickRun, "finish_step", kill)
        with pytest.raises(Killed):
            world.run(Step.RELEASE)
    assert world.enabled()
    world.run(Step.RELEASE)
    assert NODE in world.recorded.view().given_back


def test_a_job_has_its_whole_time_however_long_was_waited_before(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.boot("web")
    world.run_up_to(Step.MIGRATE)
    left: list[float] = []
    real = FakeMechanism.activate

    def activate(mechanism: FakeMechanism, job: NodeJob) -> Effect:
        left.append((job.deadline - job.clock()).total_seconds())
        return real(mechanism, job)

    def wait(ctx: Any) -> str:
        ctx.campaign.sleep(299)
        return ""

    monkeypatch.setattr(FakeMechanism, "activate", activate)
    monkeypatch.setattr(upgrading, "_wait_until_quiet", wait)
    world.run(Step.UPGRADE)
    assert left[0] >= timedelta(minutes=5).total_seconds()


def test_an_old_process_that_times_out_changes_nothing(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    record_hang(world.context(), NODE, Step.VERIFY, try_number=1)
    assert world.progress().state is NodeState.RELEASED
