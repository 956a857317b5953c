from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.vnf.processes import INCLUDE, answers, free_port, wait_answer

from escalator.lab.processes import PidFile, ensure_stopped, spawn
from escalator.lab.vnf.guest_power import EventFiles, GuestPower
from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.service_log import ServiceLog, find_gaps, read_events

OWN, SERVICE = "127.0.65.11", "127.0.65.1"


class Machine:
    """One guest as a process, and what follows the events of its server."""

    def __init__(self, folder: Path) -> None:
        import sys

        self.folder, port = folder, free_port(SERVICE)
        self.own, self.service = f"http://{OWN}:{port}", f"http://{SERVICE}:{port}"
        command = [
            sys.executable,
            "-m",
            "escalator.lab.vnf.guest",
            "--name",
            "m-1",
            "--server",
            "id-1",
            "--active",
        ]
        command += [
            "--own",
            f"{OWN}:{port}",
            "--service",
            f"{SERVICE}:{port}",
            "--log",
            str(folder / "m-1.jsonl"),
        ]
        self.pid_file = PidFile(path=folder / "pid" / "m-1.json")
        environment = {"PYTHONPATH": str(INCLUDE)}
        guest = {"name": "m-1", "url": self.own, "address": SERVICE, "command": command}
        guest |= {"environment": environment, "pid_file": str(self.pid_file.path), "out": str(folder / "out")}
        self.power = GuestPower(log=ServiceLog(folder / "power.jsonl", "guest-power"), guests={"id-1": guest})
        spawn(command, pid_file=self.pid_file, log=folder / "out", environment={**os.environ, **environment})
        wait_answer(self.service)

    def happens(self, event: str, guest: str = "id-1") -> None:
        self.power.apply({"t": time.time(), "guest": guest, "event": event})

    def gaps(self) -> list[tuple[str, str | None, float]]:
        events = read_events([self.folder / "m-1.jsonl", self.folder / "power.jsonl"])
        return [(gap.before, gap.after, gap.seconds or -1.0) for gap in find_gaps(events, SERVICE)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    ensure_stopped(made.pid_file, timeout_seconds=1.0)


def responds(url: str, within_seconds: float = 5.0) -> bool:
    try:
        return call("GET", url, timeout_seconds=within_seconds).status == 200
    except OSError:
        return False


def test_a_paused_guest_answers_nobody_until_it_is_resumed(machine: Machine) -> None:
    machine.happens("paused")
    machine.happens("paused")
    assert not responds(machine.service, 0.2)
    assert not responds(machine.own, 0.2)
    machine.happens("resumed")
    assert responds(machine.service)
    ((before, after, seconds),) = machine.gaps()
    assert (before, after) == ("m-1", "m-1")
    assert 0.3 < seconds < 3


def test_a_stopped_guest_is_gone_and_a_started_one_serves_again(machine: Machine) -> None:
    machine.happens("stopped")
    assert not answers(machine.own)
    assert machine.pid_file.alive() is None
    machine.happens("stopped")
    machine.happens("started")
    wait_answer(machine.service)
    machine.happens("started")
    assert call("GET", f"{machine.own}/role").body["role"] == "active"
    ((before, after, _),) = machine.gaps()
    assert (before, after) == ("m-1", "m-1")


def test_a_guest_that_was_paused_can_be_stopped_and_started(machine: Machine) -> None:
    for event in ("paused", "stopped", "started"):
        machine.happens(event)
    wait_answer(machine.service)
    assert len(machine.gaps()) == 1


def test_what_happens_to_others_and_what_does_not_touch_a_guest_is_nobodys_business(machine: Machine) -> None:
    machine.happens("stopped", guest="another")
    machine.happens("migration-start")
    machine.happens("resumed")
    assert responds(machine.service)
    assert machine.gaps() == []


def test_events_are_read_from_where_the_files_ended_and_only_whole_lines(tmp_path: Path) -> None:
    def line(number: int) -> str:
        return json.dumps({"t": number, "event": "paused", "guest": "x"}) + "\n"

    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text(line(1))
    files = EventFiles([first, second])
    assert files.fetch_new() == []
    second.write_text(line(3))
    with first.open("a") as file:
        file.write(line(2) + line(4)[:10])
    assert times(files) == [2, 3]
    with first.open("a") as file:
        file.write(line(4)[10:])
    assert times(files) == [4]
    assert files.fetch_new() == []


def times(files: EventFiles) -> list[Any]:
    return [event["t"] for event in files.fetch_new()]
