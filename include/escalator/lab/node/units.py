"""The services of one node: what systemd would know about them."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

_SUFFIX = ".service"


class ActiveState(StrEnum):
    """What systemd calls ActiveState."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    FAILED = "failed"
    DEACTIVATING = "deactivating"


class UnknownUnitError(Exception):
    """There is no unit of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFile:
    """What a unit runs.

    :param name: without ``.service``.
    :param command: program and arguments.
    :param environment: added to the environment of the node's first process.
    :param log: receives standard output and error.
    :param stop_seconds: from SIGTERM to SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    log: Path = Path("/dev/null")
    stop_seconds: float = 30.0

    @classmethod
    def load(cls, folder: Path, name: str) -> "UnitFile":
        """Read ``NAME.json`` of a folder.

        :raises UnknownUnitError: when there is none.
        """
        try:
            content = json.loads((folder / f"{name}.json").read_text())
        except FileNotFoundError:
            raise UnknownUnitError(name) from None
        return cls(
            name=name,
            command=tuple(content["command"]),
            environment=content.get("environment", {}),
            log=Path(content.get("log", "/dev/null")),
            stop_seconds=float(content.get("stop_seconds", 30.0)),
        )


@dataclass(slots=True, kw_only=True)
class _Unit:
    file: UnitFile
    process: subprocess.Popen[bytes] | None = None
    state: ActiveState = ActiveState.INACTIVE
    result: str = "success"
    exit_status: int = 0
    since: float = 0.0
    kill_at: float = 0.0
    start_again: bool = False
    enabled: bool = True


class UnitManager:
    """Start and stop the units of a folder; every call returns at once.

    :param folder: holds one ``NAME.json`` a unit, read again at each start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._units: dict[str, _Unit] = {}

    def start(self, name: str) -> None:
        """Start a unit that does not run; a second run does nothing.

        :raises UnknownUnitError: when there is no such unit.
        """
        unit = self._unit(name)
        if unit.state is ActiveState.DEACTIVATING:
            unit.start_again = True
        elif unit.state is not ActiveState.ACTIVE:
            self._spawn(unit)

    def stop(self, name: str) -> None:
        """Ask a unit to end; after its ``stop_seconds`` it is killed.

        :raises UnknownUnitError: when there is no such unit.
        """
        unit = self._unit(name)
        unit.start_again = False
        if unit.process is not None and unit.state is ActiveState.ACTIVE:
            unit.state = ActiveState.DEACTIVATING
            unit.kill_at = time.monotonic() + unit.file.stop_seconds
            unit.process.send_signal(signal.SIGTERM)

    def restart(self, name: str) -> None:
        """Stop a unit and start it once it has ended.

        :raises UnknownUnitError: when there is no such unit.
        """
        self.stop(name)
        self.start(name)

    def kill(self, name: str, sig: signal.Signals) -> None:
        """Send a signal to the main process of a unit.

        :raises UnknownUnitError: when there is no such unit.
        """
        unit = self._unit(name)
        if unit.process is not None:
            unit.process.send_signal(sig)

    def reset_failed(self, name: str) -> None:
        """Turn ``failed`` into ``inactive``.

        :raises UnknownUnitError: when there is no such unit.
        """
        unit = self._unit(name)
        if unit.state is ActiveState.FAILED:
            unit.state, unit.result = ActiveState.INACTIVE, "success"

    def set_enabled(self, name: str, *, enabled: bool) -> None:
        """Remember whether the unit starts with the node.

        :raises UnknownUnitError: when there is no such unit.
        """
        self._unit(name).enabled = enabled

    def reload(self) -> None:
        """Read the unit files again."""
        for unit in self._units.values():
            unit.file = UnitFile.load(self._folder, unit.file.name)

    def show(self, name: str) -> dict[str, Any]:
        """Return the properties of a unit by the names that systemd gives them.

        :raises UnknownUnitError: when there is no such unit.
        """
        unit = self._unit(name)
        busy = unit.state in (ActiveState.ACTIVE, ActiveState.DEACTIVATING)
        return {
            "Id": name + _SUFFIX,
            "LoadState": "loaded",
            "ActiveState": str(unit.state),
            "SubState": _SUB_STATES[unit.state],
            "UnitFileState": "enabled" if unit.enabled else "disabled",
            "MainPID": unit.process.pid if unit.process is not None and busy else 0,
            "Result": unit.result,
            "ExecMainStatus": unit.exit_status,
            "StateChangeTimestamp": f"@{unit.since:.3f}",
            "StartPending": "yes" if unit.start_again else "no",
        }

    def cat(self, name: str) -> str:
        """Return the unit file in systemd's form.

        :raises UnknownUnitError: when there is no such unit.
        """
        file = self._unit(name).file
        settings = "".join(f"Environment={key}={value}\n" for key, value in sorted(file.environment.items()))
        command = " ".join(file.command)
        return f"# {self._folder}/{name}.json\n[Service]\n{settings}ExecStart={command}\n"

    def note_exit(self, pid: int, wait_status: int) -> None:
        """Take note that a process of the node has ended; processes of no unit are ignored."""
        for unit in self._units.values():
            if unit.process is not None and unit.process.pid == pid:
                unit.process.returncode = os.waitstatus_to_exitcode(wait_status)
                self._ended(unit, unit.process.returncode)

    def tick(self) -> None:
        """Kill the units that have not ended in their time; call it about once a second."""
        for unit in self._units.values():
            late = unit.state is ActiveState.DEACTIVATING and time.monotonic() > unit.kill_at
            if late and unit.process is not None:
                unit.process.kill()

    def _unit(self, name: str) -> _Unit:
        name = name.removesuffix(_SUFFIX)
        if name not in self._units:
            self._units[name] = _Unit(file=UnitFile.load(self._folder, name))
        return self._units[name]

    def _spawn(self, unit: _Unit) -> None:
        unit.file = UnitFile.load(self._folder, unit.file.name)
        unit.since, unit.start_again = time.time(), False
        try:
            with unit.file.log.open("ab") as log:
                unit.process = subprocess.Popen(
                    unit.file.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **unit.file.environment},
                    cwd="/",
                    start_new_session=True,
                )
        except OSError:
            unit.state, unit.result, unit.exit_status = ActiveState.FAILED, "exec", 203
            return
        unit.state, unit.result, unit.exit_status = ActiveState.ACTIVE, "success", 0

    def _ended(self, unit: _Unit, code: int) -> None:
        asked = unit.state is ActiveState.DEACTIVATING
        unit.process, unit.since, unit.exit_status = None, time.time(), abs(code)
        if asked or code == 0:
            unit.state, unit.result = ActiveState.INACTIVE, "success"
        else:
            unit.state, unit.result = ActiveState.FAILED, "signal" if code < 0 else "exit-code"
        if unit.start_again:
            self._spawn(unit)


_SUB_STATES = {
    ActiveState.ACTIVE: "running",
    ActiveState.INACTIVE: "dead",
    ActiveState.FAILED: "failed",
    ActiveState.DEACTIVATING: "stop-sigterm",
}
