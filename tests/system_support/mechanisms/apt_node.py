"""A node whose packages come by apt: a real Debian machine with a signed repository of the tests' own."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.system_support.conftest import make_key
from tests.system_support.mechanisms.apt_packages import (
    AGENT,
    CONFFILE,
    FAIL_POSTINST,
    SLOW_POSTINST,
    STARTS,
    WITHOUT_RESTART,
    publish,
)
from tests.system_support.mechanisms.jobs import make_job

from escalator.lab.errors import LabError
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import REPOSITORY_MOUNT, MachineFiles
from escalator.lab.machine.signing import SigningKey
from escalator.lab.machine.store import MachineStore
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings
from escalator.model.bundle import AptMechanism, Impact, Package
from escalator.system_support import remote_job
from escalator.system_support.mechanisms import Effect, InstalledVersion
from escalator.system_support.mechanisms.apt import AptOnNode
from escalator.system_support.mechanisms.apt_scripts import STATE
from escalator.system_support.remote_job import DEFAULT_BASE
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from escalator.lab.machine.repository import Repository

NUMBER = int(os.environ.get("ESCALATOR_TEST_MACHINE", "1"))
"""Of the machine, its address and its folder: runs of these tests side by side need one each."""
_AS_NEW = f"""
umount /var/cache/apt/archives 2>/dev/null
rm -rf {FAIL_POSTINST}* {SLOW_POSTINST} {WITHOUT_RESTART} /etc/systemd/system/demo-agent.service.d
for comm in apt-get dpkg; do pkill -9 -x $comm; done
dpkg --configure -a >/dev/null
held=$(apt-mark showhold); [ -z "$held" ] || apt-mark unhold $held >/dev/null
systemctl stop demo-agent demo-switch openvswitch-switch 2>/dev/null
there=$(dpkg-query -W -f '${{Package}}\\n' 'demo-*' openvswitch-switch 2>/dev/null)
[ -z "$there" ] || dpkg --purge --force-all $there >/dev/null 2>&1
rm -rf {STATE} {STATE}-back
rm -rf {DEFAULT_BASE} {STARTS} {CONFFILE}* /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
rm -f /root/*.list
systemctl daemon-reload; systemctl reset-failed
[ -z "$(dpkg --audit)" ]
"""


@dataclass(frozen=True, kw_only=True)
class AptNode:
    """The machine, and what a test may do with it."""

    machine: Machine
    repository: Repository
    key_file: Path

    def mechanism(self, **changes: Any) -> AptMechanism:
        package = Package(name=AGENT, version="2.0.0", component="nova-compute", service="demo-agent")
        return replace(AptMechanism(packages=(package,), downgrade=True), **changes)

    def on_node(self, impact: Impact = Impact.CONTROL, **changes: Any) -> AptOnNode:
        return AptOnNode(self.mechanism(**changes), impact)

    def shell(self) -> NodeShell:
        known = self.machine.folder / "known_hosts"
        known.write_text(self.machine.files.known_host(self.machine.upper))
        files = self.machine.files
        target = SshTarget(
            host="node-01",
            address=files.address,
            port=files.ssh_port,
            user="root",
            key_file=self.key_file,
            known_hosts=known,
            connect_timeout_seconds=5.0,
        )
        return NodeShell(target)

    def run(self, command: str, *, check: bool = True) -> str:
        """Run a command at the machine's console, and return what it prints."""
        return self.machine.console("sh", "-c", command, check=check).stdout.strip()

    def begin(self, shell: NodeShell, job_id: str, script: str) -> None:
        """Start a job, and leave it."""
        assert remote_job.start(shell, job_id, script)

    def stage(self, version: str = "2.0.0", impact: Impact = Impact.CONTROL, **changes: Any) -> Effect:
        return self.on_node(impact, **changes).stage(make_job(self.shell, "stage", version))

    def activate(self, version: str = "2.0.0", impact: Impact = Impact.CONTROL, **changes: Any) -> Effect:
        return self.on_node(impact, **changes).activate(make_job(self.shell, "activate", version))

    def bring(self, version: str, **changes: Any) -> None:
        self.stage(version, **changes)
        self.activate(version, **changes)

    def read(self, **changes: Any) -> InstalledVersion:
        with self.shell() as shell:
            return self.on_node(**changes).installed(shell)

    def starts(self) -> int:
        return int(self.run(f"cat {STARTS} 2>/dev/null | wc -l"))

    def main_pid(self) -> str:
        return self.run(f"systemctl show -P MainPID {AGENT}")

    def break_service(self) -> None:
        """From now on the service does not start."""
        folder = "/etc/systemd/system/demo-agent.service.d"
        self.run(f"mkdir {folder}; printf '[Service]\\nExecStartPre=/bin/false\\n' >{folder}/broken.conf")

    def mend_service(self) -> None:
        self.run("rm -r /etc/systemd/system/demo-agent.service.d; systemctl daemon-reload")

    def lose_previous(self) -> None:
        """Take away what was noted of the packages of before."""
        self.run(f"rm -r {STATE}-back")

    def status(self, package: str = AGENT) -> str:
        return self.run(f"dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {package}", check=False)


def make_machine(folder: Path) -> Iterator[AptNode]:
    """Boot the machine, and remove it in the end; skip where machines cannot run."""
    store = MachineStore(settings=LabSettings(), progress=Progress())
    try:
        layers = store.ensure_base()
    except LabError as error:
        if str(error).startswith("machines cannot run here"):
            pytest.skip(str(error))
        raise
    key_file = make_key(folder / "key")
    repository = publish(folder / "repository", SigningKey(folder=folder / "signing"))
    name = f"apt-{NUMBER:02d}"
    files = MachineFiles(
        name=name,
        address=f"127.0.201.{NUMBER}",
        ssh_port=22,
        authorized_key=key_file.with_suffix(".pub").read_text(),
        repository_key=repository.key.public.read_text(),
    )
    machine = Machine(
        files=files,
        folder=store.folder / "apt" / name,
        layers=layers,
        binds={},
        shown={repository.folder: REPOSITORY_MOUNT},
    )
    machine.ensure_removed()
    try:
        machine.ensure_on()
        yield AptNode(machine=machine, repository=repository, key_file=key_file)
    finally:
        machine.ensure_removed()


def renew(node: AptNode) -> AptNode:
    """Take away all that a test before left."""
    if not node.machine.is_on or node.machine.console("sh", "-c", _AS_NEW, check=False).returncode != 0:
        node.machine.renew_disk()
        node.machine.ensure_on()
    return node
