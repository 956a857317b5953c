from __future__ import annotations

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.worlds import NODE, World

from escalator.model.campaign import Step
from escalator.model.canary import CanaryWish
from escalator.model.errors import TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code


@pytest.fixture
def upgraded(make_world: MakeWorld) -> World:
    world = make_world(canary_move_seconds=120)
    world.run_up_to(Step.UPGRADE)
    return world


def moves(world: World) -> list[tuple[str, str]]:
    return [(w.subject, w.detail) for w in world.cloud.writes if w.verb == "move canary"]


def test_a_canary_comes_from_another_node_and_goes_back(upgraded: World) -> None:
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    ((here, there), (back, home)) = moves(upgraded)
    assert (there, back) == (NODE, NODE)
    assert here == home != NODE
    assert upgraded.cloud.canary_at is None
    assert upgraded.verbs().count("canary") == 1


def test_none_is_moved_unless_it_is_asked_for(world: World) -> None:
    world.run_up_to(Step.VERIFY)
    assert moves(world) == []


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_node_that_no_canary_comes_to_or_leaves_is_not_proved(upgraded: World, way: str) -> None:
    for host in upgraded.hosts:
        if (host == NODE) is (way == "in"):
            upgraded.cloud.hosts[host].move_fault = "MigrationPreCheckError"
    result = upgraded.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.CANARY_NOT_MOVED)
    assert "ended in status error" in result.message
    assert upgraded.facts().verified is None
    assert upgraded.cloud.canary_at is None


def test_another_node_on_which_no_canary_boots_is_passed_over(upgraded: World) -> None:
    upgraded.run(Step.VERIFY)
    first = moves(upgraded)[0][0]
    upgraded.cloud.hosts[first].canary_fault = "no bootable device"
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert moves(upgraded)[2][0] not in {first, NODE}


def test_a_node_to_which_no_other_gives_a_canary_is_not_proved(upgraded: World) -> None:
    for host in set(upgraded.hosts) - {NODE}:
        upgraded.cloud.hosts[host].canary_fault = "no bootable device"
    result = upgraded.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.CANARY_NOT_MOVED)
    assert "canary_move_seconds" in result.message


def test_a_canary_does_not_go_back_to_an_older_hypervisor(upgraded: World) -> None:
    for host in upgraded.hosts:
        upgraded.cloud.hosts[host].hypervisor_version = "10.0.0" if host == NODE else "7.2.0"
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert [to for _, to in moves(upgraded)] == [NODE]


def test_where_no_other_node_is_in_service_none_is_moved(upgraded: World) -> None:
    for host in set(upgraded.hosts) - {NODE}:
        upgraded.cloud.person_disables(host)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert moves(upgraded) == []


def test_a_cloud_that_does_not_answer_says_nothing_of_the_node(upgraded: World) -> None:
    upgraded.cloud.errors["move"] = [TransientError("HTTP 503")]
    with pytest.raises(TransientError):
        upgraded.run(Step.VERIFY)
    assert upgraded.cloud.canary_at is None
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_with_canaries_off_none_is_moved(upgraded: World) -> None:
    upgraded.cloud.canary = CanaryWish(off=True)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert moves(upgraded) == []


def test_killed_between_its_moves_the_next_try_begins_anew(upgraded: World) -> None:
    looks: list[str] = []

    def second_move(method: str) -> bool:
        looks.append(method)
        return looks.count("move") == 2

    upgraded.kill(Step.VERIFY, at=second_move)
    assert upgraded.facts().verified is None
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert upgraded.cloud.canary_at is None
