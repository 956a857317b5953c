"""The first process of a node: mounts, sshd, and the units behind ``systemctl``.

Runs as process 1 of its own pid, mount and uts namespaces: ``init.py NODE.json``. When it
ends, the kernel ends everything in the node: that is the power switch.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from mounts import PrivateTree  # type: ignore[import-not-found]  # a script: it runs without the package
from units import UnitManager, UnknownUnitError  # type: ignore[import-not-found]

SOCKET = Path("/run/systemd/lab.sock")
UNITS = Path("/etc/lab-units")
TICK_SECONDS = 0.5


def main(node_file: str) -> None:
    """Set the node up and serve until the power is cut."""
    node = json.loads(Path(node_file).read_text())
    socket.sethostname(node["host"])
    PrivateTree(
        upper=Path(node["upper"]),
        keep=tuple(Path(path) for path in node["keep"]),
        binds=tuple((Path(source), Path(target)) for source, target in node["binds"]),
        layers=tuple((Path(lower), Path(upper), Path(target)) for lower, upper, target in node["layers"]),
    ).mount()
    Path("/run/sshd").mkdir()
    SOCKET.parent.mkdir()
    Path("/etc/hostname").write_text(f"{node['host']}\n")
    _make_root_account(Path(node["environment"]["HOME"]))
    os.environ.clear()
    os.environ.update(node["environment"])
    units = UnitManager(UNITS)
    server = _listen()
    subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", node["sshd_config"], "-E", node["sshd_log"]])
    for unit in node["start"]:
        units.start(unit)
    _serve(server, units)


def _make_root_account(home: Path) -> None:
    """Give root a home of the node's own, and a password field that sshd does not take for a lock."""
    home.mkdir(parents=True, exist_ok=True)
    _set_field(Path("/etc/passwd"), 5, str(home))
    _set_field(Path("/etc/shadow"), 1, "*")


def _set_field(table: Path, position: int, value: str) -> None:
    """Set one field of root's line in a table of accounts; the node's own copy, not the machine's."""
    lines = [line.split(":") for line in table.read_text().splitlines()]
    for fields in lines:
        if fields[0] == "root":
            fields[position] = value
    table.write_text("".join(":".join(fields) + "\n" for fields in lines))


def _listen() -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(SOCKET))
    server.listen(16)
    return server


def _serve(server: socket.socket, units: UnitManager) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake, alarm = socket.socketpair()
    alarm.setblocking(False)
    wake.setblocking(False)
    signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(server, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select(timeout=TICK_SECONDS):
            if key.fileobj is wake:
                wake.recv(4096)
            else:
                _answer(server, units)
        _bury(units)
        units.tick()


def _bury(units: UnitManager) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        units.note_exit(pid, status)


def _answer(server: socket.socket, units: UnitManager) -> None:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(2)
        try:
            request = json.loads(connection.recv(65536))
            connection.sendall(json.dumps(_obey(units, request)).encode())
        except (OSError, ValueError):
            return


def _obey(units: UnitManager, request: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request and return the properties of the unit afterwards, or an error."""
    verb, unit = request["verb"], request.get("unit", "")
    try:
        match verb:
            case "start" | "stop" | "restart":
                getattr(units, verb)(unit)
            case "kill":
                units.kill(unit, signal.Signals(request["signal"]))
            case "reset-failed":
                units.reset_failed(unit)
            case "enable" | "disable":
                units.set_enabled(unit, enabled=verb == "enable")
            case "daemon-reload":
                units.reload()
                return {}
            case "cat":
                return {"text": units.cat(unit)}
            case "show":
                pass
            case _:
                return {"error": f"unknown verb {verb}"}
        return dict(units.show(unit))
    except UnknownUnitError:
        return {"error": "not-found"}


if __name__ == "__main__":
    main(sys.argv[1])
