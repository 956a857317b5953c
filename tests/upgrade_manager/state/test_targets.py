from __future__ import annotations

from tests.builders import BUNDLE, make_cloud, make_node

from escalator.upgrade_manager.state.targets import mark_targets


def test_named_hosts_come_before_marked_ones_and_these_before_all() -> None:
    def targets(*hosts: str, marked: bool) -> list[str]:
        nodes = [make_node("a", target=marked), make_node("b"), make_node("c", upgraded=True)]
        return [n.host for n in mark_targets(make_cloud(nodes), hosts=hosts).nodes if n.target]

    assert targets("b", "c", marked=True) == ["b", "c"]
    assert targets(marked=True) == ["a"]
    assert targets(marked=False) == ["a", "b"]


def test_a_node_that_runs_what_the_bundle_brings_is_upgraded() -> None:
    reports = {"new": "34.0.0", "old": "33.0.0", "junk": "no version", "silent": None}
    nodes = [
        make_node(host, versions={} if version is None else {"nova-compute": version})
        for host, version in reports.items()
    ]
    marked = mark_targets(make_cloud(nodes), BUNDLE)
    assert [n.host for n in marked.nodes if n.upgraded] == ["new"]
    assert [n.host for n in marked.nodes if n.target] == ["old", "junk", "silent"]
    assert not any(n.upgraded for n in mark_targets(make_cloud(nodes)).nodes)
