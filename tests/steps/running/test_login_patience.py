"""A node that refuses the log-in is borne with for minutes, in every step, and not for ever."""

from __future__ import annotations

import pytest
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step
from escalator.model.errors import LoginRefusedError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.login_patience import BORNE

TROUBLE = {
    Step.PRECHECK: (Outcome.HELD, NodeState.HELD),
    Step.UPGRADE: (Outcome.HELD, NodeState.HELD),
    Step.VERIFY: (Outcome.FAILED, NodeState.FAILED),
}
BEFORE = {Step.PRECHECK: Step.ADMIT, Step.UPGRADE: Step.MIGRATE, Step.VERIFY: Step.UPGRADE}


def refuse(world: World) -> None:
    refusal = LoginRefusedError("SSH refuses user ops", code=Code.NODE_UNREACHABLE)
    world.nodes[NODE].unreachable = [refusal] * 99


@pytest.mark.parametrize("step", TROUBLE)
def test_a_step_is_tried_again_for_minutes_and_then_is_the_nodes_trouble(world: World, step: Step) -> None:
    world.run_up_to(BEFORE[step])
    refuse(world)
    waited = 0
    while world.clock.now and waited < 50:
        try:
            result = world.run(step)
        except LoginRefusedError:
            waited += 1
            world.clock.now += BORNE / 4
        else:
            break
    assert waited == 4
    assert (result.outcome, result.code) == (TROUBLE[step][0], Code.NODE_UNREACHABLE)
    assert world.progress().state is TROUBLE[step][1]
    assert world.facts().login_refused_at is None


@pytest.mark.parametrize("step", TROUBLE)
def test_a_node_that_lets_us_in_again_goes_on(world: World, step: Step) -> None:
    world.run_up_to(BEFORE[step])
    refuse(world)
    with pytest.raises(LoginRefusedError):
        world.run(step)
    world.nodes[NODE].unreachable = []
    assert world.run(step).outcome is Outcome.OK
    assert world.facts().login_refused_at is None


def test_the_last_try_waits_for_no_other(world: World) -> None:
    world.run_up_to(Step.ADMIT)
    refuse(world)
    assert world.run(Step.PRECHECK, last_try=True).outcome is Outcome.HELD


def test_a_release_that_has_to_look_again_waits_too_and_then_leaves_the_node_out(world: World) -> None:
    world.run_up_to(Step.VERIFY)
    world.clock.now += 20 * BORNE
    refuse(world)
    with pytest.raises(LoginRefusedError):
        world.run(Step.RELEASE)
    assert not world.enabled()
    world.clock.now += 2 * BORNE
    assert world.run(Step.RELEASE).outcome is Outcome.FAILED
    assert ":FAILED [node_unreachable]" in str(world.service().disabled_reason)
