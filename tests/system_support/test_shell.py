"""A shell that connects at its first command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from escalator.model.errors import TransientError
from escalator.system_support.shell import Shell, ShellOnDemand

if TYPE_CHECKING:
    from tests.system_support.conftest import LocalShell


@dataclass
class Line:
    """Connections to this machine; says when they open and close."""

    local: LocalShell
    log: list[str] = field(default_factory=list)
    faults: int = 0

    @contextmanager
    def connection(self) -> Iterator[Shell]:
        if self.faults:
            self.faults -= 1
            raise TransientError("no route")
        self.log.append("open")
        yield self.local
        self.log.append("close")

    def connect(self) -> AbstractContextManager[Shell]:
        return self.connection()


@pytest.fixture
def line(local: LocalShell) -> Line:
    return Line(local)


def test_who_asks_nothing_opens_no_connection(line: Line) -> None:
    with ShellOnDemand("node-07", line.connect) as shell:
        assert shell.host == "node-07"
    assert line.log == []


def test_all_commands_go_over_one_connection_which_is_closed_at_the_end(line: Line) -> None:
    with ShellOnDemand("node-07", line.connect) as shell:
        assert shell.run_as_root("echo a").stdout == "a\n"
        assert shell.run_as_root("echo b", 5).stdout == "b\n"
        assert line.log == ["open"]
    assert line.log == ["open", "close"]


def test_a_failed_connection_is_raised_at_the_command_and_tried_again_at_the_next(line: Line) -> None:
    line.faults = 1
    with ShellOnDemand("node-07", line.connect) as shell:
        with pytest.raises(TransientError):
            shell.run_as_root("true")
        assert shell.run_as_root("true").ok


def test_it_can_be_used_again(line: Line) -> None:
    shell = ShellOnDemand("node-07", line.connect)
    for _ in range(2):
        with shell:
            assert shell.run_as_root("true").ok
    assert line.log == ["open", "close"] * 2
