"""The order that a plan shows, a simulation plays and a campaign keeps is one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from tests.builders import BUNDLE, DOMAINS, make_cloud, make_server, make_target
from tests.simulator.fleets import fleets, some

from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, CampaignRequest, UpgradeMode
from escalator.model.cloud import CloudSnapshot, ServiceStatus
from escalator.model.durations import DEFAULT_DURATIONS, History
from escalator.model.errors import PlanInfeasibleError
from escalator.plans.plan import make_plan
from escalator.simulator.options import SimulationOptions, make_options
from escalator.simulator.played_cloud import open_played_cloud
from escalator.upgrade_manager.drain.durations import learn
from escalator.upgrade_manager.schedule.planning import plan_campaign, revalidate_plan
from escalator.upgrade_manager.state.targets import mark_targets


def plan_of(snapshot: CloudSnapshot, hosts: list[str]) -> CampaignPlan | None:
    """Plan the upgrade of some hosts, as check_conditions does; None when none can be upgraded."""
    request = CampaignRequest(cloud="fleet", domain=DOMAINS[0], bundle="nova-34", mode=UpgradeMode.SMOOTH)
    try:
        return plan_campaign(
            request, campaign="dag", run_id="run", snapshot=snapshot, bundle=BUNDLE, hosts=hosts
        )
    except PlanInfeasibleError:
        return None


def options(bundle: Bundle = BUNDLE) -> SimulationOptions:
    return make_options(learn(History(), bundle), max_parallel=1, members_stay=True, mode=UpgradeMode.SMOOTH)


@some
@given(fleets())
def test_the_simulator_plays_the_recorded_order(snapshot: CloudSnapshot) -> None:
    hosts = [n.host for n in snapshot.nodes if n.domain == DOMAINS[0] and not n.upgraded]
    plan = plan_of(snapshot, hosts) if hosts else None
    if plan is not None:
        assert plan.request.hosts == ()
        assert open_played_cloud(mark_targets(snapshot, hosts=hosts), options()).order.hosts == plan.hosts


@some
@given(fleets())
def test_with_a_disabled_target_nodes_go_as_the_plan_shows(snapshot: CloudSnapshot) -> None:
    nodes = [replace(n, upgraded=False, target=True) for n in snapshot.nodes]
    nodes[0] = replace(nodes[0], status=ServiceStatus.DISABLED, disabled_reason="broken fan")
    disabled = replace(snapshot, nodes=tuple(nodes), ha_groups=())
    servers = tuple(replace(s, ha_group=None, features=frozenset()) for s in snapshot.servers)
    disabled = replace(
        disabled, servers=servers
    )  # whom Nova refuses holds its node: the order is not in question
    plan = plan_of(disabled, [n.host for n in nodes])
    if plan is None:
        return
    made = make_plan(disabled, options(), bundle="nova-34")
    assert sorted(made.hosts) == sorted(plan.hosts)
    shown = [part["host"] for part in made.document["nodes"]]
    assert shown == [host for host in made.hosts if host in shown]
    assert nodes[0].host not in shown
    assert revalidate_plan(replace(plan, fingerprint="old"), disabled).hosts == plan.hosts


def test_nodes_that_do_not_go_as_things_are_come_last() -> None:
    nodes = (
        replace(make_target("off"), status=ServiceStatus.DISABLED, disabled_reason="fan"),
        make_target("broken"),
        make_target("full"),
        make_target("empty"),
    )
    servers = [make_server("e", "broken", vm_state="error"), make_server("s", "full")]
    plan = plan_of(make_cloud(nodes, servers), [n.host for n in nodes])
    assert plan is not None
    assert plan.hosts == ("empty", "full", "broken", "off")


@pytest.mark.parametrize("seconds", [30.0, 1800.0])
def test_a_plan_expects_what_the_bundle_says_of_its_upgrade(seconds: float) -> None:
    snapshot = make_cloud([make_target("a"), make_target("b")])
    slow = make_plan(
        snapshot, options(replace(BUNDLE, expected_upgrade_seconds=seconds)), bundle="nova-34"
    ).document
    rest = sum(q.p50 for step, q in DEFAULT_DURATIONS.steps.items() if step != "upgrade")
    assert slow["expected"]["seconds"] == pytest.approx(2 * (seconds + rest))
