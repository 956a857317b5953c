from __future__ import annotations

import pytest
from tests.steps.fake_records import Fault
from tests.steps.worlds import NODE, World

from escalator.model.campaign import Step
from escalator.model.errors import ForbiddenError, TransientError
from escalator.model.step import Outcome


@pytest.fixture
def moving(world: World) -> World:
    """A node with a server that hangs on its way, one that moves at once and one that moves cold."""
    world.boot("a-hangs", fault=Fault.HANG)
    world.boot("b-web")
    world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)
    return world


def watch(world: World, percents: list[int | None]) -> list[dict[str, int | None]]:
    """Give the hanging move these numbers, one an asking; return what is kept at each look at the leases."""
    seen: list[dict[str, int | None]] = []

    def before(method: str) -> None:
        if method == "fetch_copied" and percents:
            move = next(m for m in world.cloud.moves if m.guest.id == "a-hangs")
            move.copied = percents.pop(0)
        kept = dict(world.recorded.facts(NODE).flying or {})
        if not seen or kept != seen[-1]:
            seen.append(kept)

    world.cloud.before = before
    return seen


def test_what_flies_is_kept_with_what_is_copied_until_it_ends(moving: World) -> None:
    seen = watch(moving, [12, 55, None, 90])
    moving.run(Step.MIGRATE)
    assert {"a-hangs": None, "b-web": None, "off": None} in seen
    assert [n for kept in seen if (n := kept.get("a-hangs")) is not None][:3] == [12, 55, 90]
    assert dict(moving.recorded.facts(NODE).flying or {}) == {}


def test_moves_that_are_soon_over_cost_no_call(world: World) -> None:
    world.boot("a-web")
    world.run_up_to(Step.SWITCHOVER)
    asked: list[str] = []
    world.cloud.before = asked.append
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert "fetch_migrations" in asked
    assert "fetch_copied" not in asked


def test_a_cloud_that_does_not_tell_is_not_asked_again_and_one_that_is_busy_is(moving: World) -> None:
    asked: list[str] = []
    moving.cloud.before = asked.append
    moving.cloud.errors["fetch_copied"] = [TransientError("HTTP 503"), ForbiddenError("HTTP 403")]
    moving.run(Step.MIGRATE)
    assert asked.count("fetch_copied") == 2
    assert moving.cloud.guests["b-web"].host != NODE
