from __future__ import annotations

from tests.builders import DOMAINS, make_cloud, make_server, make_target
from tests.upgrade_manager.schedule.rounds import full, round_state

from escalator.upgrade_manager.drain.placing import DrainSimulation
from escalator.upgrade_manager.schedule.round_state import Departure
from escalator.upgrade_manager.schedule.waits import explain_second_moves
from escalator.upgrade_manager.state.capacity import MEMORY


def depart(host: str, charged: int = 0, **placements: str) -> Departure:
    simulation = DrainSimulation(placements={f"id-{name}": to for name, to in placements.items()})
    return Departure(host=host, simulation=simulation, charged=charged)


def test_a_departure_takes_places_and_budget() -> None:
    state = round_state(
        make_cloud([make_target("a"), make_target("b")], [make_server("x", "a", memory=2048)]), slots=2
    )
    free = state.book.free("b")[MEMORY]
    state.reasons["a"] = explain_second_moves(state, "a", 1)
    state.admit(depart("a", charged=1, x="b"))
    assert (state.queues, state.out) == ({DOMAINS[0]: ["b"]}, {DOMAINS[0]: {"a"}})
    assert state.book.free("b")[MEMORY] == free - 2048
    assert state.moved_twice == 1
    assert "a" not in state.reasons
    assert "a" in state.availability.out


def test_what_was_on_its_way_to_a_departing_node_goes_elsewhere() -> None:
    nodes = [make_target(host) for host in "abc"]
    state = round_state(make_cloud(nodes, [make_server("x", "a", memory=2048)]), slots=3)
    free = state.book.free("c")[MEMORY]
    state.admit(depart("a", x="b"))
    assert [s.name for s in state.leaving("b")] == ["x"]
    assert state.compute_demand("b") == 2048
    state.admit(depart("b", x="c"))
    assert state.claims == {"c": {"id-x": state.book.servers("a")[0]}}
    assert state.book.free("c")[MEMORY] == free - 2048


def test_demands_are_sums_of_the_largest_servers_first() -> None:
    servers = [make_server("small", "a", memory=512), make_server("large", "a", memory=4096)]
    state = round_state(make_cloud([make_target("a"), make_target("b")], servers))
    assert state.list_demands("a") == [0, 4096, 4608]
    assert state.find_largest_demand(DOMAINS[0]) == 4608
    state.claim(make_server("more", "x", memory=1024), "a")
    assert state.list_demands("a") == [0, 4096, 5120, 5632]
    assert state.find_largest_demand(DOMAINS[0]) == 5632


def test_only_pending_nodes_of_the_order_wait() -> None:
    state = round_state(make_cloud([make_target("a"), make_target("u", upgraded=True)]))
    assert state.waits("a")
    assert not any(map(state.waits, ("u", "unknown", None)))


def test_shares_follow_the_work_that_is_left() -> None:
    nodes = [make_target(f"a{i}") for i in range(3)] + [make_target("b0", domain=DOMAINS[1])]
    state = round_state(make_cloud(nodes), slots=4)
    assert state.compute_shares() == {DOMAINS[0]: 3.0, DOMAINS[1]: 1.0}
    state.admit(depart("a0"))
    shares = state.compute_shares()
    assert sum(shares.values()) == 4.0
    assert shares[DOMAINS[0]] < 3.0


def test_servers_of_all_waiting_domains_count_as_movable() -> None:
    assert round_state(full(*"ab")).movable == 6
