"""What every mechanism keeps to, on a node that is good and over connections that are lost."""

from __future__ import annotations

from typing import get_args

import pytest
from _pytest.mark import ParameterSet
from tests.system_support.mechanisms.examples import EXAMPLES, NEW, OLD, VARIANTS, Example

from escalator.model.bundle import (
    COMPUTE,
    AptMechanism,
    KollaAnsibleMechanism,
    Mechanism,
    MechanismType,
    NoMechanism,
)
from escalator.model.errors import NodeFaultError, TransientError
from escalator.model.verdict import Code, find_blockers
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms import Effect, UnitState

ON_MACHINES = {AptMechanism.type}
"""Mechanisms whose node is a machine of the lab's."""
LIKE_ANOTHER = {KollaAnsibleMechanism.type}
"""Mechanisms that do what another one does, by another program: long, for little news."""
MAKERS = {str(kind.type): make for kind, make in EXAMPLES.items()} | VARIANTS


def find_marks(kind: str) -> list[pytest.MarkDecorator]:
    lab = [pytest.mark.lab] if kind in ON_MACHINES else []
    return [*lab, *([pytest.mark.proof] if kind in LIKE_ANOTHER else [])]


def list_kinds(*, bringing: bool) -> list[ParameterSet]:
    return [
        pytest.param(kind, id=kind, marks=find_marks(kind))
        for kind in MAKERS
        if not bringing or kind != NoMechanism.type
    ]


@pytest.fixture(params=list_kinds(bringing=False))
def example(request: pytest.FixtureRequest) -> Example:
    """Each mechanism in turn."""
    return MAKERS[request.param](request)


@pytest.fixture(params=list_kinds(bringing=True))
def bringing(request: pytest.FixtureRequest) -> Example:
    """Each mechanism that brings software."""
    return MAKERS[request.param](request)


@pytest.fixture(params=list_kinds(bringing=True))
def returning(request: pytest.FixtureRequest) -> Example:
    """Each mechanism that brings software, on a node that had OLD and got NEW."""
    example = MAKERS[request.param](request)
    for version in (OLD, NEW):
        example.stage(version)
        example.activate(version)
    return example


def test_every_mechanism_that_is_supported_goes_through_this_suite() -> None:
    assert set(EXAMPLES) == set(get_args(Mechanism))
    assert {kind.type for kind in EXAMPLES} == set(MechanismType)


def test_a_good_node_lacks_nothing(example: Example) -> None:
    with example.shell() as shell:
        assert example.mechanism.check(shell) == ()
        assert find_blockers(example.mechanism.check_source(shell, NEW)) == ()


def test_a_version_that_no_source_has_is_known_without_trying_to_stage_it(bringing: Example) -> None:
    with bringing.shell() as shell:
        (verdict,) = bringing.mechanism.check_source(shell, "9.9.9")
    assert (verdict.code, verdict.subject.id) == (Code.STAGE_FAILED, "node-01")
    assert "9.9.9" in verdict.message
    assert verdict.remedy


def test_a_look_changes_nothing(example: Example) -> None:
    example.stage(OLD)
    example.activate(OLD)
    before, restarts = example.read(), example.count_restarts()
    with example.shell() as shell:
        example.mechanism.check(shell)
        example.mechanism.check_source(shell, NEW)
        example.mechanism.service_state(shell)
    assert example.read() == before
    assert example.count_restarts() == restarts


def test_staging_twice_changes_nothing_the_second_time(example: Example) -> None:
    example.stage(NEW)
    assert example.stage(NEW) is Effect.ALREADY_STAGED


def test_staging_touches_neither_the_service_nor_the_version_in_use(example: Example) -> None:
    example.stage(OLD)
    example.activate(OLD)
    before, restarts = example.read(), example.count_restarts()
    example.stage(NEW)
    assert example.read() == before
    assert example.count_restarts() == restarts


def test_activating_twice_restarts_nothing_the_second_time(example: Example) -> None:
    example.stage(NEW)
    example.activate(NEW)
    restarts = example.count_restarts()
    assert example.activate(NEW) is Effect.ALREADY_ACTIVE
    assert example.count_restarts() == restarts


def test_what_was_activated_is_read_and_runs_or_no_version_is_said_at_all(example: Example) -> None:
    for version in (OLD, NEW, OLD):
        example.stage(version)
        example.activate(version)
        found = example.read()
        assert example.read_state() is (UnitState.ACTIVE if example.mechanism.brings_software else None)
        assert (found is None) is not example.mechanism.brings_software
        if found is not None:
            assert (found.version, found.running, found.active) == (version, version, True)
            assert found.package
            assert found.place


