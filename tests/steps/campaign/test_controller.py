from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from tests.steps.worlds import World
from tests.system_support.test_controller import OneAnswer, status

from escalator.model.errors import TransientError
from escalator.model.inventory_settings import Controller
from escalator.model.verdict import Code, Severity
from escalator.steps.campaign.check_conditions import judge
from escalator.steps.campaign.controller import check_controller
from escalator.steps.running.context import CampaignContext


def with_controller(world: World, answer: OneAnswer | Exception) -> CampaignContext:
    """Return the campaign's context in a cloud with a controller, which answers so."""
    context = world.context()

    def connect(host: str) -> Any:
        if host != "ctl-01":
            return world.connect(host)
        if isinstance(answer, Exception):
            raise answer
        return nullcontext(answer)

    inventory = replace(context.inventory, controller=Controller(address="ctl-01"))
    return replace(context, inventory=inventory, connect=connect)


def test_without_a_controller_nobody_is_asked(world: World) -> None:
    assert check_controller(world.context()) == ()
    assert world.connections == []


def test_a_failure_of_novas_own_check_keeps_the_campaign_from_starting(world: World) -> None:
    failing = OneAnswer(status({"check": "Cells v2", "result": 2, "details": "no cell"}), 2)
    report = judge(with_controller(world, failing), world.hosts).report
    assert [c.code for c in report.conditions if c.blocks] == [Code.CONTROL_PLANE_NOT_READY]


def test_a_good_control_plane_is_a_condition_that_is_met(world: World) -> None:
    (condition,) = check_controller(with_controller(world, OneAnswer(status())))
    assert (condition.code, condition.met) == (Code.CONTROL_PLANE, True)


def test_a_controller_that_cannot_be_reached_is_a_warning(world: World) -> None:
    (condition,) = check_controller(with_controller(world, TransientError("no route to ctl-01")))
    assert (condition.code, condition.severity) == (Code.NOT_CHECKED, Severity.WARNING)
    assert "no route to ctl-01" in condition.message
