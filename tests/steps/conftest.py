"""Worlds for the steps; the mechanism on the nodes is a fake, the ledger is real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.steps.worlds import NodeSoftware, QuickLedger, World

from escalator.steps import precheck, upgrade, verify
from escalator.steps.campaign import prepare
from escalator.steps.running import node_versions as versions
from escalator.system_support.mechanisms.venv import InstalledVersion, Outcome
from escalator.system_support.shell import Connect


def ensure_staged(connect: Connect, _mechanism: object, version: str, **_: Any) -> Outcome:
    with connect() as shell:
        assert isinstance(shell, NodeSoftware)
        return shell.stage(version)


def ensure_activated(connect: Connect, _mechanism: object, version: str, **_: Any) -> Outcome:
    with connect() as shell:
        assert isinstance(shell, NodeSoftware)
        return shell.activate(version)


def installed_version(node: NodeSoftware, _mechanism: object) -> InstalledVersion:
    return node.read()


def service_active(node: NodeSoftware, _service: str) -> bool:
    return node.alive


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> QuickLedger:
    """One ledger for all: every world has a run of its own in it."""
    return QuickLedger.at(tmp_path_factory.mktemp("ledger") / "ledger.db")


@pytest.fixture(scope="module", autouse=True)
def mechanism() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upgrade, "ensure_staged", ensure_staged)
        patch.setattr(prepare, "ensure_staged", ensure_staged)
        patch.setattr(upgrade, "ensure_activated", ensure_activated)
        patch.setattr(verify, "installed_version", installed_version)
        patch.setattr(versions, "installed_version", installed_version)
        patch.setattr(verify, "service_active", service_active)
        for module in (precheck, versions):
            patch.setattr(module, "check_privileges", lambda _shell, _mechanism: ())
        yield


MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def make_world(ledger: QuickLedger) -> MakeWorld:
    """Make a world whose request has the given fields."""

    def make(**asked: Any) -> World:
        return World(ledger=ledger, asked=asked)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()
