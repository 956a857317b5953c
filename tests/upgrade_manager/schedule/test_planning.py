from dataclasses import replace

import pytest
from tests.builders import (
    BUNDLE,
    DOMAIN,
    NOW,
    disabled,
    down,
    leased,
    make_cloud,
    make_node,
    make_plan,
    make_server,
)

from escalator.model.bundle import Component
from escalator.model.campaign import CampaignPlan, CampaignRequest, RunOf, UpgradeMode
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError, PlanInfeasibleError
from escalator.model.feature import Feature
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.planning import order_targets, plan_campaign, revalidate_plan
from escalator.upgrade_manager.state.capacity import CapacityBook


def planned(snapshot: CloudSnapshot, **asked: object) -> CampaignPlan:
    request = CampaignRequest(**{"cloud": "lab", "domain": DOMAIN, "bundle": "nova-34", **asked})  # type: ignore[arg-type]
    return plan_campaign(request, campaign="dag", run_id="run-1", snapshot=snapshot, bundle=BUNDLE)


def test_fewest_resources_in_use_first_then_by_name() -> None:
    nodes = [make_node("full"), make_node("d"), make_node("c"), make_node("used", usage={"MEMORY_MB": 512})]
    plan = planned(make_cloud(nodes, [make_server("s", "full")]), window_end=NOW)
    assert plan.hosts == ("c", "d", "used", "full")
    assert (plan.campaign, plan.run_id, plan.target_version) == ("dag", "run-1", "34.0.0")
    assert plan.window_end == NOW


def test_equal_memory_is_told_apart_by_vcpus() -> None:
    nodes = [make_node("a", usage={"VCPU": 4}), make_node("b", usage={"VCPU": 2})]
    assert planned(make_cloud(nodes)).hosts == ("b", "a")


def test_only_the_domain_or_only_what_was_asked_for() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b"), make_node("far", domain="cell1/az1/fast")])
    assert planned(snapshot).hosts == ("a", "b")
    assert planned(snapshot, hosts=("b",)).hosts == ("b",)


def test_nodes_that_will_be_skipped_or_held_stay_in_the_plan() -> None:
    own = make_plan("held")
    nodes = [
        make_node("a"),
        make_node("up", upgraded=True),
        disabled(make_node("off")),
        down(make_node("dead")),
        leased(make_node("held"), own),
    ]
    assert set(planned(make_cloud(nodes), hosts=("a", "up", "off", "dead", "held", "gone")).hosts) == {
        "a",
        "up",
        "off",
        "dead",
        "held",
        "gone",
    }


def test_a_finished_cloud_is_no_error() -> None:
    assert planned(make_cloud([make_node("a", upgraded=True)])).hosts == ("a",)


def test_nothing_can_be_done_names_every_reason() -> None:
    nodes = [
        disabled(make_node("off")),
        down(make_node("dead")),
        make_node("full"),
        make_node("small", memory=1024, domain="d2"),
    ]
    snapshot = make_cloud(nodes, [make_server("s", "full")])
    with pytest.raises(PlanInfeasibleError) as caught:
        planned(snapshot, hosts=("off", "dead", "full", "gone"))
    assert {v.subject.id: v.code for v in caught.value.blockers} == {
        "off": Code.DISABLED_BY_OTHERS,
        "dead": Code.NODE_DOWN,
        "full": Code.CAPACITY,
        "gone": Code.NODE_UNKNOWN,
    }
    assert "broken fan" in str(caught.value)
    assert all(v.remedy for v in caught.value.blockers)


def test_a_node_out_now_may_return_and_make_room() -> None:
    nodes = [make_node("full"), leased(make_node("out"), make_plan("out", campaign="other"))]
    assert planned(make_cloud(nodes, [make_server("s", "full")]), hosts=("full",)).hosts == ("full",)
    nodes[1] = leased(make_node("out"), make_plan("out", campaign="other"), LeaseMark.FAILED)
    with pytest.raises(PlanInfeasibleError):
        planned(make_cloud(nodes, [make_server("s", "full")]), hosts=("full",))


def test_an_empty_domain_is_infeasible() -> None:
    with pytest.raises(PlanInfeasibleError, match="has none"):
        planned(make_cloud([make_node("far", domain="elsewhere")]))


