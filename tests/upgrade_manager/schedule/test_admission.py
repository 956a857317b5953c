from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import (
    NOW,
    disabled,
    down,
    leased,
    make_cloud,
    make_node,
    make_plan,
    make_server,
    remembering,
    simulate_drain,
)
from tests.upgrade_manager.clouds import clouds, few

from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState
from escalator.model.cloud import CloudSnapshot, Node
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease, LeaseMark
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.admission import decide_admissions
from escalator.upgrade_manager.state.domains import are_neighbours

NOTHING = LedgerView()
PLAN = make_plan("a", "b", "c")
OTHER = make_plan("a", "b", "c", campaign="other", run_id="other-run", max_parallel=3)


def asked(
    nodes: list[Node], plan: CampaignPlan = PLAN, ledger: LedgerView = NOTHING
) -> Mapping[str, AdmissionDecision]:
    cloud = make_cloud(nodes)
    return decide_admissions(cloud, plan, remembering(cloud, plan, ledger), NOW)


def answers(decisions: Mapping[str, AdmissionDecision]) -> dict[str, tuple[Admission, Code]]:
    return {host: (d.admission, d.code) for host, d in decisions.items()}


def state(host: str, how: NodeState) -> LedgerView:
    return LedgerView(nodes=(NodeProgress(host=host, state=how),))


def test_one_goes_and_the_rest_wait() -> None:
    assert answers(asked([make_node("a"), make_node("b"), make_node("c")])) == {
        "a": (Admission.ADMIT, Code.ADMITTED),
        "b": (Admission.WAIT, Code.PARALLEL_LIMIT),
        "c": (Admission.WAIT, Code.PARALLEL_LIMIT),
    }


def test_the_order_is_the_plans() -> None:
    decisions = asked([make_node("a"), make_node("b"), make_node("c")], make_plan("c", "a", "b"))
    assert list(decisions) == ["c", "a", "b"]
    assert decisions["c"].admission is Admission.ADMIT


def test_two_may_go_with_a_limit_of_two() -> None:
    decisions = asked(
        [make_node("a"), make_node("b"), make_node("c")], make_plan("a", "b", "c", max_parallel=2)
    )
    assert [d.admission for d in decisions.values()] == [Admission.ADMIT, Admission.ADMIT, Admission.WAIT]


def test_hosts_outside_the_plan() -> None:
    decisions = asked([make_node("a"), make_node("x")], make_plan("a", "gone", hosts=("a", "x")))
    assert answers(decisions)["x"] == (Admission.SKIP, Code.NOT_SELECTED)
    assert answers(decisions)["gone"] == (Admission.HOLD, Code.NODE_UNKNOWN)
    assert answers(decisions)["a"] == (Admission.ADMIT, Code.ADMITTED)


def test_our_own_lease_is_admitted_and_takes_the_place() -> None:
    decisions = asked([make_node("a"), leased(make_node("b"), PLAN), make_node("c")])
    assert answers(decisions) == {
        "a": (Admission.WAIT, Code.PARALLEL_LIMIT),
        "b": (Admission.ADMIT, Code.ADMITTED),
        "c": (Admission.WAIT, Code.PARALLEL_LIMIT),
    }
    assert "b" in decisions["a"].message


def test_our_own_lease_outlives_window_and_budget() -> None:
    plan = make_plan("a", "b", window_end=NOW)
    decisions = asked([leased(make_node("a"), plan), make_node("b")], plan, state("b", NodeState.FAILED))
    assert decisions["a"].admission is Admission.ADMIT
    assert answers(decisions)["b"] == (Admission.STOP, Code.WINDOW_CLOSED)


def test_the_same_campaign_in_another_run_is_somebody_else() -> None:
    decisions = asked(
        [leased(make_node("a"), make_plan("a", run_id="run-0")), make_node("b"), make_node("c")]
    )
    assert answers(decisions)["a"] == (Admission.WAIT, Code.LEASED_BY_OTHERS)
    assert decisions["b"].code is Code.PARALLEL_LIMIT


def test_upgraded_and_enabled_is_skipped_but_upgraded_and_disabled_is_somebodys() -> None:
    decisions = asked(
        [make_node("a", upgraded=True), disabled(make_node("b", upgraded=True)), make_node("c")]
    )
    assert answers(decisions) == {
        "a": (Admission.SKIP, Code.ALREADY_UPGRADED),
        "b": (Admission.SKIP, Code.DISABLED_BY_OTHERS),
        "c": (Admission.ADMIT, Code.ADMITTED),
    }
    assert "broken fan" in decisions["b"].message


def test_disabled_without_a_reason() -> None:
    assert "without a reason" in asked([disabled(make_node("a"), None)])["a"].message


