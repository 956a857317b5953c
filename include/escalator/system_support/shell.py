"""What every user of a node's shell relies on; NodeShell is the one over SSH."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


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


class Shell(Protocol):
    """A shell on a node.

    Both verbs raise TransientError when the node cannot be reached, the connection is lost or the time is up;
    what the command did until then is unknown. A command that ends, with any code, is a result.
    """

    @property
    def host(self) -> str:
        """Return the nova-compute service host of the node."""

    def run(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a POSIX sh command as the user of the connection."""

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a POSIX sh command as root, with ``sudo -n`` when the user is another."""


Connect = Callable[[], AbstractContextManager[Shell]]
"""Opens a new connection to a node; raises TransientError when the node cannot be reached now."""
