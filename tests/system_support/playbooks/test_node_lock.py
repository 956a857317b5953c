"""The marker on a node: one owner at a time, for a short time, by the clock of one boot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.system_support.conftest import LocalShell

from escalator.model.errors import NodeFaultError
from escalator.system_support.playbooks import node_lock
from escalator.system_support.playbooks.node_lock import SILENCE_SECONDS, NodeLock


@pytest.fixture(autouse=True)
def _own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only modules below this test's folder count: others run Ansible on this computer too."""
    ours = f"{str(tmp_path).removeprefix('/')}{node_lock._MODULES}"
    monkeypatch.setattr(node_lock, "_MODULES", ours)


def lock(folder: Path, owner: str, *, lasts: int = 60) -> NodeLock:
    return NodeLock(owner=owner, folder=str(folder / "it's a folder"), lasts_seconds=lasts)


def age(folder: Path, *, boot: str | None = None, until: int | None = None) -> None:
    """Write another boot, or another end, into the marker."""
    path = folder / "it's a folder" / "holder"
    owner, was, end = path.read_text().splitlines()
    path.write_text(f"{owner}\n{boot or was}\n{end if until is None else until}\n")


def test_one_owner_at_a_time_and_again_after_it_was_given_back(tmp_path: Path, local: LocalShell) -> None:
    first, second = lock(tmp_path, 'worker-1, it\'s "me"'), lock(tmp_path, "worker-2")
    assert [first.take(local), first.take(local), first.renew(local)] == ["", "", ""]
    assert second.take(local).startswith('worker-1, it\'s "me" holds it, for ')
    second.release(local)
    assert first.renew(local) == ""
    first.release(local)
    assert second.take(local) == ""
    assert first.renew(local) == "worker-2 holds it now"


def test_who_does_not_renew_it_loses_it(tmp_path: Path, local: LocalShell) -> None:
    first, second = lock(tmp_path, "worker-1"), lock(tmp_path, "worker-2")
    first.take(local)
    age(tmp_path, until=0)
    assert second.take(local) == ""
    assert first.renew(local) == "worker-2 holds it now"


def test_what_nobody_took_meanwhile_is_renewed_after_its_end(tmp_path: Path, local: LocalShell) -> None:
    first = lock(tmp_path, "worker-1")
    first.take(local)
    age(tmp_path, until=0)
    assert first.renew(local) == ""
    assert lock(tmp_path, "worker-2").take(local) != ""


def test_after_a_reboot_it_counts_for_as_long_again(tmp_path: Path, local: LocalShell) -> None:
    uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
    first, second = lock(tmp_path, "worker-1"), lock(tmp_path, "worker-2", lasts=uptime + 100)
    first.take(local)
    age(tmp_path, boot="another", until=uptime + 10**6)
    assert second.take(local).startswith("worker-1 holds it")
    assert lock(tmp_path, "worker-3", lasts=1).take(local) == ""


@contextmanager
def a_module_at_work(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    path = folder / ".ansible/escalator/ansible-tmp-1-2-3/AnsiballZ_command.py"
    path.parent.mkdir(parents=True)
    path.write_text("print(1, flush=True)\ninput()\n")
    with subprocess.Popen(
        [sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_module_of_an_earlier_run_keeps_it_from_being_taken(tmp_path: Path, local: LocalShell) -> None:
    ours = lock(tmp_path, "worker-1")
    with a_module_at_work(tmp_path) as process:
        assert ours.take(local) == f"a module of an earlier run is still at work: process {process.pid}"
    assert ours.take(local) == ""


def test_a_folder_that_cannot_be_written_is_the_nodes_fault(tmp_path: Path, local: LocalShell) -> None:
    (tmp_path / "it's a folder").write_text("")
    with pytest.raises(NodeFaultError, match="the lock of Ansible's runs cannot be kept"):
        lock(tmp_path, "worker-1").take(local)


def test_a_run_is_ended_before_anybody_else_may_begin() -> None:
    assert NodeLock(owner="x").lasts_seconds > SILENCE_SECONDS + 20