@pytest.mark.parametrize("mark", list(LeaseMark))
def test_left_out_by_another_run(mark: LeaseMark) -> None:
    decisions = asked([leased(make_node("a"), OTHER, mark), make_node("b"), make_node("c")])
    assert answers(decisions)["a"] == (Admission.HOLD, Code.LEASED_BY_OTHERS)
    assert "campaign other" in decisions["a"].message
    assert mark in decisions["a"].message
    assert decisions["b"].admission is Admission.ADMIT


@pytest.mark.parametrize("broken", [down(make_node("a")), make_node("a", forced_down=True)])
def test_a_node_that_is_down_waits_and_holds_up_nobody(broken: Node) -> None:
    decisions = asked([broken, make_node("b"), make_node("c")])
    assert answers(decisions)["a"] == (Admission.WAIT, Code.NODE_DOWN)
    assert decisions["b"].admission is Admission.ADMIT


def test_a_failed_node_stops_the_others_and_is_named() -> None:
    nodes = [make_node("a"), leased(make_node("b"), PLAN, LeaseMark.FAILED), make_node("c")]
    decisions = asked(nodes)
    assert answers(decisions)["a"] == (Admission.STOP, Code.FAILURE_BUDGET)
    assert "b failed" in decisions["a"].message
    assert answers(asked([make_node("a"), make_node("b")], ledger=state("b", NodeState.FAILED)))["a"] == (
        Admission.STOP,
        Code.FAILURE_BUDGET,
    )


def test_a_failure_is_counted_once_and_against_the_budget() -> None:
    plan = make_plan("a", "b", "c", max_failed_nodes=1)
    nodes = [make_node("a"), leased(make_node("b"), plan, LeaseMark.FAILED), make_node("c")]
    assert asked(nodes, plan, state("b", NodeState.FAILED))["a"].admission is Admission.ADMIT
    assert asked(nodes, plan, state("c", NodeState.FAILED))["a"].code is Code.FAILURE_BUDGET


def test_a_node_that_this_run_left_out_part_way_stops_the_others_like_a_failed_one() -> None:
    nodes = [make_node("a"), leased(make_node("b"), PLAN, LeaseMark.HELD), make_node("c")]
    assert asked(nodes)["a"].admission is Admission.STOP


def test_an_own_node_that_is_down_may_be_tried_again() -> None:
    nodes = [leased(down(make_node("a")), PLAN, LeaseMark.FAILED), make_node("b")]
    assert asked(nodes, ledger=state("a", NodeState.FAILED))["a"].admission is Admission.ADMIT


def test_a_node_that_nobody_asks_for_takes_nobodys_turn() -> None:
    decisions = decide_admissions(
        make_cloud([make_node("a"), make_node("b"), make_node("c")]), PLAN, NOTHING, NOW, asking={"b"}
    )
    assert [decisions[host].admission for host in "abc"] == [Admission.WAIT, Admission.ADMIT, Admission.WAIT]


def test_another_campaigns_failure_does_not_stop_this_one() -> None:
    assert (
        asked([make_node("a"), leased(make_node("b"), OTHER, LeaseMark.FAILED)])["a"].admission
        is Admission.ADMIT
    )


def test_a_failed_node_may_be_tried_again() -> None:
    nodes = [leased(make_node("a"), PLAN, LeaseMark.FAILED), make_node("b")]
    again = asked(nodes, ledger=state("a", NodeState.FAILED))["a"]
    assert again.admission is Admission.ADMIT
    assert "again" in again.message


@pytest.mark.parametrize("ended", [NodeState.HELD, NodeState.SKIPPED, NodeState.RELEASED])
def test_a_node_whose_part_ended_takes_nobodys_turn(ended: NodeState) -> None:
    decisions = asked([make_node("a"), make_node("b")], make_plan("a", "b"), state("a", ended))
    assert list(decisions) == ["a", "b"]
    assert decisions["b"].admission is Admission.ADMIT
    assert decisions["a"].code is Code.PARALLEL_LIMIT


@pytest.mark.parametrize(
    ("minutes", "admission"),
    [(-1, Admission.STOP), (0, Admission.STOP), (1, Admission.STOP), (10, Admission.ADMIT)],
)
def test_the_window(minutes: int, admission: Admission) -> None:
    end = NOW + timedelta(minutes=minutes)
    assert asked([make_node("a")], make_plan("a", window_end=end))["a"].admission is admission


def test_the_tightest_limit_of_all_campaigns_holds() -> None:
    plan = make_plan("a", "b", "c", max_parallel=3)
    strict = make_plan("d", campaign="other", run_id="other-run", max_parallel=1)
    generous = make_plan("d", campaign="other", run_id="other-run", max_parallel=2)
    for other, admitted in ((strict, 0), (generous, 1)):
        decisions = asked(
            [make_node("a"), make_node("b"), make_node("c"), leased(make_node("d"), other)], plan
        )
        assert [d.admission for d in decisions.values()].count(Admission.ADMIT) == admitted


