from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.campaign.test_check_conditions import checked
from tests.steps.conftest import MakeWorld
from tests.steps.worlds import World

from escalator.model.canary import CanaryFault, CanaryWish
from escalator.model.errors import PlanInfeasibleError
from escalator.model.verdict import Code


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world whose campaign is still to be opened."""
    world = make_world()
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
    return world


def test_a_canary_that_could_not_start_refuses_the_campaign(world: World) -> None:
    world.cloud.canary_faults = (CanaryFault(message="no flavor", remedy="make one"),)
    with pytest.raises(PlanInfeasibleError) as caught:
        checked(world)
    (blocker,) = caught.value.blockers
    assert (blocker.code, blocker.message) == (Code.CANARY_UNREADY, "no flavor")
    assert "canary: off" in str(blocker.remedy)


def test_what_could_not_be_looked_at_only_warns(world: World) -> None:
    world.cloud.canary_faults = (CanaryFault(message="not allowed", remedy="allow it", sure=False),)
    _, report = checked(world)
    assert [c.message for c in report.unmet if c.code is Code.CANARY_UNREADY] == ["not allowed"]


def test_canaries_that_are_off_are_not_looked_at_but_said(world: World) -> None:
    world.cloud.canary = CanaryWish(off=True)
    world.cloud.canary_faults = (CanaryFault(message="no flavor", remedy="make one"),)
    _, report = checked(world)
    (said,) = [c for c in report.conditions if c.code is Code.CANARY_UNREADY]
    assert "canaries are off" in said.message
