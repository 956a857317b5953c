"""One machine: its power switch, its console, its end."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError, ServiceFailedError
from escalator.lab.machine.cgroup import Cgroup
from escalator.lab.machine.layers import PATH
from escalator.lab.machine.machine_files import IDENTITY, MachineFiles
from escalator.lab.machine.power_loop import NETWORK
from escalator.lab.machine.watches import ensure_enough_watches
from escalator.lab.pins import digest
from escalator.lab.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from escalator.lab.machine.bridge import Cable

BOOT_SECONDS = 90.0
SHUT_DOWN_SECONDS = 30.0
_POWER_OFF = signal.SIGRTMIN + 3
"""How systemd, as process 1, is told to shut down and switch off."""
_NAMESPACES = ("mount", "pid", "uts", "ipc", "net", "cgroup")
"""What of a machine is entered at its console, in the words of ``nsenter``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A Debian machine on a disk of its own.

    :param files: what makes it itself.
    :param folder: of its disk, and of the log of its console.
    :param layers: the read-only layers of its disk, the uppermost first, the root file system last.
    :param binds: folder of this computer -> where the machine sees it, writable.
    :param shown: folder of this computer -> where the machine sees it, read-only.
    :param cables: to its own network; without any it is in the network of this computer.
    """

    files: MachineFiles
    folder: Path
    layers: tuple[Path, ...]
    binds: Mapping[Path, str]
    shown: Mapping[Path, str]
    cables: tuple[Cable, ...] = ()

    @property
    def name(self) -> str:
        """Return its host name."""
        return self.files.name

    @property
    def upper(self) -> Path:
        """Return the layer that receives what the machine writes."""
        return self.folder / "upper"

    @property
    def console_log(self) -> Path:
        """Return what it printed on its console, over all its boots."""
        return self.folder / "console.log"

    @property
    def cgroup(self) -> Cgroup:
        """Return the control group of all its processes."""
        return find_cgroup(self.name, self.folder)

    @property
    def is_on(self) -> bool:
        """Tell whether it has power; one that reboots has."""
        return bool(self.cgroup.fetch_processes())

    # -- power

    def ensure_on(self) -> None:
        """Switch the machine on and wait for its sshd; one that is on is only waited for.

        :raises ServiceFailedError: when it does not come up.
        """
        cgroup = self.cgroup
        if not cgroup.fetch_processes():
            ensure_enough_watches()
            self._write()
            cgroup.make()
            self._spawn(cgroup)
        self.wait_for_sshd()

    def wait_for_sshd(self, *, timeout_seconds: float = BOOT_SECONDS) -> None:
        """Wait until its sshd answers.

        :raises ServiceFailedError: when it does not in time, or when the machine goes off.
        """
        wait_until(lambda: self.answers() or not self.is_on, timeout_seconds=timeout_seconds)
        if not self.answers():
            state = "does not answer" if self.is_on else "went off"
            raise ServiceFailedError(f"the machine {self.name} {state}", f"read {self.console_log}")

    def answers(self) -> bool:
        """Tell whether an sshd greets at its address."""
        with contextlib.suppress(OSError):
            where = (self.files.address, self.files.ssh_port)
            with socket.create_connection(where, timeout=1.0) as connection:
                return connection.recv(4) == b"SSH-"
        return False

    def ensure_cut(self) -> None:
        """Cut the power: everything in the machine is gone at once. A second run does nothing."""
        self.cgroup.ensure_killed()

    def ensure_off(self, *, timeout_seconds: float = SHUT_DOWN_SECONDS) -> None:
        """Shut the machine down; cut the power when it does not go off in time. A second run does nothing."""
        leader = self.find_leader()
        if leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, _POWER_OFF)
            wait_until(lambda: not self.is_on, timeout_seconds=timeout_seconds)
        self.ensure_cut()

    def renew_disk(self) -> None:
        """Cut the power and give the machine a new disk; its identity stays, and it is off afterwards.

        When this is killed half-way, the next run does the rest.
        """
        self.ensure_cut()
        fresh, gone = self.folder / "upper.new", self.folder / "upper.gone"
        shutil.rmtree(gone, ignore_errors=True)
        if self.upper.exists():
            shutil.rmtree(fresh, ignore_errors=True)
            for name in filter(lambda each: (self.upper / each).exists(), IDENTITY):
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.upper / name, fresh / name)
            self.upper.rename(gone)
        if fresh.exists():
            fresh.rename(self.upper)
        for folder in (gone, self.folder / "work"):
            shutil.rmtree(folder, ignore_errors=True)

    def ensure_removed(self) -> None:
        """Cut the power and remove all that the machine was. A second run finds nothing."""
        self.cgroup.ensure_removed()
        for cable in self.cables:
            cable.ensure_removed()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def order_stay_off(self) -> None:
        """Let the next reboot be one from which the machine does not come back: a fault of the lab's.

        It strikes once; switched on again, the machine boots as ever.
        """
        self._stays_off.touch()

    # -- console

    def find_leader(self) -> int | None:
        """Return the process that is process 1 of the running system; None while there is none."""
        # the loop is process 1 of a namespace, too: the machine's is in the one below that
        depth = len(_levels(os.getpid())) + 2
        for pid in self.cgroup.fetch_processes():
            ids = _levels(pid)
            if len(ids) == depth and ids[-1] == "1":
                return pid
        return None

    def console(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as root in the machine, without ssh.

        :raises LabError: when it fails (unless ``check`` is off) or the machine is off.
        """
        leader = self.find_leader()
        if leader is None:
            raise LabError(f"{self.name} is off", "switch it on first")
        done = subprocess.run(
            ["nsenter", "--target", str(leader), *(f"--{each}" for each in _NAMESPACES), *command],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"},
            cwd="/",
        )
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {shlex.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done

    # -- start

    def _write(self) -> None:
        self.files.ensure_written(self.upper)
        for name in ("work", "root"):
            (self.folder / name).mkdir(exist_ok=True)
        lower = ":".join(map(str, self.layers))
        content = {
            "overlay": f"lowerdir={lower},upperdir={self.upper},workdir={self.folder / 'work'}",
            "root": str(self.folder / "root"),
            "command": self._command(),
            "cables": [cable.as_json() for cable in self.cables],
            "stays_off": str(self._stays_off),
        }
        self._description.write_text(json.dumps(content))

    @property
    def _description(self) -> Path:
        return self.folder / "machine.json"

    @property
    def _stays_off(self) -> Path:
        return self.folder / "stays-off"

    def _command(self) -> Sequence[str]:
        own_network = (f"--network-namespace-path={NETWORK}", "--capability=CAP_NET_ADMIN")
        network = own_network if self.cables else ()
        return (
            *("systemd-nspawn", "--quiet", "--directory", str(self.folder / "root"), "--boot"),
            *("--machine", self.name, "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"),
            *(f"--kill-signal={_POWER_OFF}", *network),
            *(f"--bind={source}:{target}" for source, target in self.binds.items()),
            *(f"--bind-ro={source}:{target}" for source, target in self.shown.items()),
            "systemd.log_target=journal",
        )

    @property
    def _rights(self) -> Mapping[str, str]:
        return {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"} if self.cables else {}

    def _spawn(self, cgroup: Cgroup) -> None:
        """Start the power loop: in the group from its first moment on, so that it is never lost."""
        loop = Path(__file__).with_name("power_loop.py")
        command = (
            *("unshare", "--pid", "--mount", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
            *(sys.executable, "-IS", loop, self._description),
        )
        with self.console_log.open("ab") as output:
            process = subprocess.Popen(
                cgroup.joined_by(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={"PATH": PATH, "SYSTEMD_NSPAWN_LOCK": "0", **self._rights},
                cwd="/",
            )
        if not wait_until(lambda: self.is_on or process.poll() is not None, timeout_seconds=5.0):
            raise ServiceFailedError(f"the machine {self.name} does not start", f"read {self.console_log}")
        if process.poll() is None:
            process.returncode = 0  # it outlives us: no warning at exit, and nobody waits for it here


def find_cgroup(name: str, folder: Path) -> Cgroup:
    """Return the control group of the machine that has a name and a folder, whether it is on or off."""
    return Cgroup.named(f"{name}-{digest(str(folder))}")


def _levels(pid: int) -> tuple[str, ...]:
    """Return the ids of a process in the pid namespaces that it is in, the outermost first."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return tuple(line.split()[1:])
    return ()
