from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.fake_records import START
from tests.steps.worlds import NODE, QuickRun, World

from escalator.model import procedure
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import (
    InvalidRequestError,
    LeaseLostError,
    NodeFaultError,
    SupersededError,
    TransientError,
)
from escalator.model.procedure import Procedure, Stage
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running import run_step as running
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult

WORK = [s for s in Step if s not in {Step.ADMIT, Step.RELEASE}]


def order(monkeypatch: pytest.MonkeyPatch, step: Step, act: object) -> None:
    """Let a step return or raise what the test says."""

    def stand_in(_ctx: StepContext) -> StepResult:
        if isinstance(act, BaseException):
            raise act
        assert isinstance(act, StepResult)
        return act

    monkeypatch.setattr(running, "STEPS", {**running.STEPS, step: stand_in})


def test_every_step_but_admit_has_its_function() -> None:
    assert set(running.STEPS) == set(Step) - {Step.ADMIT}
    assert all(function.__name__ == step for step, function in running.STEPS.items())


@pytest.mark.parametrize("step", WORK)
@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (LeaseLostError("gone"), Outcome.HELD, Code.LEASE_LOST),
        (NodeFaultError("broken"), None, Code.INTERNAL),
        (NodeFaultError("host key", code=Code.NODE_UNREACHABLE), None, Code.NODE_UNREACHABLE),
    ],
)
def test_trouble_of_the_node_is_a_result(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    step: Step,
    error: Exception,
    outcome: Outcome | None,
    code: Code,
) -> None:
    order(monkeypatch, step, error)
    switch(world, step)
    software = step in {Step.UPGRADE, Step.VERIFY}
    result = world.run(step)
    assert result.outcome is (outcome or (Outcome.FAILED if software else Outcome.HELD))
    assert result.code is code
    assert str(world.progress().state) == str(result.outcome)


@pytest.mark.parametrize("last_try", [False, True])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransientError("503"), Code.CLOUD_UNREACHABLE),
        (InvalidRequestError("wrong"), Code.INTERNAL),
        (ZeroDivisionError("a bug"), Code.INTERNAL),
    ],
)
def test_other_errors_are_raised_and_final_on_the_last_try(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, code: Code, *, last_try: bool
) -> None:
    order(monkeypatch, Step.MIGRATE, error)
    with pytest.raises(type(error)):
        world.run(Step.MIGRATE, last_try=last_try)
    expected = (NodeState.HELD, code) if last_try else (NodeState.WAITING, None)
    assert (world.progress().state, world.progress().code) == expected
    (step,) = world.recorded.steps()
    assert (str(step.result), step.code) == ("failed", code)


def test_a_superseded_attempt_records_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order(monkeypatch, Step.UPGRADE, SupersededError("older"))
    with pytest.raises(SupersededError):
        world.run(Step.UPGRADE, last_try=True)
    assert world.progress().state is NodeState.WAITING
    (step,) = world.recorded.steps()
    assert step.result is None


