from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import BUNDLE, make_cloud, make_node

from escalator.model.bundle import Bundle, CommandMechanism, Component, Impact, RebootPolicy, VenvMechanism
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


ONLY = replace(GOOD, impact=Impact.REBOOT, reboot=RebootPolicy.ALWAYS)
VENV = replace(ONLY, mechanism=VenvMechanism(venv="/opt/nova", package="nova", service="nova-compute"))


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        (ONLY, "each node is emptied and rebooted, unless it was since the campaign began"),
        (replace(ONLY, reboot=RebootPolicy.IF_REQUIRED), "the nodes that ask for a reboot are emptied"),
        (replace(ONLY, hooks={"pre": ("a",)}), "each node is rebooted when it is empty"),
        (VENV, "each node is rebooted when it is empty"),
        (replace(VENV, reboot=RebootPolicy.IF_REQUIRED), "a node is rebooted if it asks for that once"),
        (replace(VENV, reboot=RebootPolicy.NEVER), "impact: reboot has each node emptied, but reboot: never"),
        (replace(GOOD, hooks={"post": ("a",)}), "no node is rebooted: hooks are all that is done to it"),
        (
            GOOD,
            "nothing is brought and no node is rebooted: what is pending is emptied, proved and given back",
        ),
    ],
)
def test_what_is_done_beside_bringing_software_is_said(bundle: Bundle, said: str) -> None:
    assert unmet(bundle) == []
    (message,) = [c.message for c in conditions(bundle) if c.code is Code.REBOOTS]
    assert message.startswith(said)
    limit = "one that is not back 20 min after the order is failed"
    assert message.endswith(limit) is bundle.may_reboot


def test_of_a_bundle_that_reboots_nothing_nothing_is_said() -> None:
    plain = replace(VENV, impact=Impact.CONTROL, reboot=RebootPolicy.NEVER)
    assert [c for c in conditions(plain) if c.code is Code.REBOOTS] == []


def test_no_way_back_is_said_before_the_start() -> None:
    changing = replace(VENV, rollback_supported=False)
    assert unmet(changing) == [(Code.NO_WAY_BACK, Severity.INFO)]
    assert unmet(replace(BUNDLE, hooks={"pre": ("flash",)})) == [(Code.NO_WAY_BACK, Severity.INFO)]


def test_a_way_back_that_the_bundle_has_not_is_warned_of() -> None:
    command = CommandMechanism(version="v", activate="a", service="nova-compute")
    changing = replace(VENV, mechanism=command)
    assert unmet(changing) == [(Code.NO_WAY_BACK, Severity.WARNING)]
    assert unmet(replace(changing, mechanism=replace(command, rollback="r"))) == []


def test_to_what_nodes_would_go_back_is_said_where_nobody_looks_over_ssh() -> None:
    (message,) = [c.message for c in conditions(VENV) if c.code is Code.WAY_BACK]
    assert message == (
        "a, b would go back to nova-compute 33.0.2, if it is there still: nobody looked over SSH"
    )


def test_of_a_bundle_that_changes_nothing_no_way_back_is_missed() -> None:
    assert unmet(BUNDLE) == unmet(replace(BUNDLE, hooks={"verify": ("true",)})) == []


def test_a_component_that_the_mechanism_does_not_bring_is_refused() -> None:
    mechanism = VenvMechanism(venv="/opt/nova", package="nova", service="nova-compute")
    components = (*GOOD.components, Component(name="qemu", to="9.0.0"))
    assert unmet(replace(GOOD, mechanism=mechanism)) == []
    said = conditions(replace(GOOD, mechanism=mechanism, components=components))
    (message,) = [c.message for c in said if c.code is Code.BUNDLE_UNSERVED]
    assert message.endswith(": component qemu (venv brings nova-compute only)")
