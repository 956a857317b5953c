"""A real sshd on loopback, and the shell of this machine, to try scripts on."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from escalator.model.bundle import Mechanism, VenvMechanism
from escalator.system_support.shell import CommandResult
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget

SYSTEMCTL = """\
#!/bin/sh
# Three verbs for one service: it runs the python that the link names, with the package's module in memory.
verb=$1; unit=@STATE@/unit; shift
alive() { pid=$(cat $unit.pid 2>/dev/null) && [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; }
case $verb in
restart)
  alive && kill -9 $pid
  echo restart >>$unit.log
  [ ! -e $unit.broken ] || exit 1
  [ ! -e $unit.blind ] || blind=-S
  setsid @LINK@/bin/python $blind -c 'import mmap, sys, time
if sys.flags.no_site:
    time.sleep(600)
import demo_agent
with open(demo_agent.__file__, "rb") as f:
    held = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
time.sleep(600)' </dev/null >/dev/null 2>&1 &
  echo $! >$unit.pid; sleep 0.2 ;;
show) alive && echo MainPID=$pid || echo MainPID=0 ;;
is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
*) exit 2 ;;
esac
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@dataclass(kw_only=True)
class Sshd:
    """An sshd of our own, with everything it needs in one folder."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        make_key(self.home / "host_key")
        make_key(self.home / "user_key")
        shutil.copy(self.home / "user_key.pub", self.home / "authorized_keys")
        public = (self.home / "host_key.pub").read_text().split()
        (self.home / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        (self.home / "bin").mkdir()

    def start(self) -> None:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            pytest.fail("the Debian package openssh-server is not installed")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        options = {
            "ListenAddress": "127.0.0.1",
            "Port": str(self.port),
            "HostKey": str(self.home / "host_key"),
            "AuthorizedKeysFile": str(self.home / "authorized_keys"),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UseDNS": "no",
            "SetEnv": f"PATH={self.home}/bin:{os.environ['PATH']} UV_OFFLINE=1 UV_NO_INDEX=1"
            f" UV_FIND_LINKS={self.home}/wheels PIP_NO_INDEX=1 PIP_FIND_LINKS={self.home}/wheels"
            f" UV_CACHE_DIR={self.home}/uv-cache",
        }
        arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        log = str(self.home / "sshd.log")
        self.process = subprocess.Popen([program, "-D", "-f", "/dev/null", "-E", log, *arguments])
        self._await_port()

    def _await_port(self) -> None:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail((self.home / "sshd.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def target(self, **changes: object) -> SshTarget:
        fields: dict[str, object] = {
            "host": "node-01",
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key_file": self.home / "user_key",
            "known_hosts": self.home / "known_hosts",
            "connect_timeout_seconds": 5.0,
        }
        return SshTarget(**(fields | changes))  # type: ignore[arg-type]

    def shell(self) -> NodeShell:
        return NodeShell(self.target())


def kill_session(shell: NodeShell) -> None:
    """Cut a connection the hard way: end the sshd process that serves it."""
    os.kill(int(shell.run("echo $PPID").stdout), signal.SIGKILL)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(home=tmp_path_factory.mktemp("sshd"))
    server.prepare()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd that a test may stop, or give another key."""
    server = Sshd(home=tmp_path)
    server.prepare()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cut() -> Callable[[NodeShell], None]:
    return kill_session


@dataclass(frozen=True, kw_only=True)
class LocalShell:
    """This machine's sh, without a connection."""

    host: str = "node-01"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
        return CommandResult(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        return self.run(command, timeout_seconds)


@pytest.fixture
def local() -> LocalShell:
    return LocalShell()


def make_wheel(folder: Path, version: str) -> None:
    """Write a wheel of ``demo_agent``, by hand, so that no index is needed."""
    folder.mkdir(exist_ok=True)
    info = f"demo_agent-{version}.dist-info"
    files = {
        "demo_agent.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo-agent\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"demo_agent-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in [*files.items(), (f"{info}/RECORD", record)]:
            wheel.writestr(name, text)


@dataclass(frozen=True, kw_only=True)
class VenvNode:
    """A node whose agent is a demo package in a virtual environment, under a tiny systemctl."""

    sshd: Sshd
    folder: Path
    mechanism: Mechanism

    @property
    def link(self) -> Path:
        return Path(self.mechanism.venv)

    @property
    def jobs(self) -> str:
        return str(self.folder / "jobs")

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
