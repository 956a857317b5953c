from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import NOW

from escalator.inventory.refresh import find_moved, make_refresh
from escalator.model.inventory import Inventory, InventoryNode

WHY = "it is out under the lease upgrade__lab:1"


def inventory(*nodes: InventoryNode) -> Inventory:
    return Inventory(cloud="lab", taken_at=NOW, nodes=nodes)


def node(host: str, domain: str = "d", part: int | None = None, address: str = "a") -> InventoryNode:
    return InventoryNode(host=host, domain=domain, address=address, part=part)


BEFORE = inventory(node("node-01", part=2), node("node-02", part=2), node("node-03", part=1))


def test_a_first_inventory_is_what_the_cloud_shows() -> None:
    found = inventory(node("node-01"), node("node-02", "e"))
    made = make_refresh(None, found, {"node-01": WHY})
    assert (made.inventory, made.put_off) == (found, ())


def test_nodes_keep_their_parts_and_get_their_new_addresses() -> None:
    found = replace(BEFORE, nodes=tuple(replace(n, part=None, address="b") for n in BEFORE.nodes))
    made = make_refresh(BEFORE, replace(found, taken_at=NOW + timedelta(days=1)), {})
    assert [(n.part, n.address) for n in made.inventory.nodes] == [(2, "b"), (2, "b"), (1, "b")]
    assert made.inventory.taken_at == NOW + timedelta(days=1)


def test_a_node_that_nobody_works_on_follows_its_domain() -> None:
    found = inventory(node("node-01", "e"), node("node-02"))
    made = make_refresh(BEFORE, found, {})
    assert made.inventory.nodes == (node("node-01", "e"), node("node-02", part=2))
    assert made.put_off == ()
    assert find_moved(BEFORE, found) == ("node-01", "node-03")


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (node("node-01", "e", address="b"), "node-01 stays in d, it is in e now: "),
        (None, "node-01 is not in the cloud any more; it stays in the inventory: "),
    ],
)
def test_a_node_that_somebody_works_on_keeps_its_dag_the_others_are_refreshed(
    now: InventoryNode | None, words: str
) -> None:
    found = inventory(*([now] if now else []), node("node-02", "e"), node("node-03"), node("node-04"))
    made = make_refresh(BEFORE, found, {"node-01": WHY, "node-03": WHY})
    kept, *others = made.inventory.nodes
    assert (kept.domain, kept.part, kept.address) == ("d", 2, "b" if now else "a")
    assert [(n.host, n.domain, n.part) for n in others] == [
        ("node-02", "e", None),
        ("node-03", "d", 1),
        ("node-04", "d", 1),
    ]
    assert [str(put_off) for put_off in made.put_off] == [f"{words}{WHY}"]


def test_what_was_put_off_is_done_when_nobody_works_on_the_node_any_more() -> None:
    found = inventory(node("node-01", "e"))
    once = make_refresh(BEFORE, found, {"node-01": WHY})
    assert make_refresh(once.inventory, found, {}).inventory.nodes == (node("node-01", "e"),)
