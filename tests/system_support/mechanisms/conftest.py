"""A node for the mechanism ``venv``: a demo package under a tiny systemctl, over a real sshd."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.ansible_node import AnsibleNode, make_ansible_node, need_ansible
from tests.system_support.mechanisms.apt_node import AptNode, make_machine, renew
from tests.system_support.mechanisms.command_node import CommandNode, make_command_node
from tests.system_support.mechanisms.dnf_node import DnfNode, make_dnf_node

from escalator.model.bundle import VenvMechanism
from escalator.system_support.mechanisms.venv import VenvOnNode

if TYPE_CHECKING:
    from tests.system_support.conftest import Sshd

SYSTEMCTL = """\
#!/bin/sh
# Three verbs for one service: it runs the python that the link names, with the package's module in memory.
verb=$1; unit=@STATE@/unit; shift
alive() { pid=$(cat $unit.pid 2>/dev/null) && [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; }
case $verb in
restart)
  alive && kill -9 $pid
  echo restart >>$unit.log
  rm -f $unit.ready; blind=
  [ ! -e $unit.broken ] || exit 1
  [ ! -e $unit.blind ] || blind=-S
  setsid @LINK@/bin/python $blind -c 'import mmap, sys, time
if sys.flags.no_site:
    time.sleep(600)
import demo_agent
with open(demo_agent.__file__, "rb") as f:
    held = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
open(sys.argv[1], "w").close()
time.sleep(600)' $unit.ready </dev/null >/dev/null 2>&1 &
  echo $! >$unit.pid; sleep 0.2
  [ -n "$blind" ] || until [ -e $unit.ready ] || ! alive; do sleep 0.05; done ;;
show) alive && echo MainPID=$pid || echo MainPID=0 ;;
is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
*) exit 2 ;;
esac
"""


def make_wheel(
    folder: Path, version: str, *, module: str = "", name: str = "demo_agent", needs: str = ""
) -> Path:
    """Write a wheel, by hand, so that no index is needed; ``needs`` are lines of its metadata."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    named = f"Name: {name.replace('_', '-')}\nVersion: {version}\n"
    files = {
        f"{name}.py": module or f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\n{named}{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in [*files.items(), (f"{info}/RECORD", record)]:
            wheel.writestr(file, text)
    return path


@dataclass(frozen=True, kw_only=True)
class VenvNode:
    """A node whose agent is a demo package in a virtual environment, under a tiny systemctl."""

    sshd: Sshd
    folder: Path
    mechanism: VenvMechanism

    @property
    def link(self) -> Path:
        return Path(self.mechanism.venv)

    @property
    def jobs(self) -> str:
        return str(self.folder / "jobs")

    @property
    def on_node(self) -> VenvOnNode:
        """What works on the node, with a folder of jobs of the test's own."""
        return VenvOnNode(self.mechanism, base=self.jobs)

    def environment(self, version: str) -> Path:
        return Path(f"{self.link}-{version}")

    def restarts(self) -> int:
        log = self.folder / "unit.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def systemctl(self, verb: str) -> str:
        return subprocess.run(
            [str(self.sshd.home / "bin/systemctl"), verb, "demo"], capture_output=True, text=True, check=False
        ).stdout.strip()

    def hide_version(self) -> None:
        """From its next start the service has no file of its environment in memory."""
        (self.folder / "unit.blind").touch()

    def break_service(self) -> None:
        """From now on the service does not start."""
        (self.folder / "unit.broken").touch()

    def mend_service(self) -> None:
        (self.folder / "unit.broken").unlink()

    def lose_previous(self) -> None:
        """Remove the environment that the link pointed to before."""
        shutil.rmtree(Path(f"{self.link}.previous").read_text().strip())

    def end(self) -> None:
        pid = self.systemctl("show").removeprefix("MainPID=")
        if pid not in {"", "0"}:
            os.kill(int(pid), signal.SIGKILL)


@pytest.fixture(scope="session")
def uv() -> str:
    """The program that `make install` brings: what stands on the PATH may be a slow wrapper."""
    return str(Path(sys.executable).with_name("uv"))


@pytest.fixture
def venv_node(sshd: Sshd, uv: str, tmp_path: Path) -> Iterator[VenvNode]:
    for version in ("1.0.0", "2.0.0"):
        make_wheel(sshd.home / "wheels", version)
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    state = tmp_path / "state"
    state.mkdir()
    link = folder / "venv"
    program = sshd.home / "bin" / "systemctl"
    program.write_text(SYSTEMCTL.replace("@STATE@", str(state)).replace("@LINK@", f'"{link}"'))
    program.chmod(0o755)
    mechanism = VenvMechanism(venv=str(link), package="demo-agent", service="demo", installer=uv)
    node = VenvNode(sshd=sshd, folder=state, mechanism=mechanism)
    yield node
    node.end()


@pytest.fixture
def driver_node(venv_node: VenvNode, tmp_path: Path) -> VenvNode:
    """A node without a network, that has packages and constraints; the agent needs a driver beside it."""
    house = tmp_path / "wheel house"
    for version in ("1.0.0", "2.0.0"):
        make_wheel(house, version, needs="Provides-Extra: fast\nRequires-Dist: speed; extra == 'fast'\n")
        make_wheel(house, version, name="demo_driver")
    make_wheel(house, "1.0", name="speed")
    (tmp_path / "constraints.txt").write_text("demo-driver<2\n")
    mechanism = replace(
        venv_node.mechanism,
        extras=("fast",),
        requirements=("demo-driver",),
        constraints=str(tmp_path / "constraints.txt"),
        wheels=str(house),
        imports=("demo_agent", "demo_driver", "speed"),
    )
    return replace(venv_node, mechanism=mechanism)


@pytest.fixture
def dnf_node(sshd: Sshd, tmp_path: Path) -> Iterator[DnfNode]:
    node = make_dnf_node(sshd, tmp_path / "it's a node")
    yield node
    node.end()
    for name in ("dnf", "rpm", "curl"):
        (sshd.home / "bin" / name).unlink(missing_ok=True)


@pytest.fixture
def command_node(sshd: Sshd, tmp_path: Path) -> Iterator[CommandNode]:
    node = make_command_node(sshd, tmp_path)
    yield node
    node.end()


@pytest.fixture(scope="session")
def apt_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AptNode]:
    folder = tmp_path_factory.mktemp("apt")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # the machine's user of downloads reads the repository
    yield from make_machine(folder)


@pytest.fixture
def apt_node(apt_machine: AptNode) -> AptNode:
    return renew(apt_machine)


@pytest.fixture
def ansible_node(sshd: Sshd, tmp_path: Path, place: Path) -> Iterator[AnsibleNode]:
    need_ansible()
    node = make_ansible_node(sshd, tmp_path, place)
    yield node
    node.commands.end()
