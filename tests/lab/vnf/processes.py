"""Processes of VNFs, started as the lab starts them, on loopback addresses of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escalator.lab.processes import wait_until
from escalator.lab.vnf.json_server import call

INCLUDE = Path(__file__).parents[3] / "include"


@contextmanager
def running(module: str, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", f"escalator.lab.vnf.{module}", *map(str, words)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(INCLUDE)}) as process:
        try:
            yield process
        finally:
            process.terminate()


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_answer(url: str) -> None:
    assert wait_until(lambda: answers(url), timeout_seconds=60, poll_seconds=0.05), url


def answers(url: str) -> bool:
    try:
        return call("GET", url).status < 500
    except OSError:
        return False
