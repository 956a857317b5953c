"""The power of a node, switched from outside: by its management board, whoever speaks with that."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from typing import Protocol

from escalator.model.errors import EscalatorError, NodeFaultError
from escalator.model.inventory_settings import PowerCommands
from escalator.system_support.programs import NOTHING, Ended, run_program
from escalator.system_support.shell import Connect

HOST = "ESCALATOR_HOST"
CREDENTIALS = "POWER_"
"""What the names of variables begin with that the commands get of a worker's environment."""
_ON, _OFF = 0, 1
_LAST = 200
RunCommand = Callable[[str], Ended]
"""Runs one command and returns how it ended; raises EscalatorError when that is not known."""


class PowerSwitch(Protocol):
    """The power of one node. What switches it raises NodeFaultError when that fails."""

    def is_on(self) -> bool | None:
        """Tell whether the node has power; None: that cannot be told."""

    def on(self) -> None:
        """Give it power; where it has some, nothing changes."""

    def off(self) -> None:
        """Take its power away."""

    def cycle(self) -> None:
        """Take its power away and give it back: the node begins a new boot."""


class CommandPower:
    """A node's power, switched by an operator's commands.

    :param commands: ``cycle``, or ``switch_on`` and ``switch_off``, are there.
    :param run: runs one of them where they are to be run.
    """

    def __init__(self, host: str, commands: PowerCommands, run: RunCommand) -> None:
        self._host = host
        self._commands = commands
        self._run = run

    def is_on(self) -> bool | None:
        """Ask the operator's command; None where there is none, or it says neither."""
        if self._commands.is_on is None:
            return None
        try:
            code = self._run(self._commands.is_on).code
        except EscalatorError:
            return None
        return {_ON: True, _OFF: False}.get(code)

    def on(self) -> None:
        """Run ``switch_on``; without that ``cycle``."""
        self._must("switch_on", self._commands.switch_on or self._commands.cycle)

    def off(self) -> None:
        """Run ``switch_off``."""
        self._must("switch_off", self._commands.switch_off)

    def cycle(self) -> None:
        """Run ``cycle``; without that ``switch_off``, then ``switch_on``."""
        if self._commands.cycle is not None:
            self._must("cycle", self._commands.cycle)
        else:
            self.off()
            self.on()

    def _must(self, name: str, command: str | None) -> None:
        remedy = f"see power.{name} in the inventory settings of the cloud"
        if command is None:
            raise NodeFaultError(f"{self._host}: there is no command power.{name}", remedy=remedy)
        try:
            ended = self._run(command)
        except EscalatorError as exc:
            raise NodeFaultError(f"{self._host}: power.{name}: {exc.message}", remedy=remedy) from exc
        if ended.code != 0:
            last = (ended.said.strip().splitlines() or ["it said nothing"])[-1][-_LAST:]
            message = f"{self._host}: power.{name} ended with exit code {ended.code}: {last}"
            raise NodeFaultError(message, remedy=remedy)


def bring_back(power: PowerSwitch) -> str:
    """Switch on a node that has no power, and take it away for a moment from any other; say what was done.

    :raises NodeFaultError: the switch fails.
    """
    if power.is_on() is False:
        power.on()
        return "it had no power and was switched on"
    power.cycle()
    return "its power was cycled"


def make_run_here(host: str, limit_seconds: float, credentials: Mapping[str, str] = NOTHING) -> RunCommand:
    """Return what runs commands on this machine: they get a plain environment, the host and credentials.

    :param credentials: further variables; those of ours whose names begin with ``CREDENTIALS`` come along.
    """
    ours = {name: value for name, value in os.environ.items() if name.startswith(CREDENTIALS)}
    given = {**ours, **credentials, HOST: host}

    def run(command: str) -> Ended:
        argv = ("/bin/sh", "-e", "-c", command)
        return run_program(argv, limit_seconds, given=given, named_in="the inventory settings")

    return run


def make_run_there(host: str, limit_seconds: float, connect: Connect) -> RunCommand:
    """Return what runs commands as root on a host that SSH reaches; they get the node's host."""

    def run(command: str) -> Ended:
        script = (
            f"export {HOST}={shlex.quote(host)}\ntimeout --kill-after=10 {limit_seconds:g} /bin/sh -e -c "
        )
        with connect() as shell:
            done = shell.run_as_root(script + shlex.quote(command), limit_seconds + 30.0)
        return Ended(done.exit_code, f"{done.stdout}\n{done.stderr}")

    return run
