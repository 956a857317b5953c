"""Chosen servers have an image taken before their node is changed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.steps.fake_records import KilledError
from tests.steps.worlds import World

from escalator.model.campaign import NodeState, Step
from escalator.model.errors import ConflictError, ForbiddenError, TransientError
from escalator.model.server_image import ImagePolicy
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.saving.server_images import LONGEST_NAME

SAVE: Mapping[str, str] = {"save": "yes"}


@pytest.fixture
def saving(world: World) -> World:
    """A cloud that saves servers by their metadata: one of two on the node."""
    world.images = ImagePolicy(metadata=SAVE, limit_seconds=600.0)
    world.boot("kept", metadata=dict(SAVE))
    world.boot("plain", metadata={"save": "no"})
    world.admit()
    return world


def ordered(world: World) -> list[str]:
    return [write.subject for write in world.cloud.writes if write.verb == "image"]


def test_only_those_that_are_chosen_and_before_any_server_moves(saving: World) -> None:
    result = saving.run(Step.PRECHECK)
    assert result.outcome is Outcome.OK
    assert ordered(saving) == ["kept"]
    (image,) = saving.facts().images
    assert (image.server_id, image.image_id, image.size_bytes) == ("kept", "image-0", 7)
    assert [found["image_id"] for found in result.details["images"]] == ["image-0"]  # type: ignore[union-attr,index]
    for step in (Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE, Step.VERIFY, Step.RELEASE):
        saving.run(step)
    assert saving.progress().state is NodeState.RELEASED


def test_once_is_enough_however_often_the_step_runs(saving: World) -> None:
    for _ in range(3):
        saving.run(Step.PRECHECK)
    assert ordered(saving) == ["kept"]


def test_without_a_policy_nothing_is_asked(saving: World) -> None:
    saving.images = None
    calls: list[str] = []
    saving.cloud.before = calls.append
    saving.run(Step.PRECHECK)
    assert (ordered(saving), "find" in calls, saving.facts().images) == ([], False, ())


@pytest.mark.parametrize("killed_at", range(4))
def test_killed_anywhere_another_attempt_orders_no_second_one(saving: World, killed_at: int) -> None:
    saving.cloud.fuse.left = killed_at
    try:
        saving.run(Step.PRECHECK)
    except KilledError:
        saving.run(Step.PRECHECK)
    saving.cloud.fuse.left = None
    assert len(ordered(saving)) == 1
    assert len(saving.facts().images) == 1


def test_a_lost_answer_orders_no_second_one(saving: World) -> None:
    order = saving.cloud.order

    def lose(server_id: str, **how: str) -> None:
        order(server_id, **how)
        raise TransientError("connection lost")

    saving.cloud.order = lose  # type: ignore[method-assign,assign]
    assert saving.run(Step.PRECHECK).outcome is Outcome.OK
    assert ordered(saving) == ["kept"]


@pytest.mark.parametrize("script", [("saving", "killed"), ("saving", "gone")])
def test_an_image_that_nova_gives_up_is_ordered_once_more_then_the_node_is_given_back(
    saving: World, script: tuple[str, ...]
) -> None:
    saving.cloud.image_script = script
    result = saving.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.BACKUP_FAILED)
    assert "the image of kept (kept) was not taken: Nova did not make it whole" in result.message
    assert ordered(saving) == ["kept", "kept"]
    saving.run(Step.RELEASE)
    assert saving.enabled()


def test_a_busy_server_is_asked_again_until_the_time_is_over(saving: World) -> None:
    saving.cloud.guests["kept"].task_state = "image_snapshot"
    began = saving.clock.now
    result = saving.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.BACKUP_FAILED)
    assert "is image_snapshot" in result.message
    assert (saving.clock.now - began).total_seconds() < 700
    assert ordered(saving) == []


def test_a_server_that_is_deleted_meanwhile_needs_none(saving: World) -> None:
    def act(method: str) -> None:
        if method == "order" and "kept" in saving.cloud.guests:
            saving.cloud.delete("kept")

    saving.cloud.before = act
    assert saving.run(Step.PRECHECK).outcome is Outcome.OK
    assert saving.facts().images == ()


def test_what_nova_or_glance_refuse_for_good_gives_the_node_back_at_once(saving: World) -> None:
    saving.cloud.errors["order"] = [ForbiddenError("HTTP 403: image quota is exceeded")]
    began = saving.clock.now
    result = saving.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.BACKUP_FAILED)
    assert "the image of kept (kept) was not taken: HTTP 403: image quota is exceeded" in result.message
    assert saving.clock.now == began
    saving.run(Step.RELEASE)
    assert saving.enabled()


@pytest.mark.parametrize("vm_state", ["error", "rescued"])
def test_a_server_in_a_state_that_has_no_images_is_not_waited_for(saving: World, vm_state: str) -> None:
    saving.cloud.guests["kept"].vm_state = vm_state
    saving.cloud.errors["order"] = [ConflictError(f"HTTP 409: it is {vm_state}")]
    began = saving.clock.now
    result = saving.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.BACKUP_FAILED)
    assert f"it is {vm_state}, and Nova takes none" in result.message
    assert saving.clock.now == began


def test_the_name_of_an_image_is_as_long_as_nova_takes_it(world: World) -> None:
    world.images = ImagePolicy(metadata=SAVE, limit_seconds=600.0)
    world.boot("k" * 255, metadata=dict(SAVE))
    world.admit()
    assert world.run(Step.PRECHECK).outcome is Outcome.OK
    (name,) = [write.detail for write in world.cloud.writes if write.verb == "image"]
    assert (len(name), name.startswith("kkk")) == (LONGEST_NAME, True)
