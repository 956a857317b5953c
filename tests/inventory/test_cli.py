from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import leased, make_cloud, make_node, make_plan

from escalator import cli as escalator
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.inventory import cli
from escalator.inventory.cli import read_addresses
from escalator.inventory.inventory_file import read_inventory
from escalator.model.cloud import CloudSnapshot, Node
from escalator.model.errors import InvalidRequestError
from escalator.settings.places import find_inventory_dir


@pytest.mark.parametrize(
    "text",
    [
        "# rack 1\nnode-01 10.0.0.1\n\nnode-02\t10.0.0.2  # new\n",
        '{"node-01": "10.0.0.1", "node-02": "10.0.0.2"}',
        '{"nodes": [{"host": "node-01", "address": "10.0.0.1"}, {"host": "node-02", "address": "10.0.0.2"}]}',
    ],
)
def test_every_form_of_addresses_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "addresses"
    path.write_text(text)
    assert read_addresses(path) == {"node-01": "10.0.0.1", "node-02": "10.0.0.2"}


def test_an_address_may_have_user_and_port(tmp_path: Path) -> None:
    path = tmp_path / "addresses"
    path.write_text("node-01 ops@10.0.0.1:2222\nnode-02 [2001:db8::2]:22\n")
    assert read_addresses(path) == {"node-01": "ops@10.0.0.1:2222", "node-02": "[2001:db8::2]:22"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("node-01 10.0.0.1\nnode-02\n", "line 2: not `host address`"),
        ("{", "another form"),
        ('{"node-01": 7}', "node-01: not an address"),
        ("node-01 ops@10.0.0.1:ssh\n", "node-01: address 'ops@10.0.0.1:ssh': 'ssh' is not a TCP port"),
        ('{"node-01": "ssh://10.0.0.1"}', "'//10.0.0.1' is not a TCP port"),
        ('{"nodes": [{"host": "node-01"}]}', "another form"),
        (None, "cannot be read"),
        ("[" * 5000, "not `host address`"),
        ('{"a": ' + "[" * 100_000, "another form"),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "addresses"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidRequestError, match=fault):
        read_addresses(path)


def write_from(
    monkeypatch: pytest.MonkeyPatch, folder: Path | None, *nodes: Node, options: tuple[str, ...] = ()
) -> int:
    """Write the inventory of a cloud of these nodes, as a person does from a shell."""

    def snapshot(_name: str, **words: Any) -> CloudSnapshot:
        cells = words["cells"]
        return make_cloud([replace(node, cell=cells.get(node.host, node.cell)) for node in nodes])

    cloud = SimpleNamespace(fetch_snapshot=snapshot, fetch_addresses=dict, fetch_services=lambda: nodes)
    monkeypatch.setattr(cli, "name_cloud_of", lambda args: CloudCredentials(cloud=args.cloud))
    monkeypatch.setattr(cli, "connect", lambda *_: None)
    monkeypatch.setattr(cli, "Cloud", lambda *_: cloud)
    where = ["-o", str(folder)] if folder else []
    return escalator.main(["inventory", "--cloud", "lab", *where, *options])


def test_cells_are_read_from_what_nova_prints_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cells.txt"
    table.write_text("| Cell Name | Cell UUID | Hostname |\n| cell2 | u-2 | node-01 |\n| cell1 | u-1 | b |\n")
    nodes = make_node("node-01"), make_node("b")
    assert write_from(monkeypatch, tmp_path, *nodes, options=("--cells", str(table))) == 0
    cells = {"b": "cell1", "node-01": "cell2"}
    assert read_inventory(tmp_path / "lab.json").cells() == cells
    assert write_from(monkeypatch, tmp_path, *nodes) == 0
    assert read_inventory(tmp_path / "lab.json").cells() == cells
    declared = tmp_path / "lab.settings.yaml"
    declared.write_text("schema: escalator.inventory-settings/1\ncells: {cell9: [b]}\n")
    assert write_from(monkeypatch, tmp_path, *nodes) == 0
    assert read_inventory(tmp_path / "lab.json").cells()["b"] == "cell9"
    declared.unlink()
    table.write_text("nothing")
    assert write_from(monkeypatch, tmp_path, *nodes, options=("--cells", str(table))) == 2
    assert "cells.txt: there is no table" in capsys.readouterr().err
    (tmp_path / "lab.settings.yaml").write_text("schema: 1")
    assert write_from(monkeypatch, tmp_path, *nodes) == 2
    assert "lab.settings.yaml" in capsys.readouterr().err


def domains(folder: Path) -> dict[str, str]:
    return {node.host: node.domain for node in read_inventory(folder / "lab.json").nodes}


def test_a_node_that_is_out_keeps_its_dag_the_others_follow_their_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_from(monkeypatch, tmp_path, make_node("node-01"), make_node("node-02")) == 0
    out = leased(make_node("node-01", domain="renamed"), make_plan("node-01"))
    assert write_from(monkeypatch, tmp_path, out, make_node("node-02", domain="renamed")) == 0
    assert domains(tmp_path) == {"node-01": "cell1/az1/general", "node-02": "renamed"}
    assert (
        "warning: put off: node-01 stays in cell1/az1/general, it is in renamed now"
        in capsys.readouterr().err
    )


def test_an_inventory_that_cannot_be_read_is_written_anew_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.json").write_text("{")
    assert write_from(monkeypatch, tmp_path, make_node("node-01")) == 0
    assert domains(tmp_path) == {"node-01": "cell1/az1/general"}
    assert "warning: written anew, nodes may change their DAG" in capsys.readouterr().err


def test_the_folder_is_the_one_that_dags_and_all_other_verbs_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ESCALATOR_INVENTORY_DIR", raising=False)
    monkeypatch.setenv("ESCALATOR_HOME", str(tmp_path))
    assert write_from(monkeypatch, None, make_node("node-01")) == 0
    assert domains(find_inventory_dir()) == {"node-01": "cell1/az1/general"}
    monkeypatch.delenv("ESCALATOR_HOME")
    monkeypatch.setenv("ESCALATOR_SHARED", "Airflow's executor is CeleryExecutor")
    assert write_from(monkeypatch, None, make_node("node-01")) == 2
    assert "ESCALATOR_INVENTORY_DIR is not set" in capsys.readouterr().err


def test_names_that_would_share_a_dag_are_said_when_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = make_node("node-01", domain="az1-x/y"), make_node("node-02", domain="az1/x-y")
    assert write_from(monkeypatch, tmp_path, one, other) == 0
    said = capsys.readouterr().err
    assert "warning: domain 'az1-x/y' of cloud 'lab' and domain 'az1/x-y' of cloud 'lab' would have" in said
    assert "is renamed" in said
