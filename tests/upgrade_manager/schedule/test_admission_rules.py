from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import NOW, disabled, leased, make_cloud, make_node, make_plan, make_server, remembering

from escalator.model.campaign import (
    CampaignPlan,
    LedgerView,
    LeftOut,
    NodeProgress,
    NodeState,
    OnInterruption,
)
from escalator.model.cloud import CloudSnapshot, Node, ServiceState
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.interruption import Breach, InterruptionLimit
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.verdict import Code
from escalator.model.watchers import StopSign
from escalator.upgrade_manager.schedule.admission import decide_admissions
from escalator.upgrade_manager.schedule.admission_rules import (
    EARLY_RULES,
    RULES,
    AdmissionState,
    find_decision,
    make_decision,
)
from escalator.upgrade_manager.state.capacity import Tier

PLAN = make_plan("a", "b")
OTHER = make_plan("c", campaign="other", run_id="other-run")


def look(snapshot: CloudSnapshot, plan: CampaignPlan = PLAN, **states: NodeState) -> AdmissionState:
    nodes = tuple(NodeProgress(host=host, state=state) for host, state in states.items())
    ledger = remembering(snapshot, plan, LedgerView(nodes=nodes))
    return AdmissionState.of(snapshot, plan, ledger, NOW)


def decide(state: AdmissionState, host: str = "a") -> tuple[Admission, Code] | None:
    decision = find_decision((*EARLY_RULES, *RULES), state, host)
    if decision is not None and decision.admission in {Admission.STOP, Admission.WAIT}:
        told = NodeProgress(host=host, state=NodeState.WAITING, code=decision.code)
        assert told.stopped == (decision.admission is Admission.STOP), "who reads the ledger sees it"
    return None if decision is None else (decision.admission, decision.code)


def test_nothing_forbids_a_free_node() -> None:
    assert decide(look(make_cloud([make_node("a"), make_node("b")]))) is None


def test_the_first_rule_that_has_a_decision_wins() -> None:
    def decides(message: str) -> AdmissionDecision:
        return make_decision("a", Admission.HOLD, Code.CAPACITY, message)

    state = look(make_cloud([make_node("a")]))
    rules = (lambda _s, _h: None, lambda _s, _h: decides("first"), lambda _s, _h: decides("second"))
    assert find_decision(rules, state, "a") == decides("first")


def test_a_node_of_no_campaign_is_passed_over_whatever_its_state() -> None:
    state = look(make_cloud([make_node("a"), disabled(make_node("x"))]))
    assert decide(state, "x") == (Admission.SKIP, Code.NOT_SELECTED)


def test_a_node_that_was_left_out_at_the_start_is_skipped_with_the_reason_of_then() -> None:
    left_out = LeftOut(host="b", code=Code.SERVER_ERROR, message="left out: its server was in ERROR")
    plan = replace(make_plan("a"), left_out=(left_out,))
    state = look(make_cloud([make_node("a"), make_node("b")]), plan)
    found = find_decision(EARLY_RULES, state, "b")
    assert found == make_decision("b", Admission.SKIP, Code.SERVER_ERROR, left_out.message)
    assert state.book.tiers["b"] is Tier.SPARE  # it takes servers, and these need not move again
    assert decide(state, "a") is None


def test_what_holds_in_a_dry_run_does_not_ask_whose_the_node_is() -> None:
    state = look(make_cloud([disabled(make_node("a")), make_node("b", upgraded=True)]))
    assert find_decision(EARLY_RULES, state, "a") is None
    assert decide(state, "a") == (Admission.SKIP, Code.DISABLED_BY_OTHERS)
    assert find_decision(EARLY_RULES, state, "b") is not None


@pytest.mark.parametrize("mark", [None, *LeaseMark])
def test_a_marked_lease_of_the_run_counts_as_a_failure_and_an_end(mark: LeaseMark | None) -> None:
    state = look(make_cloud([leased(make_node("a"), PLAN, mark), make_node("b")]))
    ended = frozenset() if mark is None else frozenset({"a"})
    assert (state.own, state.failed, state.ended) == ({"a"}, ended, ended)
    budget = (Admission.STOP, Code.FAILURE_BUDGET)
    assert decide(state, "b") == (budget if ended else None)


@pytest.mark.parametrize("state", NodeState)
def test_only_a_failed_node_counts_against_the_budget(state: NodeState) -> None:
    cloud = make_cloud([make_node("a"), leased(make_node("b"), PLAN) if state.under_way else make_node("b")])
    assert decide(look(cloud, b=state)) == (
        (Admission.STOP, Code.FAILURE_BUDGET) if state is NodeState.FAILED else None
    )


