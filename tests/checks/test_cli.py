from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import disabled, down, make_cloud, make_node, make_server
from tests.checks.files import bundle_file, snapshot_file

from escalator.cli import main
from escalator.model.cloud import CloudSnapshot, HaGroup
from escalator.model.unread import CloudPart, Unread

ROOMY = make_cloud(
    [make_node("a"), make_node("b")], [make_server("web", "a"), make_server("db", "b", migration="cold")]
)
TIGHT = make_cloud([make_node("a"), make_node("b", memory=1024)], [make_server("big", "a", memory=4096)])


def check(
    capsys: pytest.CaptureFixture[str], folder: Path, snapshot: CloudSnapshot, *words: str
) -> tuple[int, str]:
    code = main(["check", "--snapshot", str(snapshot_file(folder, snapshot)), *words])
    return code, capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], folder: Path, snapshot: CloudSnapshot, *words: str) -> Any:
    return json.loads(check(capsys, folder, snapshot, *words, "--json")[1])


def test_a_met_check_ends_with_0_and_says_what_was_looked_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out = check(capsys, tmp_path, ROOMY)
    assert code == 0
    assert out.startswith("MET: ")
    assert re.search(
        r"^met      server web \(id-web\): on a: it moves live \[server_method\]$", out, re.MULTILINE
    )
    assert re.search(r"^met      server db \(id-db\): on b: it moves cold", out, re.MULTILINE)


