"""A node that does not come back has its power switched from outside, once, where the operator says how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from tests.steps.fake_boots import FakeBoots
from tests.steps.fake_records import KilledError
from tests.steps.worlds import BUNDLE, NODE, World

from escalator.model.bundle import Impact, RebootPolicy
from escalator.model.campaign import Step
from escalator.model.errors import NodeFaultError
from escalator.model.step import Outcome
from escalator.model.verdict import Code

ALWAYS = replace(BUNDLE, impact=Impact.REBOOT, reboot=RebootPolicy.ALWAYS, reboot_limit_seconds=120.0)


@dataclass
class FakePower:
    """The power of a node; ``helps``: with it the node boots."""

    boots: FakeBoots
    state: bool | None = True
    helps: bool = True
    said: str = ""
    fault: Exception | None = None

    def is_on(self) -> bool | None:
        return self.state

    def on(self) -> None:
        self._switch("on")

    def off(self) -> None:
        raise AssertionError("a node is never left without power")

    def cycle(self) -> None:
        self._switch("cycle")

    def _switch(self, verb: str) -> None:
        self.said += f"{verb} "
        if self.fault is not None:
            raise self.fault
        if self.helps:
            self.boots.comes_back, self.boots.stopping_at = True, self.boots.clock.now


@pytest.fixture
def silent(world: World) -> World:
    """A world whose node does not come back from a reboot."""
    world.bundle = ALWAYS
    world.run_up_to(Step.MIGRATE)
    world.nodes[NODE].boots.comes_back = False
    world.power = FakePower(world.nodes[NODE].boots)
    return world


def power(world: World) -> FakePower:
    assert isinstance(world.power, FakePower)
    return world.power


@pytest.mark.parametrize(("state", "verb"), [(True, "cycle "), (None, "cycle "), (False, "on ")])
def test_a_node_that_is_silent_at_its_deadline_gets_its_power_once(
    silent: World, *, state: bool | None, verb: str
) -> None:
    power(silent).state = state
    began = silent.clock.now
    result = silent.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK
    assert power(silent).said == verb
    assert silent.clock.now - began > timedelta(seconds=120)
    assert ", when its power was switched from outside at " in result.message
    details = result.details["reboot"]
    assert isinstance(details, dict)
    assert details["power_switched_at"] is not None
    assert silent.nodes[NODE].boots.orders == 1


def test_where_that_does_not_help_the_node_is_failed_and_says_so(silent: World) -> None:
    power(silent).helps = False
    began = silent.clock.now
    result = silent.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "its power was switched from outside at " in result.message
    assert "in vain; given up after 4 min" in result.message
    assert timedelta(minutes=4) <= silent.clock.now - began < timedelta(minutes=5)
    assert silent.run(Step.UPGRADE).code is Code.REBOOT_OVERDUE
    assert power(silent).said == "cycle "


def test_a_switch_that_fails_is_said_with_the_silence(silent: World) -> None:
    power(silent).fault = NodeFaultError("power.cycle ended with exit code 1: no route", remedy="see it")
    result = silent.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "its power could not be switched from outside: power.cycle ended with" in result.message
    assert "silent since" in result.message


def test_killed_at_the_switch_it_is_not_switched_again(silent: World) -> None:
    power(silent).fault = KilledError()  # type: ignore[assignment]
    with pytest.raises(KilledError):
        silent.run(Step.UPGRADE)
    power(silent).fault = None
    assert silent.run(Step.UPGRADE).code is Code.REBOOT_OVERDUE
    assert power(silent).said == "cycle "


def test_the_power_of_a_node_that_answers_or_is_not_ours_is_left_alone(silent: World) -> None:
    silent.nodes[NODE].boots.obeys = False
    assert silent.run(Step.UPGRADE).code is Code.REBOOT_OVERDUE
    silent.nodes[NODE].boots.obeys = True
    began = silent.clock.now

    sleep = silent.clock.sleep

    def take(seconds: float) -> None:
        sleep(seconds)
        if silent.clock.now > began + timedelta(seconds=60):
            silent.cloud.person_enables(NODE)

    silent.clock.sleep = take  # type: ignore[method-assign]
    assert silent.run(Step.UPGRADE).code is Code.LEASE_LOST
    assert power(silent).said == ""


def kill_between_off_and_on(silent: World) -> None:
    power(silent).fault = KilledError()  # type: ignore[assignment]
    with pytest.raises(KilledError):
        silent.run(Step.UPGRADE)
    power(silent).fault, power(silent).state = None, False


def test_killed_between_off_and_on_the_next_attempt_switches_it_on(silent: World) -> None:
    kill_between_off_and_on(silent)
    silent.clock.sleep(3600)
    assert silent.run(Step.UPGRADE).outcome is Outcome.OK
    assert power(silent).said == "cycle on "


def test_a_node_without_power_that_somebody_took_is_left_without(silent: World) -> None:
    kill_between_off_and_on(silent)
    silent.boot("strange")
    assert silent.run(Step.UPGRADE).code is Code.REBOOT_OVERDUE
    assert power(silent).said == "cycle "
