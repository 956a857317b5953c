from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.builders import (
    BUNDLE,
    DOMAIN,
    make_cloud,
    make_node,
    make_server,
)

from escalator.model.bundle import Bundle, Component
from escalator.model.check_report import CheckReport
from escalator.model.cloud import (
    Node,
    Server,
)
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.rollback import (
    check_point_of_no_return,
    check_rollback,
    mirror_cloud,
)
from escalator.upgrade_manager.conditions.upgrade import plan_of_check

RETURNABLE = replace(BUNDLE, rollback_supported=True)


def report(
    nodes: list[Node], servers: Sequence[Server] = (), bundle: Bundle | None = RETURNABLE
) -> CheckReport:
    snapshot = make_cloud(nodes, servers)
    plan = plan_of_check(snapshot, [n.host for n in nodes], bundle=bundle)
    return check_rollback(ask(plan, snapshot, bundle=bundle, reachable={}))


def codes(found: CheckReport) -> list[Code]:
    return [c.code for c in found.unmet]


def test_an_upgraded_node_whose_servers_have_a_place_can_return() -> None:
    found = report([make_node("a", upgraded=True), make_node("b")], [make_server("s", "a")])
    assert (found.met, codes(found)) == (True, [])


def test_an_upgraded_node_whose_servers_have_no_place_cannot() -> None:
    nodes = [make_node("a", upgraded=True), make_node("b", memory=1024)]
    found = report(nodes, [make_server("s", "a", memory=4096)])
    assert not found.met
    assert ("a", Code.CAPACITY) in [(c.subject.id, c.code) for c in found.unmet]


def test_without_an_upgraded_node_nothing_is_to_be_done() -> None:
    found = report([make_node("a"), make_node("b")])
    assert Code.NOTHING_UPGRADED in {c.code for c in found.conditions if c.met}


@pytest.mark.parametrize(("bundle", "code"), [(BUNDLE, Code.NO_WAY_BACK), (None, Code.NOT_CHECKED)])
def test_a_bundle_must_be_named_and_support_it(bundle: Bundle | None, code: Code) -> None:
    found = report([make_node("a", upgraded=True), make_node("b")], bundle=bundle)
    assert codes(found) == [code]
    assert found.met == (bundle is None)


def test_servers_on_a_newer_hypervisor_are_tied_to_it() -> None:
    nodes = [
        make_node("a", upgraded=True, versions={"hypervisor": "9.2.0"}),
        make_node("b", versions={"hypervisor": "8.0.0"}),
    ]
    found = report(nodes, [make_server("s", "a")])
    assert ("a", Code.NO_WAY_BACK) in [(c.subject.id, c.code) for c in found.unmet]


def test_the_node_after_which_there_is_no_return_is_named_before_the_start() -> None:
    newer = replace(RETURNABLE, components=(*BUNDLE.components, Component(name="hypervisor", to="9.2.0")))
    nodes = [make_node(host, memory=8192, versions={"hypervisor": "8.0.0"}) for host in "abc"]
    snapshot = make_cloud(nodes, [make_server(host, host, memory=3000) for host in "abc"])
    question = ask(plan_of_check(snapshot, list("abc"), bundle=newer), snapshot, bundle=newer)
    (condition,) = check_point_of_no_return(question, DOMAIN)
    assert (condition.code, condition.severity) == (Code.POINT_OF_NO_RETURN, Severity.WARNING)


def test_without_a_hypervisor_there_is_always_a_return() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")])
    question = ask(plan_of_check(snapshot, ["a", "b"], bundle=BUNDLE), snapshot, bundle=BUNDLE)
    (condition,) = check_point_of_no_return(question, DOMAIN)
    assert condition.met
    assert "after each of the 2 nodes" in condition.message


def test_a_return_sees_the_cloud_the_other_way_round() -> None:
    snapshot = make_cloud([make_node("a", upgraded=True), make_node("b")])
    assert [n.upgraded for n in mirror_cloud(snapshot).nodes] == [False, True]
    assert mirror_cloud(mirror_cloud(snapshot)) == snapshot
