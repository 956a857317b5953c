from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tests.builders import make_cloud, make_node

from escalator.inventory.read_nodes import FoundNodes, read_inventory_of_cloud
from escalator.model.cloud import CloudSnapshot, Node
from escalator.model.control_plane import ControlPlane
from escalator.model.inventory_settings import (
    NOTHING_DECLARED,
    AggregateRules,
    Controller,
    DumpCommand,
    InventorySettings,
    PowerCommands,
)
from escalator.model.server_image import ImagePolicy

APART = ControlPlane(lowest="2.1", highest="2.104", apart=(("node-01", "node-02"),))


def read(
    *nodes: Node,
    settings: InventorySettings = NOTHING_DECLARED,
    control: ControlPlane | None = None,
    **told: str,
) -> tuple[FoundNodes, dict[str, Any]]:
    """Read a cloud of these nodes; return what was found, and what the cloud was asked with."""
    asked: dict[str, Any] = {}

    def snapshot(_name: str, **words: Any) -> CloudSnapshot:
        asked.update(words)
        return make_cloud(nodes, control_plane=control)

    cloud = SimpleNamespace(
        fetch_snapshot=snapshot, fetch_addresses=dict, fetch_services=lambda: nodes, counter=None
    )
    cells = {host.replace("_", "-"): cell for host, cell in told.items()}
    found = read_inventory_of_cloud(
        cast("Any", cloud),
        "lab",
        addresses={},
        cloud_conn_id="c",
        ssh_conn_id="s",
        settings=settings,
        told=cells,
    )
    return found, asked


def test_hosts_of_ironics_are_left_out() -> None:
    found, _ = read(make_node("node-01"), make_node("metal", hypervisor_type="ironic"))
    assert [node.host for node in found.inventory.nodes] == ["node-01"]


def test_settings_are_kept_in_the_inventory_and_asked_of_the_cloud() -> None:
    settings = InventorySettings(
        cells={"cell2": ("node-02",)},
        aggregates=AggregateRules(ignore=("rack-*",)),
        controller=Controller(address="ctl"),
        power=PowerCommands(cycle="bmc cycle"),
        dump=DumpCommand(command="dump-it"),
        images=ImagePolicy(metadata={"save": "yes"}),
    )
    nodes = make_node("node-01", cell="told"), make_node("node-02", cell="cell2")
    found, asked = read(*nodes, settings=settings, node_01="told", node_02="told")
    assert asked["cells"] == {"node-01": "told", "node-02": "cell2"}
    assert asked["aggregates"] == found.inventory.aggregates == settings.aggregates
    assert found.inventory.controller == settings.controller
    assert (found.inventory.power, found.inventory.dump) == (settings.power, settings.dump)
    assert found.inventory.images == settings.images
    assert found.inventory.cells() == {"node-01": "told", "node-02": "cell2"}
    assert found.warnings == ()


def test_without_a_word_of_cells_none_is_noted_and_several_are_warned_of() -> None:
    found, asked = read(make_node("node-01"), make_node("node-02"), control=APART)
    assert (asked["cells"], found.inventory.cells()) == ({}, {})
    (warning,) = found.warnings
    assert "node-01, node-02 are not all in one" in warning


def test_a_node_that_no_word_is_of_is_warned_of() -> None:
    metal = make_node("metal", cell="unknown", hypervisor_type="ironic")
    nodes = make_node("node-01", cell="cell1"), make_node("node-02", cell="unknown"), metal
    found, _ = read(*nodes, control=APART, node_01="cell1")
    (warning,) = found.warnings
    assert warning.startswith("nobody tells the cell of node-02: ")
    _, asked = read(*nodes, node_01="cell1", node_02="unknown")  # as the inventory so far has it
    assert asked["cells"] == {"node-01": "cell1"}
