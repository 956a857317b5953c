from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import DOMAINS, make_cloud, make_pair, make_server, make_target
from tests.upgrade_manager.clouds import few

from escalator.model.cloud import CloudSnapshot
from escalator.upgrade_manager.schedule.first_nodes import FirstNodes, choose_cheapest
from escalator.upgrade_manager.schedule.ordering import order_hosts
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import CapacityBook

GIB = 1024


def order_of(snapshot: CloudSnapshot, *, members_stay: bool = True) -> tuple[str, ...]:
    book = CapacityBook(snapshot, members_stay=members_stay)
    hosts = tuple(n.host for n in snapshot.nodes)
    return order_hosts(book, Availability(book.memberships), hosts)


def test_a_node_whose_service_would_switch_twice_is_not_the_first_where_that_costs_little() -> None:
    """Node a has three servers less to move than b, and two services whose standbys are in its domain."""
    groups, members = zip(*(make_pair(name, "a", "c") for name in ("db", "mme")), strict=True)
    filler = [make_server(f"x{i}", "a") for i in range(400)]
    on_b = [make_server(f"y{i}", "b") for i in range(403)]
    on_c = [make_server(f"z{i}", "c") for i in range(500)]
    big = 2048 * GIB
    snapshot = make_cloud(
        [make_target(h, memory=big) for h in "abc"],
        [*filler, *on_b, *on_c, *(m for both in members for m in both)],
        ha_groups=groups,
    )
    assert order_of(snapshot)[0] == "b"
    assert order_of(snapshot, members_stay=False)[0] == "a"


def test_a_service_does_not_buy_more_moves_than_the_share_of_all_moves() -> None:
    group, members = make_pair("db", "a", "c")
    servers = [
        make_server("x", "a"),
        *(make_server(f"y{i}", "b") for i in range(2)),
        make_server("z", "c"),
        *members,
    ]
    snapshot = make_cloud(
        [make_target(h) for h in "abc"], [*servers, make_server("w", "c")], ha_groups=(group,)
    )
    assert order_of(snapshot)[0] == "a"


def test_the_second_node_fits_onto_the_first() -> None:
    """Node b has fewer servers than c, but more than a can take."""
    servers = [
        make_server("x", "a", memory=8 * GIB),
        *(make_server(f"y{i}", "b", memory=15 * GIB) for i in range(2)),
        *(make_server(f"z{i}", "c", memory=2 * GIB) for i in range(3)),
    ]
    nodes = (
        make_target("a", memory=16 * GIB),
        make_target("b", memory=40 * GIB),
        make_target("c", memory=40 * GIB),
    )
    assert order_of(make_cloud(nodes, servers))[:2] == ("a", "c")


def test_first_nodes_come_after_those_of_the_domains_of_their_standbys() -> None:
    group, members = make_pair("db", "a", "d")
    nodes = (
        make_target("a"),
        make_target("b"),
        make_target("d", domain=DOMAINS[1]),
        make_target("e", domain=DOMAINS[1]),
    )
    servers = [
        make_server("x", "b"),
        make_server("y", "e"),
        make_server("y2", "e"),
        make_server("z", "d"),
        *members,
    ]
    snapshot = make_cloud(nodes, servers, ha_groups=(group,))
    order = order_of(snapshot)
    assert order.index("d") < order.index("a")


firsts = st.builds(
    FirstNodes, first=st.just("a"), second=st.none(), moves=st.integers(0, 6), switchovers=st.integers(0, 9)
)
choices = st.lists(st.lists(firsts, min_size=1, max_size=4), min_size=1, max_size=4)


@given(choices, st.integers(0, 12))
@few
def test_the_choice_is_the_cheapest_within_the_budget(options: list[list[FirstNodes]], budget: int) -> None:
    options = [sorted(firsts, key=lambda s: s.moves) for firsts in options]
    chosen = choose_cheapest(options, budget)
    budget = max(budget, sum(firsts[0].moves for firsts in options))
    assert all(one in firsts for one, firsts in zip(chosen, options, strict=True))
    assert sum(one.moves for one in chosen) <= budget
    assert _value(chosen) <= _least(options, budget) + 1e-9


def _value(firsts: tuple[FirstNodes, ...]) -> float:
    return sum(one.switchovers + one.moves / 3 for one in firsts)


def _least(options: list[list[FirstNodes]], budget: int) -> float:
    if not options:
        return 0.0
    return min(
        (
            _value((one,)) + _least(options[1:], budget - one.moves)
            for one in options[0]
            if one.moves <= budget
        ),
        default=float("inf"),
    )
