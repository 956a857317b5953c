"""Machines for the tests of this folder: on addresses of no lab, with nothing left behind."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.lab import Lab
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import REPOSITORY_MOUNT, MachineFiles
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from escalator.lab.machine.store import MachineStore

OLD, NEW = "33.0.2", "34.0.0"
SERVICE_VERSIONS = {OLD: 72, NEW: 74}
"""Release -> the version number of Nova's service objects."""
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold"


def make(store: MachineStore, number: int, layers: tuple[Path, ...]) -> Machine:
    """Return a machine that is off; its disk is new unless a test left one."""
    name = f"proof-{number:02d}"
    files = MachineFiles(
        name=name,
        address=f"127.0.200.{number}",
        ssh_port=22,
        authorized_key=store.settings.ssh_key.with_suffix(".pub").read_text(),
    )
    return Machine(files=files, folder=store.folder / "proofs" / name, layers=layers, binds={}, shown={})


def with_repository(machine: Machine, folder: Path, key: Path) -> Machine:
    """Return the machine with an apt repository that it trusts by a key."""
    files = replace(machine.files, repository_key=key.read_text())
    return replace(machine, files=files, shown={folder: REPOSITORY_MOUNT})


@contextmanager
def running(machine: Machine) -> Iterator[Machine]:
    """Switch a new machine on, and remove it afterwards."""
    machine.ensure_removed()
    try:
        machine.ensure_on()
        yield machine
    finally:
        machine.ensure_removed()
        assert traces(machine) == []


@contextmanager
def own_lab(instance: str, **kind: int | str) -> Iterator[Lab]:
    """Bring a lab of two nodes up, and down afterwards; nothing of its nodes runs then.

    :param kind: what its nodes are, in the words of ``LabSettings``; usually it has no servers.
    """
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": instance}
    shape = {"nodes": 2, "servers": 0, **kind}
    lab = Lab(LabSettings.from_environment(environment, **shape), progress=Progress())
    try:
        lab.up()
        yield lab
    finally:
        lab.down()
        assert [left for node in lab.nodes() for left in running_traces(node.compute.machine)] == []


def place(lab: Lab, server: str) -> tuple[str, str, str | None]:
    """Return the status of a server, its node, and its task."""
    found = lab.servers.fetch_one(server)
    return found["status"], found["OS-EXT-SRV-ATTR:host"], found["OS-EXT-STS:task_state"]


def ssh(
    store: MachineStore, machine: Machine, command: str, *, check: bool = True, user: str = "root"
) -> subprocess.CompletedProcess[str]:
    """Run a command over SSH; the machine has to prove itself by its host key."""
    known = machine.folder / "known_hosts"
    known.write_text(machine.files.known_host(machine.upper))
    options = (
        f"UserKnownHostsFile={known}",
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=5",
        "BatchMode=yes",
    )
    given = [word for option in options for word in ("-o", option)]
    target = ["-p", str(machine.files.ssh_port), f"{user}@{machine.files.address}"]
    done = subprocess.run(
        ["ssh", "-q", "-i", str(store.settings.ssh_key), *given, *target, command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def out(store: MachineStore, machine: Machine, command: str) -> str:
    """Return what a command prints."""
    return ssh(store, machine, command).stdout.strip()


def boot_id(store: MachineStore, machine: Machine) -> str:
    """Return the identity of the machine's boot; empty while it does not answer."""
    return ssh(store, machine, "cat /proc/sys/kernel/random/boot_id", check=False).stdout.strip()


def reboot(store: MachineStore, machine: Machine) -> str:
    """Let the machine reboot, and return the identity of the new boot."""
    before = boot_id(store, machine)
    ssh(store, machine, "systemctl reboot", check=False)
    assert wait_until(lambda: boot_id(store, machine) not in {before, ""}, timeout_seconds=30)
    return boot_id(store, machine)


SIGNS_OF_LOSS = ("is not a head", "soft lockup", "kernel BUG at", "Kernel panic - not syncing")
"""What the kernel of such a guest says; with a panic it starts anew by itself."""


def lost_by_emulation(lab: Lab, server: str) -> str:
    """Return what a guest says on its console whose memory did not come whole through a live migration.

    That is QEMU's emulation, not what is tested: see ADR 0037. Empty: the guest says nothing of it.
    """
    consoles = lab.settings.run.glob(f"machines/*/upper/var/lib/nova/instances/{server}/console.log")
    lines = (line for path in consoles for line in path.read_text(errors="replace").splitlines())
    return next((line.strip() for line in lines if any(sign in line for sign in SIGNS_OF_LOSS)), "")


def traces(machine: Machine) -> list[str]:
    """Return what is left of a machine on this computer: processes, groups, mounts, files."""
    return [*running_traces(machine), *([str(machine.folder)] if machine.folder.exists() else [])]


def running_traces(machine: Machine) -> list[str]:
    """Return what is left of a machine on this computer but for its files."""
    processes = [f"process {pid}" for pid in machine.cgroup.fetch_processes()]
    groups = [str(folder) for folder in machine.cgroup.folders if folder.exists()]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(machine.folder) in line]
    return [*processes, *groups, *mounts]
