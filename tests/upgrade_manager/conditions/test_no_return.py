from __future__ import annotations

from dataclasses import replace

from tests.builders import BUNDLE, make_cloud, make_plan, make_server, make_target

from escalator.model.bundle import Component, VenvMechanism
from escalator.model.check_report import CheckReport
from escalator.model.no_return import NoReturn
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions.no_return import find_no_return
from escalator.upgrade_manager.conditions.question import ask, unmet
from escalator.upgrade_manager.conditions.upgrade import check_upgrade

HOSTS = ("a", "b", "c")
OLD = {"nova-compute": "33.0.2", "hypervisor": "8.2.0"}
BY_VENV = VenvMechanism(venv="/v", package="nova", service="s")
GOES_BACK = replace(BUNDLE, mechanism=BY_VENV, rollback_supported=True)


def test_what_the_bundle_and_the_nodes_say_is_put_together() -> None:
    gone = unmet(Code.NO_WAY_BACK, Subject.of_bundle("x"), "it is gone", "r", Severity.WARNING, hosts=["b"])
    assert find_no_return(CheckReport(conditions=(gone,)), HOSTS, HOSTS) == NoReturn(
        reasons={"b": "it is gone"}
    )
    whole = unmet(Code.NO_WAY_BACK, Subject.of_bundle("x"), "one-way", "r", Severity.INFO)
    found = find_no_return(CheckReport(conditions=(gone, whole)), HOSTS, HOSTS)
    assert found.reasons == {"a": "one-way", "b": "it is gone", "c": "one-way"}


def test_a_bundle_that_goes_back_has_no_point_of_no_return() -> None:
    cloud = make_cloud([make_target(host, versions=OLD) for host in HOSTS])
    question = ask(make_plan(*HOSTS), cloud, bundle=GOES_BACK)
    assert not find_no_return(check_upgrade(question), question.pending, question.sequence.order).is_any


def test_a_newer_hypervisor_has_one_where_the_check_says() -> None:
    parts = (*BUNDLE.components, Component(name="qemu", to="9.2.0"))
    bundle = replace(GOES_BACK, components=parts)
    nodes = [make_target(host, versions=OLD) for host in HOSTS]
    servers = [make_server("b1", "b"), make_server("c1", "c", memory=4096)]
    question = ask(make_plan(*HOSTS), make_cloud(nodes, servers), bundle=bundle)
    report = check_upgrade(question)
    (said,) = [c.message for c in report.unmet if c.code is Code.POINT_OF_NO_RETURN]
    assert said.startswith("no return once node 2 of 3")
    found = find_no_return(report, question.pending, question.sequence.order)
    assert (found.after, dict(found.reasons)) == (1, {})
