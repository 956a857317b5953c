import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from tests.builders import BUNDLE, NOW, disabled, down, leased, make_cloud, make_node, make_plan, make_server
from tests.upgrade_manager.clouds import clouds, few

from escalator.model.campaign import CampaignPlan, LedgerView
from escalator.model.check_report import check_to_document
from escalator.model.cloud import CloudSnapshot, Migration, MigrationStatus, NetworkAgent, ServiceStatus
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code, Severity, SubjectType, Verdict
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.schedule.admission import decide_admissions
from escalator.upgrade_manager.state.targets import mark_targets

PLAN = make_plan("a", "b")


def checked(
    snapshot: CloudSnapshot, plan: CampaignPlan = PLAN, reachable: Mapping[str, str | None] | None = None
) -> tuple[Verdict, ...]:
    """Return what is not met, but for what no snapshot can tell."""
    report = check_upgrade(ask(plan, snapshot, reachable=reachable or {}))
    return tuple(c.verdict for c in report.conditions if not c.met and c.code is not Code.NOT_CHECKED)


def brief(verdicts: tuple[Verdict, ...]) -> list[tuple[str, Code, Severity]]:
    return [(v.subject.id, v.code, v.severity) for v in verdicts]


def test_a_healthy_cloud_has_no_findings() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")])
    assert checked(snapshot, reachable={"a": None, "b": None}) == ()


def test_down_blocks_a_target_and_warns_of_another() -> None:
    snapshot = make_cloud([down(make_node("a")), make_node("b"), make_node("c", forced_down=True)])
    verdicts = checked(snapshot)
    assert brief(verdicts) == [
        ("a", Code.SERVICE_DOWN, Severity.BLOCKER),
        ("c", Code.SERVICE_DOWN, Severity.WARNING),
    ]
    assert "forced down" in verdicts[1].message


def test_a_target_that_the_cloud_does_not_have() -> None:
    assert brief(checked(make_cloud([make_node("a")]))) == [("b", Code.NODE_UNKNOWN, Severity.BLOCKER)]


def test_disabled_by_a_person_is_named() -> None:
    (verdict,) = checked(make_cloud([disabled(make_node("a")), make_node("b"), disabled(make_node("c"))]))
    assert brief((verdict,)) == [("a", Code.DISABLED_BY_OTHERS, Severity.INFO)]
    assert "broken fan" in verdict.message
    assert verdict.remedy


@pytest.mark.parametrize("mark", [None, LeaseMark.FAILED])
def test_leased_by_another_campaign(mark: LeaseMark | None) -> None:
    other = make_plan("a", campaign="other", run_id="other-run")
    (verdict,) = checked(make_cloud([leased(make_node("a"), other, mark), make_node("b")]))
    assert brief((verdict,)) == [("a", Code.LEASED_BY_OTHERS, Severity.WARNING)]
    assert "campaign other" in verdict.message
    assert ("FAILED" in verdict.message) == (mark is not None)


def test_our_own_lease_is_no_finding() -> None:
    assert checked(make_cloud([leased(make_node("a"), PLAN), make_node("b")], [make_server("s", "a")])) == ()


def test_unreachable_targets() -> None:
    verdicts = checked(
        make_cloud([make_node("a"), make_node("b")]),
        reachable={"a": None, "b": "host key unknown", "x": "no"},
    )
    assert brief(verdicts) == [("b", Code.NODE_UNREACHABLE, Severity.BLOCKER)]
    assert "host key unknown" in verdicts[0].message


def test_error_servers_block_their_target_and_are_warned_of_elsewhere_in_the_domain() -> None:
    nodes = [make_node("a"), make_node("b"), make_node("c"), make_node("far", domain="elsewhere")]
    servers = [make_server(f"s-{n.host}", n.host, vm_state="error") for n in nodes] + [
        make_server("lost", None, vm_state="error")
    ]
    assert brief(checked(make_cloud(nodes, servers))) == [
        ("id-s-c", Code.SERVER_ERROR, Severity.WARNING),
        ("id-s-a", Code.SERVER_ERROR, Severity.BLOCKER),
        ("id-s-b", Code.SERVER_ERROR, Severity.BLOCKER),
    ]


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
    verdicts = checked(make_cloud([make_node("a"), make_node("b")], migrations=migrations))
    assert brief(verdicts) == [
        ("m-1", Code.MIGRATION_UNFINISHED, Severity.WARNING),
        ("m-3", Code.MIGRATION_UNFINISHED, Severity.WARNING),
    ]
    assert all(v.subject.type is SubjectType.MIGRATION for v in verdicts)


