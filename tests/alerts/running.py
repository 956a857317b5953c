"""The Alertmanager of Debian's package as a process of a test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

PROGRAM = "prometheus-alertmanager"
CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"


def find_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running_alertmanager(home: Path) -> Iterator[str]:
    """Run an Alertmanager; give its address."""
    if shutil.which(PROGRAM) is None:
        pytest.fail(f"the Debian package {PROGRAM} is not installed: escalator lab install")
    (home / "config.yml").write_text(CONFIG)
    address = f"127.0.0.1:{find_port()}"
    command = [
        PROGRAM,
        f"--config.file={home / 'config.yml'}",
        f"--storage.path={home / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await(f"http://{address}/-/ready", process, home / "log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the Alertmanager does not come up: {log.read_text()[-500:]}")