def test_only_what_brings_software_asks_the_node(example: Example) -> None:
    with example.shell() as shell:
        example.mechanism.check(shell)
        example.mechanism.check_source(shell, NEW)
        example.mechanism.installed(shell)
        example.mechanism.service_state(shell)
    assert example.connections == int(example.mechanism.brings_software)
    example.stage(NEW)
    example.activate(NEW)
    assert (example.connections > 1) is example.mechanism.brings_software


@pytest.mark.parametrize("question", ["check", "installed", "service_state"])
def test_a_question_over_a_lost_connection_may_be_asked_again(bringing: Example, question: str) -> None:
    bringing.losses = 1
    with pytest.raises(TransientError), bringing.shell() as shell:
        getattr(bringing.mechanism, question)(shell)
    with bringing.shell() as shell:
        getattr(bringing.mechanism, question)(shell)


def test_work_goes_on_over_the_next_connection(bringing: Example) -> None:
    bringing.losses = 1
    assert bringing.stage(NEW) is Effect.STAGED
    bringing.losses = 1
    assert bringing.activate(NEW) is Effect.ACTIVATED


def test_a_node_that_is_not_reached_until_the_deadline_is_at_fault(bringing: Example) -> None:
    bringing.losses = 9
    with pytest.raises(NodeFaultError):
        bringing.stage(NEW, seconds=0)
    with pytest.raises(NodeFaultError):
        bringing.activate(NEW, seconds=0)


def test_a_version_that_does_not_exist_is_not_staged(bringing: Example) -> None:
    with pytest.raises(NodeFaultError):
        bringing.stage("9.9.9")
    with pytest.raises(NodeFaultError):
        bringing.activate("9.9.9")


def test_what_was_not_staged_is_not_activated(bringing: Example) -> None:
    bringing.stage(OLD)
    bringing.activate(OLD)
    before, restarts = bringing.read(), bringing.count_restarts()
    with pytest.raises(NodeFaultError):
        bringing.activate(NEW)
    assert bringing.read() == before
    assert bringing.count_restarts() == restarts


def test_a_service_that_does_not_start_is_the_nodes_fault_and_is_seen(bringing: Example) -> None:
    bringing.stage(NEW)
    bringing.break_service()
    with pytest.raises(NodeFaultError):
        bringing.activate(NEW)
    state = bringing.read_state()
    assert state is not None
    assert state.has_ended


def running(example: Example) -> str | None:
    found = example.read()
    assert found is not None
    return found.running


def test_going_back_brings_what_was_there_before_and_twice_changes_nothing(returning: Example) -> None:
    assert returning.way_back(NEW) == WayBack.to_previous({COMPUTE: OLD})
    restarts = returning.count_restarts()
    assert returning.roll_back(NEW) is Effect.ROLLED_BACK
    assert (running(returning), returning.count_restarts()) == (OLD, restarts + 1)
    assert returning.roll_back(NEW) is Effect.ALREADY_BACK
    assert returning.count_restarts() == restarts + 1
    assert returning.way_back(NEW) == WayBack.to_previous({COMPUTE: OLD})
    returning.stage(NEW)
    assert returning.activate(NEW) is Effect.ACTIVATED
    assert returning.roll_back(NEW) is Effect.ROLLED_BACK
    assert running(returning) == OLD


def test_a_node_that_does_not_have_it_yet_is_left_alone(returning: Example) -> None:
    returning.roll_back(NEW)
    before, restarts = returning.read(), returning.count_restarts()
    assert returning.roll_back(NEW) is Effect.ALREADY_BACK
    assert (returning.read(), returning.count_restarts()) == (before, restarts)


def test_going_back_goes_on_over_the_next_connection(returning: Example) -> None:
    returning.losses = 1
    assert returning.roll_back(NEW) is Effect.ROLLED_BACK
    assert running(returning) == OLD


def test_going_back_that_was_cut_short_goes_on(returning: Example) -> None:
    returning.break_service()
    with pytest.raises(NodeFaultError):
        returning.roll_back(NEW)
    returning.mend_service()
    assert returning.roll_back(NEW) is Effect.ROLLED_BACK
    assert running(returning) == OLD
    assert returning.roll_back(NEW) is Effect.ALREADY_BACK


def test_where_what_was_there_before_is_gone_nothing_is_touched(returning: Example) -> None:
    before, restarts = returning.read(), returning.count_restarts()
    returning.lose_previous()
    way = returning.way_back(NEW)
    assert way.is_one_way
    with pytest.raises(NodeFaultError, match="no way back"):
        returning.roll_back(NEW)
    assert running(returning) == NEW
    assert before is not None
    assert returning.count_restarts() == restarts


def test_what_brings_nothing_has_nothing_to_undo(request: pytest.FixtureRequest) -> None:
    example = MAKERS[NoMechanism.type](request)
    assert example.way_back(NEW) == WayBack.to_previous({})
    assert example.roll_back(NEW) is Effect.ALREADY_BACK
    assert example.connections == 0
