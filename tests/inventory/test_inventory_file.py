from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.documents.documents_drawn import json_values, mutilated
from tests.upgrade_manager.clouds import few

from escalator.inventory.inventory_file import (
    find_inventory_path,
    inventory_from_document,
    inventory_to_document,
    read_inventory,
    write_inventory,
)
from escalator.model.alerts import AlertSettings, AtStart, Matcher
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.inventory_settings import (
    AggregateRules,
    Controller,
    DumpCommand,
    PowerCommands,
    PowerPlace,
)
from escalator.model.occasion import Notify, Occasion, Way
from escalator.model.server_image import ImagePolicy

INVENTORY = Inventory(
    cloud="lab",
    taken_at=datetime(2026, 11, 22, 8, tzinfo=UTC),
    nodes=(
        InventoryNode(host="node-01", domain="cell1/az1/general", address="127.0.1.1"),
        InventoryNode(host="node-02", domain="cell1/az2/general", address="127.0.1.2"),
    ),
    cloud_conn_id="lab",
    extra={"site": "x"},
)
WORDS = st.text(min_size=1, max_size=8)
NODES = st.builds(InventoryNode, host=WORDS, domain=WORDS, address=WORDS, part=st.none() | st.integers(1, 9))


def test_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lab.json"
    write_inventory(path, INVENTORY)
    assert read_inventory(path) == INVENTORY


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NODES, max_size=4, unique_by=lambda node: node.host))
def test_any_names_are_read_back(nodes: list[InventoryNode]) -> None:
    ordered = tuple(sorted(nodes, key=lambda node: node.host))
    inventory = Inventory(cloud="c", taken_at=INVENTORY.taken_at, nodes=ordered)
    assert inventory_from_document(json.loads(json.dumps(inventory_to_document(inventory)))) == inventory


def test_what_was_declared_of_the_cloud_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    declared = replace(
        INVENTORY,
        nodes=tuple(replace(node, cell="cell2") for node in INVENTORY.nodes),
        aggregates=AggregateRules(count=("general",), ignore=("rack-*",)),
        controller=Controller(address="ctl-01"),
        power=PowerCommands(cycle="bmc cycle", run_on=PowerPlace.CONTROLLER),
        alerts=AlertSettings(
            conn_id="am",
            silence=((Matcher.parse(r'instance=~"{host}\.x"'), Matcher.parse("job!=node")),),
            gate=((Matcher.parse("severity=critical"),),),
            margin=timedelta(minutes=5),
            at_start=AtStart.ACCEPT,
        ),
        dump=DumpCommand(command="dump-it", limit_seconds=60.0),
        images=ImagePolicy(metadata={"save": "yes"}, limit_seconds=60.0),
        notify=(
            Notify(
                when=(Occasion.HELD, Occasion.DONE), via=Way.SMTP, conn_id="mail", to=("ops@example.org",)
            ),
            Notify(when=(Occasion.FAILED,), via=Way.WEBHOOK, conn_id="hook"),
        ),
    )
    write_inventory(path, declared)
    assert read_inventory(path) == declared
    ignoring = replace(declared, aggregates=AggregateRules(ignore=("rack-*",)))
    write_inventory(path, ignoring)
    assert read_inventory(path) == ignoring


def test_second_write_gives_the_same_bytes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    write_inventory(path, INVENTORY)
    first = path.read_bytes()
    write_inventory(path, INVENTORY)
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["lab.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lab.json"
    write_inventory(path, INVENTORY)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidRequestError, match="No space left"):
        write_inventory(path, Inventory(cloud="other", taken_at=INVENTORY.taken_at))
    assert read_inventory(path) == INVENTORY
    assert [entry.name for entry in tmp_path.iterdir()] == ["lab.json"]


