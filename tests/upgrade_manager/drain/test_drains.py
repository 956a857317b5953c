import pytest
from hypothesis import given
from tests.builders import NOW, disabled, down, leased, make_cloud, make_node, make_plan, make_server
from tests.upgrade_manager.clouds import clouds, few

from escalator.model.cloud import CloudSnapshot
from escalator.model.moves import Agreement, FailureAction, MoveMethod, MoveRecord, PlannedMove
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict
from escalator.upgrade_manager.drain.drains import choose_next_action, plan_drain
from escalator.upgrade_manager.drain.prechecks import check_servers
from escalator.upgrade_manager.state.capacity import CapacityBook


def test_methods_by_state_and_largest_first() -> None:
    servers = [
        make_server("off", "a", vm_state="stopped", memory=1024),
        make_server("on", "a", memory=4096),
        make_server("still", "a", vm_state="paused", memory=2048),
        make_server("cold", "a", memory=512, migration="cold"),
        make_server("gone", "a", vm_state="shelved_offloaded"),
    ]
    plan = plan_drain(make_cloud([make_node("a"), make_node("b")], servers), "a")
    assert [(m.server_name, m.method) for m in plan.moves] == [
        ("on", MoveMethod.LIVE),
        ("still", MoveMethod.LIVE),
        ("off", MoveMethod.COLD),
        ("cold", MoveMethod.COLD),
    ]
    assert plan.feasible
    assert plan.verdicts == ()
    assert plan.moves[0].memory_mib == 4096
    assert plan.moves[0].destinations == ("b",)


@pytest.mark.parametrize(("vm_state", "method"), [("active", MoveMethod.COLD), ("paused", MoveMethod.LIVE)])
def test_what_its_manager_wants_moved_cold_is_where_nova_allows_it(vm_state: str, method: MoveMethod) -> None:
    server = make_server("s", "a", vm_state=vm_state)
    agreement = Agreement(leaves=(server.id,), cold=(server.id,))
    plan = plan_drain(make_cloud([make_node("a"), make_node("b")], [server]), "a", agreement=agreement)
    assert [move.method for move in plan.moves] == [method]
    assert plan.feasible


def test_upgraded_first_then_best_fit_then_alternatives() -> None:
    nodes = [
        make_node("a"),
        make_node("roomy", memory=16384),
        make_node("tight", memory=4096),
        make_node("new", memory=16384, upgraded=True),
        make_node("newer", memory=8192, upgraded=True),
        make_node("too-small", memory=1024),
        make_node("spare", memory=32768),
    ]
    (move,) = plan_drain(make_cloud(nodes, [make_server("s", "a")]), "a").moves
    assert move.destinations == ("newer", "new", "tight", "roomy")


def test_placements_take_each_other_into_account() -> None:
    nodes = [make_node("a"), make_node("b", memory=4096), make_node("c", memory=2048)]
    servers = [make_server("one", "a"), make_server("two", "a"), make_server("three", "a")]
    moves = plan_drain(make_cloud(nodes, servers), "a").moves
    assert sorted(m.destinations[0] for m in moves) == ["b", "b", "c"]
    assert all(len(m.destinations) == 1 for m in moves)


def test_nodes_out_of_service_are_no_destinations() -> None:
    nodes = [
        make_node("a"),
        disabled(make_node("b")),
        down(make_node("c")),
        leased(make_node("d"), make_plan("d")),
        make_node("e"),
        make_node("f"),
    ]
    snapshot = make_cloud(nodes, [make_server("s", "a")])
    assert plan_drain(snapshot, "a", out=["e"]).moves[0].destinations == ("f",)
    plan = plan_drain(snapshot, "a", out=["e", "f"])
    assert plan.moves == ()
    assert [(v.code, v.blocks) for v in plan.verdicts] == [(Code.NO_DESTINATION, True)]
    assert not plan.feasible


def test_first_fit_where_best_fit_leaves_somebody_behind() -> None:
    nodes = [make_node("a"), make_node("b", memory=5120), make_node("c", memory=4096)]
    sizes = [3072, 2048, 2048, 2048]
    servers = [make_server(f"s{i}", "a", memory=size) for i, size in enumerate(sizes)]
    plan = plan_drain(make_cloud(nodes, servers), "a")
    assert plan.feasible
    assert [m.destinations[0] for m in plan.moves] == ["b", "b", "c", "c"]