def test_a_target_that_cannot_be_emptied_blocks_with_numbers() -> None:
    snapshot = make_cloud(
        [make_node("a"), make_node("b", memory=1024)], [make_server("big", "a", memory=4096)]
    )
    verdict, giant, spare = checked(snapshot)
    assert brief((verdict, giant, spare)) == [
        ("a", Code.CAPACITY, Severity.BLOCKER),
        ("id-big", Code.SERVER_TOO_LARGE, Severity.BLOCKER),
        ("cell1/az1/general", Code.SPARE_NODES, Severity.INFO),
    ]
    assert "1 of 1 servers would have no place (big: " in verdict.message
    assert "b, lacks 3072 MEMORY_MB" in verdict.message


def test_room_that_may_return_is_only_a_warning() -> None:
    other = make_plan("b", campaign="other", run_id="other-run")
    snapshot = make_cloud([make_node("a"), leased(make_node("b"), other)], [make_server("s", "a")])
    assert ("a", Code.CAPACITY, Severity.WARNING) in brief(checked(snapshot, make_plan("a")))


def test_upgraded_targets_are_not_emptied_any_more() -> None:
    snapshot = make_cloud([make_node("a", upgraded=True)], [make_server("big", "a", memory=9999)])
    assert checked(snapshot, make_plan("a")) == ()


def test_a_limit_beyond_the_capacity_names_the_one_that_works() -> None:
    nodes = [make_node(host, memory=8192) for host in "abcd"]
    servers = [make_server(f"s-{host}", host, memory=5000) for host in "abc"]
    (verdict,) = checked(make_cloud(nodes, servers), make_plan("a", "b", "c", max_parallel=3))
    assert (verdict.code, verdict.severity) == (Code.REQUEST_PARALLEL_IMPOSSIBLE, Severity.WARNING)
    assert "a, b cannot be out together; 1 works" in verdict.message
    nodes.append(make_node("e", memory=8192))
    (verdict,) = checked(make_cloud(nodes, servers), make_plan("a", "b", "c", max_parallel=3))
    assert "a, b, c cannot be out together; 2 works" in verdict.message
    assert "max_parallel=2" in (verdict.remedy or "")


@given(clouds())
@few
def test_findings_are_total_and_explain_what_is_held(snapshot: CloudSnapshot) -> None:
    plan = make_plan(*(n.host for n in snapshot.nodes), max_parallel=2)
    verdicts = checked(snapshot, plan)
    assert all(v.message and v.remedy for v in verdicts)
    named = {v.subject.id for v in verdicts}
    held = {h for h, d in decide_all(snapshot, plan).items() if d in {"node_down", "leased_by_others"}}
    assert held <= named


def decide_all(snapshot: CloudSnapshot, plan: CampaignPlan) -> dict[str, str]:
    decisions = decide_admissions(snapshot, plan, LedgerView(), NOW)
    return {host: decision.code.value for host, decision in decisions.items()}


@given(clouds())
@few
def test_a_check_is_total_repeatable_and_leaves_the_snapshot_as_it_is(snapshot: CloudSnapshot) -> None:
    before = repr(snapshot)
    plan = plan_of_check(snapshot, [n.host for n in snapshot.nodes], bundle=BUNDLE, max_parallel=2)
    for check in (check_upgrade, check_rollback):
        first, second = (check(ask(plan, snapshot, bundle=BUNDLE)) for _ in range(2))
        assert first == second
        assert all(c.message and (c.met or c.remedy) for c in first.conditions)
        assert json.loads(json.dumps(check_to_document(first)))["met"] == first.met
    assert repr(snapshot) == before


@given(clouds())
@few
def test_a_finished_cloud_is_met_with_nothing_to_do(snapshot: CloudSnapshot) -> None:
    nodes = tuple(replace(node, status=ServiceStatus.ENABLED, upgraded=True) for node in snapshot.nodes)
    finished = mark_targets(replace(snapshot, nodes=nodes))
    hosts = tuple(n.host for n in finished.nodes if n.target)
    report = check_upgrade(ask(plan_of_check(finished, hosts), finished))
    assert hosts == ()
    assert report.met
    assert (report.spare, report.expected.p90) == (None, 0.0)
    assert Code.ALREADY_UPGRADED in {c.code for c in report.conditions}


