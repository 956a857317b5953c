from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.worlds import BUNDLE, NODE, World

from escalator.model.campaign import RunOf, Step
from escalator.model.cloud import ResourceInventory
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.proving.placement import check_allocations, check_provider, record_before


@pytest.fixture
def upgraded(world: World) -> World:
    world.boot("web")
    world.run_up_to(Step.UPGRADE)
    return world


def test_what_placement_has_of_a_node_is_remembered_before_it_changes(world: World) -> None:
    world.run_up_to(Step.PRECHECK)
    provider = world.facts().provider
    assert provider is not None
    assert provider.traits == world.cloud.hosts[NODE].traits
    assert provider.inventory == world.cloud.hosts[NODE].inventory
    assert world.facts().strays == ()


def test_a_node_that_is_what_it_was_is_proved_in_few_calls(upgraded: World) -> None:
    calls: list[str] = []
    upgraded.cloud.before = calls.append
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert (calls.count("fetch_provider"), calls.count("fetch_consumers")) == (1, 1)
    assert "fetch_migrations" not in calls


def change_reserved(world: World) -> str:
    world.cloud.hosts[NODE].inventory["VCPU"] = ResourceInventory(total=64, reserved=4)
    return "VCPU reserved 0 -> 4"


def change_ratio(world: World) -> str:
    world.cloud.hosts[NODE].inventory["VCPU"] = ResourceInventory(total=64, allocation_ratio=16.0)
    return "VCPU allocation ratio 1 -> 16"


def offer_more_cpus(world: World) -> str:
    world.cloud.hosts[NODE].inventory["VCPU"] = ResourceInventory(total=96)
    return "VCPU total 64 -> 96"


def lose_trait(world: World) -> str:
    world.cloud.hosts[NODE].traits = ("COMPUTE_NODE",)
    return "trait HW_CPU_X86_TSX -> gone"


def leave_aggregate(world: World) -> str:
    world.cloud.hosts[NODE].aggregates = ()
    return "aggregates a-general -> none"


CHANGES = (change_reserved, change_ratio, offer_more_cpus, lose_trait, leave_aggregate)


@pytest.mark.parametrize("change", CHANGES)
def test_a_node_that_is_another_for_placement_is_not_proved(upgraded: World, change: object) -> None:
    said = change(upgraded)  # type: ignore[operator]
    result = upgraded.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.PROVIDER_CHANGED)
    assert said in result.message
    assert "canary" not in upgraded.verbs()


@pytest.mark.parametrize(
    ("change", "expected"), [(change_reserved, "VCPU"), (lose_trait, "HW_CPU_*"), (change_ratio, "V*U")]
)
def test_what_the_bundle_means_to_change_is_good(upgraded: World, change: object, expected: str) -> None:
    upgraded.bundle = replace(BUNDLE, expected_changes=(expected,))
    change(upgraded)  # type: ignore[operator]
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_a_class_that_the_bundle_takes_away_is_not_missed(world: World) -> None:
    world.bundle = replace(BUNDLE, expected_changes=("VGPU",))
    host = world.cloud.hosts[NODE]
    host.inventory = {**host.inventory, "VGPU": ResourceInventory(total=4)}
    world.run_up_to(Step.UPGRADE)
    del host.inventory["VGPU"]
    assert world.run(Step.VERIFY).outcome is Outcome.OK


def test_a_trait_that_came_is_no_difference(upgraded: World) -> None:
    upgraded.cloud.hosts[NODE].traits = ("COMPUTE_NEW", "COMPUTE_NODE", "HW_CPU_X86_TSX")
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_traits_that_come_with_the_first_report_are_waited_for(upgraded: World) -> None:
    host, looks = upgraded.cloud.hosts[NODE], []
    had, host.traits = host.traits, ()

    def look(method: str) -> None:
        if method == "fetch_provider":
            looks.append(method)
            host.traits = had if len(looks) == 4 else ()

    upgraded.cloud.before = look
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert len(looks) == 4


def test_what_was_there_before_is_kept_when_a_mended_node_comes_again(upgraded: World) -> None:
    lose_trait(upgraded)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.FAILED
    upgraded.run(Step.RELEASE)
    upgraded.admit()
    upgraded.run(Step.PRECHECK)
    assert upgraded.run(Step.VERIFY).code is Code.PROVIDER_CHANGED


def test_an_allocation_of_nobody_is_named_and_not_deleted(upgraded: World) -> None:
    upgraded.cloud.hosts[NODE].strays = ("3f-left",)
    result = upgraded.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.ALLOCATION_LEFT)
    assert "3f-left" in result.message
    assert f"placement audit --resource_provider provider-{NODE}" in result.message


