from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lab.vnf.processes import INCLUDE, answers, free_port, running, wait_answer

from escalator.lab.vnf.guest import Guest, GuestSettings
from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.service_log import BOUND, ServiceLog, find_gaps, read_events

SERVICE = "127.0.61.1"
TAKEOVER_SECONDS = 1.0
"""Of a switch that a probe cannot miss, however seldom a busy computer lets it look."""
LATE_SECONDS = 0.5
"""So much later than it does something may a process write it down."""


@dataclass
class Pair:
    """Two guests as processes, the first one active."""

    folder: Path
    port: int
    processes: tuple[subprocess.Popen[bytes], ...] = ()

    @property
    def service(self) -> str:
        return f"http://{SERVICE}:{self.port}"

    def own(self, number: int) -> str:
        return f"http://127.0.61.1{number}:{self.port}"

    def roles(self) -> list[str]:
        return [call("GET", f"{self.own(number)}/role").body["role"] for number in (1, 2)]

    def post(self, number: int, path: str, body: object = None) -> dict[str, object]:
        answer = call("POST", f"{self.own(number)}{path}", body or {})
        return {"status": answer.status, **answer.body}

    def events(self) -> tuple[dict[str, object], ...]:
        return read_events(self.folder / f"m-{number}.jsonl" for number in (1, 2))


@pytest.fixture
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(folder=tmp_path, port=free_port(SERVICE))
    with ExitStack() as stack:
        for number in (1, 2):
            words: list[object] = [
                "--name",
                f"m-{number}",
                "--server",
                f"id-{number}",
                "--log",
                tmp_path / f"m-{number}.jsonl",
            ]
            words += ["--own", f"127.0.61.1{number}:{made.port}", "--service", f"{SERVICE}:{made.port}"]
            words += ["--peer", made.own(3 - number), "--takeover-seconds", getattr(request, "param", 0.03)]
            words += ["--active"] if number == 1 else []
            made.processes += (stack.enter_context(running("guest", *words)),)
        for number in (1, 2):
            wait_answer(made.own(number))
        wait_answer(made.service)
        yield made


def test_one_serves_and_both_tell_their_role(pair: Pair) -> None:
    assert pair.roles() == ["active", "standby"]
    assert call("GET", pair.service).body["name"] == "m-1"
    assert call("GET", f"{pair.service}/role").body == {"role": "active", "server": "id-1"}
    assert call("GET", f"{pair.own(1)}/nothing").status == 404


@pytest.mark.parametrize(("number", "path"), [(1, "/switch"), (2, "/switchover")])
def test_a_switch_moves_the_address_once(pair: Pair, number: int, path: str) -> None:
    assert pair.post(number, path)["switched"] is True
    assert pair.roles() == ["standby", "active"]
    assert call("GET", pair.service).body["name"] == "m-2"
    assert pair.post(number, path)["switched"] is False
    assert pair.roles() == ["standby", "active"]


def test_the_same_order_twice_at_the_service_does_not_switch_back(pair: Pair) -> None:
    for _ in range(2):
        assert call("POST", f"{pair.service}/switch", {"from": "id-1"}).status == 200
    assert pair.roles() == ["standby", "active"]


@pytest.mark.parametrize("pair", [TAKEOVER_SECONDS], indirect=True)
def test_the_gap_of_the_log_is_the_gap_that_a_probe_sees(pair: Pair) -> None:
    seen: list[tuple[float, bool, float]] = []
    ended = threading.Event()

    def probe() -> None:
        while not ended.is_set():
            begun = time.monotonic()
            seen.append((begun, answers(pair.service), time.monotonic()))
            time.sleep(0.002)

    thread = threading.Thread(target=probe)
    thread.start()
    time.sleep(0.1)
    pair.post(1, "/switch")
    time.sleep(0.1)
    ended.set()
    thread.join()
    (gap,) = find_gaps(pair.events(), SERVICE)
    assert gap.seconds is not None
    assert (gap.before, gap.after) == ("m-1", "m-2")
    assert TAKEOVER_SECONDS <= gap.seconds < TAKEOVER_SECONDS + LATE_SECONDS
    failed = [(begun, at) for begun, ok, at in seen if not ok]
    assert failed, "the switch interrupts"
    assert gap.monotonic - 0.05 <= failed[0][1]
    assert all(begun <= gap.monotonic + gap.seconds for begun, _ in failed)


def test_a_standby_that_is_not_healthy_takes_nothing_and_the_active_one_serves_on(pair: Pair) -> None:
    assert pair.post(2, "/health", {"healthy": False})["healthy"] is False
    assert call("GET", f"{pair.own(2)}/health").status == 503
    assert pair.post(1, "/switch")["status"] == 503
    assert pair.post(2, "/switchover")["status"] == 409
    assert pair.roles() == ["active", "standby"]
    assert call("GET", pair.service).body["name"] == "m-1"


def test_a_standby_takes_over_from_a_peer_that_died(pair: Pair) -> None:
    pair.processes[0].kill()
    pair.processes[0].wait()
    assert pair.post(2, "/switchover")["switched"] is True
    assert call("GET", pair.service).body["name"] == "m-2"


def test_an_active_one_without_a_living_peer_serves_on(pair: Pair) -> None:
    pair.processes[1].kill()
    pair.processes[1].wait()
    assert pair.post(1, "/switch")["status"] == 503
    assert call("GET", pair.service).body["name"] == "m-1"


def test_the_end_is_in_order(pair: Pair) -> None:
    pair.processes[0].terminate()
    assert pair.processes[0].wait(timeout=30) == 0
    assert not answers(pair.service)
    gaps = find_gaps(pair.events(), SERVICE)
    assert [(gap.seconds, gap.after) for gap in gaps] == [(None, None)]


class SlowLog(ServiceLog):
    """A log on a computer that is busy."""

    def write(self, event: str, **more: Any) -> None:
        time.sleep(0.2 if event == BOUND else 0)
        super().write(event, **more)


def test_who_is_answered_at_the_service_finds_it_noted_who_serves(tmp_path: Path) -> None:
    port, log = free_port(SERVICE), tmp_path / "m-1.jsonl"
    settings = GuestSettings(name="m-1", server="id-1", own=("127.0.61.11", port), service=(SERVICE, port))
    guest = Guest(settings, SlowLog(log, "m-1"))
    start = threading.Thread(target=guest.start, kwargs={"active": True})
    start.start()
    wait_answer(f"http://{SERVICE}:{port}")
    assert guest.role == "active"
    assert [event["event"] for event in read_events([log])] == ["started", BOUND]
    start.join()
    guest.stop()


def test_one_that_is_told_to_end_as_soon_as_it_answers_ends_in_order(tmp_path: Path) -> None:
    words = ["--name", "m-1", "--server", "id-1", "--own", "127.0.61.11:0", "--log", tmp_path / "log"]
    program = (
        "import os; from escalator.lab.vnf import guest;"
        " guest.Guest.start = lambda *_, **__: os.kill(os.getpid(), 15); guest.main()"
    )
    environment = os.environ | {"PYTHONPATH": str(INCLUDE)}
    done = subprocess.run([sys.executable, "-c", program, *words], env=environment, check=False)
    assert done.returncode == 0
    assert [event["event"] for event in read_events([tmp_path / "log"])] == ["ended"]
