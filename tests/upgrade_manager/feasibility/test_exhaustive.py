from __future__ import annotations

from tests.builders import disabled, make_cloud, make_node, make_server

from escalator.model.cloud import CloudSnapshot
from escalator.upgrade_manager.feasibility.exhaustive import MOST_NODES, Search
from escalator.upgrade_manager.state.capacity import CapacityBook


def find(snapshot: CloudSnapshot, *hosts: str) -> tuple[str, ...] | None:
    return Search(book=CapacityBook(snapshot, pending=hosts)).find_order(hosts)


def test_the_only_order_is_found() -> None:
    nodes = [make_node("a", memory=8192), make_node("b", memory=8192), make_node("c", memory=2048)]
    servers = [make_server("giant", "a", memory=8192), make_server("s", "b", memory=1024)]
    assert find(make_cloud(nodes, servers), "a", "b") == ("b", "a")


def test_no_order_is_found_where_the_others_have_too_little_room() -> None:
    nodes = [make_node("a", memory=8192), make_node("b", memory=4096)]
    assert find(make_cloud(nodes, [make_server("giant", "a", memory=8192)]), "a") is None


def test_a_node_that_is_out_is_not_searched() -> None:
    assert find(make_cloud([disabled(make_node("a")), make_node("b")]), "a", "b") is None


def test_large_domains_are_not_searched() -> None:
    hosts = [f"n{number}" for number in range(MOST_NODES + 1)]
    assert find(make_cloud(map(make_node, hosts)), *hosts) is None
    assert find(make_cloud(map(make_node, hosts[:-1])), *hosts[:-1]) == tuple(hosts[:-1])


def test_the_book_is_as_before_when_nothing_was_found() -> None:
    nodes = [make_node("a", memory=4096), make_node("b", memory=3072), make_node("c", memory=3072)]
    servers = [make_server("x", "a", memory=4096), make_server("y", "b", memory=512)]
    book = CapacityBook(make_cloud(nodes, servers), pending=("a",))
    free = {n.host: dict(book.free(n.host)) for n in nodes}
    assert Search(book=book).find_order(("a",)) is None
    assert {n.host: dict(book.free(n.host)) for n in nodes} == free
    assert [s.name for s in book.servers("a")] == ["x"]