@pytest.mark.parametrize("whose", ["server", "migration"])
def test_an_allocation_of_a_server_that_was_deleted_while_it_moved_fails_no_node(
    upgraded: World, whose: str
) -> None:
    (move,) = [m.record() for m in upgraded.cloud.moves if m.record().server_id == "web"]
    upgraded.cloud.delete("web")
    upgraded.cloud.hosts[NODE].strays = (move.uuid if whose == "migration" else "web",)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


@pytest.mark.parametrize("left", [("3f-unseen",), ("3f-unseen", "3f-other")])
def test_the_allocation_of_a_move_that_was_never_seen_is_the_deleted_servers(
    upgraded: World, left: tuple[str, ...]
) -> None:
    upgraded.cloud.delete("web")
    upgraded.cloud.moves.clear()  # Nova forgets a server's migrations with it
    upgraded.cloud.hosts[NODE].strays = left
    one_for_one = len(left) == 1
    assert upgraded.run(Step.VERIFY).outcome is (Outcome.OK if one_for_one else Outcome.FAILED)


@pytest.mark.parametrize("whose", ["server", "migration"])
def test_an_allocation_of_a_server_that_runs_elsewhere_is_left_over(upgraded: World, whose: str) -> None:
    (move,) = [m.record() for m in upgraded.cloud.moves if m.record().server_id == "web"]
    upgraded.cloud.hosts[NODE].strays = (move.uuid if whose == "migration" else "web",)
    assert upgraded.run(Step.VERIFY).code is Code.ALLOCATION_LEFT


def test_an_allocation_that_goes_in_time_is_waited_for(upgraded: World) -> None:
    host, looks = upgraded.cloud.hosts[NODE], []

    def look(method: str) -> None:
        if method == "fetch_consumers":
            looks.append(method)
            host.strays = () if len(looks) > 2 else ("3f-going",)

    upgraded.cloud.before = look
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_an_allocation_that_was_left_before_is_told_and_fails_no_node(world: World) -> None:
    world.cloud.hosts[NODE].strays = ("3f-old",)
    result = world.run_up_to(Step.PRECHECK)
    assert result is not None
    assert result.outcome is Outcome.OK
    assert any("3f-old" in str(v) for v in result.details["verdicts"])  # type: ignore[union-attr]
    for step in (Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE):
        world.run(step)
    assert world.run(Step.VERIFY).outcome is Outcome.OK


def test_what_a_drain_of_the_run_left_is_never_taken_for_older(world: World) -> None:
    world.run_up_to(Step.PRECHECK)
    world.cloud.hosts[NODE].strays = ("3f-left",)
    for step in (Step.PRECHECK, Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE):
        world.run(step)
    assert world.run(Step.VERIFY).code is Code.ALLOCATION_LEFT


def test_a_server_that_stays_is_no_stray(world: World) -> None:
    world.boot("kept")
    world.pairs, world.mode = (("kept", "other"),), "load-balanced"
    world.boot("other", "node-02")
    world.run_up_to(Step.UPGRADE)
    assert world.cloud.guests["kept"].host == NODE
    assert world.run(Step.VERIFY).outcome is Outcome.OK


def test_a_node_with_another_provider_is_not_proved(upgraded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = upgraded.cloud.fetch_hypervisor
    monkeypatch.setattr(upgraded.cloud, "fetch_hypervisor", lambda host: replace(fetch(host), id="rp-new"))
    result = upgraded.run(Step.VERIFY)
    assert result.code is Code.PROVIDER_CHANGED
    assert f"resource provider provider-{NODE} -> rp-new" in result.message


def test_what_only_newer_releases_report_is_not_missed_on_the_way_to_an_older_one(world: World) -> None:
    for host in world.hosts:
        world.nodes[host].running = world.nodes[host].installed = "35.0.0"
    world.run_up_to(Step.UPGRADE)
    assert world.facts().from_version == "35.0.0"
    lose_trait(world)
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    world.cloud.hosts[NODE].aggregates = ()
    assert world.run(Step.VERIFY).code is Code.PROVIDER_CHANGED


def test_a_rollback_compares_what_no_upgrade_changes(world: World) -> None:
    world.plan = replace(world.plan, undoes=RunOf(campaign="c", run_id="r", version="35.0.0"))
    step = world.begin(Step.PRECHECK)
    world.cloud.hosts[NODE].strays = ("3f-left",)
    (told,) = record_before(step)
    assert "3f-left" in told.message
    for change in CHANGES[:-1]:
        change(world)
    assert check_provider(step) == ()
    leave_aggregate(world)
    assert [v.code for v in check_provider(step)] == [Code.PROVIDER_CHANGED]
    assert check_allocations(step) == ()
