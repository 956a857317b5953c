"""What every user of a node's shell relies on; NodeShell is the one over SSH."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol, Self

PRIVILEGE = "connect as root, or as one who may use sudo, without a password or with the connection's"
"""Remedy where commands cannot run as root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a command ended, and what it said (UTF-8, undecodable bytes replaced)."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Tell whether the command ended with exit code 0."""
        return self.exit_code == 0

    @property
    def last_words(self) -> str:
        """Return the last line of stderr, else of stdout: usually the reason of a failure."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1] if lines else f"exit code {self.exit_code}, no output"


def parse_pairs(text: str) -> dict[str, str]:
    """Read the lines ``key=value`` of what a script printed; others are passed over."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class Shell(Protocol):
    """A shell on a node: every command runs there as root.

    It raises TransientError when the node cannot be reached, the connection is lost or the time is up; what
    the command did until then is unknown. It raises NodeFaultError when the command cannot begin. One that
    ends, with any code, is a result.
    """

    @property
    def host(self) -> str:
        """Return the nova-compute service host of the node."""

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a POSIX sh command as root, without input; through sudo when the user is another."""


class StreamingShell(Shell, Protocol):
    """A shell that gives what a command prints as it comes, however much that is."""

    def stream_as_root(
        self, command: str, take: Callable[[bytes], None], timeout_seconds: float | None = None
    ) -> CommandResult:
        """Run a command as ``run_as_root`` does, and give its output piece by piece; the result has none.

        :param take: gets the bytes of stdout; what it raises ends the command's connection, no OSError.
        """


Connect = Callable[[], AbstractContextManager[Shell]]
"""Opens a new connection to a node; raises TransientError when the node cannot be reached now."""


class ShellOnDemand:
    """A shell that connects at its first command: who asks the node nothing opens no connection.

    The first command raises what connecting raises; the end of the ``with`` closes the connection.
    """

    def __init__(self, host: str, connect: Connect) -> None:
        self._host = host
        self._connect = connect
        self._shell: Shell | None = None
        self._open = ExitStack()

    @property
    def host(self) -> str:
        """Return the nova-compute service host of the node."""
        return self._host

    def __enter__(self) -> Self:
        """Return the shell, not connected yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection, if there is one."""
        self._shell = None
        self._open.close()

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a POSIX sh command as root, without input; through sudo when the user is another."""
        return self._connected().run_as_root(command, timeout_seconds)

    def _connected(self) -> Shell:
        if self._shell is None:
            self._shell = self._open.enter_context(self._connect())
        return self._shell
