from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOW
from tests.upgrade_manager.clouds import few

from escalator.inventory.parts import MAX_NODES, find_parts, list_parts, place_new, place_nodes
from escalator.model.inventory import Inventory, InventoryNode


def hosts(count: int, first: int = 1) -> list[str]:
    return [f"node-{number:04d}" for number in range(first, first + count)]


def nodes(names: list[str], domain: str = "d") -> list[InventoryNode]:
    return [InventoryNode(host=name, domain=domain, address=name) for name in names]


def sizes(parts: dict[str, int | None]) -> dict[int | None, int]:
    return dict(Counter(parts.values()))


def test_a_domain_that_one_dag_holds_has_no_number() -> None:
    assert sizes(place_new({}, hosts(100))) == {None: 100}


def test_a_large_domain_is_cut_as_evenly_as_can_be_by_name() -> None:
    parts = place_new({}, hosts(250))
    assert sizes(parts) == {1: 84, 2: 84, 3: 82}
    assert [parts[host] for host in hosts(250)] == sorted(parts.values(), key=str)


def test_an_old_file_without_parts_is_cut_as_it_was() -> None:
    old = Inventory(cloud="c", taken_at=NOW, nodes=tuple(nodes(hosts(250))))
    assert [len(part) for part in list_parts(old, "d").values()] == [84, 84, 82]
    assert list(list_parts(old, "d")) == [1, 2, 3]
    assert list(list_parts(old, "other")) == []


def test_a_domain_that_outgrows_its_dag_gets_a_second_one_and_keeps_the_first() -> None:
    before = place_new({}, hosts(100))
    after = place_new(before, ["node-0000", "node-9999"])
    assert {host: after[host] for host in before} == before
    assert (after["node-0000"], after["node-9999"]) == (2, 2)


def test_new_nodes_go_to_the_emptiest_part() -> None:
    before: dict[str, int | None] = {**dict.fromkeys(hosts(99), 1), **dict.fromkeys(hosts(98, 100), 2)}
    after = place_new(before, ["a", "b", "c"])
    assert sizes(after) == {1: 100, 2: 100}
    assert sizes(place_new(before, [*"abcd", "e"])) == {1: 99, 2: 98, 3: 5}


def test_a_node_that_is_gone_moves_nobody() -> None:
    before = nodes(hosts(250))
    kept = {node.host: node for node in place_nodes(before, {})}
    after = {node.host: node for node in place_nodes([n for n in before if n.host != "node-0001"], kept)}
    assert after == {host: node for host, node in kept.items() if host != "node-0001"}


@st.composite
def histories(draw: st.DrawFn) -> list[list[str]]:
    """Draw how the nodes of a domain come and go."""
    names = hosts(MAX_NODES * 3)
    return [draw(st.lists(st.sampled_from(names), unique=True)) for _ in range(draw(st.integers(1, 5)))]


@given(histories(), st.integers(0, 299))
@few
def test_whoever_comes_or_goes_a_node_keeps_its_part_and_no_part_is_too_large(
    history: list[list[str]], many: int
) -> None:
    kept = {node.host: node for node in place_nodes(nodes(hosts(many)), {})}
    for present in history:
        after = {node.host: node for node in place_nodes(nodes(present), kept)}
        assert {host: after[host] for host in after.keys() & kept} == {
            host: kept[host] for host in after.keys() & kept
        }
        assert all(size <= MAX_NODES for size in Counter(node.part for node in after.values()).values())
        assert find_parts({host: node.part for host, node in after.items()}) == {
            host: node.part for host, node in after.items()
        }
        kept = after


def test_parts_of_other_domains_do_not_count() -> None:
    kept = {node.host: replace(node, part=7) for node in nodes(hosts(3), "other")}
    assert {node.part for node in place_nodes(nodes(hosts(3)), kept)} == {None}
