"""Airflow's four long-lived processes: how each is started, and whether it lives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from escalator.airflow_stack.sessions import (
    end_family,
    find_family,
    find_identities,
    kill_all,
    read_process_table,
)
from escalator.lab.processes import PidFile, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from escalator.airflow_stack.settings import StackSettings
    from escalator.lab.processes import ProcessIdentity

LAST_LINES = 12


class ComponentName(StrEnum):
    """The components, in the order in which they are started: the slowest first."""

    API_SERVER = "api-server"
    SCHEDULER = "scheduler"
    DAG_PROCESSOR = "dag-processor"
    TRIGGERER = "triggerer"


# The API server reads the log files themselves, so nobody has to serve them.
OPTIONS: Mapping[ComponentName, tuple[str, ...]] = {
    ComponentName.SCHEDULER: ("--skip-serve-logs",),
    ComponentName.TRIGGERER: ("--skip-serve-logs",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One of them, of one stack."""

    name: ComponentName
    pid_file: PidFile
    log: Path
    cwd: Path
    python: Path

    @classmethod
    def of(cls, settings: StackSettings, name: ComponentName) -> Component:
        """Return a component of a stack."""
        return cls(
            name=name,
            pid_file=PidFile(path=settings.folder / "pids" / f"{name}.json"),
            log=settings.logs / f"{name}.log",
            cwd=settings.folder,
            python=settings.python,
        )

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command line."""
        return (str(self.python), "-m", "airflow", self.name.value, *OPTIONS.get(self.name, ()))

    def alive(self) -> ProcessIdentity | None:
        """Return the process when it runs."""
        return self.pid_file.alive()

    def ensure_started(self, environment: Mapping[str, str]) -> bool:
        """Start the process when it does not run; tell whether that was needed.

        What a predecessor that died left behind is ended first.
        """
        if self.alive() is not None:
            return False
        self.end_what_is_left()
        spawn(self.command, pid_file=self.pid_file, log=self.log, environment=environment, cwd=self.cwd)
        return True

    def end_what_is_left(self) -> None:
        """End what a process that died left behind; nothing while it lives."""
        if self.alive() is None:
            self.stop(grace_seconds=0.0)

    def stop(self, *, grace_seconds: float) -> bool:
        """End the process and everything that came out of it; tell whether there was anything."""
        leader = self.pid_file.read()
        if leader is None:
            return False
        found = bool(find_family(leader, read_process_table()))
        end_family(leader, grace_seconds=grace_seconds)
        self.pid_file.forget()
        return found

    def kill(self) -> None:
        """Kill the process with everything that came out of it; its pid file stays."""
        if (leader := self.pid_file.read()) is not None:
            kill_all(find_identities(find_family(leader, read_process_table())))

    def last_words(self) -> str:
        """Return the last lines of the output."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        except OSError:
            return ""
