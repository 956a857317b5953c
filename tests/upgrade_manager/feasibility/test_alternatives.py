from __future__ import annotations

from tests.builders import make_cloud, make_node, make_server

from escalator.model.cloud import CloudSnapshot, ServerGroup
from escalator.upgrade_manager.feasibility.alternatives import Trial, find_alternatives


def alternatives(snapshot: CloudSnapshot, *hosts: str) -> list[str]:
    trial = Trial(hosts=hosts)
    stuck = trial.find_sequence(snapshot)
    assert not stuck.feasible
    return list(find_alternatives(trial, snapshot, stuck))


def test_a_server_without_a_place_may_be_stopped_or_its_node_left_out() -> None:
    snapshot = make_cloud(
        [make_node("a"), make_node("b", memory=2048)], [make_server("big", "a", memory=8192)]
    )
    assert alternatives(snapshot, "a") == [
        "in non-smooth mode, stop big around the upgrade of their nodes (migration none)",
        "leave a out",
    ]


def test_a_cold_move_may_go_to_an_older_hypervisor() -> None:
    nodes = [
        make_node("a", versions={"hypervisor": "9.0.0"}),
        make_node("b", versions={"hypervisor": "8.0.0"}),
    ]
    found = alternatives(make_cloud(nodes, [make_server("web", "a")]), "a")
    assert found[0] == "allow web to move cold, which may go to an older hypervisor"


def test_a_group_that_fills_all_nodes_may_be_scaled_in() -> None:
    servers = [make_server("one", "a"), make_server("two", "b")]
    group = ServerGroup(id="web", policy="anti-affinity", members=("id-one", "id-two"))
    found = alternatives(make_cloud([make_node("a"), make_node("b")], servers, server_groups=(group,)), "a")
    assert found[0] == "scale VNF web in by 1 (one)"
