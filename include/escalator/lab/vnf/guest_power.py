"""What Nova does to a server, done to its guest: paused with it, stopped with it, started with it.

``python -m escalator.lab.vnf.guest_power --guests FILE --events FILE … --log FILE``

The virt driver of the lab writes down what happens to guests; this process follows these files. So a live
migration freezes the service for as long as the guest is paused, and a cold one stops it. ``--guests`` is a
JSON file, read again when it changes: id of the server -> name, url, address of its service, command,
environment, pid_file and out of its process.
"""

import argparse
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from escalator.lab.processes import PidFile, ensure_stopped, spawn
from escalator.lab.vnf.json_file import JsonFile
from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.service_log import BOUND, UNBOUND, ServiceLog

POLL_SECONDS = 0.01
ROLE_SECONDS = 2.0
"""One that runs answers at once; on a busy computer it may be kept from it for a while."""
FREEZE, THAW = frozenset({"paused", "suspended"}), frozenset({"resumed"})
STOP, START = frozenset({"stopped"}), frozenset({"started"})


@dataclass(slots=True, kw_only=True)
class GuestPower:
    """Bring the guests into line with the events of their servers.

    :param guests: by id of the server, as in the file.
    """

    log: ServiceLog
    guests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _frozen: dict[str, bool] = field(default_factory=dict)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Do to a guest what was done to its server; events of other servers are nobody's business."""
        guest = self.guests.get(str(event.get("guest")))
        kind = str(event.get("event"))
        if guest is None or kind not in FREEZE | THAW | STOP | START:
            return
        pid_file = PidFile(path=Path(guest["pid_file"]))
        running = pid_file.alive()
        if kind in START:
            self._thaw(guest, pid_file)
            if running is None:
                self._start(guest, pid_file)
        elif running is not None and kind in THAW:
            self._thaw(guest, pid_file)
        elif running is not None and kind in FREEZE and guest["name"] not in self._frozen:
            serving = self._note_end(guest, kind)
            os.kill(running.pid, signal.SIGSTOP)
            self._frozen[guest["name"]] = serving
        elif running is not None and kind in STOP:
            if not self._frozen.pop(guest["name"], False):
                self._note_end(guest, kind)
            ensure_stopped(pid_file, sig=signal.SIGKILL)

    def _start(self, guest: Mapping[str, Any], pid_file: PidFile) -> None:
        spawn(
            guest["command"],
            pid_file=pid_file,
            log=Path(guest["out"]),
            environment={**os.environ, **guest["environment"]},
        )
        self.log.write("started", guest=guest["name"])

    def _thaw(self, guest: Mapping[str, Any], pid_file: PidFile) -> None:
        """Let a frozen guest go on; if it served, it serves again."""
        serving = self._frozen.pop(guest["name"], None)
        running = pid_file.alive()
        if serving is None or running is None:
            return
        os.kill(running.pid, signal.SIGCONT)
        self.log.write(BOUND if serving else "resumed", guest=guest["name"], **_where(guest))

    def _note_end(self, guest: Mapping[str, Any], kind: str) -> bool:
        """Write down that a guest is cut off, in its stead; tell whether it was serving."""
        try:
            role = call("GET", f"{guest['url']}/role", timeout_seconds=ROLE_SECONDS).body["role"]
        except OSError:
            role = "unknown"
        serving = role == "active" and guest["address"] is not None
        self.log.write(UNBOUND if serving else kind, guest=guest["name"], **_where(guest))
        return serving


def _where(guest: Mapping[str, Any]) -> dict[str, Any]:
    return {"address": guest["address"]}


class EventFiles:
    """The events that are new in a set of files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._read = {path: path.stat().st_size if path.exists() else 0 for path in paths}

    def fetch_new(self) -> list[dict[str, Any]]:
        """Return what was written since the last time, oldest first."""
        found: list[dict[str, Any]] = []
        for path, begin in self._read.items():
            size = path.stat().st_size if path.exists() else 0
            if size == begin:
                continue
            with path.open("rb") as file:
                file.seek(begin)
                content = file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._read[path] = begin + len(whole)
            found += [json.loads(line) for line in whole.splitlines()]
        return sorted(found, key=lambda event: float(event["t"]))


def main() -> None:
    """Follow the events until killed."""
    parser = argparse.ArgumentParser(description="pause, stop and start guests with their servers")
    parser.add_argument("--guests", required=True, type=Path)
    parser.add_argument("--events", required=True, nargs="+", type=Path)
    parser.add_argument("--log", required=True, type=Path)
    args = parser.parse_args()
    power = GuestPower(log=ServiceLog(args.log, "guest-power"))
    events, guests = EventFiles(args.events), JsonFile(args.guests)
    power.log.write("followed")
    while True:
        power.guests = guests.fetch() or {}
        for event in events.fetch_new():
            power.apply(event)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
