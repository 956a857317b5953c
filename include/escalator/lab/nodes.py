"""The compute nodes: their files, their power switch, their faults."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.lab.config import ControlConfig, render
from escalator.lab.consoles import run_at_console
from escalator.lab.errors import LabError
from escalator.lab.host_keys import ensure_host_key, write_known_host
from escalator.lab.install import PACKAGE, node_caches
from escalator.lab.processes import PidFile, children, ensure_stopped, spawn
from escalator.lab.services import Service, ServiceRunner, clean_environment
from escalator.lab.virt.faults import MigrationFault, NodeFaults

if TYPE_CHECKING:
    from escalator.lab.settings import LabSettings

UNIT = "nova-compute"
OPT = "/opt/nova"
LINK = "venv"
HARDWARE = {
    "vcpus": 16,
    "memory_mib": 65536,
    "disk_gib": 1000,
    "bandwidth_mib_per_second": 1024,
    "cold_migration_seconds": 1.0,
    "downtime_ms": 80,
    "hypervisor_version": 8002000,
}
READY_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One compute node.

    :param host: its name, as Nova has it.
    :param config: of the control plane that it belongs to.
    """

    host: str
    config: ControlConfig

    @property
    def settings(self) -> LabSettings:
        """Return the settings of the lab."""
        return self.config.settings

    @property
    def address(self) -> str:
        """Return the address of its sshd."""
        return self.settings.address(self.host)

    @property
    def directory(self) -> Path:
        """Return the folder of its files; /opt/nova, /etc/nova and so on are in it."""
        return self.settings.run / "nodes" / self.host

    @property
    def hypervisor(self) -> Path:
        """Return the folder of its guests, faults and guest events."""
        return self.settings.run / "hypervisors" / self.host

    @property
    def events_file(self) -> Path:
        """Return the log of what happened to its guests."""
        return self.hypervisor / "guest-events.jsonl"

    @property
    def faults(self) -> NodeFaults:
        """Return the faults that are ordered for it."""
        return NodeFaults(folder=self.hypervisor)

    @property
    def release(self) -> str:
        """Return the release that /opt/nova/venv points to."""
        return (self.directory / "opt" / LINK).readlink().name.removeprefix("venv-")

    @property
    def is_on(self) -> bool:
        """Tell whether the node has power."""
        return self._pid_file.alive() is not None

    # -- power

    def start(self) -> None:
        """Switch the node on and wait for its sshd; one that is on stays as it is.

        :raises ServiceFailedError: when it does not come up.
        """
        if self.is_on:
            return
        unshare = ["unshare", "--pid", "--mount", "--uts", "--fork", "--kill-child=SIGKILL"]
        init = [
            str(self.settings.python),
            "-IS",
            str(PACKAGE / "node" / "init.py"),
            str(self.directory / "node.json"),
        ]
        log = self.config.log / f"{self.host}.out"
        environment = clean_environment() | {"PYTHONPYCACHEPREFIX": str(self.settings.pycache)}
        spawn([*unshare, *init], pid_file=self._pid_file, log=log, environment=environment)
        sshd = Service(name=self.host, command=(), port=self.settings.ssh_port)
        runner = ServiceRunner(run=self.settings.run)
        runner.wait_ready(sshd, address=self.address, timeout_seconds=READY_SECONDS)

    def stop(self) -> None:
        """Cut the power: everything in the node is gone at once. A second run does nothing."""
        ensure_stopped(self._pid_file, sig=signal.SIGKILL)

    def restart(self) -> None:
        """Cut the power and switch the node on again."""
        self.stop()
        self.start()

    def reset(self) -> bool:
        """Bring the node back to the first release, without faults, running.

        :return: whether nova-compute had to be started again.
        """
        self.clear_faults()
        moved = self._restore_release()
        if not self.is_on:
            self.start()
            return True
        if moved or not self.is_compute_active():
            self.systemctl("restart", UNIT)
            return True
        return False

    # -- what a person at the node's console can do

    def kill_compute(self) -> None:
        """Kill nova-compute with SIGKILL; the node stays on.

        :raises LabError: when the node is off.
        """
        self.systemctl("kill", "-s", "KILL", UNIT)

    def is_compute_active(self) -> bool:
        """Tell whether nova-compute runs."""
        return (
            self.is_on
            and self.console("systemctl", "is-active", UNIT, check=False).stdout.strip() == "active"
        )

    def systemctl(self, *words: str) -> str:
        """Run systemctl in the node and return what it prints.

        :raises LabError: when it fails or the node is off.
        """
        return self.console("systemctl", *words).stdout

    def console(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the node, without ssh.

        :raises LabError: when it fails (unless ``check`` is off) or the node is off.
        """
        identity = self._pid_file.alive()
        inside = children(identity.pid) if identity is not None else ()
        if not inside:
            raise LabError(f"{self.host} is off", f"escalator lab node start {self.host}")
        return run_at_console(
            self.host,
            command,
            process=inside[0],
            namespaces=("mount", "pid", "uts"),
            environment=self._environment(),
            check=check,
        )

    # -- faults

    def fault(
        self,
        *,
        migrate: MigrationFault | str | None = None,
        seconds: float | None = None,
        hypervisor_version: int | None = None,
        refuse_start_release: str | None = None,
        once: bool = False,
    ) -> None:
        """Order faults; those that are not named stay as they are.

        :param migrate: how migrations from this node go wrong.
        :param seconds: how long each migration takes.
        :param hypervisor_version: the version to report, as one number (8002000 for 8.2.0).
        :param refuse_start_release: the Nova release whose nova-compute exits at its start.
        :param once: whether the migration fault, or the refusal, is gone after it struck.
        """
        changes: dict[str, Any] = {}
        if migrate is not None or seconds is not None:
            kind = MigrationFault(migrate or "")
            changes["migrate"] = {"kind": str(kind), "seconds": seconds, "once": once}
        if hypervisor_version is not None:
            changes["hypervisor_version"] = hypervisor_version
        if refuse_start_release is not None:
            changes["refuse_start_release"] = {"release": refuse_start_release, "once": once}
        self.faults.merge(changes)

    def clear_faults(self) -> None:
        """Remove every fault of this node."""
        self.faults.clear()

    # -- files

    def write(self) -> None:
        """Make the node's files; those that are there already are kept where they hold state."""
        folders = ("etc-nova", "state", "log", "opt", "units", "upper", "bin")
        for folder in folders:
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        self.hypervisor.mkdir(parents=True, exist_ok=True)
        (self.hypervisor / "hardware.json").write_text(json.dumps(HARDWARE))
        self.events_file.touch()
        (self.directory / "state" / "compute_id").write_text(str(uuid.uuid4()))
        (self.directory / "etc-nova" / "nova.conf").write_text(render(self._nova_conf()))
        (self.directory / "units" / f"{UNIT}.json").write_text(json.dumps(self._unit()))
        self._write_programs()
        ensure_host_key(self.directory / "ssh_host_key", owner=self.host)
        (self.directory / "sshd_config").write_text(self._sshd_config())
        (self.directory / "node.json").write_text(json.dumps(self._node()))
        self._restore_release()

    def known_host(self) -> str:
        """Return the line of a known_hosts file that proves this node."""
        public_key = (self.directory / "ssh_host_key.pub").read_text()
        return write_known_host(public_key, names=(self.address, self.host), port=self.settings.ssh_port)

    @property
    def _pid_file(self) -> PidFile:
        return PidFile(path=self.settings.run / "pid" / f"{self.host}.json")

    @property
    def _template(self) -> Path:
        return self.settings.release_tree(self.settings.from_release)

    @property
    def _first_venv(self) -> str:
        return f"venv-{self.settings.from_release}"

    def _restore_release(self) -> bool:
        """Point /opt/nova/venv at the first release and remove the others; tell whether it was elsewhere.

        The node's folder is changed from inside while the node is on: the kernel has it mounted.
        """
        script = """
            cd "$1"; was=$(readlink venv)
            for entry in $(ls -A); do
                case $entry in "$2"|venv|.escalator-lab) ;; *) rm -rf "$entry" ;; esac
            done
            [ -d "$2" ] || cp -a "$3/$2" .
            ln -sfn "$2" venv; [ "$was" = "$2" ]
        """
        if self.is_on:
            words = (OPT, self._first_venv, str(self._template))
            return self.console("sh", "-c", script, "sh", *words, check=False).returncode != 0
        opt = self.directory / "opt"
        was = opt.joinpath(LINK).readlink().name if opt.joinpath(LINK).is_symlink() else ""
        shutil.rmtree(opt, ignore_errors=True)
        opt.mkdir(parents=True)
        opt.joinpath(LINK).symlink_to(self._first_venv)
        return was != self._first_venv

    def _nova_conf(self) -> dict[str, dict[str, object]]:
        content = self.config.compute(host=self.host, address=self.address)
        content["DEFAULT"]["compute_driver"] = "lab.driver.LabDriver"
        return content

    def _unit(self) -> dict[str, object]:
        launcher = PACKAGE / "virt" / "nova_compute.py"
        config = "--config-file /etc/nova/nova.conf"
        # the link is resolved first, so that every release finds its bytecode under a path of its own
        start = f'exec "$(readlink -f /opt/nova/{LINK})/bin/python" {shlex.quote(str(launcher))} {config}'
        return {
            "command": ["/bin/sh", "-c", start],
            "environment": {
                "ESCALATOR_LAB_HYPERVISORS": str(self.hypervisor.parent),
                "PYTHONWARNINGS": "ignore",
            },
            "log": f"/var/log/nova/{UNIT}.out",
            "stop_seconds": 15,
        }

    def _environment(self) -> dict[str, str]:
        path = ("/opt/lab/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
        return {
            "PATH": ":".join(path),
            "HOME": "/var/lib/root",
            "LANG": "C.UTF-8",
            "UV_OFFLINE": "1",
            **node_caches(self.settings),
        }

    def _node(self) -> dict[str, object]:
        here = self.directory
        binds = [
            (here / "etc-nova", "/etc/nova"),
            (here / "state", "/var/lib/nova"),
            (here / "log", "/var/log/nova"),
            (here / "units", "/etc/lab-units"),
            (here / "bin", "/opt/lab/bin"),
        ]
        real = Path("/usr/bin/systemctl")
        if real.exists():
            binds.append((here / "bin" / "systemctl", str(real)))
        return {
            "host": self.host,
            "upper": str(here / "upper"),
            "keep": [str(self.settings.home), str(PACKAGE)],
            "binds": [(str(source), target) for source, target in binds],
            "layers": [(str(self._template), str(here / "opt"), OPT)],
            "environment": self._environment(),
            "sshd_config": str(here / "sshd_config"),
            "sshd_log": str(here / "log" / "sshd.log"),
            "start": [UNIT],
        }

    def _write_programs(self) -> None:
        uv = self.directory / "bin" / "uv"
        uv.unlink(missing_ok=True)
        uv.symlink_to(self.settings.control_venv / "bin" / "uv")
        program = self.directory / "bin" / "systemctl"
        client = shlex.quote(str(PACKAGE / "node" / "systemctl.py"))
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(self.settings.python))} -IS {client} "$@"\n')
        program.chmod(0o755)

    def _sshd_config(self) -> str:
        variables = " ".join(f'"{key}={value}"' for key, value in self._environment().items())
        options = {
            "ListenAddress": self.address,
            "Port": self.settings.ssh_port,
            "HostKey": self.directory / "ssh_host_key",
            "AuthorizedKeysFile": self.settings.ssh_key.with_suffix(".pub"),
            "AllowUsers": "root",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UsePAM": "no",
            "StrictModes": "no",
            "UseDNS": "no",
            "PidFile": "none",
            "PrintMotd": "no",
            "MaxSessions": 50,
            "MaxStartups": "50:30:100",
            "Subsystem": "sftp internal-sftp",
            "SetEnv": variables,
        }
        return "".join(f"{key} {value}\n" for key, value in options.items())