def test_a_foreign_lease_without_a_limit_allows_one() -> None:
    silent = disabled(make_node("d"), Lease.of(campaign="x", run_id="y", host="d").render())
    assert asked([make_node("a"), silent], make_plan("a", max_parallel=3))["a"].code is Code.PARALLEL_LIMIT


def test_a_marked_lease_takes_no_place_and_sets_no_limit() -> None:
    marked = leased(make_node("d"), make_plan(campaign="x", max_parallel=1), LeaseMark.HELD)
    decisions = asked([make_node("a"), make_node("b"), marked], make_plan("a", "b", max_parallel=2))
    assert [d.admission for d in decisions.values()] == [Admission.ADMIT, Admission.ADMIT]


def test_another_domain_does_not_count() -> None:
    far = leased(make_node("d", domain="cell1/az1/fast", aggregates=("fast",)), OTHER)
    assert asked([make_node("a"), far])["a"].admission is Admission.ADMIT


def test_no_room_and_nobody_out_is_held_with_numbers() -> None:
    nodes = [make_node("a"), make_node("b", memory=1024)]
    servers = [make_server(f"s{i}", "a", memory=4096) for i in range(5)]
    decisions = decide_admissions(make_cloud(nodes, servers), make_plan("a"), NOTHING, NOW)
    assert answers(decisions) == {"a": (Admission.HOLD, Code.CAPACITY)}
    assert "5 of 5 servers" in decisions["a"].message
    assert "3072 MEMORY_MB (4096 wanted, 1024 there)" in decisions["a"].message
    assert "and 2 more" in decisions["a"].message


def test_no_room_while_another_is_out_waits() -> None:
    plan = make_plan("a", "b", max_parallel=2)
    nodes = [make_node("a", memory=4096), leased(make_node("b", memory=4096), plan)]
    servers = [make_server("s", "a", memory=4096)]
    cloud = make_cloud(nodes, servers)
    decisions = decide_admissions(cloud, plan, remembering(cloud, plan), NOW)
    assert answers(decisions)["a"] == (Admission.WAIT, Code.CAPACITY)
    assert "while b is out" in decisions["a"].message


def test_room_is_not_given_away_twice() -> None:
    plan = make_plan("a", "b", max_parallel=2)
    nodes = [make_node("a", memory=4096), make_node("b", memory=4096), make_node("c", memory=4096)]
    servers = [make_server("s1", "a", memory=4096), make_server("s2", "b", memory=4096)]
    cloud = make_cloud(nodes, servers)
    decisions = decide_admissions(cloud, plan, remembering(cloud, plan), NOW)
    assert answers(decisions) == {
        "a": (Admission.ADMIT, Code.ADMITTED),
        "b": (Admission.WAIT, Code.CAPACITY),
    }


def test_a_dry_run_admits_nobody_and_says_what_would_happen() -> None:
    nodes = [make_node("a"), disabled(make_node("b")), make_node("c"), make_node("d", upgraded=True)]
    decisions = asked(nodes, make_plan("a", "b", "c", "d", dry_run=True))
    assert {d.admission for d in decisions.values()} == {Admission.SKIP}
    assert [d.code for d in decisions.values()] == [Code.DRY_RUN] * 3 + [Code.ALREADY_UPGRADED]
    assert "would go out now (rank 1 of 4)" in decisions["a"].message
    assert "would be skipped" in decisions["b"].message
    assert "would wait" in decisions["c"].message


plans = st.builds(
    make_plan,
    st.just("node-1"),
    st.just("node-0"),
    st.just("node-2"),
    st.just("node-3"),
    max_parallel=st.integers(1, 3),
    max_failed_nodes=st.integers(0, 2),
)


@given(clouds(), plans)
@few
def test_never_more_out_than_the_limit_and_always_with_room(
    snapshot: CloudSnapshot, plan: CampaignPlan
) -> None:
    decisions = decide_admissions(snapshot, plan, remembering(snapshot, plan), NOW)
    nodes = {n.host: n for n in snapshot.nodes}
    out = {h for h, n in nodes.items() if n.lease is not None and n.lease.mark is None}
    going = {h for h, d in decisions.items() if d.admission is Admission.ADMIT}
    for host in going - out:
        beside = {h for h in out | going if nodes[h].domain == nodes[host].domain}
        assert len(beside) <= plan.request.max_parallel
        assert simulate_drain(snapshot, beside).feasible
        assert all(are_neighbours(nodes[host], nodes[h]) for h in beside - {host})
    assert set(decisions) == set(plan.hosts)
    assert all(d.message and d.host == host for host, d in decisions.items())


