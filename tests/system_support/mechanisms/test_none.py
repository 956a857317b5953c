"""Without software every answer is given without the node."""

from __future__ import annotations

import pytest
from tests.system_support.mechanisms.jobs import make_job

from escalator.system_support.mechanisms import Effect
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.shell import Shell, ShellOnDemand

NONE = NothingOnNode()


def connect() -> Shell:
    pytest.fail("a connection was opened")


def test_nothing_is_asked_and_nothing_is_lacking() -> None:
    with ShellOnDemand("node-01", connect) as shell:
        assert NONE.check(shell) == ()
        assert NONE.installed(shell) is None
        assert NONE.service_state(shell) is None
    assert not NONE.brings_software


def test_nothing_is_done() -> None:
    assert NONE.stage(make_job(connect, "stage", "34.0.0")) is Effect.ALREADY_STAGED
    assert NONE.activate(make_job(connect, "activate", "34.0.0")) is Effect.ALREADY_ACTIVE
