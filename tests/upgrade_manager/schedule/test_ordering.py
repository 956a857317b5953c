from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import DOMAINS, make_cloud, make_pair, make_server, make_target
from tests.upgrade_manager.clouds import few

from escalator.upgrade_manager.schedule.first_nodes import Arcs
from escalator.upgrade_manager.schedule.ordering import (
    find_switch_arcs,
    order_hosts,
    untangle,
)
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import CapacityBook

HOSTS = tuple("abcde")
arcs = st.dictionaries(
    st.sampled_from(HOSTS),
    st.dictionaries(st.sampled_from(HOSTS), st.sampled_from([0.5, 1.0, 2.0]), max_size=3),
    max_size=6,
).map(lambda drawn: {t: {h: w for h, w in heads.items() if h != t} for t, heads in drawn.items()})


def compute_backward_weight(order: Sequence[str], arcs: Arcs) -> float:
    """Return the weight of the arcs that an order breaks."""
    rank_of = {host: number for number, host in enumerate(order)}
    return sum(
        value
        for tail, heads in arcs.items()
        for head, value in heads.items()
        if tail in rank_of and head in rank_of and rank_of[tail] > rank_of[head]
    )


@given(arcs, st.integers(0, 3))
@few
def test_small_graphs_are_untangled_as_well_as_can_be(drawn: dict[str, dict[str, float]], seed: int) -> None:
    found = untangle(HOSTS, drawn, seed=seed)
    assert sorted(found) == sorted(HOSTS)
    best = min(compute_backward_weight(order, drawn) for order in itertools.permutations(HOSTS))
    assert compute_backward_weight(found, drawn) <= best + 0.5
    assert found == untangle(HOSTS, drawn, seed=seed)


def test_a_graph_without_cycles_breaks_no_arc() -> None:
    dice = random.Random(7)  # noqa: S311
    hosts = [f"n{i:03}" for i in range(120)]
    drawn: dict[str, dict[str, float]] = {}
    for _ in range(400):
        one, two = sorted(dice.sample(range(120), 2))
        drawn.setdefault(hosts[one], {})[hosts[two]] = 1.0
    mixed = hosts[:]
    dice.shuffle(mixed)
    assert compute_backward_weight(untangle(mixed, drawn), drawn) == 0.0


def test_without_arcs_the_order_stays() -> None:
    assert untangle(("c", "a", "b"), {}) == ("c", "a", "b")


def test_the_cheapest_node_of_each_domain_goes_first_then_standbys_before_actives() -> None:
    group, members = make_pair("db", "a", "b")
    servers = [make_server("x", "a"), make_server("y", "b"), make_server("z", "d"), *members]
    nodes = (
        make_target("a"),
        make_target("b"),
        make_target("c"),
        make_target("d", domain=DOMAINS[1]),
        make_target("e", domain=DOMAINS[1]),
    )
    snapshot = make_cloud(nodes, servers, ha_groups=(group,))
    book = CapacityBook(snapshot)
    availability = Availability(book.memberships)
    order = order_hosts(book, availability, ("a", "b", "c", "d", "e"))
    assert set(order[:2]) == {"c", "e"}
    assert order.index("b") < order.index("a")
    assert find_switch_arcs(book, availability, ("a", "b")) == {"b": {"a": 1.0}}


def test_a_domain_with_an_upgraded_node_needs_no_seed() -> None:
    group, members = make_pair("db", "a", "b")
    snapshot = make_cloud(
        [make_target("a"), make_target("b"), make_target("u", upgraded=True)],
        [make_server("x", "b"), *members],
        ha_groups=(group,),
    )
    book = CapacityBook(snapshot)
    availability = Availability(book.memberships)
    assert order_hosts(book, availability, ("a", "b")) == ("b", "a")
