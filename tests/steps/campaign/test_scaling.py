"""Scale locks and frozen quotas around the nodes of a campaign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.steps.managers import PROJECT, ScriptedManagers, acting, register
from tests.steps.worlds import World
from tests.vim_interface.scaling.fakes import LIMITS, USED, FakeQuotas

from escalator.ledger.records import Document
from escalator.model.notice import InstanceAction, NoticeState
from escalator.model.run_life import RunLife
from escalator.model.vnfm import VnfmKind
from escalator.steps.campaign.announce import announce, conclude_session
from escalator.steps.campaign.conclude import conclude
from escalator.steps.campaign.scaling import disable_scale_up, restore_scale_up

OTHER = ("lab", PROJECT, "c-2", "r-2")


@pytest.fixture
def nova(world: World) -> FakeQuotas:
    world.boot("a")
    nova = FakeQuotas(limits={PROJECT: dict(LIMITS)}, used={PROJECT: dict(USED)})
    cast("Any", world.cloud).quotas = nova
    return nova


@pytest.fixture
def managers(world: World, nova: FakeQuotas) -> ScriptedManagers:
    del nova
    own = acting(InstanceAction.OWN_ACTION)
    return register(world, own, kind=VnfmKind.WEBHOOK, scale_lock=True)


def told(managers: ScriptedManagers) -> list[NoticeState]:
    return [record.notice.state for record in managers.got]


def test_told_projects_do_not_grow_meanwhile(
    world: World, nova: FakeQuotas, managers: ScriptedManagers
) -> None:
    announce(world.context())
    assert disable_scale_up(world.context()) == ()
    assert nova.limits[PROJECT] == USED
    assert restore_scale_up(world.context()) == ()
    assert nova.limits[PROJECT] == LIMITS
    assert told(managers)[-2:] == [NoticeState.SCALE_LOCK, NoticeState.SCALE_UNLOCK]


def test_a_dry_run_tells_and_freezes_nothing(
    world: World, nova: FakeQuotas, managers: ScriptedManagers
) -> None:
    world.plan = replace(world.plan, request=replace(world.plan.request, dry_run=True))
    for act in (announce, disable_scale_up, restore_scale_up):
        act(world.context())
    conclude_session(world.context(), done=True)
    desk = world.desk
    assert desk is not None
    assert desk.notices.find(desk.session_id) == ()
    assert (managers.got, nova.writes) == ([], 0)
    assert world.ledger.quotas().held_by("lab", world.plan.campaign, world.plan.run_id) == ()


@pytest.mark.parametrize("life", [RunLife.RUNNING, RunLife.NOT_ASKED, RunLife.FINISHED])
def test_a_project_that_another_run_keeps_from_growing_stays_locked(
    world: World, nova: FakeQuotas, managers: ScriptedManagers, life: RunLife
) -> None:
    announce(world.context())
    disable_scale_up(world.context())
    book = world.ledger.quotas()
    book.freeze(*OTHER, ())
    world.find_life = lambda *_: life
    restore_scale_up(world.context())
    assert (told(managers)[-1] is NoticeState.SCALE_UNLOCK) is life.is_over
    assert nova.limits[PROJECT] == (LIMITS if life.is_over else USED)


def test_what_was_found_is_in_the_report_after_a_second_try(
    world: World, nova: FakeQuotas, managers: ScriptedManagers, tmp_path: Path
) -> None:
    del managers
    announce(world.context())
    disable_scale_up(world.context())
    nova.limits[PROJECT]["instances"] = 7
    nova.unified = True
    assert "cannot be restored" in restore_scale_up(world.context())[0]
    assert "cannot be restored" in codes(world, tmp_path)["quota_not_restored"]
    nova.unified = False
    (words,) = restore_scale_up(world.context())
    assert "quota instances was set to 7 meanwhile" in words
    assert restore_scale_up(world.context()) == ()
    assert codes(world, tmp_path)["quota_not_restored"] == words


def test_a_restore_that_was_cut_off_is_in_the_report(
    world: World, nova: FakeQuotas, managers: ScriptedManagers, tmp_path: Path
) -> None:
    del managers, nova
    announce(world.context())
    disable_scale_up(world.context())
    assert "is frozen at 2 still, it was 10" in codes(world, tmp_path)["quota_not_restored"]


def codes(world: World, folder: Path) -> dict[str, str]:
    """Conclude; return the findings of the report by their codes."""
    conclude(world.context(), folder)
    report = world.recorded.document(Document.REPORT)
    return {row["code"]: row["message"] for row in report["findings"]}
