from tests.builders import NOW, leased, make_cloud, make_node, make_plan, make_server, remembering

from escalator.model.campaign import LedgerView, NodeProgress, NodeState
from escalator.upgrade_manager.schedule.admission import open_round_beside


def test_a_round_beside_the_admission_has_what_waits_and_what_nodes_that_are_out_will_need() -> None:
    plan = make_plan("a", "b", "c", "d")
    nodes = [
        leased(make_node("a"), plan),
        make_node("b"),
        make_node("c", upgraded=True),
        make_node("d"),
    ]
    cloud = make_cloud(nodes, [make_server("x", "a", memory=4096)])
    ledger = remembering(cloud, plan, LedgerView(nodes=(NodeProgress(host="d", state=NodeState.HELD),)))
    found = open_round_beside(cloud, plan, ledger, NOW)
    assert {host for hosts in found.queues.values() for host in hosts} == {"b"}
    assert {host for hosts in found.out.values() for host in hosts} == {"a"}
    assert {host: set(servers) for host, servers in found.claims.items()} == {"c": {"id-x"}}