def test_blocked_servers_are_not_planned_and_findings_are_kept() -> None:
    servers = [make_server("bad", "a", vm_state="error"), make_server("good", "a", locked=True)]
    snapshot = make_cloud([make_node("a"), make_node("b")], servers)
    verdicts = check_servers(snapshot.servers_on("a"))
    plan = plan_drain(snapshot, "a", verdicts)
    assert plan.verdicts == verdicts
    assert [m.server_name for m in plan.moves] == ["good"]
    assert [v.code for v in plan_drain(snapshot, "a").verdicts] == [Code.SERVER_ERROR]


def test_a_warning_does_not_keep_a_server_from_moving() -> None:
    subject = Subject(type=SubjectType.SERVER, id="id-s")
    note = Verdict(code=Code.SERVER_LOCKED, message="m", subject=subject, severity=Severity.WARNING)
    plan = plan_drain(make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")]), "a", [note])
    assert len(plan.moves) == 1
    assert plan.feasible


@given(clouds())
@few
def test_every_server_is_planned_or_named_and_nothing_overfills(snapshot: CloudSnapshot) -> None:
    host = snapshot.nodes[0].host
    plan = plan_drain(snapshot, host)
    here = {s.id: s for s in snapshot.servers_on(host) if s.vm_state != "shelved_offloaded"}
    planned = {m.server_id for m in plan.moves}
    assert planned | {v.subject.id for v in plan.verdicts if v.blocks} == set(here)
    book = CapacityBook(snapshot)
    for target in snapshot.nodes:
        arriving = [here[m.server_id] for m in plan.moves if m.destinations[0] == target.host]
        added = sum(s.resources["MEMORY_MB"] for s in arriving)
        assert not added or added <= book.free(target.host)["MEMORY_MB"]
        offered = [m for m in plan.moves if target.host in m.destinations]
        assert not offered or (target.eligible_destination and target.host != host)
    assert all(len(set(m.destinations)) == len(m.destinations) <= 4 for m in plan.moves)


def attempt(to: str | None, *, of: str = "id-s", succeeded: bool = False) -> MoveRecord:
    return MoveRecord(
        server_id=of,
        server_name="s",
        from_host="a",
        to_host=to,
        method=MoveMethod.LIVE,
        succeeded=succeeded,
        started_at=NOW,
        ended_at=NOW,
    )


@pytest.mark.parametrize(
    ("tried", "left", "action"),
    [
        ([], ("b", "c"), FailureAction.RETRY_ELSEWHERE),
        (["b"], ("b", "c"), FailureAction.RETRY_ELSEWHERE),
        (["b"], ("c",), FailureAction.RETRY_ELSEWHERE),
        (["b", "c"], ("c", "d"), FailureAction.RETRY_ELSEWHERE),
        (["b", "c"], ("b", "c"), FailureAction.HOLD),
        (["b", "c"], ("c",), FailureAction.HOLD),
        (["b"], (), FailureAction.HOLD),
        ([None, None], ("b", "c"), FailureAction.HOLD),
        (["b", "b"], ("b", "c"), FailureAction.HOLD),
    ],
)
def test_what_comes_after_a_failure(
    tried: list[str | None], left: tuple[str, ...], action: FailureAction
) -> None:
    move = PlannedMove(server_id="id-s", server_name="s", method=MoveMethod.LIVE, destinations=left)
    others = [attempt("c", of="id-other"), attempt("c", succeeded=True)]
    assert choose_next_action([*others, *(attempt(host) for host in tried)], move) is action


def test_too_little_room_is_no_destination_with_the_numbers() -> None:
    (verdict,) = plan_drain(
        make_cloud([make_node("a"), make_node("b", memory=1024)], [make_server("s", "a")]), "a"
    ).verdicts
    assert verdict.code is Code.NO_DESTINATION
    assert "1024 MEMORY_MB" in verdict.message


def test_of_nodes_still_to_be_upgraded_the_last_that_may_take_it_gets_a_server() -> None:
    nodes = [make_node(host, target=True) for host in "abcd"]
    snapshot = make_cloud(nodes, [make_server("s", "a"), make_server("t", "b")])
    order = ("a", "b", "c", "d")
    assert plan_drain(snapshot, "a", order=order).moves[0].destinations[0] == "d"
    assert plan_drain(snapshot, "a", order=order, out=["d"]).moves[0].destinations[0] == "c"
