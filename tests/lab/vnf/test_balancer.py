from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.lab.vnf.processes import free_port, running, wait_answer

from escalator.lab.processes import wait_until
from escalator.lab.vnf.balancer import Member, Members
from escalator.lab.vnf.json_server import Answer, JsonServer, call

FRONT = "127.0.62.1"


def test_connections_are_shared_out_by_weight() -> None:
    weights = {"a": 3, "b": 1, "c": 0}
    members = Members(
        members={
            name: Member(name=name, address="", port=0, weight=weight) for name, weight in weights.items()
        }
    )
    first = [members.list_next()[0].name for _ in range(8)]
    assert Counter(first) == {"a": 6, "b": 2}
    assert first[:4] != ["a", "a", "a", "b"], "they take turns"


class Trio:
    """Three members and a balancer before them."""

    def __init__(self, folder: Path) -> None:
        self.port, self.control_port = free_port(FRONT), free_port(FRONT)
        self.members = [
            JsonServer("127.0.0.1", 0, lambda _, name=name: Answer(body={"name": name}))  # type: ignore[misc]
            for name in ("a", "b", "c")
        ]
        for member in self.members:
            member.start()
        self.words: list[object] = ["--listen", f"{FRONT}:{self.port}", "--log", folder / "balancer.jsonl"]
        self.words += ["--control", f"{FRONT}:{self.control_port}"]
        for name, member in zip("abc", self.members, strict=True):
            self.words += ["--member", f"{name}=127.0.0.1:{member.port}"]

    def ask(self, times: int) -> Counter[str]:
        return Counter(call("GET", f"http://{FRONT}:{self.port}").body["name"] for _ in range(times))

    def set_weight(self, name: str, weight: object) -> int:
        url = f"http://{FRONT}:{self.control_port}/members/{name}"
        return call("PUT", url, {"weight": weight}).status

    def read(self, field: str) -> dict[str, int]:
        """Return a field of each member."""
        found = call("GET", f"http://{FRONT}:{self.control_port}/members").body["members"]
        return {each["name"]: each[field] for each in found}


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    made = Trio(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(running("balancer", *made.words))
        wait_answer(f"http://{FRONT}:{made.port}")
        yield made
        for member in made.members:
            member.stop()


def test_a_member_without_weight_gets_nothing_new_and_keeps_what_is_open(trio: Trio) -> None:
    assert set(trio.ask(6)) == {"a", "b", "c"}
    assert wait_until(lambda: not sum(trio.read("connections").values()), timeout_seconds=30)
    opened = [socket.create_connection((FRONT, trio.port)) for _ in range(3)]
    assert wait_until(lambda: trio.read("connections") == {"a": 1, "b": 1, "c": 1}, timeout_seconds=30)
    assert trio.set_weight("a", 0) == 200
    assert set(trio.ask(6)) == {"b", "c"}
    assert trio.read("connections")["a"] == 1
    for connection in opened:
        connection.close()
    assert wait_until(lambda: trio.read("connections")["a"] == 0, timeout_seconds=30)
    assert trio.set_weight("a", 1) == 200
    assert set(trio.ask(6)) == {"a", "b", "c"}


def test_a_member_that_is_gone_is_passed_over(trio: Trio) -> None:
    trio.members[0].stop()
    assert set(trio.ask(6)) == {"b", "c"}


@pytest.mark.parametrize("weight", [-1, 257, "1", None])
def test_a_weight_that_is_none_is_refused(trio: Trio, weight: object) -> None:
    assert trio.set_weight("a", weight) == 400
    assert trio.read("weight")["a"] == 1


def test_a_member_that_there_is_not_is_not_found(trio: Trio) -> None:
    assert trio.set_weight("d", 1) == 404


def test_without_any_weight_connections_end_at_once(trio: Trio) -> None:
    for name in "abc":
        trio.set_weight(name, 0)
    with pytest.raises(OSError, match=r"."):
        trio.ask(1)
