from __future__ import annotations

from dataclasses import replace

from tests.builders import (
    BUNDLE,
    make_cloud,
    make_node,
)

from escalator.model.bundle import Component, VenvMechanism
from escalator.model.campaign import RunOf
from escalator.model.verdict import Code
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.state.targets import mark_targets

GOOD = replace(
    BUNDLE,
    mechanism=VenvMechanism(venv="/opt/nova", package="nova", service="nova-compute"),
    rollback_supported=True,
)


def test_a_component_that_is_not_novas_may_step_over_more_majors() -> None:
    libvirt = replace(GOOD, components=(*GOOD.components, Component(name="hypervisor", to="10.0.0")))
    aged = make_cloud(
        [make_node(host, versions={"nova-compute": "33.0.2", "hypervisor": "6.2.0"}) for host in "ab"]
    )
    plan = plan_of_check(aged, ["a", "b"], bundle=libvirt)
    said = [c.message for c in check_upgrade(ask(plan, aged, bundle=libvirt)).conditions]
    assert "hypervisor on a, b: from 6.2.0 to 10.0.0 is a major step" in said


def test_packages_are_judged_in_the_scheme_of_the_bundle() -> None:
    debian = replace(GOOD, components=(Component(name="nova-compute", to="3:34.0.0-0ubuntu1", scheme="deb"),))
    reported = {"a": "3:33.0.2-0ubuntu1", "b": "33.0.2"}
    snapshot = make_cloud([make_node(host, versions={"nova-compute": v}) for host, v in reported.items()])
    plan = plan_of_check(snapshot, ["a", "b"], bundle=debian)
    report = check_upgrade(ask(plan, snapshot, bundle=debian))
    assert sum(c.code is Code.VERSION_STEP for c in report.conditions) == 2
    assert report.met


def test_a_node_that_stays_too_far_behind_blocks_though_it_is_no_target() -> None:
    snapshot = make_cloud(
        [
            make_node("a", versions={"nova-compute": "33.0.0"}),
            make_node("b", versions={"nova-compute": "31.0.0"}),
        ]
    )
    report = check_upgrade(ask(plan_of_check(snapshot, ["a"], bundle=GOOD), snapshot, bundle=GOOD))
    (blocker,) = [c for c in report.conditions if c.blocks]
    assert (blocker.code, blocker.message) == (
        Code.VERSION_TOO_FAR,
        "b would stay at nova-compute 31.0.0, too far behind 34.0.0",
    )


def test_an_older_revision_is_a_downgrade_and_a_newer_one_is_pending() -> None:
    wanted = "3:29.2.0-0ubuntu1.4~cloud0"
    debian = replace(GOOD, components=(Component(name="nova-compute", to=wanted, scheme="deb"),))
    reported = {"a": "3:29.2.0-0ubuntu1~cloud0", "b": "3:29.2.0-0ubuntu2~cloud0", "c": wanted}
    nodes = [make_node(host, versions={"nova-compute": version}) for host, version in reported.items()]
    snapshot = mark_targets(make_cloud(nodes), debian)
    hosts = [node.host for node in snapshot.nodes if node.target]
    assert hosts == ["a", "b"]
    question = ask(plan_of_check(snapshot, hosts, bundle=debian), snapshot, bundle=debian)
    assert question.pending == ("a", "b")
    (blocker,) = [c for c in check_upgrade(question).conditions if c.blocks]
    assert (blocker.code, blocker.hosts) == (Code.VERSION_DOWNGRADE, ("b",))


def test_a_step_back_is_what_a_rollback_is_for() -> None:
    ahead = make_cloud([make_node(host, versions={"nova-compute": "35.0.0"}) for host in "ab"])
    plan = plan_of_check(ahead, ["a", "b"], bundle=GOOD)
    codes = {c.code for c in check_upgrade(ask(plan, ahead, bundle=GOOD)).unmet}
    assert Code.VERSION_DOWNGRADE in codes
    back = replace(plan, undoes=RunOf(campaign="upgrade__lab", run_id="run-1", version="34.0.0"))
    report = check_upgrade(ask(back, ahead, bundle=GOOD))
    assert Code.VERSION_DOWNGRADE not in {c.code for c in report.unmet}
    assert "nova-compute on a, b: 34.0.0 is older than 35.0.0" in [c.message for c in report.conditions]


def test_a_downgrade_has_to_be_allowed_and_says_how() -> None:
    ahead = make_cloud([make_node(host, versions={"nova-compute": "35.0.0"}) for host in "ab"])
    plan = plan_of_check(ahead, ["a", "b"], bundle=GOOD)
    (refused,) = [c for c in check_upgrade(ask(plan, ahead, bundle=GOOD)).conditions if c.blocks]
    assert (refused.code, "allow_downgrade" in refused.remedy) == (Code.VERSION_DOWNGRADE, True)
    allowed = replace(plan, request=replace(plan.request, allow_downgrade=True))
    assert not [c for c in check_upgrade(ask(allowed, ahead, bundle=GOOD)).conditions if c.blocks]