def test_connections_have_defaults() -> None:
    inventory = inventory_from_document(
        {"schema": "escalator.inventory/1", "cloud": "c", "taken_at": "2026-11-22T08:00:00Z", "nodes": []}
    )
    assert (inventory.cloud_conn_id, inventory.ssh_conn_id) == ("openstack_default", "escalator_ssh")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"schema": "escalator.inventory/2"},
            "schema: is 'escalator.inventory/2', this release reads escalator.inventory/1",
        ),
        ({"cloud": ""}, "cloud: must not be empty"),
        ({"taken_at": "yesterday"}, "taken_at: must be a time with its offset"),
        ({"taken_at": "2026-11-22T08:00:00"}, "taken_at: must be a time with its offset"),
        ({"nodes": {}}, "nodes: must be a list"),
        ({"nodes": [{"host": "n", "domain": "d"}]}, r"nodes\[0\].address: is required"),
        (
            {"nodes": [{"host": "n", "domain": "d", "address": "a", "rack": 3}]},
            r"nodes\[0\].rack: is not known",
        ),
        ({"nodes": [{"host": "n", "domain": "d", "address": "a"}] * 2}, "more than once: n"),
        (
            {"nodes": [{"host": "n", "domain": "d", "address": "a", "part": 0}]},
            r"nodes\[0\].part: must be at least 1",
        ),
        ({"extra": {"a": 1}}, "extra.a: must be text, not 1"),
        ({"colour": "red"}, "colour: is not known"),
    ],
)
def test_fault_is_named(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    path = tmp_path / "lab.json"
    path.write_text(json.dumps(inventory_to_document(INVENTORY) | change))
    with pytest.raises(InvalidRequestError, match=fault) as caught:
        read_inventory(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "is not JSON"), ("[]", "document: must be a mapping, not a list"), (None, "no inventory")],
)
def test_file_that_is_no_inventory(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "lab.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidRequestError, match=fault):
        read_inventory(path)


def test_every_fault_is_named_at_once() -> None:
    nodes = [{"host": "n", "domain": "d"}, {"host": "n", "domain": 3, "address": "a"}]
    with pytest.raises(InvalidRequestError) as caught:
        inventory_from_document(
            {**inventory_to_document(INVENTORY), "nodes": nodes, "taken_at": 5, "extra": []}
        )
    assert caught.value.message.split("; ") == [
        "taken_at: must be a time with its offset, such as 2026-11-22T08:00:00Z, not 5",
        "nodes[0].address: is required",
        "nodes[1].domain: must be text, not 3: put it in quotes",
        "extra: must be a mapping, not a list",
        "nodes: more than once: n",
    ]


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400, "NaN"])
def test_absurd_numbers_are_refused_with_their_key(tmp_path: Path, number: str) -> None:
    path = tmp_path / "lab.json"
    path.write_text(json.dumps(inventory_to_document(INVENTORY)).replace('"lab"', number))
    with pytest.raises(InvalidRequestError, match="cloud: must be text, not "):
        read_inventory(path)


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    path.write_text("[" * 100_000)
    with pytest.raises(InvalidRequestError, match="is not JSON"):
        read_inventory(path)


@given(json_values | mutilated(inventory_to_document(INVENTORY)))
@few
def test_any_json_is_an_inventory_or_refused(document: object) -> None:
    try:
        found = inventory_from_document(document)
    except InvalidRequestError as error:
        assert error.message.isprintable()  # noqa: PT017 - refused, in one line
    else:
        assert found.cloud


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRequestError, match="is not JSON"):
        read_inventory(path)


@pytest.mark.parametrize("cloud", ["../etc/passwd", "a/b", "", "..", "a b"])
def test_name_that_is_no_file_name_is_refused(cloud: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be called"):
        find_inventory_path(Path("/x"), cloud)


def test_reading_needs_no_client_library() -> None:
    code = (
        "import sys, escalator.inventory.inventory_file;"
        "loaded = {name.split('.')[0] for name in sys.modules};"
        "print(sorted(loaded & {'openstack', 'keystoneauth1', 'requests', 'yaml'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