def test_a_node_that_somebody_took_counts_like_one_that_failed() -> None:
    lost = NodeProgress(host="b", state=NodeState.HELD, code=Code.LEASE_LOST)
    cloud = make_cloud([make_node("a"), make_node("b")])
    state = AdmissionState.of(cloud, PLAN, LedgerView(nodes=(lost,)), NOW)
    assert decide(state) == (Admission.STOP, Code.FAILURE_BUDGET)


@pytest.mark.parametrize("phase", LeasePhase)
@pytest.mark.parametrize("mark", [None, LeaseMark.HELD])
def test_after_a_move_that_put_a_server_into_error_nobody_goes_whatever_may_fail(
    phase: LeasePhase, mark: LeaseMark | None
) -> None:
    """One that was in ERROR before its node was touched concerns that node only."""
    plan = replace(PLAN, request=replace(PLAN.request, max_failed_nodes=5, max_parallel=3))
    lease = plan.lease("b").marked(mark).at(phase).render()
    held = NodeProgress(host="b", state=NodeState.HELD, code=Code.SERVER_ERROR)
    cloud = make_cloud([make_node("a"), disabled(make_node("b"), lease)])
    state = AdmissionState.of(cloud, plan, LedgerView(nodes=(held,), leases={"b": (lease,)}), NOW)
    stops = phase is not LeasePhase.ADMITTED
    assert decide(state) == ((Admission.STOP, Code.FAILURE_BUDGET) if stops else None)


def test_what_is_left_of_a_lost_lease_takes_no_place() -> None:
    written = PLAN.lease("b").renewed().render()
    cloud = make_cloud([make_node("a"), disabled(make_node("b"), f"{written} (leave it: Ann)")])
    lost = NodeProgress(host="b", state=NodeState.HELD, code=Code.LEASE_LOST)
    plan = replace(PLAN, request=replace(PLAN.request, max_failed_nodes=1))
    state = AdmissionState.of(cloud, plan, LedgerView(nodes=(lost,), leases={"b": (written,)}), NOW)
    assert decide(state) is None
    assert state.leases_beside(state.nodes["a"]) == {}
    assert decide(state, "b") == (Admission.HOLD, Code.LEASE_LOST)


@pytest.mark.parametrize("reason", [None, "broken fan"])
def test_nobody_goes_while_a_node_under_way_is_not_as_the_run_left_it(reason: str | None) -> None:
    taken = make_node("b") if reason is None else disabled(make_node("b"), reason)
    state = look(make_cloud([make_node("a"), taken]), b=NodeState.MIGRATING)
    assert decide(state) == (Admission.WAIT, Code.LEASE_LOST)


@pytest.mark.parametrize("ledger", [LedgerView(), LedgerView(leases={"a": ()})])
def test_a_lease_with_our_token_is_somebody_elses_when_the_ledger_has_none(ledger: LedgerView) -> None:
    """A copy of this run took it, or the run did before its ledger was lost: the check says so."""
    cloud = make_cloud([leased(make_node("a"), PLAN), make_node("b")])
    state = AdmissionState.of(cloud, PLAN, ledger, NOW)
    assert (state.own, state.altered, state.failed) == (frozenset(), frozenset(), frozenset())
    assert decide(state) == (Admission.WAIT, Code.LEASED_BY_OTHERS)


def test_a_lease_that_is_not_as_the_ledger_has_it_is_left_alone() -> None:
    """The ledger is of an hour ago, or a person added a word."""
    cloud = make_cloud([leased(make_node("a"), PLAN), make_node("b")])
    known = LedgerView(leases={"a": ("escalator:upgrade__lab:0:0:ADMITTED",)})
    state = AdmissionState.of(cloud, PLAN, known, NOW)
    assert (state.own, state.altered) == (frozenset(), {"a"})
    assert decide(state) == (Admission.HOLD, Code.LEASE_LOST)


def test_the_same_run_of_another_installation_is_somebody_else() -> None:
    cloud = make_cloud([leased(make_node("a"), replace(PLAN, installation="1a2b3c4d")), make_node("b")])
    state = AdmissionState.of(cloud, PLAN, LedgerView(), NOW)
    decision = find_decision(RULES, state, "a")
    assert decision is not None
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.LEASED_BY_OTHERS)
    assert "of installation 1a2b3c4d" in decision.message


