from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import make_cloud, make_node, make_server
from tests.checks.files import bundle_file, snapshot_file

from escalator.checks.projects import list_lines, name_file
from escalator.cli import main
from escalator.model.cloud import CloudSnapshot
from escalator.model.unread import CloudPart, Unread

NODES = [make_node("node-a"), make_node("node-b"), make_node("node-c")]
CLOUD = make_cloud(
    NODES,
    [
        make_server("web", "node-a", project_id="shop"),
        make_server("db", "node-b", project_id="shop", migration="cold"),
        make_server("lost", "node-c", project_id="lab", vm_state="error"),
        make_server("old", "node-a", project_id="shop", vm_state="stopped", migration="cold"),
    ],
)


def check(folder: Path, snapshot: CloudSnapshot, *words: str) -> int:
    bundle = str(bundle_file(folder))
    source = ["--snapshot", str(snapshot_file(folder, snapshot)), "--bundle", bundle]
    return main(["check", *source, "--per-project", str(folder / "out"), *words])


def read(folder: Path, project: str) -> Any:
    return json.loads((folder / "out" / f"{project}.json").read_text())


def test_each_project_has_a_page_and_a_document_of_its_own_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = replace(CLOUD, servers=tuple(s for s in CLOUD.servers if s.name != "lost"))
    assert check(tmp_path, good) == 0
    assert f"{tmp_path / 'out'}: a page and a document of 1 project(s)" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["shop.json", "shop.md"]
    shop = read(tmp_path, "shop")
    assert (shop["schema"], shop["bundle"], shop["may_begin"]) == ("escalator.project/1", "test-34", True)
    said = {server["name"]: (server["method"], server["what"], server["why"]) for server in shop["servers"]}
    assert said == {
        "db": (
            "cold",
            "it moves cold",
            "its owner or its VNF asks for it, or what it has cannot move live",
        ),
        "old": ("cold", "it moves cold", "it is stopped: only a server that runs moves live"),
        "web": ("live", "it moves live", ""),
    }
    for server in shop["servers"]:
        assert 0 <= server["begins_at_seconds"] < server["ends_at_seconds"]


def test_page_names_no_node_and_no_server_of_another(tmp_path: Path) -> None:
    check(tmp_path, CLOUD)
    page = (tmp_path / "out" / "shop.md").read_text()
    assert "| web | id-web | it moves live |" in page
    assert "node-" not in page + json.dumps(read(tmp_path, "shop"))
    assert "lost" not in page


def test_what_is_in_the_way_is_said_to_whom_it_concerns(tmp_path: Path) -> None:
    assert check(tmp_path, CLOUD) == 1
    (lost,) = read(tmp_path, "lab")["servers"]
    assert (lost["method"], lost["what"]) == ("blocked", "nothing until this is mended")
    assert "error" in lost["why"].lower()
    assert lost["begins_at_seconds"] is None
    assert "**It cannot begin yet**" in (tmp_path / "out" / "lab.md").read_text()


def test_server_that_is_stopped_is_told_for_how_long(tmp_path: Path) -> None:
    cloud = make_cloud(NODES, [make_server("gpu", "node-a", project_id="lab", migration="none")])
    check(tmp_path, cloud, "--mode", "non-smooth")
    (gpu,) = read(tmp_path, "lab")["servers"]
    assert gpu["method"] == "stop"
    assert "it is silent for about" in gpu["what"]
    assert gpu["ends_at_seconds"] > gpu["begins_at_seconds"]


def test_names_are_no_markup_and_no_paths() -> None:
    document = {
        "cloud": "lab",
        "project_id": "p",
        "bundle": None,
        "may_begin": True,
        "servers": [
            {
                "name": "<script>|[x](y)\n",
                "id": "1",
                "what": "it moves live",
                "why": "",
                "begins_at_seconds": None,
                "ends_at_seconds": None,
            }
        ],
    }
    (row,) = [line for line in list_lines(document) if "script" in line]
    assert "<script>" not in row
    assert row.count("|") == 6
    assert "/" not in name_file("../etc/passwd")
    assert name_file("") == "no-project"
    assert name_file("0f3c") == "0f3c"


def test_not_enough_that_may_be_read_and_the_way_back_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unread = (Unread(part=CloudPart.SERVERS, message="HTTP 403: no"),)
    assert check(tmp_path, replace(CLOUD, unread=unread)) == 2
    assert "not enough of the cloud may be read" in capsys.readouterr().err
    assert check(tmp_path, CLOUD, "--rollback") == 2
    (tmp_path / "out").write_text("a file")
    assert check(tmp_path, CLOUD) == 2
    assert "cannot be written into" in capsys.readouterr().err
