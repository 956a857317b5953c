from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lab.vnf.processes import answers, free_port, running, wait_answer

from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.service_log import find_gaps, read_events

SERVICE = "127.0.61.1"


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
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(folder=tmp_path, port=free_port(SERVICE))
    with ExitStack() as stack:
        for number in (1, 2):
            words = [
                "--name",
                f"m-{number}",
                "--server",
                f"id-{number}",
                "--log",
                tmp_path / f"m-{number}.jsonl",
            ]
            words += ["--own", f"127.0.61.1{number}:{made.port}", "--service", f"{SERVICE}:{made.port}"]
            words += ["--peer", made.own(3 - number), "--takeover-seconds", "0.03"]
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


def test_the_gap_of_the_log_is_the_gap_that_a_probe_sees(pair: Pair) -> None:
    seen: list[tuple[float, bool]] = []
    ended = threading.Event()

    def probe() -> None:
        while not ended.is_set():
            seen.append((time.monotonic(), answers(pair.service)))
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
    assert 0.03 <= gap.seconds < 0.5
    failed = [at for at, ok in seen if not ok]
    assert failed, "the switch interrupts"
    assert gap.monotonic - 0.05 <= failed[0]
    assert failed[-1] <= gap.monotonic + gap.seconds + 0.05
    assert all(ok for at, ok in seen if at > gap.monotonic + gap.seconds + 0.05)


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
    assert pair.processes[0].wait(timeout=5) == 0
    assert not answers(pair.service)
    gaps = find_gaps(pair.events(), SERVICE)
    assert [(gap.seconds, gap.after) for gap in gaps] == [(None, None)]
