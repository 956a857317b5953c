from __future__ import annotations

from datetime import timedelta

from tests.builders import (
    DOMAIN,
    NOW,
    disabled,
    down,
    make_cloud,
    make_node,
    make_plan,
    make_server,
)
from tests.upgrade_manager.conditions.findings import PLAN, brief, find_unmet

from escalator.model.cloud import (
    Migration,
    MigrationStatus,
    NetworkAgent,
)
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.system import check_system
from escalator.upgrade_manager.conditions.upgrade import check_upgrade


def test_down_blocks_a_target_and_warns_of_another() -> None:
    snapshot = make_cloud([down(make_node("a")), make_node("b"), make_node("c", forced_down=True)])
    verdicts = find_unmet(snapshot)
    assert brief(verdicts) == [
        ("a", Code.SERVICE_DOWN, Severity.BLOCKER),
        ("c", Code.SERVICE_DOWN, Severity.WARNING),
    ]
    assert "forced down" in verdicts[1].message


def test_error_servers_block_their_target_and_are_warned_of_elsewhere_in_the_domain() -> None:
    nodes = [make_node("a"), make_node("b"), make_node("c"), make_node("far", domain="elsewhere")]
    servers = [make_server(f"s-{n.host}", n.host, vm_state="error") for n in nodes] + [
        make_server("lost", None, vm_state="error")
    ]
    assert brief(find_unmet(make_cloud(nodes, servers))) == [
        ("id-s-c", Code.SERVER_ERROR, Severity.WARNING),
        ("id-s-a", Code.SERVER_ERROR, Severity.BLOCKER),
        ("id-s-b", Code.SERVER_ERROR, Severity.BLOCKER),
    ]


def test_a_target_with_a_server_in_error_is_not_said_to_have_none() -> None:
    def said(*hosts: str) -> list[str]:
        snapshot = make_cloud([make_node(h) for h in hosts], [make_server("s", "a", vm_state="error")])
        report = check_upgrade(ask(PLAN, snapshot)).conditions
        return [c.message for c in report if c.met and c.code is Code.SYSTEM_NORMAL]

    assert said("a", "b") == ["nova-compute of 2 nodes answer, no migration goes on"]
    (one,) = said("a", "b", "c")
    assert one.endswith("no migration goes on, no server is in ERROR on nodes that are not emptied")


def test_unfinished_migrations_of_the_domain_are_warned_of() -> None:
    def moving(number: int, status: MigrationStatus, source: str, dest: str | None) -> Migration:
        return Migration(
            id=number,
            uuid=f"m-{number}",
            server_id="s",
            type="resize",
            status=status,
            source_host=source,
            dest_host=dest,
            created_at=NOW,
        )

    migrations = (
        moving(3, MigrationStatus.FINISHED, "x", "a"),
        moving(1, MigrationStatus.RUNNING, "a", None),
        moving(2, MigrationStatus.COMPLETED, "a", "b"),
        moving(4, MigrationStatus.RUNNING, "x", "y"),
    )
    verdicts = find_unmet(make_cloud([make_node("a"), make_node("b")], migrations=migrations))
    assert brief(verdicts) == [
        ("m-1", Code.MIGRATION_UNFINISHED, Severity.WARNING),
        ("m-3", Code.MIGRATION_UNFINISHED, Severity.WARNING),
    ]
    assert all(v.subject.type is SubjectType.MIGRATION for v in verdicts)


def test_an_old_record_of_a_cold_migration_blocks_nothing_and_needs_nothing() -> None:
    record = Migration(
        id=1,
        uuid="u-1",
        server_id="id-s",
        type="migration",
        status=MigrationStatus.FINISHED,
        source_host="a",
        dest_host="b",
        created_at=NOW - timedelta(days=300),
    )
    snapshot = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")], migrations=(record,))
    (verdict,) = find_unmet(snapshot)
    assert (verdict.code, verdict.severity) == (Code.MIGRATION_UNFINISHED, Severity.WARNING)
    assert str(verdict.remedy).startswith("nothing: its record does not hold a node up")


