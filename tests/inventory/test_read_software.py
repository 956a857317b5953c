"""What the nodes of an inventory run, read side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.inventory.test_inventory_file import INVENTORY

from escalator.inventory.inventory_file import inventory_from_document, inventory_to_document
from escalator.inventory.read_software import AT_ONCE, WITHIN_SECONDS, add_node_software
from escalator.model.errors import TransientError
from escalator.model.inventory import InventoryNode
from escalator.system_support.shell import CommandResult

NODES = tuple(
    InventoryNode(host=f"n{number:03d}", domain="d", address="192.0.2.1", versions={"qemu": "of before"})
    for number in range(3 * AT_ONCE)
)
MANY = replace(INVENTORY, nodes=NODES)


class Nodes:
    """Nodes that tell their QEMU, but for those that SSH does not reach."""

    def __init__(self, *unreachable: str) -> None:
        self.unreachable = unreachable
        self.asked: list[str] = []
        self.host = ""

    @contextmanager
    def open(self, host: str) -> Iterator[Nodes]:
        self.asked.append(host)
        if host in self.unreachable:
            raise TransientError("no route")
        yield self

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        del command, timeout_seconds
        return CommandResult(exit_code=0, stdout="program.qemu=QEMU emulator version 7.2.15\n", stderr="")


def test_each_node_has_what_it_told_and_who_did_not_tell_has_nothing_of_before() -> None:
    nodes = Nodes("n001", "n040")
    found, silent = add_node_software(MANY, nodes.open)
    assert silent == ("n001", "n040")
    assert [node.versions for node in found.nodes[:3]] == [{"qemu": "7.2.15"}, {}, {"qemu": "7.2.15"}]
    assert inventory_from_document(inventory_to_document(found)) == found


def test_where_the_first_nodes_do_not_tell_the_others_are_not_asked() -> None:
    nodes = Nodes(*(node.host for node in NODES[:AT_ONCE]))
    found, silent = add_node_software(MANY, nodes.open)
    assert (len(nodes.asked), len(silent)) == (AT_ONCE, len(NODES))
    assert not any(node.versions for node in found.nodes)


def test_after_the_time_no_further_node_is_asked() -> None:
    nodes, times = Nodes(), iter((0.0, WITHIN_SECONDS + 1))
    _, silent = add_node_software(MANY, nodes.open, clock=lambda: next(times))
    assert silent == tuple(node.host for node in NODES[AT_ONCE:])


def test_an_inventory_of_no_node() -> None:
    assert add_node_software(replace(INVENTORY, nodes=()), Nodes().open)[1] == ()
