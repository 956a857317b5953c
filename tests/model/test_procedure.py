from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.model.procedure import PROCEDURES, UPGRADE, Procedure, Stage, find_procedure
from escalator.model.step import Step


def stage(step: Step) -> Stage:
    return Stage(step=step, priority=1, hard_limit_seconds=60.0)


def procedure(*steps: Step) -> Procedure:
    return Procedure(name="made-up", purpose="Try", stages=tuple(map(stage, steps)))


def test_an_upgrade_has_every_step_in_order() -> None:
    assert UPGRADE.steps == tuple(Step)


def test_every_procedure_is_found_by_its_name() -> None:
    assert PROCEDURES["upgrade"] is UPGRADE
    for name, known in PROCEDURES.items():
        assert known.name == name
        assert find_procedure(name) is known


def test_a_procedure_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidRequestError, match="no procedure 'rehearsal', it has upgrade, rollback"):
        find_procedure("rehearsal")


def test_a_step_is_found_or_said_to_be_missing() -> None:
    short = procedure(Step.ADMIT, Step.VERIFY, Step.RELEASE)
    assert short.stage(Step.VERIFY) is short.stages[1]
    with pytest.raises(
        InvalidRequestError, match="made-up has no step migrate -> its steps are admit, verify"
    ):
        short.stage(Step.MIGRATE)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Step.ADMIT,),
        (Step.RELEASE,),
        (Step.ADMIT, Step.VERIFY),
        (Step.VERIFY, Step.RELEASE),
        (Step.RELEASE, Step.ADMIT),
    ],
)
def test_a_lease_that_is_not_taken_first_and_given_back_last_is_refused(steps: tuple[Step, ...]) -> None:
    with pytest.raises(ValueError, match="does not run from admit to release"):
        procedure(*steps)


def test_a_step_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="a step twice"):
        procedure(Step.ADMIT, Step.VERIFY, Step.VERIFY, Step.RELEASE)


def test_a_step_is_ended_from_outside_later_than_it_ends_itself() -> None:
    for stage in UPGRADE.stages:
        assert stage.last_resort_seconds == 2 * stage.hard_limit_seconds + stage.wait_seconds
