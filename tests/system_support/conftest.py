"""A real sshd on loopback, and the shell of this machine, to try scripts on."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from escalator.system_support.shell import CommandResult
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget


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
    options: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
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
            **self.options,
        }
        arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        log = str(self.home / "sshd.log")
        command = [*self.before, program, "-D", "-f", "/dev/null", "-E", log, *arguments]
        self.process = subprocess.Popen(command)
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


FIND_SSHD = (
    "sshd=$PPID; until grep -q ^sshd /proc/$sshd/comm;"
    " do sshd=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$sshd/status); done"
)
"""Finds the sshd process that serves a command."""


def kill_session(shell: NodeShell) -> None:
    """Cut a connection the hard way: end the sshd process that serves it."""
    os.kill(int(shell.run_as_root(f"{FIND_SSHD}; echo $sshd").stdout), signal.SIGKILL)


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
def place() -> Iterator[Path]:
    """A folder with a short name, for sockets."""
    with tempfile.TemporaryDirectory(prefix="e-") as name:
        yield Path(name)


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

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
        return CommandResult(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture
def local() -> LocalShell:
    return LocalShell()
