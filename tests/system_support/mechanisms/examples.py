"""Every mechanism, on a good node: a new one gets its row here, and goes through the contract suite."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import (
    AnsibleMechanism,
    AptMechanism,
    CommandMechanism,
    DnfMechanism,
    KollaAnsibleMechanism,
    Mechanism,
    NoMechanism,
    VenvMechanism,
)
from escalator.model.errors import TransientError
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms import Effect, InstalledVersion, NodeMechanism, UnitState
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.shell import Connect, Shell, ShellOnDemand

if TYPE_CHECKING:
    from tests.system_support.mechanisms.ansible_node import AnsibleNode
    from tests.system_support.mechanisms.apt_node import AptNode
    from tests.system_support.mechanisms.command_node import CommandNode
    from tests.system_support.mechanisms.conftest import VenvNode
    from tests.system_support.mechanisms.dnf_node import DnfNode

OLD, NEW = "1.0.0", "2.0.0"


def do_nothing() -> None:
    """Do what a node needs of which nothing can break."""


@dataclass(kw_only=True)
class Example:
    """A mechanism, a node that it works on, and what a test may see and do there.

    :ivar mechanism: it can bring the versions OLD and NEW, and no other one.
    :ivar count_restarts: says how often the service was started.
    :ivar break_service: lets the service not start any more.
    :ivar mend_service: lets it start again.
    :ivar lose_previous: takes away what the node would go back to.
    :ivar losses: so many connections fail from now on.
    """

    mechanism: NodeMechanism
    connect_really: Connect
    count_restarts: Callable[[], int]
    break_service: Callable[[], None]
    mend_service: Callable[[], None] = do_nothing
    lose_previous: Callable[[], None] = do_nothing
    losses: int = 0
    connections: int = 0

    def connect(self) -> AbstractContextManager[Shell]:
        self.connections += 1
        if self.losses > 0:
            self.losses -= 1
            raise TransientError("connection lost")
        return self.connect_really()

    def shell(self) -> ShellOnDemand:
        return ShellOnDemand("node-01", self.connect)

    def stage(self, version: str, *, seconds: float = 60) -> Effect:
        return self.mechanism.stage(make_job(self.connect, "stage", version, seconds=seconds))

    def activate(self, version: str, *, seconds: float = 60) -> Effect:
        return self.mechanism.activate(make_job(self.connect, "activate", version, seconds=seconds))

    def roll_back(self, version: str, *, seconds: float = 60) -> Effect:
        return self.mechanism.roll_back(make_job(self.connect, "roll_back", version, seconds=seconds))

    def way_back(self, version: str) -> WayBack:
        with self.shell() as shell:
            return self.mechanism.way_back(shell, version)

    def read(self) -> InstalledVersion | None:
        with self.shell() as shell:
            return self.mechanism.installed(shell)

    def read_state(self) -> UnitState | None:
        with self.shell() as shell:
            return self.mechanism.service_state(shell)


def make_venv(request: pytest.FixtureRequest, fixture: str = "venv_node") -> Example:
    node: VenvNode = request.getfixturevalue(fixture)
    return Example(
        mechanism=node.on_node,
        connect_really=node.sshd.shell,
        count_restarts=node.restarts,
        break_service=node.break_service,
        mend_service=node.mend_service,
        lose_previous=node.lose_previous,
    )


def make_venv_with_driver(request: pytest.FixtureRequest) -> Example:
    return make_venv(request, "driver_node")


def make_command(request: pytest.FixtureRequest) -> Example:
    node: CommandNode = request.getfixturevalue("command_node")
    return Example(
        mechanism=node.on_node(),
        connect_really=node.sshd.shell,
        count_restarts=node.restarts,
        break_service=node.break_service,
        mend_service=node.mend_service,
        lose_previous=node.lose_previous,
    )


def make_apt(request: pytest.FixtureRequest) -> Example:
    node: AptNode = request.getfixturevalue("apt_node")
    return Example(
        mechanism=node.on_node(),
        connect_really=node.shell,
        count_restarts=node.starts,
        break_service=node.break_service,
        mend_service=node.mend_service,
        lose_previous=node.lose_previous,
    )


def make_dnf(request: pytest.FixtureRequest) -> Example:
    node: DnfNode = request.getfixturevalue("dnf_node")
    return Example(
        mechanism=node.on_node(),
        connect_really=node.sshd.shell,
        count_restarts=node.restarts,
        break_service=node.break_service,
        mend_service=node.mend_service,
        lose_previous=node.lose_previous,
    )


def make_ansible(request: pytest.FixtureRequest) -> Example:
    node: AnsibleNode = request.getfixturevalue("ansible_node")
    return Example(
        mechanism=node.on_worker(),
        connect_really=node.sshd.shell,
        count_restarts=node.commands.restarts,
        break_service=node.commands.break_service,
        mend_service=node.commands.mend_service,
        lose_previous=node.commands.lose_previous,
    )


def make_kolla_ansible(request: pytest.FixtureRequest) -> Example:
    node: AnsibleNode = request.getfixturevalue("ansible_node")
    return replace(make_ansible(request), mechanism=node.carry_out(node.kolla_mechanism()))


def make_none(request: pytest.FixtureRequest) -> Example:
    return Example(
        mechanism=NothingOnNode(),
        connect_really=request.getfixturevalue("sshd").shell,
        count_restarts=lambda: 0,
        break_service=do_nothing,
    )


EXAMPLES: dict[type[Mechanism], Callable[[pytest.FixtureRequest], Example]] = {
    VenvMechanism: make_venv,
    CommandMechanism: make_command,
    AptMechanism: make_apt,
    DnfMechanism: make_dnf,
    AnsibleMechanism: make_ansible,
    KollaAnsibleMechanism: make_kolla_ansible,
    NoMechanism: make_none,
}

VARIANTS: dict[str, Callable[[pytest.FixtureRequest], Example]] = {
    "venv with options": make_venv_with_driver,
}
"""The same mechanisms, told to do it in another way; what brings no software has none."""