def test_a_bundle_without_nova_compute_is_refused() -> None:
    bundle = type(BUNDLE)(
        name="x", components=(Component(name="qemu", to="9.0"),), mechanism=BUNDLE.mechanism
    )
    request = make_plan("a").request
    with pytest.raises(InvalidRequestError, match="brings no nova-compute"):
        plan_campaign(
            request, campaign="dag", run_id="r", snapshot=make_cloud([make_node("a")]), bundle=bundle
        )


def test_a_node_that_another_run_has_out_is_waited_for() -> None:
    out = leased(make_node("a"), make_plan("a", campaign="other"))
    assert planned(make_cloud([out])).hosts == ("a",)


def test_upgraded_but_disabled_by_a_person_is_nothing_to_do() -> None:
    with pytest.raises(PlanInfeasibleError) as caught:
        planned(make_cloud([disabled(make_node("a", upgraded=True))]))
    assert [v.code for v in caught.value.blockers] == [Code.DISABLED_BY_OTHERS]


def test_a_plan_is_kept_while_only_servers_move() -> None:
    before = make_cloud(
        [make_node("a"), make_node("b"), make_node("c")], [make_server("s", "a"), make_server("t", "b")]
    )
    plan = planned(before)
    moved = make_cloud(before.nodes, [replace(before.servers[0], host="c"), before.servers[1]])
    assert revalidate_plan(plan, moved) is plan


def test_a_changed_cloud_is_planned_anew_without_losing_a_node() -> None:
    before = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")])
    plan = planned(before)
    assert plan.hosts == ("b", "a")
    after = make_cloud(before.nodes, [make_server("s", "a"), *(make_server(f"n{i}", "b") for i in range(3))])
    again = revalidate_plan(plan, after)
    assert again.hosts == ("a", "b")
    assert revalidate_plan(again, after) is again
    assert again.lease("a") == plan.lease("a")


def test_a_plan_of_an_earlier_release_has_no_fingerprint_and_stays() -> None:
    before = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")])
    plan = replace(planned(before), fingerprint="")
    assert revalidate_plan(plan, make_cloud(before.nodes)) is plan


def test_a_plan_knows_what_nova_would_refuse() -> None:
    off = make_server("off", "a", power_state="shutdown")
    graphics = make_server("gpu", "b", features=frozenset({Feature.VGPU}))
    nodes = [make_node("a"), make_node("b", versions={"hypervisor": "8.0.0"})]
    snapshot = make_cloud(nodes, [off, graphics])
    barred = order_targets(CapacityBook(snapshot), ["a", "b"], mode=UpgradeMode.SMOOTH).barred
    assert [verdict.code for verdict in barred.values()] == [Code.SERVER_POWER_STATE, Code.SERVER_REFUSED]


def test_what_takes_a_run_back_keeps_its_order_also_when_the_cloud_changes() -> None:
    nodes = [make_node("empty"), make_node("full"), make_node("other"), make_node("spare", upgraded=True)]
    cloud = make_cloud(nodes, [make_server("s", "full"), make_server("t", "other")])
    request = CampaignRequest(cloud="lab", domain=DOMAIN, bundle="nova-34-back")
    upgrade = make_plan("empty", "full", "other")
    out = disabled(nodes[2], upgrade.lease("other").marked(LeaseMark.FAILED).render())
    left = replace(cloud, nodes=(*nodes[:2], out, nodes[3]))
    plan = plan_campaign(
        request,
        campaign="rollback__lab",
        run_id="run-2",
        snapshot=left,
        bundle=BUNDLE,
        hosts=("other", "full", "empty"),
        undoes=RunOf(campaign=upgrade.campaign, run_id=upgrade.run_id, version="34.0.0"),
    )
    assert plan.hosts == ("other", "full", "empty")
    assert plan.undoes is not None
    changed = replace(left, servers=(*left.servers, make_server("u", "full")))
    assert revalidate_plan(plan, changed).hosts == plan.hosts
    assert revalidate_plan(plan, changed).fingerprint != plan.fingerprint
    as_an_upgrade = replace(plan, undoes=None)
    assert revalidate_plan(as_an_upgrade, changed).hosts == ("empty", "full", "other")