def test_as_many_may_fail_as_were_asked_for() -> None:
    snapshot = make_cloud([make_node(host) for host in "abc"])
    plan = make_plan("a", "b", "c", max_failed_nodes=1)
    assert decide(look(snapshot, plan, b=NodeState.FAILED)) is None
    assert decide(look(snapshot, plan, b=NodeState.FAILED, c=NodeState.FAILED)) is not None


@pytest.mark.parametrize(("minutes", "stops"), [(-1, True), (0, True), (1, True), (60, False)])
def test_no_node_goes_out_that_would_not_be_back_in_the_window(minutes: int, *, stops: bool) -> None:
    plan = make_plan("a", window_end=NOW + timedelta(minutes=minutes))
    state = look(make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")]), plan)
    assert decide(state) == ((Admission.STOP, Code.WINDOW_CLOSED) if stops else None)


def test_a_window_of_nine_minutes_does_not_admit_the_node_of_a_very_large_server() -> None:
    nodes = [make_node(host, memory=512 * 1024) for host in "ab"]
    plan = make_plan("a", window_end=NOW + timedelta(minutes=9))
    large = make_server("large", "a", memory=256 * 1024)
    assert decide(look(make_cloud(nodes, [large]), plan)) == (Admission.STOP, Code.WINDOW_CLOSED)
    assert decide(look(make_cloud(nodes, [make_server("small", "a")]), plan)) is None


def test_leases_count_against_a_neighbour_and_our_own_everywhere() -> None:
    far = {"domain": "cell1/az1/fast", "aggregates": ("fast",)}
    nodes = [
        make_node("a"),
        leased(make_node("b", **far), PLAN),
        leased(make_node("c"), OTHER),
        leased(make_node("d", **far), OTHER),
        leased(make_node("e"), OTHER, LeaseMark.HELD),
    ]
    state = look(make_cloud(nodes))
    assert list(state.leases_beside(state.nodes["a"])) == ["b", "c"]


def test_nodes_that_somebody_took_do_not_wait_for_one_another() -> None:
    """A person enabled both, and their tasks are cleared: neither has a step that goes on."""
    cloud = make_cloud([make_node(host) for host in "abc"])
    plan = make_plan("a", "b", "c")
    state = look(cloud, plan, a=NodeState.MIGRATING, b=NodeState.MIGRATING)
    assert decide(state, "a") is None
    assert decide(state, "b") == decide(state, "c") == (Admission.WAIT, Code.LEASE_LOST)


def test_who_waits_for_a_node_that_somebody_took_is_told_what_to_do() -> None:
    cloud = make_cloud([make_node("a"), make_node("b")])
    decision = find_decision(RULES, look(cloud, b=NodeState.MIGRATING), "a")
    assert decision is not None
    assert decision.message.endswith("-> if none of them goes on, clear b.admit with downstream")


@pytest.mark.parametrize("holder", ["a copy of this run", "another campaign"])
def test_a_node_that_somebody_took_under_a_lease_of_their_own_takes_a_place(holder: str) -> None:
    """They have it out now: one more would be more than either allows."""
    theirs = (PLAN if holder == "a copy of this run" else OTHER).lease("b").renewed()
    cloud = make_cloud([make_node("a"), disabled(make_node("b"), theirs.render())])
    lost = NodeProgress(host="b", state=NodeState.HELD, code=Code.LEASE_LOST)
    written = {"b": (PLAN.lease("b").renewed().render(),)}
    plan = replace(PLAN, request=replace(PLAN.request, max_failed_nodes=1))
    ledger = LedgerView(nodes=(lost,), leases=written)
    decision = decide_admissions(cloud, plan, ledger, NOW)["a"]
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.PARALLEL_LIMIT)
    assert "b is out" in decision.message


@pytest.mark.parametrize(
    ("choice", "limit", "decision"),
    [
        (OnInterruption.STOP, InterruptionLimit.SWITCH, (Admission.STOP, Code.INTERRUPTION_SWITCH)),
        (OnInterruption.STOP, InterruptionLimit.YEAR, (Admission.STOP, Code.INTERRUPTION_YEAR)),
        (OnInterruption.REPORT, InterruptionLimit.SWITCH, None),
    ],
)
def test_a_service_that_was_interrupted_for_too_long_stops_where_it_is_wanted(
    choice: OnInterruption, limit: InterruptionLimit, decision: tuple[Admission, Code] | None
) -> None:
    plan = replace(PLAN, request=replace(PLAN.request, on_interruption=choice))
    state = look(make_cloud([make_node("a"), make_node("b")]), plan)
    breach = Breach(group="sbc", limit=limit, seconds=400)
    assert decide(replace(state, ledger=replace(state.ledger, breaches=(breach,)))) == decision
    assert decide(state) is None


