from __future__ import annotations

from dataclasses import replace

from tests.builders import BUNDLE, make_cloud, make_node

from escalator.model.bundle import Bundle, Component, Impact, RebootPolicy
from escalator.model.check_report import Condition
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check

GOOD = replace(BUNDLE, rollback_supported=True)
SNAPSHOT = make_cloud([make_node(host, versions={"nova-compute": "33.0.2"}) for host in "ab"])


def conditions(bundle: Bundle | None) -> list[Condition]:
    plan = plan_of_check(SNAPSHOT, ["a", "b"], bundle=bundle)
    return list(check_upgrade(ask(plan, SNAPSHOT, bundle=bundle)).conditions)


def unmet(bundle: Bundle | None) -> list[tuple[Code, Severity]]:
    return [(c.code, c.severity) for c in conditions(bundle) if not c.met and c.code is not Code.NOT_CHECKED]


def test_a_complete_bundle_is_met_with_the_class_of_its_step() -> None:
    assert unmet(GOOD) == []
    said = {c.code: c.message for c in conditions(GOOD)}
    assert said[Code.BUNDLE_COMPLETE] == "it names nova-compute and a mechanism that is served, none"
    assert said[Code.VERSION_STEP] == "nova-compute on a, b: from 33.0.2 to 34.0.0 is a step of 1 major"
    assert said[Code.VERSIONS_COMPATIBLE] == "the versions of 2 targets allow the step to bundle nova-34"


def test_without_a_bundle_the_report_says_that_versions_were_not_judged() -> None:
    assert unmet(None) == []
    said = [c.message for c in conditions(None) if c.code is Code.NOT_CHECKED]
    assert "no bundle was named: the steps between versions were not judged" in said


def test_a_bundle_without_nova_compute_is_incomplete() -> None:
    other = replace(GOOD, components=(Component(name="neutron", to="27.0.0"),))
    assert unmet(other) == [
        (Code.BUNDLE_INCOMPLETE, Severity.BLOCKER),
        (Code.VERSION_UNREADABLE, Severity.INFO),
    ]


def test_what_no_step_does_is_refused() -> None:
    unserved = replace(
        GOOD,
        impact=Impact.REBOOT,
        reboot=RebootPolicy.ALWAYS,
        artefacts=({"path": "x"},),
    )
    assert unmet(unserved) == [(Code.BUNDLE_UNSERVED, Severity.BLOCKER)]
    (message,) = [c.message for c in conditions(unserved) if c.code is Code.BUNDLE_UNSERVED]
    assert message.endswith("impact: reboot, reboot, artefacts")


def test_no_way_back_is_said_before_the_start() -> None:
    assert unmet(BUNDLE) == [(Code.NO_WAY_BACK, Severity.INFO)]


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