@pytest.mark.parametrize("error", [TransientError("503"), None])
def test_an_older_attempt_that_ends_late_does_not_overrule_the_newer(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    def slow(_ctx: StepContext) -> StepResult:
        world.begin(Step.VERIFY).progress(NodeState.VERIFIED)
        if error is not None:
            raise error
        return StepResult(outcome=Outcome.HELD, message="too late")

    monkeypatch.setattr(running, "STEPS", {**running.STEPS, Step.MIGRATE: slow})
    with pytest.raises(SupersededError):
        world.run(Step.MIGRATE, last_try=True)
    assert world.progress().state is NodeState.VERIFIED


def test_a_result_is_recorded_with_its_calls_and_details(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(monkeypatch, Step.VERIFY, StepResult(message="good", details={"n": 1}))
    world.cloud.fetch_services()
    world.run(Step.VERIFY)
    (step,) = world.recorded.steps()
    assert (str(step.result), step.message, step.api_calls, step.details) == ("ok", "good", 1, {"n": 1})
    assert world.progress().state is NodeState.WAITING


def test_trouble_of_release_leaves_the_state_to_the_next_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin(Step.VERIFY).progress(NodeState.VERIFIED)
    order(monkeypatch, Step.RELEASE, TransientError("503"))
    with pytest.raises(TransientError):
        world.run(Step.RELEASE, last_try=True)
    assert world.progress().state is NodeState.VERIFIED


def test_an_end_that_cannot_be_recorded_does_not_change_the_result(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **__: object) -> None:
        raise TransientError("the ledger is away")

    order(monkeypatch, Step.VERIFY, StepResult(message="good"))
    monkeypatch.setattr(QuickRun, "finish_step", away)
    assert world.run(Step.VERIFY).message == "good"
    assert "could not be recorded" in caplog.text


def test_admission_is_recorded_as_a_step(world: World) -> None:
    world.admit()
    (step,) = world.recorded.steps()
    assert (step.step, str(step.result), step.host) == (Step.ADMIT, "ok", NODE)
    assert step.details["leased_at"]


def switch(world: World, step: Step) -> None:
    """Let the software of the node be touched, if a step comes after that."""
    if step in {Step.UPGRADE, Step.VERIFY}:
        world.begin(step).remember(upgrade_begun=START)


def waits(monkeypatch: pytest.MonkeyPatch, step: Step, hours: int) -> None:
    """Let a step wait for something that comes after so many hours."""

    def wait(ctx: StepContext) -> StepResult:
        for _ in range(60 * hours):
            ctx.campaign.sleep(60)
        return StepResult(message="it came")

    monkeypatch.setattr(running, "STEPS", {**running.STEPS, step: wait})


@pytest.mark.parametrize(
    ("step", "outcome"),
    [(Step.PRECHECK, Outcome.HELD), (Step.MIGRATE, Outcome.HELD), (Step.UPGRADE, Outcome.FAILED)],
)
def test_a_step_past_its_hard_limit_hangs_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, step: Step, outcome: Outcome
) -> None:
    waits(monkeypatch, step, hours=13)
    switch(world, step)
    result = world.run(step)
    assert (result.outcome, result.code) == (outcome, Code.STEP_HUNG)
    assert f"{step} hangs: it has taken" in result.message
    assert "its hard limit is" in result.message
    assert (world.progress().code, world.progress().message) == (Code.STEP_HUNG, result.message)
    assert world.recorded.steps()[-1].code is Code.STEP_HUNG


def test_a_step_within_its_hard_limit_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits(monkeypatch, Step.MIGRATE, hours=11)
    assert world.run(Step.MIGRATE).message == "it came"


@pytest.mark.parametrize(
    ("step", "state"), [(Step.PRECHECK, NodeState.HELD), (Step.VERIFY, NodeState.FAILED)]
)
def test_a_step_that_was_ended_from_outside_is_recorded(world: World, step: Step, state: NodeState) -> None:
    switch(world, step)
    running.begin(world.context(), NODE, step, try_number=2)
    message = running.record_hang(world.context(), NODE, step, try_number=2)
    assert message.startswith(f"{step} hangs: it was ended after 1 h 00 min")
    assert world.progress().state is state
    assert (world.progress().code, world.progress().message) == (Code.STEP_HUNG, message)


REHEARSAL = Procedure(
    name="rehearsal",
    purpose="Rehearse on the compute nodes",
    stages=(
        Stage(step=Step.ADMIT, priority=1, hard_limit_seconds=60.0),
        Stage(step=Step.MIGRATE, priority=1, hard_limit_seconds=60.0),
        Stage(step=Step.VERIFY, priority=1, hard_limit_seconds=86400.0),
        Stage(step=Step.RELEASE, priority=1, hard_limit_seconds=60.0),
    ),
)


@pytest.fixture
def rehearsal(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose campaign follows another procedure."""
    monkeypatch.setattr(procedure, "PROCEDURES", {**procedure.PROCEDURES, REHEARSAL.name: REHEARSAL})
    world.plan = replace(world.plan, procedure=REHEARSAL.name)
    return world


@pytest.mark.parametrize(("step", "hangs"), [(Step.MIGRATE, True), (Step.VERIFY, False)])
def test_how_long_a_step_may_take_is_what_its_procedure_says(
    rehearsal: World, monkeypatch: pytest.MonkeyPatch, step: Step, *, hangs: bool
) -> None:
    waits(monkeypatch, step, hours=11)
    assert (rehearsal.run(step).code is Code.STEP_HUNG) is hangs


def test_what_is_ended_from_outside_is_recorded_as_its_procedure_says(rehearsal: World) -> None:
    running.begin(rehearsal.context(), NODE, Step.MIGRATE, try_number=2)
    message = running.record_hang(rehearsal.context(), NODE, Step.MIGRATE, try_number=2)
    assert message.startswith("migrate hangs: it was ended after 2 min")
    assert rehearsal.progress().state is NodeState.HELD


def test_a_step_that_the_procedure_lacks_is_not_run(rehearsal: World) -> None:
    with pytest.raises(InvalidRequestError, match="the procedure rehearsal has no step upgrade"):
        rehearsal.run(Step.UPGRADE)
    assert not rehearsal.context().run.steps()


def test_a_node_of_a_procedure_that_is_not_known_is_not_touched(world: World) -> None:
    world.plan = replace(world.plan, procedure="rehearsal")
    words = "no procedure 'rehearsal', it has upgrade, rollback, restore -> finish the campaign"
    with pytest.raises(InvalidRequestError, match=words):
        world.admit()
    with pytest.raises(InvalidRequestError, match=words):
        world.run(Step.MIGRATE)
    assert not world.context().run.steps()
