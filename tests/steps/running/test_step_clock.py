from __future__ import annotations

from dataclasses import replace

import pytest
from tests.events.hearing import Heard
from tests.steps.conftest import MakeWorld
from tests.steps.worlds import NODE, World

from escalator.events.teller import Teller
from escalator.model.durations import Durations, Quantiles
from escalator.model.errors import StepHungError
from escalator.model.moves import DrainPlan, MoveMethod, PlannedMove
from escalator.model.procedure import UPGRADE
from escalator.model.step import Step
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.step_clock import find_usual_seconds, follow_time

EXPECTED = Durations(
    steps={Step.UPGRADE: Quantiles(p50=60.0, p90=90.0), Step.VERIFY: Quantiles(p50=5.0, p90=10.0)},
    move_fixed_seconds=10.0,
    move_seconds_per_gib=10.0,
)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def campaign(world: World, heard: Heard) -> CampaignContext:
    plan = replace(world.plan, expected=EXPECTED)
    return replace(world.context(plan), teller=Teller.of_plan(plan, [heard]))


def wait(timed: CampaignContext, seconds: float, pause: float = 10.0) -> None:
    for _ in range(int(seconds / pause)):
        timed.sleep(pause)


def test_step_that_takes_longer_than_nine_in_ten_is_told_once(world: World, heard: Heard) -> None:
    timed = follow_time(campaign(world, heard), NODE, UPGRADE.stage(Step.UPGRADE), try_number=2)
    wait(timed, 100)
    assert heard == []
    wait(timed, 300)
    assert heard.lines("action", "node", "step", "attempt", "seconds", "message") == [
        (
            "step_overdue",
            NODE,
            "upgrade",
            2,
            100.0,
            "upgrade has taken 1 min 40 s, nine in ten take up to 1 min 30 s",
        )
    ]


def test_quick_step_is_given_a_minute(world: World, heard: Heard) -> None:
    timed = follow_time(campaign(world, heard), NODE, UPGRADE.stage(Step.VERIFY), try_number=1)
    wait(timed, 70)
    assert heard == []
    timed.sleep(1)
    assert len(heard) == 1


def test_migrate_is_measured_by_the_moves_of_its_node(make_world: MakeWorld, heard: Heard) -> None:
    world = make_world()
    timed = campaign(world, heard)
    assert find_usual_seconds(timed, NODE, Step.MIGRATE) is None
    moves = [
        PlannedMove(
            server_id=name, server_name=name, method=MoveMethod.LIVE, destinations=("n",), memory_mib=2048
        )
        for name in "ab"
    ]
    timed.run.remember(NODE, drain_plan=DrainPlan(host=NODE, moves=tuple(moves)))
    assert find_usual_seconds(timed, NODE, Step.MIGRATE) == pytest.approx(
        90.0
    )  # two of 30 s, half as long again


def test_step_of_which_nobody_knows_is_told_by_its_hard_limit_only(world: World, heard: Heard) -> None:
    stage = replace(UPGRADE.stage(Step.PRECHECK), hard_limit_seconds=600.0)
    timed = follow_time(campaign(world, heard), NODE, stage, try_number=1)
    with pytest.raises(StepHungError, match="its hard limit is 10 min"):
        wait(timed, 700)
    assert heard == []
