"""What holds of servers that are stopped, whatever is killed and whoever acts.

None is lost, none is started that was not ours to start, and none runs while its node is switched.
"""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from tests.steps.conftest import MakeWorld
from tests.steps.drawn import draw
from tests.steps.fake_records import KilledError
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step, UpgradeMode
from escalator.model.errors import EscalatorError
from escalator.model.step import Outcome

RUN, OFF = "run", "off"
"""A server that runs, and one that its owner has shut off; neither can be moved."""
TRIES = 4


def attempt(world: World, step: Step, kills: list[int]) -> Outcome | None:
    """Run one try of a step, killed after so many acts; None: it is to be tried again."""
    world.fuse.left = kills.pop(0) if kills else None
    try:
        return world.run(step, last_try=not kills).outcome
    except (KilledError, EscalatorError):
        return None
    finally:
        world.fuse.left = None


def live(world: World, kills: list[int]) -> None:
    """Go through the steps as Airflow would, then release until that is done."""
    world.admit()
    for step in list(Step)[1:-1]:
        killed = kills if step in {Step.UPGRADE, Step.VERIFY} else []
        tries = (attempt(world, step, killed) for _ in range(TRIES))
        if next((outcome for outcome in tries if outcome is not None), None) is not Outcome.OK:
            break
    while attempt(world, Step.RELEASE, kills) is None:
        continue


def watch_switch(world: World) -> None:
    """Refuse a switch under a server that runs."""
    node = world.nodes[NODE]
    activate = node.activate

    def watched(version: str) -> Any:
        here = [g for g in world.cloud.guests.values() if g.host == NODE]
        assert [g.id for g in here if g.vm_state == "active"] == [], "switched under a server that runs"
        return activate(version)

    node.activate = watched  # type: ignore[method-assign]


@draw(12)
@given(
    kills=st.lists(st.integers(0, 60), max_size=4),
    fault=st.sampled_from(["", "", "canary", "activate"]),
    deed=st.sampled_from(["", "", "delete", "start"]),
    at=st.integers(1, 60),
)
@example(kills=[20, 6, 30], fault="", deed="", at=1)
@example(kills=[], fault="canary", deed="", at=1)
def test_who_ran_runs_and_who_did_not_does_not(
    make_world: MakeWorld, kills: list[int], fault: str, deed: str, at: int
) -> None:
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.pinned = frozenset({RUN, OFF})
    world.boot(RUN)
    world.boot(OFF, vm_state="stopped")
    watch_switch(world)
    if fault == "canary":
        world.cloud.hosts[NODE].canary_fault = "no bootable device"
    elif fault == "activate":
        world.nodes[NODE].activate_faults = [EscalatorError("no start")] * TRIES
    calls = 0

    def owner(_method: str) -> None:
        nonlocal calls
        calls += 1
        guest = world.cloud.guests.get(RUN)
        if calls == at and deed == "delete" and guest is not None:
            world.cloud.delete(RUN)
        if calls == at and deed == "start" and guest is not None and guest.vm_state == "stopped":
            guest.vm_state = "active"

    world.cloud.before = owner
    try:
        live(world, list(kills))
    except AssertionError:  # an owner may start it right before the switch: that is the owner's to know
        assert deed == "start"
    guests = world.cloud.guests
    assert guests[OFF].vm_state == "stopped"
    assert not [w for w in world.cloud.writes if w.verb in {"stop", "start"} and w.subject == OFF]
    if RUN in guests and world.progress().state in {NodeState.RELEASED, NodeState.HELD}:
        assert guests[RUN].vm_state == "active"
    if RUN in guests and guests[RUN].vm_state != "active":  # nobody has forgotten it
        assert [stop.server_id for stop in world.facts().stops if stop.is_down] == [RUN]