def test_what_may_not_be_read_is_a_condition_of_a_check_and_the_end_of_a_plan(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    unread = (Unread(part=CloudPart.SERVER_GROUPS, message="HTTP 403: no"),)
    code, out = check(capsys, tmp_path, replace(ROOMY, unread=unread))
    assert code == 1
    assert "the list of server groups may not be read" in out
    assert "-> allow this user os_compute_api:os-server-groups:index" in out
    assert main(["plan", "--snapshot", str(tmp_path / "snapshot.json")]) == 2
    said = capsys.readouterr().err
    assert "no plan can be made" in said
    assert "server groups (HTTP 403: no)" in said


def test_an_unmet_check_ends_with_1_and_gives_remedies(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out = check(capsys, tmp_path, TIGHT)
    assert code == 1
    assert out.startswith("NOT MET: ")
    assert re.search(r"^blocker  node a: 1 of 1 servers .* \[capacity\]\n +-> add or free", out, re.MULTILINE)


def test_room_that_the_managers_of_vnfs_can_be_asked_for_is_no_blocker(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [
        make_server(name, host, memory=9000, project_id="p") for name, host in (("m1", "b"), ("m2", "c"))
    ]
    group = HaGroup(id="web", mode="load-balanced", members=tuple(member.id for member in members))
    big = make_server("big", "a", memory=9000, project_id="p")
    snapshot = make_cloud([make_node(host) for host in "abc"], [big, *members], ha_groups=(group,))
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    assert check(capsys, tmp_path, snapshot)[0] == 1
    manager = {"id": "m", "cloud": "lab", "kind": "webhook", "url": "http://v.example/", "projects": ["p"]}
    (tmp_path / "vnfms.yaml").write_text(json.dumps({"schema": "escalator.vnfms/1", "vnfms": [manager]}))
    code, out = check(capsys, tmp_path, snapshot)
    assert code == 0
    assert "the managers of VNFs are asked to scale in by 1 server of project p" in out


def test_json_is_one_document_of_the_documented_form(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = document(capsys, tmp_path, TIGHT)
    assert set(found) == {"schema", "met", "conditions", "spare", "expected"}
    assert found["schema"] == "escalator.check/1"
    assert found["met"] is False
    assert set(found["expected"]) == {"p50_seconds", "p90_seconds"}
    for condition in found["conditions"]:
        assert set(condition) == {"code", "met", "severity", "subject", "message", "remedy"}
        assert set(condition["subject"]) == {"type", "id", "name"}
        assert condition["met"] or condition["remedy"]
    blocking = {(c["code"], c["subject"]["id"]) for c in found["conditions"] if c["severity"] == "blocker"}
    assert blocking == {("capacity", "a"), ("server_too_large", "id-big")}
    assert found["spare"] == {
        "nodes": 1,
        "domain": "cell1/az1/general",
        "inventory": {
            "DISK_GB": {"total": 1000, "reserved": 0, "allocation_ratio": 1.0},
            "MEMORY_MB": {"total": 16384, "reserved": 0, "allocation_ratio": 1.0},
            "VCPU": {"total": 16, "reserved": 0, "allocation_ratio": 1.0},
        },
        "traits": ["COMPUTE_NODE"],
        "alternatives": [
            "in non-smooth mode, stop big around the upgrade of their nodes (migration none)",
            "leave a out",
        ],
    }


def test_only_the_named_hosts_are_looked_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out = check(capsys, tmp_path, TIGHT, "--hosts", "b")
    assert code == 0
    assert "big" not in out


def test_a_finished_cloud_is_met_with_nothing_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nodes = [make_node(host, versions={"nova-compute": "34.0.0"}) for host in "ab"]
    code, out = check(capsys, tmp_path, make_cloud(nodes), "--bundle", str(bundle_file(tmp_path)))
    assert code == 0
    assert "nothing is to be done" in out


def test_a_cloud_of_disabled_nodes_has_nothing_to_upgrade(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out = check(capsys, tmp_path, make_cloud([disabled(make_node("a")), disabled(make_node("b"))]))
    assert code == 1
    assert "none of the 2 targets can be upgraded" in out


def test_a_check_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = snapshot_file(tmp_path, make_cloud([make_node("a"), down(make_node("b"))]))
    before = path.read_bytes()
    assert main(["check", "--snapshot", str(path)]) == 1
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert "b: its nova-compute sends no heartbeat" in capsys.readouterr().out


def test_the_way_back_is_about_the_upgraded_nodes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    nodes = [make_node("a", upgraded=True), make_node("b", memory=1024), make_node("c", memory=1024)]
    there = make_cloud(nodes, [make_server("big", "a", memory=4096)])
    code, out = check(capsys, tmp_path, there, "--rollback")
    assert code == 1
    assert "blocker  node a: 1 of 1 servers would have no place" in out
    code, out = check(capsys, tmp_path, make_cloud([make_node("a"), make_node("b")]), "--rollback")
    assert code == 0
    assert "nothing is to be done: none of the nodes is upgraded" in out
    assert "a return is possible after each of the 2 nodes" in out


@pytest.mark.parametrize("words", [["--hosts", "x"], ["--max-parallel", "7"], ["--bundle", "no-such"]])
def test_bad_input_ends_with_2_and_two_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    assert main(["check", "--snapshot", str(snapshot_file(tmp_path, ROOMY)), *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 2


def test_an_unreadable_snapshot_ends_with_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", "--snapshot", str(tmp_path / "none.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["33.0.2", "34.0.0"], 0, "major: allowed"),
        (["31.0.0", "34.0.0"], 1, "major: not allowed"),
        (["34.0.0", "33.0.0"], 1, "downgrade: not allowed"),
        (["29.0.1-0ubuntu1", "29.0.1-0ubuntu2", "--scheme", "deb"], 0, "none: allowed"),
    ],
)
def test_compat_says_what_a_step_is(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert main(["compat", *words]) == code
    assert capsys.readouterr().out.startswith(said)


def test_compat_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compat", "33.0.0", "34.0.0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["step"], found["allowed"]) == ("major", True)


def test_compat_refuses_what_it_cannot_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compat", "3:29.0.1-0ubuntu1", "30.0.0"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 2


def test_snapshot_with_a_number_past_all_reckoning_is_refused_by_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = snapshot_file(tmp_path, ROOMY)
    snapshot = json.loads(path.read_text())
    snapshot["nodes"][0]["inventory"]["VCPU"]["total"] = 10**400
    path.write_text(json.dumps(snapshot))
    assert main(["check", "--snapshot", str(path)]) == 2
    assert "nodes[0].inventory.VCPU.total: must be at most" in capsys.readouterr().err


def test_a_check_may_leave_blocked_nodes_out_and_then_only_warns_of_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    odd = make_server("odd", "b", vm_state="error")
    cloud = make_cloud([make_node("a"), make_node("b"), make_node("c")], [make_server("web", "a"), odd])
    assert check(capsys, tmp_path, cloud)[0] == 1
    assert check(capsys, tmp_path, cloud, "--on-blocked", "refuse")[0] == 1
    code, out = check(capsys, tmp_path, cloud, "--on-blocked", "skip")
    assert (code, out.startswith("MET: ")) == (0, True)
    assert "warning  server odd (id-odd): b left out of the campaign: on b: it is in ERROR" in out
