from __future__ import annotations

from tests.builders import make_node

from escalator.model.cloud import NetworkAgent
from escalator.upgrade_manager.state.agents import AgentsByHost, find_dead, find_missing, find_stale


def agent(agent_id: str, host: str, binary: str = "ovn-controller", *, alive: bool = True) -> NetworkAgent:
    return NetworkAgent(id=agent_id, binary=binary, host=host, alive=alive, admin_state_up=True)


def ids(agents: tuple[NetworkAgent, ...]) -> list[str]:
    return [found.id for found in agents]


def test_an_agent_is_the_nodes_under_either_of_its_names_and_under_no_other() -> None:
    node = make_node("node-01", hypervisor_hostname="node-01.example.org")
    hosts = ("node-01", "node-01.example.org", "node-01.other.org", "NODE-01", "node-011", "node-02")
    agents = [agent(host, host) for host in hosts]
    by_host = AgentsByHost(agents)
    assert ids(by_host.find(node)) == ["node-01", "node-01.example.org"]
    assert ids(by_host.find_lookalikes(node)) == list(hosts[:4])
    assert by_host.find(make_node("node-03")) == by_host.find_lookalikes(make_node("node-03")) == ()


def test_an_agent_of_another_node_only_looks_alike_and_addresses_do_not() -> None:
    nodes = [make_node(host) for host in ("compute.one.org", "compute.two.org", "192.0.2.1")]
    agents = [agent(host, host) for host in ("compute.two.org", "compute.three.org", "192.0.2.9")]
    by_host = AgentsByHost(agents, nodes)
    assert [ids(by_host.find_lookalikes(node)) for node in nodes] == [
        ["compute.three.org"],
        ["compute.two.org", "compute.three.org"],
        [],
    ]


def test_a_dead_record_is_left_over_only_beside_a_living_agent_of_its_kind() -> None:
    agents = (
        agent("1", "n"),
        agent("2", "n", alive=False),
        agent("3", "n", "neutron-l3-agent", alive=False),
        agent("4", "n", "neutron-dhcp-agent"),
    )
    assert ids(find_stale(agents)) == ["2"]
    assert ids(find_dead(agents)) == ["3"]


def test_an_agent_that_was_there_and_is_gone_is_missing() -> None:
    ovn, meta = agent("1", "a"), agent("2", "a", "neutron-ovn-metadata-agent")
    known = ("neutron-ovn-metadata-agent", "ovn-controller")
    assert find_missing((ovn, meta), known) == ()
    assert find_missing((ovn,), known) == ("neutron-ovn-metadata-agent",)
    dead = agent("1", "a", alive=False)
    assert find_missing((dead, meta), known) == ("ovn-controller",)
    assert find_missing((dead, meta), ("neutron-ovn-metadata-agent",)) == ()
    assert find_missing((dead, meta), None) == ("ovn-controller",)
