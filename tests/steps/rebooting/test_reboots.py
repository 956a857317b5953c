"""Reboots in the step upgrade: ordered once, proved by another boot, waited for in limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_boots import FakeBoots
from tests.steps.fake_records import KilledError
from tests.steps.reboot_bundles import make_reboot_bundle
from tests.steps.worlds import BUNDLE, EMPTY_CLOUD, NEW, NODE, OLD, World

from escalator.model.boot import RebootSigns
from escalator.model.bundle import Bundle, Impact, RebootPolicy
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import LoginRefusedError, NodeFaultError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code

ALWAYS = replace(
    BUNDLE,
    impact=Impact.REBOOT,
    reboot=RebootPolicy.ALWAYS,
    reboot_limit_seconds=600.0,
    hooks={"post": ("c",)},
)
IF_REQUIRED = replace(ALWAYS, reboot=RebootPolicy.IF_REQUIRED)
WANTING = RebootSigns(flag="/run/reboot-required", kernel="6.1.0-9-amd64")


def emptied(world: World, bundle: Bundle = ALWAYS) -> World:
    world.bundle = bundle
    world.run_up_to(Step.MIGRATE)
    return world


@pytest.fixture
def empty(world: World) -> World:
    return emptied(world)


def boots(world: World) -> FakeBoots:
    return world.nodes[NODE].boots


def test_a_node_is_rebooted_when_its_software_was_switched_and_before_post(empty: World) -> None:
    began = empty.clock.now
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK
    assert (empty.nodes[NODE].switched, boots(empty).orders, boots(empty).boot_id) == (1, 1, "boot-2")
    assert result.message.startswith("activated in 0.0 s; rebooted in 3")
    details = result.details["reboot"]
    assert isinstance(details, dict)
    assert (details["boot_before"], details["boot"], details["system"]) == ("boot-1", "boot-2", "running")
    assert [hook.when for hook in empty.hooked] == ["post"]
    order = empty.facts().reboot
    assert order is not None
    assert order.boot_id == "boot-1"
    assert order.back_at is not None
    assert empty.facts().restarted_at == boots(empty).began > began
    assert float(str(result.details["upgrade_seconds"])) >= 34
    assert empty.run(Step.VERIFY).outcome is Outcome.OK
    assert empty.progress().message.startswith(f"runs {NEW}, rebooted at ")
    empty.run(Step.RELEASE)
    assert empty.enabled()


def test_a_second_run_does_not_reboot_again(empty: World) -> None:
    empty.run(Step.UPGRADE)
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, boots(empty).orders) == (Outcome.OK, 1)
    assert "it was rebooted at" in result.message
    empty.nodes[NODE].running = OLD  # somebody went back: what is activated anew is rebooted anew
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert (empty.nodes[NODE].running, boots(empty).orders) == (NEW, 2)


def test_killed_anywhere_and_run_again_it_reboots_once(make_world: MakeWorld) -> None:
    whole = quick(make_world())
    before = whole.fuse.burnt
    whole.run(Step.UPGRADE)
    for count in range(whole.fuse.burnt - before):
        world, pause = quick(make_world()), (0.0, 5.0, 3600.0)[count % 3]
        world.fuse.left = count
        with pytest.raises(KilledError):
            world.run(Step.UPGRADE)
        world.clock.sleep(pause)
        assert world.run(Step.UPGRADE).outcome is Outcome.OK, (count, pause)
        assert (world.nodes[NODE].running, world.nodes[NODE].switched) == (NEW, 1), (count, pause)
        assert (boots(world).orders, boots(world).boot_id) == (1, "boot-2"), (count, pause)
        assert world.hooked[-1].when == "post"


def quick(world: World) -> World:
    """Return a world whose node is back at the third look."""
    boots(emptied(world)).stops, boots(world).away = 4.0, 1.0
    return world


def test_a_node_that_does_not_come_back_is_failed_and_says_since_when_it_is_silent(empty: World) -> None:
    boots(empty).comes_back = False
    began = empty.clock.now
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "node-01 did not come back from its reboot: ordered at " in result.message
    assert f"silent since {(began + timedelta(seconds=3)).isoformat()[:18]}" in result.message
    assert "given up after 10 min" in result.message
    assert timedelta(minutes=10) <= empty.clock.now - began < timedelta(minutes=11)
    empty.run(Step.RELEASE)
    assert ":FAILED [reboot_overdue] node-01 did not come back" in str(empty.service().disabled_reason)
    boots(empty).comes_back = True  # a person switches it on, and clears the task
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert (boots(empty).orders, empty.nodes[NODE].switched) == (1, 1)


def test_silence_is_counted_from_the_last_answer_whoever_was_killed_since(empty: World) -> None:
    boots(empty).comes_back = False
    sleep, began = empty.clock.sleep, empty.clock.now

    def killed(seconds: float) -> None:
        sleep(seconds)
        if empty.clock.now > began + timedelta(minutes=2):
            raise KilledError

    empty.clock.sleep = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        empty.run(Step.UPGRADE)
    empty.clock.sleep = sleep  # type: ignore[method-assign]
    sleep(240)
    result = empty.run(Step.UPGRADE)
    assert f"silent since {(began + timedelta(seconds=3)).isoformat()[:18]}" in result.message
    assert empty.clock.now - began < timedelta(minutes=11)  # the deadline is that of the order


def test_a_node_that_a_person_mends_late_is_waited_for_a_minute(empty: World) -> None:
    boots(empty).comes_back = False
    empty.run(Step.UPGRADE)
    empty.clock.sleep(7200)
    began = empty.clock.now
    assert empty.run(Step.UPGRADE).code is Code.REBOOT_OVERDUE
    assert timedelta(seconds=60) <= empty.clock.now - began < timedelta(seconds=90)


def test_a_node_that_does_not_obey_is_ordered_again_and_failed_as_one_that_answers(empty: World) -> None:
    boots(empty).obeys = False
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "does not reboot: 10 min" in result.message
    assert "still in the boot that was to end (boot-1), and systemd says running" in result.message
    boots(empty).obeys = True
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(empty).orders == 1


def test_an_order_that_is_lost_on_its_way_is_given_again(empty: World) -> None:
    boots(empty).obeys = False
    sleep, began = empty.clock.sleep, empty.clock.now

    def late(seconds: float) -> None:
        sleep(seconds)
        boots(empty).obeys = empty.clock.now > began + timedelta(seconds=20)

    empty.clock.sleep = late  # type: ignore[method-assign]
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(empty).orders == 1


def test_an_order_whose_answer_says_failed_counts_where_the_node_goes_down(
    empty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_down = True

    def order(_shell: object, _boot_id: str) -> None:
        if goes_down:
            boots(empty).reboot()
        raise NodeFaultError("systemctl reboot: Transport endpoint", code=Code.REBOOT_FAILED)

    monkeypatch.setattr("escalator.steps.rebooting.reboots.order_reboot", order)
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(empty).orders == 1
    goes_down, empty.nodes[NODE].running = False, OLD
    assert empty.run(Step.UPGRADE).code is Code.REBOOT_FAILED


@pytest.mark.parametrize("refusal", [TransientError("reset"), LoginRefusedError("System is going down")])
def test_an_order_that_is_cut_off_by_the_reboot_itself_is_good(
    empty: World, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    def order(_shell: object, _boot_id: str) -> None:
        boots(empty).reboot()
        raise refusal

    monkeypatch.setattr("escalator.steps.rebooting.reboots.order_reboot", order)
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(empty).orders == 1


@pytest.mark.parametrize(
    "refusal",
    [
        LoginRefusedError("System is booting up"),
        NodeFaultError("the host key is not the known one", code=Code.NODE_UNREACHABLE),
        TransientError("no route to host"),
    ],
)
def test_whatever_answers_while_the_node_comes_up_is_not_the_node(empty: World, refusal: Exception) -> None:
    boots(empty).refusal = refusal  # type: ignore[assignment]
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    boots(empty).comes_back = False
    empty.nodes[NODE].running = OLD
    assert str(refusal) in empty.run(Step.UPGRADE).message


def test_a_system_that_comes_up_is_waited_for_and_what_failed_is_said(empty: World) -> None:
    boots(empty).system, boots(empty).failed = "degraded", "smartd.service"
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK
    assert result.message.endswith(", its system is degraded: smartd.service")
    boots(empty).system = "starting"
    empty.nodes[NODE].running = OLD
    began = empty.clock.now
    assert empty.run(Step.UPGRADE).message.endswith(", its system is starting: smartd.service")
    assert timedelta(minutes=5) < empty.clock.now - began < timedelta(minutes=7)


def test_only_a_node_that_asks_for_it_is_rebooted_if_required(world: World) -> None:
    emptied(world, IF_REQUIRED)
    result = world.run(Step.UPGRADE)
    assert result.message == "activated in 0.0 s; nothing asks for a reboot"
    assert (boots(world).orders, world.facts().reboot) == (0, None)
    boots(world).signs = WANTING
    assert "rebooted in" in world.run(Step.UPGRADE).message
    assert "it was rebooted at" in world.run(Step.UPGRADE).message  # it asks still: never in a circle
    assert boots(world).orders == 1


def test_a_program_that_breaks_asks_for_a_reboot_and_the_report_says_why(world: World) -> None:
    emptied(world, IF_REQUIRED)
    boots(world).signs = RebootSigns(needs_restarting=2)
    result = world.run(Step.UPGRADE)
    assert boots(world).orders == 1
    assert "(needs-restarting -r failed with exit code 2: whether a reboot is required is not known)" in (
        result.message
    )
    details = result.details["reboot"]
    assert isinstance(details, dict)
    assert len(details["reasons"]) == 1


def test_a_node_that_is_taken_away_while_it_is_read_is_not_rebooted(empty: World) -> None:
    activate = empty.nodes[NODE].activate

    def taken(version: str) -> object:
        done = activate(version)
        empty.cloud.person_enables(NODE)
        return done

    empty.nodes[NODE].activate = taken  # type: ignore[method-assign,assignment]
    assert empty.run(Step.UPGRADE).code is Code.LEASE_LOST
    assert boots(empty).orders == 0


def only_reboots(
    world: World, name: str, policy: RebootPolicy = RebootPolicy.ALWAYS, **fields: object
) -> World:
    """Open a campaign whose bundle brings nothing and reboots."""
    bundle, document = make_reboot_bundle(name, policy)
    world.bundle = replace(bundle, **fields)  # type: ignore[arg-type]
    world.plan = world.make_plan(f"run of {name}", bundle=name)
    run = world.ledger.run(world.plan.campaign, world.plan.run_id)
    run.open(
        world.plan,
        dag_id=world.plan.campaign,
        bundle_document=document,
        snapshot_before=EMPTY_CLOUD,
        now=world.clock.now,
    )
    world.run_up_to(Step.MIGRATE)
    return world


def test_a_bundle_that_brings_nothing_reboots_each_node_once(world: World) -> None:
    only_reboots(world, "reboot-once")
    result = world.run(Step.UPGRADE)
    assert (result.outcome, boots(world).orders) == (Outcome.OK, 1)
    assert result.message.startswith("the bundle brings nothing to the node; rebooted in")
    assert world.facts().upgrade_begun is not None
    assert world.progress().state is NodeState.UPGRADED
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(world).orders == 1
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert world.progress().message.startswith("proved, rebooted at ")
    world.run(Step.RELEASE)
    assert world.enabled()


def test_a_node_that_somebody_rebooted_after_the_start_is_not_rebooted_again(world: World) -> None:
    only_reboots(world, "reboot-by-hand")
    boots(world).reboot()
    world.clock.sleep(60)
    result = world.run(Step.UPGRADE)
    assert (result.outcome, boots(world).orders) == (Outcome.OK, 1)
    assert "it has rebooted at" in result.message
    assert world.facts().upgrade_begun is None


def test_what_was_flashed_before_a_reboot_wants_a_reboot_after_it(world: World) -> None:
    only_reboots(world, "reboot-firmware", hooks={"pre": ("flash",)})
    boots(world).reboot()
    world.clock.sleep(60)
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(world).orders == 2


def test_a_node_that_asks_for_nothing_is_left_as_it_is(world: World) -> None:
    only_reboots(world, "reboot-if-required", RebootPolicy.IF_REQUIRED)
    result = world.run(Step.UPGRADE)
    assert result.message == "the bundle brings nothing to the node; nothing asks for a reboot"
    assert boots(world).orders == 0


def test_a_node_whose_reboot_is_still_to_come_is_not_proved(empty: World) -> None:
    boots(empty).obeys = False
    assert empty.run(Step.UPGRADE).code is Code.REBOOT_OVERDUE
    result = empty.run(Step.VERIFY)  # a person clears that in place of the upgrade
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "node-01 has not rebooted since it was ordered to at " in result.message
    assert "clear node-01.upgrade with downstream" in result.message
    empty.run(Step.RELEASE)
    assert not empty.enabled()
    boots(empty).obeys = True
    boots(empty).reboot()  # by a person's hand
    empty.clock.sleep(60)
    assert empty.run(Step.VERIFY).outcome is Outcome.OK


@pytest.mark.parametrize("brings", [True, False])
def test_a_node_whose_upgrade_was_passed_over_before_its_reboot_is_not_proved(
    world: World, *, brings: bool
) -> None:
    if brings:
        emptied(world)
        world.nodes[NODE].running = world.nodes[NODE].installed = NEW
    else:
        only_reboots(world, "reboot-passed-over")
    world.run(Step.SWITCHOVER)
    result = world.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "was not rebooted by its upgrade" in result.message


def test_what_is_activated_anew_is_rebooted_whoever_is_killed_in_between(empty: World) -> None:
    empty.run(Step.UPGRADE)
    node = empty.nodes[NODE]
    node.running = OLD  # somebody went back
    activate = node.activate

    def killed(version: str) -> object:
        node.activate = activate  # type: ignore[method-assign]
        activate(version)
        raise KilledError

    node.activate = killed  # type: ignore[method-assign,assignment]
    with pytest.raises(KilledError):
        empty.run(Step.UPGRADE)
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert (node.running, boots(empty).orders) == (NEW, 2)
