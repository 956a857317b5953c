from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.system_support.conftest import LocalShell

from escalator.model.errors import NodeFaultError, TransientError
from escalator.system_support.playbooks.holding import HeldNode, LockLostError, hold_node
from escalator.system_support.playbooks.node_lock import NodeLock
from escalator.system_support.shell import Shell


class Node:
    """A node whose connections a test loses, on a clock that only pauses move."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.losses = 0

    def lock(self, owner: str) -> NodeLock:
        return NodeLock(owner=owner, folder=str(self.folder), lasts_seconds=60)

    def connect(self) -> AbstractContextManager[Shell]:
        if self.losses:
            self.losses -= 1
            raise TransientError("connection lost")
        return LocalShell()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.now >= datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC):
            self.lock("worker-1").release(LocalShell())

    def hold(self, owner: str, seconds: float = 60) -> AbstractContextManager[HeldNode]:
        return hold_node(
            self.lock(owner),
            self.connect,
            deadline=self.now + timedelta(seconds=seconds),
            clock=lambda: self.now,
            sleep=self.sleep,
        )


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_it_is_held_renewed_and_given_back(node: Node) -> None:
    node.losses = 1
    with node.hold("worker-1") as held:
        assert (held.host, held.waited, held.renew()) == ("node-01", False, True)
        node.losses = 1
        assert held.renew() is False
        assert node.lock("worker-2").take(LocalShell()) != ""
    assert node.lock("worker-2").take(LocalShell()) == ""


def test_who_has_it_is_waited_for(node: Node) -> None:
    node.lock("worker-1").take(LocalShell())
    with node.hold("worker-2") as held:
        assert held.waited


def test_who_has_it_until_the_deadline_is_named(node: Node) -> None:
    node.lock("worker-1").take(LocalShell())
    with pytest.raises(NodeFaultError, match="does not end: worker-1 holds it"), node.hold("worker-2", 9):
        pytest.fail("it is not ours")


def test_what_somebody_else_has_taken_ends_the_work(node: Node) -> None:
    with node.hold("worker-1") as held:
        node.lock("worker-1").release(LocalShell())
        node.lock("worker-2").take(LocalShell())
        with pytest.raises(LockLostError, match="worker-2 holds it now"):
            held.renew()


def test_it_ends_by_itself_where_it_cannot_be_given_back(node: Node) -> None:
    with node.hold("worker-1"):
        node.losses = 1
    assert "worker-1" in node.lock("worker-2").take(LocalShell())
