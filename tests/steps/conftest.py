"""Worlds for the steps; the mechanism on the nodes is a fake, the ledger is real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.steps.worlds import QuickLedger, World


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> QuickLedger:
    """One ledger for all: every world has a run of its own in it."""
    return QuickLedger.at(tmp_path_factory.mktemp("ledger") / "ledger.db")


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
