"""Giving way: who waits for whom, whose word counts for how long, and how such a node ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.steps.managers import ScriptedManagers, acting, refuse, register
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step
from escalator.model.node_facts import PersonWord
from escalator.model.notice import InstanceAction
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.campaign.conclude import conclude
from escalator.steps.running.giving_way import QUIET, REST, is_due_again

A_DAY = 24 * 3600.0


@pytest.fixture
def loaded(world: World) -> World:
    world.boot("a")
    world.boot("b")
    return world


def through(world: World) -> None:
    world.admit(NODE)
    world.run(Step.PRECHECK, NODE)


def end_others(world: World, state: NodeState = NodeState.RELEASED, code: Code | None = None) -> None:
    for host in world.hosts:
        if host != NODE:
            world.recorded.set_progress(host, state, code=code, now=world.clock())


def refused(world: World) -> ScriptedManagers:
    managers = register(world, refuse)
    through(world)
    assert managers.hear().result.code is Code.VNF_REFUSED
    return managers


def refused_twice(world: World) -> ScriptedManagers:
    managers = refused(world)
    end_others(world)
    world.clock.sleep(61.0)
    assert managers.hear().question
    return managers


def is_due(world: World) -> bool:
    return is_due_again(world.recorded, NODE, world.clock())


@pytest.mark.parametrize(
    "code",
    [Code.WINDOW_CLOSED, Code.FAILURE_BUDGET, Code.INTERRUPTION_SWITCH, Code.INTERRUPTION_YEAR],
)
def test_it_waits_for_none_that_was_told_that_no_further_node_goes_out(loaded: World, code: Code) -> None:
    refused(loaded)
    end_others(loaded, NodeState.WAITING, code)
    assert not is_due(loaded), "managers have their rest"
    loaded.clock.sleep(REST.total_seconds())
    assert is_due(loaded)


def test_it_waits_for_those_that_wait_for_their_turn_only_as_long_as_turns_come(loaded: World) -> None:
    """A person has marked the admit of node-03: in the ledger it waits for ever."""
    refused(loaded)
    loaded.recorded.set_progress("node-03", NodeState.WAITING, code=Code.PARALLEL_LIMIT, now=loaded.clock())
    loaded.recorded.set_progress("node-02", NodeState.MIGRATING, now=loaded.clock())
    loaded.clock.sleep(A_DAY)
    assert not is_due(loaded), "one is under way"
    loaded.recorded.set_progress("node-02", NodeState.RELEASED, now=loaded.clock())
    loaded.clock.sleep(QUIET.total_seconds() - 1)
    assert not is_due(loaded), "the next may take its turn"
    loaded.clock.sleep(1.0)
    assert is_due(loaded)


def test_of_several_that_gave_way_none_waits_for_another_ones_turn(loaded: World) -> None:
    """node-02 came again, and has to wait at its door, as a group of its servers is impacted by others."""
    refused(loaded)
    end_others(loaded)
    loaded.recorded.set_progress("node-02", NodeState.WAITING, code=Code.HA_GROUP, now=loaded.clock())
    loaded.clock.sleep(REST.total_seconds())
    assert not is_due(loaded), "node-02 has not gone yet, and did not give way"
    loaded.recorded.remember("node-02", refused_at=loaded.clock())
    assert is_due(loaded)


def test_a_window_that_closes_over_it_leaves_it_for_the_next(loaded: World, tmp_path: Path) -> None:
    managers = refused(loaded)
    end_others(loaded)
    loaded.plan = replace(loaded.plan, window_end=loaded.clock() + timedelta(seconds=30))
    loaded.clock.sleep(61.0)
    result = loaded.turn(Step.SWITCHOVER).result
    assert (result.outcome, result.code) == (Outcome.SKIPPED, Code.WINDOW_CLOSED)
    assert loaded.run(Step.RELEASE).outcome is Outcome.SKIPPED
    assert loaded.progress().left_for_next_window
    assert loaded.enabled()
    assert len(managers.got) == 1
    assert NODE in conclude(loaded.context(), tmp_path).left


def test_one_that_somebody_disabled_meanwhile_is_passed_over(loaded: World) -> None:
    refused(loaded)
    end_others(loaded)
    loaded.cloud.person_disables(NODE, "memory is replaced")
    loaded.clock.sleep(61.0)
    result = loaded.turn(Step.SWITCHOVER).result
    assert (result.outcome, result.code) == (Outcome.SKIPPED, Code.DISABLED_BY_OTHERS)
    assert loaded.progress().state is NodeState.SKIPPED


@pytest.mark.parametrize("word", [PersonWord.MOVE, PersonWord.ASK_AGAIN])
@pytest.mark.parametrize("under_way", [False, True])
def test_who_has_decided_is_not_asked_again_while_the_node_waits(
    loaded: World, word: PersonWord, *, under_way: bool
) -> None:
    """It has to rest, or another node that gave way is under way meanwhile."""
    managers = refused_twice(loaded)
    loaded.recorded.remember(NODE, person_word=word)
    if under_way:
        loaded.recorded.set_progress("node-02", NodeState.MIGRATING, now=loaded.clock())
    loaded.clock.sleep(61.0 if under_way else 5.0)
    turn = managers.hear()
    assert turn.question == ""
    assert turn.result.outcome is Outcome.WAITING
    assert loaded.facts().person_word is word


def test_a_second_refusal_asks_however_long_it_waits(loaded: World) -> None:
    managers = refused_twice(loaded)
    loaded.recorded.set_progress("node-02", NodeState.MIGRATING, now=loaded.clock())
    assert managers.hear().question


def test_one_that_a_person_left_out_can_be_taken_up_again(loaded: World) -> None:
    managers = refused_twice(loaded)
    loaded.recorded.remember(NODE, person_word=PersonWord.LEAVE)
    assert loaded.turn(Step.SWITCHOVER).result.outcome is Outcome.HELD
    managers.scripts["m"] = acting(InstanceAction.OWN_ACTION)
    through(loaded)
    assert managers.hear().result.outcome is Outcome.OK
    assert not loaded.enabled()


def test_the_word_to_move_does_not_outlive_the_life_it_was_said_of(loaded: World) -> None:
    managers = refused_twice(loaded)
    loaded.recorded.remember(NODE, person_word=PersonWord.MOVE)
    loaded.clock.sleep(61.0)
    assert managers.hear().result.outcome is Outcome.OK
    through(loaded)
    turn = managers.hear()
    assert turn.result.code is Code.VNF_REFUSED
    assert turn.question, "this refusal is another one"