@given(clouds(), plans, st.randoms(use_true_random=False))
@few
def test_everybody_gets_the_same_answer(snapshot: CloudSnapshot, plan: CampaignPlan, random: object) -> None:
    nodes, servers = list(snapshot.nodes), list(snapshot.servers)
    random.shuffle(nodes)  # type: ignore[attr-defined]
    random.shuffle(servers)  # type: ignore[attr-defined]
    turned = decide_admissions(make_cloud(nodes, servers), plan, remembering(snapshot, plan), NOW)
    assert turned == decide_admissions(snapshot, plan, remembering(snapshot, plan), NOW)


@given(clouds(), plans)
@few
def test_a_dry_run_never_admits_what_is_not_out(snapshot: CloudSnapshot, plan: CampaignPlan) -> None:
    dry = replace(plan, request=replace(plan.request, dry_run=True))
    own = {n.host for n in snapshot.nodes if n.lease is not None and plan.lease(n.host).same_holder(n.lease)}
    admitted = {
        h
        for h, d in decide_admissions(snapshot, dry, remembering(snapshot, dry), NOW).items()
        if d.admission is Admission.ADMIT
    }
    assert admitted <= own


def test_down_is_told_even_when_the_campaign_stops() -> None:
    plan = make_plan("a", "b", window_end=NOW)
    assert [d.code for d in asked([down(make_node("a")), make_node("b")], plan).values()] == [
        Code.NODE_DOWN,
        Code.WINDOW_CLOSED,
    ]


def wait_for_room(
    since: datetime | None,
    *,
    code: Code = Code.CAPACITY,
    nodes: Collection[Node] = (),
    given_back: Mapping[str, datetime] = MappingProxyType({}),
    **asked: datetime,
) -> AdmissionDecision:
    """Decide about a node whose server has no room now, and that waits for it since a moment."""
    full = [make_node("a"), make_node("b"), *nodes]
    servers = [make_server("s", "a", memory=8192), make_server("t", "b", memory=12288)]
    told = NodeProgress(host="a", code=code, message="no room", since=since)
    ledger = LedgerView(nodes=(told,), given_back=given_back)
    plan = make_plan("a", **asked)
    return decide_admissions(make_cloud(full, servers), plan, ledger, NOW)["a"]


def test_a_momentary_lack_of_room_is_a_wait_that_says_what_is_lacking() -> None:
    found = wait_for_room(None)
    assert (found.admission, found.code) == (Admission.WAIT, Code.CAPACITY)
    assert "the nearest, b, lacks" in found.message


def test_a_node_gives_up_waiting_for_room_after_an_hour() -> None:
    assert wait_for_room(NOW - timedelta(minutes=59)).admission is Admission.WAIT
    found = wait_for_room(NOW - timedelta(minutes=60))
    assert (found.admission, found.code) == (Admission.HOLD, Code.CAPACITY)
    assert "the nearest, b, lacks" in found.message


LONG_AGO = NOW - timedelta(hours=5)


def test_a_wait_for_something_else_does_not_count() -> None:
    assert wait_for_room(LONG_AGO, code=Code.PARALLEL_LIMIT).admission is Admission.WAIT


def test_a_node_that_came_back_lately_is_a_new_beginning() -> None:
    lately = NOW - timedelta(minutes=5)
    assert wait_for_room(LONG_AGO, given_back={"b": lately}).admission is Admission.WAIT
    assert wait_for_room(LONG_AGO, given_back={"elsewhere": lately}).admission is Admission.HOLD


def test_a_window_ends_the_wait_itself() -> None:
    assert wait_for_room(LONG_AGO, window_end=NOW + timedelta(hours=4)).admission is Admission.WAIT


def test_while_a_node_is_out_nobody_gives_up() -> None:
    out = leased(make_node("c"), make_plan("c", campaign="other", run_id="r", max_parallel=2))
    found = wait_for_room(LONG_AGO, nodes=[out])
    assert found.admission is Admission.WAIT


def test_an_absent_node_is_waited_for_no_longer_than_that() -> None:
    found = wait_for_room(LONG_AGO, nodes=[down(make_node("c"))])
    assert found.admission is Admission.HOLD
    assert "not without c, down or disabled now" in found.message


def test_who_has_the_other_node_out_is_said() -> None:
    nodes = [leased(make_node("a"), make_plan("a", campaign="dead", run_id="gone", max_parallel=1))]
    found = asked([*nodes, make_node("b"), make_node("c")])["b"]
    assert found.admission is Admission.WAIT
    assert found.message.startswith("a is out for campaign dead (run ")
