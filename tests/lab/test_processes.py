from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from escalator.lab.errors import ServiceFailedError
from escalator.lab.processes import (
    PidFile,
    ProcessIdentity,
    children,
    ensure_stopped,
    identify,
    spawn,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path


def sleeper(folder: Path, script: str = "exec sleep 60") -> PidFile:
    pid_file = PidFile(path=folder / "pid" / "sleeper.json")
    spawn(["sh", "-c", script], pid_file=pid_file, log=folder / "log" / "sleeper.out", environment=os.environ)
    return pid_file


def test_a_process_is_started_remembered_and_ended(tmp_path: Path) -> None:
    pid_file = sleeper(tmp_path)
    identity = pid_file.alive()
    assert identity is not None
    assert identity == identify(identity.pid)
    assert ensure_stopped(pid_file)
    assert not identity.is_alive()
    assert not ensure_stopped(pid_file)
    assert not pid_file.path.exists()


def test_a_reused_pid_is_never_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        real = identify(stranger.pid)
        assert real is not None
        pid_file = PidFile(path=tmp_path / "service.json")
        pid_file.write(stranger.pid)
        record = json.loads(pid_file.path.read_text())
        pid_file.path.write_text(json.dumps(record | {"start_ticks": record["start_ticks"] - 1}))
        assert pid_file.alive() is None
        assert not ensure_stopped(pid_file)
        assert real.is_alive()
        stranger.kill()


def test_a_record_of_another_boot_is_not_ours() -> None:
    here = identify(os.getpid())
    assert here is not None
    assert here.is_alive()
    before = ProcessIdentity(pid=here.pid, start_ticks=here.start_ticks, boot_id="another")
    assert not before.is_alive()


def test_one_that_does_not_listen_is_killed_with_its_session(tmp_path: Path) -> None:
    pid_file = sleeper(tmp_path, "trap '' TERM; sleep 60 & sleep 60")
    identity = pid_file.alive()
    assert identity is not None
    assert wait_until(lambda: len(children(identity.pid)) == 2, timeout_seconds=30)
    grandchildren = [identify(child) for child in children(identity.pid)]
    start = time.monotonic()
    assert ensure_stopped(pid_file, sig=signal.SIGTERM, timeout_seconds=0.5)
    assert time.monotonic() - start < 5
    assert not any(child is not None and child.is_alive() for child in grandchildren)


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pid = process.pid
        assert wait_until(lambda: identify(pid) is None, timeout_seconds=30)


def test_one_that_ends_at_once_is_reported(tmp_path: Path) -> None:
    pid_file = PidFile(path=tmp_path / "gone.json")
    with subprocess.Popen(["true"]) as process:
        pass
    with pytest.raises(ServiceFailedError, match="gone ended at once"):
        pid_file.write(process.pid)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": 1}'])
def test_an_unreadable_pid_file_means_nothing_runs(tmp_path: Path, content: str) -> None:
    pid_file = PidFile(path=tmp_path / "bad.json")
    pid_file.path.write_text(content)
    assert pid_file.read() is None
    assert not ensure_stopped(pid_file)


def test_waiting_gives_up() -> None:
    assert not wait_until(lambda: False, timeout_seconds=0.1)
