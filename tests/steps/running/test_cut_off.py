from __future__ import annotations

from datetime import timedelta

import pytest
from tests.steps.fake_records import START
from tests.steps.worlds import NODE, World

from escalator.ledger.records import StepRecord
from escalator.model.campaign import NodeProgress, NodeState, Step
from escalator.model.errors import TransientError
from escalator.model.lease import LeaseMark
from escalator.model.procedure import UPGRADE
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.cut_off import explain_cut_off
from escalator.steps.running.run_step import run_step

MARKED_FAILED = {Step.MIGRATE: "failed", Step.UPGRADE: "skipped", Step.VERIFY: "skipped"}
TASK_FAILED = {Step.MIGRATE: "failed", Step.UPGRADE: "upstream_failed", Step.VERIFY: "upstream_failed"}
LAST_WORD = "1 server(s) to move"


def attempt(step: Step, result: Outcome | None, message: str = "", code: Code | None = None) -> StepRecord:
    return StepRecord(
        id=1,
        host=NODE,
        step=step,
        fence=3,
        try_number=1,
        begun_at=START,
        ended_at=None if result is None else START + timedelta(minutes=1),
        result=result,
        code=code,
        message=message,
    )


@pytest.mark.parametrize(
    ("newest", "states", "words"),
    [
        (
            attempt(Step.MIGRATE, None),
            MARKED_FAILED,
            "the run was marked failed while migrate was going on",
        ),
        (
            attempt(Step.MIGRATE, None),
            TASK_FAILED,
            "its task was marked failed, or killed at every try, while migrate was going on",
        ),
        (
            attempt(Step.VERIFY, None),
            {Step.VERIFY: "failed"},
            "its task was marked failed, or killed at every try, while verify was going on",
        ),
        (
            attempt(Step.MIGRATE, None),
            {Step.MIGRATE: "success"},
            "the run or its task was marked success while migrate was going on",
        ),
        (attempt(Step.MIGRATE, None), {}, "it was ended from outside while migrate was going on"),
        (
            attempt(Step.MIGRATE, Outcome.OK),
            {Step.MIGRATE: "success", Step.UPGRADE: "skipped"},
            "the run was ended by hand before upgrade began",
        ),
        (
            attempt(Step.MIGRATE, Outcome.FAILED, "HTTP 503"),
            {Step.MIGRATE: "skipped"},
            "the run was ended by hand while migrate was to be tried again: HTTP 503",
        ),
        (attempt(Step.MIGRATE, Outcome.HELD, "no room"), {}, "no room"),
    ],
)
def test_the_words_say_who_ended_it_and_when(newest: StepRecord, states: dict[Step, str], words: str) -> None:
    progress = NodeProgress(host=NODE, state=NodeState.MIGRATING, message=LAST_WORD)
    found = explain_cut_off(newest, progress, UPGRADE, states)
    assert found is not None
    assert (found.code, found.message) == (Code.CUT_OFF, words)


def test_what_a_killed_attempt_had_recorded_of_its_end_is_the_reason() -> None:
    newest = attempt(Step.MIGRATE, Outcome.HELD, "no room", Code.CAPACITY)
    found = explain_cut_off(newest, NodeProgress(host=NODE, state=NodeState.MIGRATING), UPGRADE, {})
    assert found is not None
    assert (found.code, found.message, found.attempt) == (Code.CAPACITY, "no room", None)


@pytest.mark.parametrize(
    "state",
    [NodeState.VERIFIED, NodeState.RELEASED, NodeState.SKIPPED, NodeState.HELD, NodeState.FAILED],
)
def test_a_state_that_came_with_its_reason_keeps_it(state: NodeState) -> None:
    progress = NodeProgress(host=NODE, state=state, message="the reason")
    assert explain_cut_off(attempt(Step.VERIFY, None), progress, UPGRADE, MARKED_FAILED) is None


def test_a_way_that_was_gone_to_its_end_is_not_cut_off() -> None:
    progress = NodeProgress(host=NODE, state=NodeState.UPGRADED)
    assert explain_cut_off(attempt(Step.VERIFY, Outcome.OK), progress, UPGRADE, {}) is None
    assert explain_cut_off(None, progress, UPGRADE, {}) is None


def cut_off(world: World, step: Step, call: str) -> None:
    """Let the worker of a step be killed at a call to the cloud."""
    world.boot("web")
    world.admit()
    for before in UPGRADE.steps[1 : UPGRADE.steps.index(step)]:
        world.run(before)

    world.kill(step, at=lambda method: method == call)


def release(world: World, states: dict[Step, str]) -> Outcome:
    world.tries += 1
    result = run_step(
        world.context(), NODE, Step.RELEASE, try_number=world.tries, last_try=False, states=states
    )
    return result.outcome


def test_the_lease_of_a_node_that_was_cut_off_says_why(world: World) -> None:
    cut_off(world, Step.MIGRATE, "start_live_migration")
    assert world.progress().message == LAST_WORD
    assert release(world, MARKED_FAILED) is Outcome.HELD
    why = "the run was marked failed while migrate was going on"
    lease = world.service().lease
    assert lease is not None
    assert (lease.mark, lease.words) == (LeaseMark.HELD, f"[cut_off] {why}")
    assert (world.progress().code, world.progress().message) == (Code.CUT_OFF, why)
    (migrate,) = (step for step in world.recorded.steps() if step.step is Step.MIGRATE)
    assert (migrate.result, migrate.code, migrate.message) == (Outcome.FAILED, Code.CUT_OFF, why)


def test_a_second_release_keeps_the_reason(world: World) -> None:
    cut_off(world, Step.MIGRATE, "start_live_migration")
    world.cloud.errors["ensure_disabled"] = [TransientError("503")]
    with pytest.raises(TransientError):
        release(world, MARKED_FAILED)
    release(world, {})
    assert world.progress().message == "the run was marked failed while migrate was going on"


def test_a_release_that_comes_late_says_why_although_the_attempt_is_closed_by_then(world: World) -> None:
    cut_off(world, Step.MIGRATE, "start_live_migration")
    assert world.recorded.close_steps(found_by="conclude", now=world.clock()) == 1
    release(world, MARKED_FAILED)
    assert world.progress().message == "the run was marked failed while migrate was going on"


def test_a_node_that_nothing_was_done_to_is_given_back_and_says_why_its_way_ended(world: World) -> None:
    cut_off(world, Step.PRECHECK, "fetch_snapshot")
    assert release(world, {Step.PRECHECK: "failed", Step.MIGRATE: "skipped"}) is Outcome.OK
    assert world.enabled()
    assert world.progress().state is NodeState.HELD
    assert world.progress().message == "the run was marked failed while precheck was going on"


def test_a_step_that_was_killed_and_done_at_its_next_try_is_not_cut_off(world: World) -> None:
    cut_off(world, Step.MIGRATE, "start_live_migration")
    for step in (Step.MIGRATE, Step.UPGRADE, Step.VERIFY):
        world.run(step)
    assert [s.code for s in world.recorded.steps() if s.step is Step.MIGRATE] == [Code.CUT_OFF, None]
    assert release(world, {}) is Outcome.OK
    assert world.enabled()


def test_a_second_release_does_not_say_the_reason_twice(world: World) -> None:
    cut_off(world, Step.MIGRATE, "start_live_migration")
    world.cloud.errors["ensure_disabled"] = [TransientError("503")]
    ended = {Step.MIGRATE: "skipped"}
    with pytest.raises(TransientError):
        release(world, ended)
    release(world, ended)
    assert world.progress().message == "the run was ended by hand while migrate was going on"
