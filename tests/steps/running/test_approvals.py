from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import NODE, World

from escalator.model.approval import Approval
from escalator.model.campaign import Step
from escalator.model.decisions import Admission
from escalator.model.errors import NodeFaultError, TransientError
from escalator.model.no_return import NoReturn
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.approvals import (
    WITHIN,
    find_crossing_question,
    find_patience,
    find_question,
    record_answer,
    record_crossing,
)


@pytest.fixture
def released(make_world: MakeWorld) -> World:
    world = make_world(approval=Approval.CANARY, max_parallel=2)
    assert find_question(world.context(), NODE) == ""
    world.run_up_to(Step.RELEASE)
    return world


def test_after_the_first_node_a_person_is_asked_and_the_others_wait(released: World) -> None:
    question = find_question(released.context(), NODE)
    assert "2 node(s) wait: node-02, node-03" in question
    assert find_question(released.context(), "node-02") == ""
    decision = released.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.APPROVAL)
    assert NODE in decision.message


def test_who_said_that_it_goes_on_is_kept_and_it_goes_on(released: World) -> None:
    assert record_answer(released.context(), NODE, go_on=True, by="ops") == (
        f"after {NODE} the campaign goes on, by ops"
    )
    answer = released.facts().approval
    assert answer is not None
    assert (answer.go_on, answer.by, answer.at) == (True, "ops", released.clock.now)
    assert released.admit("node-02").admission is Admission.ADMIT
    assert released.admit("node-03").admission is Admission.ADMIT
    assert find_question(released.context(), NODE) == ""


def test_who_is_cut_off_after_a_node_was_given_back_asks_when_it_is_run_again(make_world: MakeWorld) -> None:
    """Masakari does not answer when its flag is to be cleared: the node serves, the step is run again."""
    world = make_world(approval=Approval.CANARY)
    world.masakari.add(NODE)
    world.run_up_to(Step.VERIFY)
    world.masakari.errors = [TransientError("HTTP 503")]
    with pytest.raises(TransientError):
        world.run(Step.RELEASE)
    again = world.run(Step.RELEASE)
    assert (again.outcome, again.details["released_at"]) == (Outcome.SKIPPED, world.facts().released_at)
    assert not world.masakari.is_on(NODE)
    assert NODE in find_question(world.context(), NODE)


def test_a_node_that_comes_when_no_other_was_left_says_how_a_person_is_asked(make_world: MakeWorld) -> None:
    """Two nodes were held, so nobody was asked after the third; then one of the two is cleared."""
    world = make_world(approval=Approval.EVERY_NODE, max_failed_nodes=2)
    for host in ("node-02", "node-03"):
        world.admit(host)
        world.nodes[host].stage_faults = [NodeFaultError("no space")]
        world.run(Step.PRECHECK, host)
        world.run(Step.RELEASE, host)
    world.run_up_to(Step.RELEASE)
    assert find_question(world.context(), NODE) == ""
    decision = world.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.APPROVAL)
    assert f"clear {NODE}.release: it asks" in decision.message
    assert world.run(Step.RELEASE).outcome is Outcome.SKIPPED
    assert "1 node(s) wait: node-02" in find_question(world.context(), NODE)


@pytest.mark.parametrize("by", ["ops", ""])
def test_a_no_and_no_answer_in_time_stop_the_campaign(released: World, by: str) -> None:
    assert "no further node goes out" in record_answer(released.context(), NODE, go_on=False, by=by)
    decision = released.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.STOP, Code.APPROVAL_REFUSED)
    assert (by or "nobody answered in time") in decision.message


def test_until_then_the_first_node_goes_alone(make_world: MakeWorld) -> None:
    world = make_world(approval=Approval.CANARY, max_parallel=2)
    assert world.admit(NODE).admission is Admission.ADMIT
    assert world.admit("node-02").code is Code.PARALLEL_LIMIT


def test_an_answer_is_waited_for_a_day_or_to_the_end_of_the_window(make_world: MakeWorld) -> None:
    world = make_world()
    assert find_patience(world.context()) == WITHIN
    for minutes, patience in ((90, 90), (-5, 1), (10**4, 24 * 60)):
        plan = make_world(window_end=START + timedelta(minutes=minutes)).plan
        assert find_patience(world.context(plan)) == timedelta(minutes=patience)


@pytest.fixture
def tied(make_world: MakeWorld) -> World:
    """A world in which two nodes cannot go back, and a person is to be asked before the first of them."""
    world = make_world(ask_before_one_way=True, max_parallel=2)
    world.plan = replace(world.plan, no_return=NoReturn(reasons={NODE: "gone", "node-02": "gone"}))
    return world


def test_before_the_first_node_that_cannot_go_back_a_person_is_asked_and_the_next_one_waits(
    tied: World,
) -> None:
    assert find_crossing_question(tied.context(), "node-03") == ""
    assert "no return once its software is changed: gone" in find_crossing_question(tied.context(), NODE)
    assert find_crossing_question(tied.context(), "node-02") == ""
    decision = tied.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.APPROVAL)
    assert tied.admit("node-03").admission is Admission.ADMIT
    assert "nodes go out that cannot go back, by ops" in record_crossing(
        tied.context(), NODE, go_on=True, by="ops"
    )
    assert find_crossing_question(tied.context(), "node-02") == ""
    assert tied.admit(NODE).admission is Admission.ADMIT


@pytest.mark.parametrize("by", ["ops", ""])
def test_a_no_keeps_in_the_nodes_that_cannot_go_back_and_no_others(tied: World, by: str) -> None:
    find_crossing_question(tied.context(), NODE)
    assert "no node goes out" in record_crossing(tied.context(), NODE, go_on=False, by=by)
    for host in (NODE, "node-02"):
        decision = tied.admit(host)
        assert (decision.admission, decision.code) == (Admission.STOP, Code.APPROVAL_REFUSED)
        assert (by or "nobody answered in time") in decision.message
    assert tied.admit("node-03").admission is Admission.ADMIT


def test_who_is_not_to_be_asked_is_not(make_world: MakeWorld) -> None:
    world = make_world()
    world.plan = replace(world.plan, no_return=NoReturn(reasons={NODE: "gone"}))
    assert find_crossing_question(world.context(), NODE) == ""
    result = world.run_up_to(Step.UPGRADE)
    assert result is not None
    assert result.outcome is Outcome.OK