def test_dead_network_agents_block_their_target_and_are_warned_of_elsewhere() -> None:
    def agent(number: int, host: str, *, alive: bool, up: bool = True) -> NetworkAgent:
        return NetworkAgent(
            id=f"{number}", binary="neutron-l3-agent", host=host, alive=alive, admin_state_up=up
        )

    states = [("a", True, True), ("b", False, True), ("c", False, True), ("a", True, False)]
    agents = [agent(number, host, alive=alive, up=up) for number, (host, alive, up) in enumerate(states)]
    agents.append(agent(9, "far", alive=False))
    nodes = [make_node(host) for host in "abc"] + [make_node("far", domain="elsewhere")]
    assert brief(find_unmet(make_cloud(nodes, agents=tuple(agents)))) == [
        ("a", Code.AGENT_DOWN, Severity.WARNING),
        ("b", Code.AGENT_DOWN, Severity.BLOCKER),
        ("c", Code.AGENT_DOWN, Severity.WARNING),
    ]


def make_agent(host: str, agent_id: str = "a", *, alive: bool = True) -> NetworkAgent:
    return NetworkAgent(id=agent_id, binary="ovn-controller", host=host, alive=alive, admin_state_up=True)


def test_agents_under_other_names_are_warned_of_with_both_spellings() -> None:
    nodes = [make_node(host) for host in ("node-01", "node-02", "node-03")]
    agents = tuple(make_agent(f"{node.host}.example.org", node.host, alive=False) for node in nodes)
    (verdict,) = find_unmet(make_cloud(nodes, agents=agents), make_plan("node-01"))
    assert (verdict.code, verdict.severity) == (Code.AGENT_UNMATCHED, Severity.WARNING)
    assert verdict.message.startswith(
        "the network agents of 3 nodes report under another name than nova-compute: "
        "ovn-controller as node-01.example.org, nova-compute as node-01; "
    )


def test_agents_under_the_name_of_the_hypervisor_are_the_nodes() -> None:
    nodes = [make_node("a", hypervisor_hostname="a.example.org"), make_node("b")]
    agents = (make_agent("a.example.org", alive=False), make_agent("b", "b"))
    snapshot = make_cloud(nodes, agents=agents)
    assert brief(find_unmet(snapshot)) == [("a", Code.AGENT_DOWN, Severity.BLOCKER)]


def test_a_node_without_any_agent_is_not_said_to_answer() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")], agents=(make_agent("network-node"),))
    (verdict,) = find_unmet(snapshot)
    assert (verdict.code, verdict.severity) == (Code.AGENT_UNMATCHED, Severity.WARNING)
    assert verdict.message.startswith("Neutron lists 1 agent, none of them on a, b")
    report = check_system(ask(PLAN, snapshot), DOMAIN)
    assert not any("answer" in condition.message for condition in report)


def test_the_agent_of_a_node_is_not_said_to_be_that_of_another_one_that_is_called_alike() -> None:
    nodes = [make_node("compute.one.org"), make_node("compute.two.org")]
    snapshot = make_cloud(nodes, agents=(make_agent("compute.two.org"),))
    (verdict,) = find_unmet(snapshot, make_plan("compute.one.org"))
    assert verdict.message.startswith("Neutron lists 1 agent, none of them on compute.one.org")


def test_a_dead_record_beside_a_living_agent_is_left_over_and_blocks_nothing() -> None:
    agents = (make_agent("a"), make_agent("a", "old", alive=False), make_agent("b", "b"))
    (verdict,) = find_unmet(make_cloud([make_node("a"), make_node("b")], agents=agents))
    assert (verdict.code, verdict.severity) == (Code.AGENT_STALE, Severity.WARNING)
    assert verdict.remedy == "delete it: openstack network agent delete old"


def test_a_target_that_a_person_has_disabled_and_that_is_down_does_not_block() -> None:
    snapshot = make_cloud([make_node("a"), disabled(down(make_node("b")))])
    (condition,) = check_system(ask(PLAN, snapshot), DOMAIN)
    assert (condition.code, condition.severity) == (Code.SERVICE_DOWN, Severity.WARNING)
    assert condition.message.endswith(": it takes no servers")
