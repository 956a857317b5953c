"""System Support on a node of the lab: a real Nova, a real sshd, power that can fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.system_support.conftest import FIND_SSHD

from escalator.model.bundle import VenvMechanism
from escalator.model.errors import NodeFaultError, TransientError
from escalator.system_support import remote_job
from escalator.system_support.mechanisms import Effect, InstalledVersion, NodeJob
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.mechanisms.venv_scripts import write_activate_script
from escalator.system_support.remote_job import JobState
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget

if TYPE_CHECKING:
    from escalator.lab.lab import Lab
    from escalator.lab.nodes import Node

pytestmark = pytest.mark.lab

HOST, OLD, NEW = "node-04", "33.0.2", "34.0.0"
NOVA = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute", installer="uv")

NOVA_ON_NODE = VenvOnNode(NOVA)


def now() -> datetime:
    return datetime.now(tz=UTC)


def soon(seconds: float = 240) -> datetime:
    return now() + timedelta(seconds=seconds)


@pytest.fixture
def node(lab: Lab) -> Iterator[Node]:
    found = lab.node(HOST)
    found.start()
    found.reset()
    yield found
    found.start()
    found.reset()
    found.console("sh", "-c", f"rm -rf {remote_job.DEFAULT_BASE}/test_*")


@pytest.fixture
def connect(lab: Lab, node: Node) -> Callable[[], NodeShell]:
    target = SshTarget(
        host=HOST,
        address=node.address,
        port=lab.settings.ssh_port,
        key_file=lab.settings.ssh_key,
        known_hosts=lab.settings.run / "known_hosts",
    )
    return lambda: NodeShell(target)


def ensure(connect: Callable[[], NodeShell], step: str, version: str) -> Effect:
    work = {"staged": NOVA_ON_NODE.stage, "activated": NOVA_ON_NODE.activate}[step]
    return work(
        NodeJob(
            connect=connect,
            version=version,
            job_id=f"test_{step}_{version}",
            deadline=soon(),
            clock=now,
            sleep=time.sleep,
        )
    )


def read(connect: Callable[[], NodeShell]) -> InstalledVersion:
    with connect() as shell:
        return NOVA_ON_NODE.installed(shell)


def test_a_node_goes_to_the_new_nova_and_back(connect: Callable[[], NodeShell]) -> None:
    with connect() as shell:
        assert NOVA_ON_NODE.check(shell) == ()
    before = read(connect)
    assert (before.version, before.running, before.active) == (OLD, OLD, True)

    assert ensure(connect, "staged", NEW) is Effect.STAGED
    assert read(connect).main_pid == before.main_pid
    assert ensure(connect, "activated", NEW) is Effect.ACTIVATED
    after = read(connect)
    assert (after.version, after.running, after.active) == (NEW, NEW, True)
    assert after.previous == before.target

    assert ensure(connect, "staged", NEW) is Effect.ALREADY_STAGED
    assert ensure(connect, "activated", NEW) is Effect.ALREADY_ACTIVE
    assert read(connect) == after

    ensure(connect, "staged", OLD)
    assert ensure(connect, "activated", OLD) is Effect.ACTIVATED
    assert read(connect).running == OLD


def test_an_activation_survives_the_loss_of_its_connection(connect: Callable[[], NodeShell]) -> None:
    ensure(connect, "staged", NEW)
    with connect() as shell:
        remote_job.start(shell, f"test_activated_{NEW}", write_activate_script(NOVA, NEW))
        with pytest.raises(TransientError):
            shell.run_as_root(f"{FIND_SSHD}; kill -9 $sshd", 5)
    ensure(connect, "activated", NEW)
    assert read(connect).running == NEW


def test_a_job_that_loses_power_is_lost_and_done_again_when_power_is_back(
    node: Node, connect: Callable[[], NodeShell]
) -> None:
    with connect() as shell:
        remote_job.start(shell, "test_power", "echo begun; sleep 120")
    node.stop()
    node.start()
    status = remote_job.wait(connect, "test_power", deadline=soon(), clock=now, sleep=time.sleep)
    assert status.state is JobState.LOST
    again = remote_job.run_to_end(
        connect, "test_power", "echo done", deadline=soon(), clock=now, sleep=time.sleep
    )
    assert (again.exit_code, again.output) == (0, "done\n")


def test_a_node_without_power_is_unreachable_at_the_deadline(
    node: Node, connect: Callable[[], NodeShell]
) -> None:
    node.stop()
    with pytest.raises(NodeFaultError, match="no SSH connection"):
        remote_job.wait(connect, "test_power", deadline=soon(3), clock=now, sleep=time.sleep)


def test_another_nodes_host_key_is_refused(lab: Lab) -> None:
    other, here = lab.node("node-03"), lab.node(HOST)
    known = (lab.settings.run / "known_hosts").read_text()
    key = next(line for line in known.splitlines() if other.address in line).split(" ", 1)[1]
    target = SshTarget(
        host=HOST,
        address=here.address,
        port=lab.settings.ssh_port,
        key_file=lab.settings.ssh_key,
        host_key=key,
    )
    with pytest.raises(NodeFaultError, match="not the known one"), NodeShell(target):
        pytest.fail("connected")
