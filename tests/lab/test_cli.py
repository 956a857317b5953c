from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from escalator.lab import cli
from escalator.lab.progress import Progress
from escalator.lab.servers import standard_set
from escalator.lab.status import LabStatus, NodeStatus, ServerStatus

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.settings import LabSettings


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCALATOR_LAB_HOME", str(tmp_path))
    monkeypatch.setenv("ESCALATOR_LAB_INSTANCE", "6")


def test_status_of_a_lab_that_was_never_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "escalator.lab-status/1"
    assert (document["up"], document["nodes"], document["servers"]) == (False, [], [])
    assert not any(document["services"].values())


def test_down_of_a_lab_that_was_never_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["down"]) == 0
    assert "nothing was running" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["up", "--nodes", "0"], "a lab of 0 nodes is not possible"),
        (["up", "--servers", "-1"], "-1 servers are not possible"),
        (["up", "--hypervisor", "qemu", "--nova", "venv"], "real guests have nova-compute as a package"),
        (["node", "start", "node-77"], "the lab has no node node-77"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_remedy(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert told in first
    assert second.startswith("  -> ")


def test_nodes_with_real_guests_have_nova_as_a_package_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[LabSettings] = []
    monkeypatch.setattr(cli.Lab, "up", lambda lab: chosen.append(lab.settings))
    assert cli.main(["up", "--hypervisor", "qemu", "--nodes", "2"]) == 0
    assert cli.main(["up"]) == 0
    assert [(one.hypervisor, one.nova) for one in chosen] == [("qemu", "package"), ("sim", "venv")]


def test_masakari_is_there_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[LabSettings] = []
    monkeypatch.setattr(cli.Lab, "up", lambda lab: chosen.append(lab.settings))
    assert cli.main(["up", "--masakari"]) == 0
    assert cli.main(["up"]) == 0
    assert [one.masakari for one in chosen] == [True, False]


@pytest.mark.parametrize("verb", ["up", "install"])
def test_who_cannot_run_machines_is_told_in_one_sentence_and_nothing_is_made(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.main([verb]) == 2
    said, _ = capsys.readouterr().err.splitlines()
    assert said.startswith("escalator: machines cannot run here: root")
    assert list(tmp_path.iterdir()) == []


def test_how_nova_is_on_the_nodes_is_one_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["up", "--nova", "snap"])
    assert "invalid choice: 'snap'" in capsys.readouterr().err


def test_an_instance_that_is_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESCALATOR_LAB_INSTANCE", "first")
    assert cli.main(["status"]) == 2
    assert "ESCALATOR_LAB_INSTANCE" in capsys.readouterr().err


def test_faults_are_written_and_cleared(tmp_path: Path) -> None:
    words = [
        "node",
        "fault",
        "node-01",
        "--migrate",
        "fail",
        "--seconds",
        "5",
        "--once",
        "--refuse-start",
        "34.0.0",
    ]
    assert cli.main(words) == 0
    file = tmp_path / "run-6" / "hypervisors" / "node-01" / "faults.json"
    assert json.loads(file.read_text()) == {
        "migrate": {"kind": "fail", "seconds": 5.0, "once": True},
        "refuse_start_release": {"release": "34.0.0", "once": True},
    }
    assert cli.main(["node", "fault", "node-01", "--clear", "--hypervisor-version", "9000000"]) == 0
    assert json.loads(file.read_text()) == {"hypervisor_version": 9000000}


def test_progress_tells_the_seconds_since_the_start() -> None:
    lines: list[str] = []
    times = iter([10.0, 12.5])
    Progress(lines.append, clock=lambda: next(times)).say("half-way")
    assert lines == ["[   2.5 s] half-way"]


@pytest.mark.parametrize("count", [0, 1, 5, 6, 12, 13])
def test_the_standard_set(count: int) -> None:
    hosts = ("node-01", "node-02", "node-03", "node-04")
    specs = standard_set(hosts, count)
    assert len({spec.name for spec in specs}) == count
    assert all(spec.name.startswith("web-") and spec.host in hosts for spec in specs)
    states = [spec.state for spec in specs]
    assert ("SHUTOFF" in states and "PAUSED" in states) == (count >= 6)
    assert states.count("ACTIVE") >= count / 2
    per_host = [sum(spec.host == host for spec in specs) for host in hosts]
    assert max(per_host) - min(per_host) <= 1


def status(**changes: object) -> LabStatus:
    node = {
        "host": "node-01",
        "address": "127.0.10.1",
        "is_on": True,
        "release": "33.0.2",
        "state": "up",
        "status": "disabled",
        "disabled_reason": "a person",
    }
    return LabStatus(
        instance=0,
        run="/r",
        services={"nova": True},
        nodes=(NodeStatus(**(node | changes)),),  # type: ignore[arg-type]
        servers=(ServerStatus(id="u", name="web-01", status="ACTIVE", host="node-01"),),
    )


def test_status_is_up_when_everything_runs_and_reports() -> None:
    assert status().is_up
    assert not status(state="down").is_up
    assert not status(is_on=False).is_up


def test_status_as_text_shows_node_reason_and_server() -> None:
    text = status().as_text()
    assert "node-01  127.0.10.1  on     33.0.2  up     disabled  a person" in text
    assert "web-01  ACTIVE  node-01" in text