def test_dead_network_agents_block_their_target_and_are_warned_of_elsewhere() -> None:
    def agent(number: int, host: str, *, alive: bool, up: bool = True) -> NetworkAgent:
        return NetworkAgent(
            id=f"{number}", binary="neutron-l3-agent", host=host, alive=alive, admin_state_up=up
        )

    states = [("a", True, True), ("b", False, True), ("c", False, True), ("a", True, False)]
    agents = [agent(number, host, alive=alive, up=up) for number, (host, alive, up) in enumerate(states)]
    agents.append(agent(9, "far", alive=False))
    nodes = [make_node(host) for host in "abc"] + [make_node("far", domain="elsewhere")]
    assert brief(checked(make_cloud(nodes, agents=tuple(agents)))) == [
        ("a", Code.AGENT_DOWN, Severity.WARNING),
        ("b", Code.AGENT_DOWN, Severity.BLOCKER),
        ("c", Code.AGENT_DOWN, Severity.WARNING),
    ]


def test_a_resize_that_another_campaign_will_confirm_is_only_warned_of() -> None:
    resized = make_server("s", "a", vm_state="resized")
    assert brief(checked(make_cloud([make_node("a"), make_node("b")], [resized]))) == [
        ("id-s", Code.SERVER_UNCONFIRMED_RESIZE, Severity.BLOCKER)
    ]
    other = make_plan("c", campaign="other", run_id="other-run")
    busy = make_cloud([make_node("a"), make_node("b"), leased(make_node("c"), other)], [resized])
    assert brief(checked(busy)) == [("id-s", Code.SERVER_UNCONFIRMED_RESIZE, Severity.WARNING)]


def test_of_many_servers_only_blockers_are_named_and_the_methods_are_counted() -> None:
    servers = [make_server(f"s{i}", "a", memory=16) for i in range(250)] + [
        make_server("bad", "a", vm_state="error")
    ]
    snapshot = make_cloud(
        [make_node("a", vcpus=999, memory=99999), make_node("b", vcpus=999, memory=99999)], servers
    )
    report = check_upgrade(ask(PLAN, snapshot))
    named = [c for c in report.conditions if c.subject.type is SubjectType.SERVER]
    assert [(c.subject.name, c.code) for c in named] == [("bad", Code.SERVER_ERROR)]
    counted = [c.message for c in report.conditions if c.code is Code.SERVER_METHOD and c.subject.id == "a"]
    assert counted == ["251 servers: 250 live, 1 not"]


def test_a_domain_gets_its_share_of_the_nodes_that_are_out_at_once() -> None:
    nodes = [make_node(f"{d}{i}", memory=8192, domain=d) for d in "xy" for i in range(3)]
    servers = [make_server(f"s-{n.host}", n.host, memory=4000) for n in nodes]
    hosts = tuple(n.host for n in nodes)
    assert checked(make_cloud(nodes, servers), make_plan(*hosts, max_parallel=2)) == ()
    verdicts = checked(make_cloud(nodes, servers), make_plan(*hosts, max_parallel=4))
    assert [v.subject.id for v in verdicts] == ["x", "y"]
    assert "max_parallel=4 (up to 2 in this domain)" in verdicts[0].message
    assert verdicts[0].remedy == "ask for max_parallel=2; otherwise nodes wait until there is room"


def test_a_campaign_that_takes_long_is_warned_of_with_what_would_shorten_it() -> None:
    hosts = tuple(f"n{i:02}" for i in range(30))
    verdicts = checked(make_cloud([make_node(host) for host in hosts]), make_plan(*hosts))
    (verdict,) = verdicts
    assert (verdict.code, verdict.severity) == (Code.DURATION, Severity.WARNING)
    assert "30 nodes, 1 at a time: 68 min, or 3 h 13 min when it goes slowly (assumed)" in verdict.message
    assert verdict.remedy is not None
    assert "max_parallel=2" in verdict.remedy
    assert "2 windows of 15 nodes" in verdict.remedy
    assert checked(make_cloud([make_node(host) for host in hosts]), make_plan(*hosts, max_parallel=2)) == ()
