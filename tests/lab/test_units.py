from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from escalator.lab.node import systemctl
from escalator.lab.node.units import UnitManager, UnknownUnitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Machine:
    """A unit manager, and the loop of the first process around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = UnitManager(folder)

    def define(self, name: str, script: str, stop_seconds: float = 5.0) -> None:
        log = str(self.folder / f"{name}.log")
        content = {"command": ["/bin/sh", "-c", script], "log": log, "stop_seconds": stop_seconds}
        (self.folder / f"{name}.json").write_text(
            json.dumps(content | {"environment": {"GREETING": "hello"}})
        )

    def turn(self) -> None:
        for name in list(self.folder.glob("*.json")):
            pid = self.units.show(name.stem)["MainPID"]
            if pid:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    self.units.note_exit(done, status)
        self.units.tick()

    def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the unit did not get there"
            self.turn()
            time.sleep(0.02)

    def until_state(self, name: str, state: str) -> None:
        self.until(lambda: self.units.show(name)["ActiveState"] == state)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    for path in tmp_path.glob("*.json"):
        pid = made.units.show(path.stem)["MainPID"]
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_a_unit_starts_with_its_environment_and_stops(machine: Machine) -> None:
    machine.define("web", "echo $GREETING; exec sleep 60")
    machine.units.start("web.service")
    assert machine.units.show("web")["ActiveState"] == "active"
    first = machine.units.show("web")["MainPID"]
    machine.units.start("web")
    assert machine.units.show("web")["MainPID"] == first
    machine.until(lambda: (machine.folder / "web.log").read_text() == "hello\n")
    machine.units.stop("web")
    assert machine.units.show("web")["ActiveState"] == "deactivating"
    machine.until_state("web", "inactive")
    assert machine.units.show("web")["MainPID"] == 0


def test_restart_gives_another_process_once_the_first_is_gone(machine: Machine) -> None:
    machine.define("web", "exec sleep 60")
    machine.units.start("web")
    first = machine.units.show("web")["MainPID"]
    machine.units.restart("web")
    machine.until_state("web", "active")
    assert machine.units.show("web")["MainPID"] not in (0, first)


def test_a_unit_that_fails_is_failed_until_reset(machine: Machine) -> None:
    machine.define("bad", "exit 7")
    machine.units.start("bad")
    machine.until_state("bad", "failed")
    shown = machine.units.show("bad")
    assert (shown["Result"], shown["ExecMainStatus"]) == ("exit-code", 7)
    machine.units.reset_failed("bad")
    assert machine.units.show("bad")["ActiveState"] == "inactive"


def test_a_killed_unit_is_failed_by_signal(machine: Machine) -> None:
    machine.define("web", "exec sleep 60")
    machine.units.start("web")
    machine.units.kill("web", signal.SIGKILL)
    machine.until_state("web", "failed")
    assert machine.units.show("web")["Result"] == "signal"


def test_a_unit_that_ignores_sigterm_is_killed_in_time(machine: Machine) -> None:
    machine.define("deaf", "trap '' TERM; echo ready; while :; do sleep 0.1; done", stop_seconds=0.3)
    machine.units.start("deaf")
    machine.until(lambda: "ready" in (machine.folder / "deaf.log").read_text())
    machine.units.stop("deaf")
    machine.until_state("deaf", "inactive")
    assert machine.units.show("deaf")["ExecMainStatus"] == signal.SIGKILL


def test_a_program_that_is_not_there_fails_as_systemd_says(machine: Machine) -> None:
    (machine.folder / "none.json").write_text(json.dumps({"command": ["/does/not/exist"]}))
    machine.units.start("none")
    shown = machine.units.show("none")
    assert (shown["ActiveState"], shown["ExecMainStatus"]) == ("failed", 203)


def test_an_unknown_unit_is_an_error(machine: Machine) -> None:
    with pytest.raises(UnknownUnitError):
        machine.units.start("nothing")


def test_enable_disable_and_cat(machine: Machine) -> None:
    machine.define("web", "exec sleep 60")
    machine.units.set_enabled("web", enabled=False)
    assert machine.units.show("web")["UnitFileState"] == "disabled"
    assert "ExecStart=/bin/sh -c exec sleep 60" in machine.units.cat("web")
    machine.units.reload()
    assert machine.units.show("web")["LoadState"] == "loaded"


class FakeInit:
    """Answers for the first process, from a script of states."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.requests: list[dict[str, object]] = []

    def __call__(self, request: dict[str, object]) -> dict[str, object]:
        self.requests.append(request)
        if request.get("unit") == "nothing":
            return {"error": "not-found"}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {
            "Id": "web.service",
            "ActiveState": state,
            "SubState": "running",
            "UnitFileState": "enabled",
            "MainPID": 12 if state == "active" else 0,
            "Result": "exit-code",
            "ExecMainStatus": 7,
            "text": "[Service]\n",
        }


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> FakeInit:
    fake = FakeInit("active")
    monkeypatch.setattr(systemctl, "ask", fake)
    monkeypatch.setattr(systemctl, "SETTLE_SECONDS", 0.0)
    return fake


@pytest.mark.parametrize(
    ("words", "code", "output"),
    [
        (["is-active", "web"], 0, "active\n"),
        (["is-active", "--quiet", "web"], 0, ""),
        (["is-failed", "web"], 1, "active\n"),
        (["is-enabled", "web.service"], 0, "enabled\n"),
        (["show", "-p", "MainPID", "web"], 0, "MainPID=12\n"),
        (["show", "--property=MainPID,ActiveState", "--value", "web"], 0, "12\nactive\n"),
        (["cat", "web"], 0, "[Service]\n"),
        (["daemon-reload"], 0, ""),
        (["restart", "web"], 0, ""),
        (["stop", "web"], 0, ""),
        (["kill", "-s", "KILL", "web"], 0, ""),
        (["is-active", "nothing"], 4, ""),
        (["start", "nothing"], 5, ""),
        ([], 1, ""),
        (["start"], 1, ""),
    ],
)
@pytest.mark.usefixtures("init")
def test_systemctl_answers_as_the_real_one(
    words: list[str], code: int, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert systemctl.main(words) == code
    assert capsys.readouterr().out == output


def test_systemctl_says_that_a_start_failed(init: FakeInit, capsys: pytest.CaptureFixture[str]) -> None:
    init.states = ["active", "active", "failed"]
    assert systemctl.main(["restart", "web"]) == 1
    assert "Job for web.service failed" in capsys.readouterr().err
    assert systemctl.main(["is-active", "web"]) == 3
    assert systemctl.main(["status", "web"]) == 3
    assert "code=exit-code, status=7" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["9", "KILL", "SIGKILL"])
def test_a_signal_has_three_names(init: FakeInit, name: str) -> None:
    systemctl.main(["kill", f"--signal={name}", "web"])
    assert init.requests[0]["signal"] == 9


def test_the_client_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-IS", systemctl.__file__], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "which verb?\n")