def test_a_node_that_is_out_goes_on_whatever_was_interrupted() -> None:
    plan = replace(PLAN, request=replace(PLAN.request, on_interruption=OnInterruption.STOP))
    state = look(make_cloud([leased(make_node("a"), plan), make_node("b")]), plan, a=NodeState.MIGRATING)
    breach = Breach(group="sbc", limit=InterruptionLimit.SWITCH, seconds=2)
    state = replace(state, ledger=replace(state.ledger, breaches=(breach,)))
    assert decide(state) == (Admission.ADMIT, Code.ADMITTED)
    assert decide(state, "b") == (Admission.STOP, Code.INTERRUPTION_SWITCH)


def test_a_node_waits_while_one_who_watches_the_cloud_speaks_against_it() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")])
    sign = StopSign(code=Code.RECOVERY_RUNS, message="at work", hosts=frozenset({"a"}))
    state = AdmissionState.of(snapshot, PLAN, LedgerView(), NOW, (sign,))
    assert decide(state) == (Admission.WAIT, Code.RECOVERY_RUNS)
    assert decide(state, "b") is None


def test_what_stops_or_skips_a_node_is_said_before_that() -> None:
    sign = StopSign(code=Code.RECOVERY_RUNS, message="at work")
    out = leased(make_node("a"), PLAN)
    snapshot = make_cloud([out, disabled(make_node("b"))])
    ledger = remembering(snapshot, PLAN, LedgerView())
    state = AdmissionState.of(snapshot, PLAN, ledger, NOW, (sign,))
    assert decide(state) == (Admission.ADMIT, Code.ADMITTED)
    assert decide(state, "b") == (Admission.SKIP, Code.DISABLED_BY_OTHERS)


@pytest.mark.parametrize(("percent", "nodes", "stops"), [(50, 4, False), (49, 4, True), (10, 4, True)])
def test_a_share_of_the_nodes_may_fail_rounded_down(percent: int, nodes: int, *, stops: bool) -> None:
    hosts = "abcdefgh"[:nodes]
    plan = make_plan(*hosts, max_failed_nodes=0, max_failed_percent=percent)
    state = look(
        make_cloud([make_node(host) for host in hosts]), plan, b=NodeState.FAILED, c=NodeState.FAILED
    )
    assert decide(state) == ((Admission.STOP, Code.FAILURE_BUDGET) if stops else None)


def soak(cloud: CloudSnapshot, *, seconds: int, ago: int, host: str = "a") -> tuple[Admission, Code] | None:
    plan = make_plan("a", "b", soak_seconds=seconds)
    back = NodeProgress(host="b", state=NodeState.RELEASED, since=NOW - timedelta(seconds=ago))
    return decide(AdmissionState.of(cloud, plan, LedgerView(nodes=(back,)), NOW), host)


@pytest.mark.parametrize(
    ("seconds", "ago", "decision"),
    [
        (0, 0, None),
        (120, 0, (Admission.WAIT, Code.SOAKING)),
        (120, 119, (Admission.WAIT, Code.SOAKING)),
        (120, 120, None),
    ],
)
def test_a_node_that_was_given_back_serves_for_a_while_before_the_next_goes(
    seconds: int, ago: int, decision: object
) -> None:
    assert soak(make_cloud([make_node("a"), make_node("b")]), seconds=seconds, ago=ago) == decision


@pytest.mark.parametrize(
    "gone", [make_node("b", state=ServiceState.DOWN), disabled(make_node("b"), "AUTO: libvirt"), None]
)
def test_none_goes_any_more_when_a_node_fails_in_its_soak(gone: Node | None) -> None:
    cloud = make_cloud([make_node("a"), *([gone] if gone else [])])
    assert soak(cloud, seconds=120, ago=60) == (Admission.STOP, Code.SOAK_FAILED)
    assert soak(cloud, seconds=120, ago=121) is None


def test_a_node_waits_for_no_soak_of_its_own() -> None:
    cloud = make_cloud([make_node("a"), make_node("b")])
    assert soak(cloud, seconds=120, ago=0, host="b") is None
