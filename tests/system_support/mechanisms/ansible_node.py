"""A node that playbooks bring versions to, over a real SSH, run by real Ansible on this machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.command_node import CommandNode, make_command_node

from escalator.model.bundle import AnsibleMechanism, KollaAnsibleMechanism, KollaRun, PlaybookRun
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.ansible import AnsibleOnWorker
from escalator.system_support.playbooks.node_lock import NodeLock
from escalator.system_support.playbooks.ssh_files import Route
from escalator.system_support.playbooks.worker import WorkerSide, WorkersMechanism

if TYPE_CHECKING:
    from tests.system_support.conftest import Sshd

PLAYBOOK = """\
- name: Bring the demo agent
  hosts: all
  gather_facts: false
  tasks:
    - name: Lay the version down
      ansible.builtin.copy:
        src: "{{ folder }}/releases/{{ escalator_version }}"
        dest: "{{ folder }}/staged/{{ escalator_version }}"
        remote_src: true
        mode: "0644"
      tags: [stage]
    - name: Install the version and restart the service
      ansible.builtin.shell: |
        cp staged/{{ escalator_version }} installed
        systemctl restart {{ escalator_service }}
      args: {chdir: "{{ folder }}"}
      changed_when: true
      tags: [activate]
    - name: Bring the version of before back
      ansible.builtin.shell: |
        cp staged/{{ escalator_previous }} installed
        systemctl restart {{ escalator_service }}
      args: {chdir: "{{ folder }}"}
      changed_when: true
      tags: [rollback, never]
"""

KOLLA = """\
#!@PYTHON@
# What kolla-ansible makes of its command line: one of ansible-playbook's, with its own files of variables.
import argparse, os
reader = argparse.ArgumentParser()
reader.add_argument("action", choices=["pull", "upgrade", "reconfigure"])
reader.add_argument("--check", action="store_true")
for name in ("configdir", "extra-vars", "inventory", "limit", "tags", "vault-password-file"):
    reader.add_argument(f"--{name}")
asked = reader.parse_args()
assert asked.tags == "nova"
line = ["ansible-playbook", "--inventory", asked.inventory, "--limit", asked.limit]
for name in ("globals.yml", "passwords.yml"):
    line += ["-e", f"@{asked.configdir}/{name}"]
tags = {"pull": "stage", "upgrade": "activate", "reconfigure": "rollback"}
line += ["-e", asked.extra_vars, "--tags", tags[asked.action]]
line += ["--check"] if asked.check else []
os.execvp(line[0], [*line, "@PLAYBOOKS@/demo.yml"])
"""


def need_ansible() -> None:
    """Skip a test where the extra `ansible` is not installed."""
    if importlib.util.find_spec("ansible_runner") is None:
        pytest.skip("ansible-runner is not installed")


@dataclass(frozen=True, kw_only=True)
class AnsibleNode:
    """The node of the mechanism ``command``, with playbooks in place of the commands."""

    commands: CommandNode
    playbooks: Path
    place: Path
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def sshd(self) -> Sshd:
        return self.commands.sshd

    @property
    def folder(self) -> Path:
        return self.commands.folder

    def mechanism(self, **changes: object) -> AnsibleMechanism:
        commands = self.commands.commands()
        mechanism = AnsibleMechanism(
            service=commands.service,
            version=commands.version,
            stage=PlaybookRun(playbook="demo.yml", tags=("stage",)),
            activate=PlaybookRun(playbook="demo.yml", tags=("activate",)),
            rollback=PlaybookRun(playbook="demo.yml", tags=("rollback",)),
            extra_vars={"folder": str(self.folder), "ansible_python_interpreter": sys.executable},
            stage_seconds=60.0,
            activate_seconds=60.0,
            version_seconds=20.0,
        )
        return replace(mechanism, **changes)  # type: ignore[arg-type]

    def kolla_mechanism(self) -> KollaAnsibleMechanism:
        """The same by ``kolla-ansible``: a program that does with its command line what that one does."""
        config = self.folder / "kolla"
        config.mkdir(exist_ok=True)
        for name in ("globals.yml", "passwords.yml"):
            (config / name).write_text("{}\n")
        program = config / "kolla-ansible"
        text = KOLLA.replace("@PYTHON@", sys.executable).replace("@PLAYBOOKS@", str(self.playbooks))
        program.write_text(text)
        program.chmod(0o755)
        plain = self.mechanism()
        return KollaAnsibleMechanism(
            service=plain.service,
            version=plain.version,
            inventory=self.write_inventory("node-01"),
            rollback=KollaRun(action="reconfigure", tags=("nova",)),
            extra_vars=plain.extra_vars,
            check_mode=True,
            program=str(program),
            config_dir=str(config),
        )

    def write_inventory(self, name: str) -> str:
        """Write an inventory of the operator's own that calls the node so; return its path there."""
        sshd = self.sshd
        (self.playbooks / "hosts.ini").write_text(
            f"{name} ansible_host=127.0.0.1 ansible_port={sshd.port}"
            f" ansible_ssh_private_key_file={sshd.home}/user_key"
            f" ansible_ssh_common_args='-o UserKnownHostsFile={sshd.home}/known_hosts'\nnode-02\n"
        )
        return "hosts.ini"

    def worker(self, **target: object) -> WorkerSide:
        def find_route(host: str) -> Route:
            found = self.sshd.target(**({"host": host} | target))
            return Route(target=found)

        def find_password(conn_id: str) -> str:
            if conn_id not in self.passwords:
                raise InvalidRequestError(f"there is no connection {conn_id}", remedy="make it")
            return self.passwords[conn_id]

        return WorkerSide(
            find_route=find_route,
            find_password=find_password,
            playbooks=self.playbooks,
            name="worker-1",
            place=self.place,
        )

    def on_worker(self, *, lasts_seconds: int = 180, **changes: object) -> AnsibleOnWorker:
        """What works on the node, with folders of the test's own."""
        return self.carry_out(self.mechanism(**changes), lasts_seconds=lasts_seconds)

    def carry_out(self, mechanism: WorkersMechanism, *, lasts_seconds: int = 180) -> AnsibleOnWorker:
        """The same for another mechanism."""
        state = str(self.folder / "state")
        return AnsibleOnWorker(
            mechanism,
            self.worker(),
            base=str(self.folder / "jobs"),
            state=state,
            lock=lambda owner: NodeLock(owner=owner, folder=state, lasts_seconds=lasts_seconds),
        )

    def list_leftovers(self) -> list[str]:
        """Return what is left of runs on the worker: folders and processes."""
        return [*map(str, self.place.iterdir()), *list_processes_of(str(self.place))]

    def write(self, text: str, name: str = "demo.yml") -> None:
        """Put a playbook into the folder."""
        (self.playbooks / name).write_text(text)

    def write_tasks(self, *tasks: str, name: str = "demo.yml") -> PlaybookRun:
        """Put a playbook of some tasks, each in YAML's flow form, into the folder."""
        lines = "".join(f"    - {task}\n" for task in tasks)
        self.write(f"- name: demo\n  hosts: all\n  gather_facts: false\n  tasks:\n{lines}", name)
        return PlaybookRun(playbook=name)


def make_ansible_node(sshd: Sshd, tmp_path: Path, place: Path) -> AnsibleNode:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    node = AnsibleNode(commands=make_command_node(sshd, tmp_path), playbooks=playbooks, place=place)
    node.write(PLAYBOOK)
    return node


def list_processes_of(text: str) -> list[str]:
    """Return the command lines of this machine's processes that name a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if int(path.parent.name) == os.getpid():
            continue
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found
