import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from escalator.airflow_stack.sessions import (
    end_family,
    find_descendants,
    find_family,
    find_identities,
    kill_all,
    read_process_table,
)
from escalator.lab.processes import PidFile, ProcessIdentity, identify, spawn, wait_until

# A component: one child in a process group of its own, one in a session of its own, both deaf to SIGTERM.
COMPONENT = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else signal.SIG_DFL)
deaf = lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "60"], preexec_fn=lambda: (deaf(), os.setpgid(0, 0)))
subprocess.Popen(["sleep", "60"], preexec_fn=lambda: (deaf(), os.setsid()))
time.sleep(60)
"""


def start(folder: Path, *arguments: str) -> ProcessIdentity:
    leader = spawn(
        [sys.executable, "-c", COMPONENT, *arguments],
        pid_file=PidFile(path=folder / "component.json"),
        log=folder / "component.log",
        environment={},
    )
    assert wait_until(lambda: len(find_family(leader, read_process_table())) == 3, timeout_seconds=60)
    return leader


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[ProcessIdentity]:
    leader = start(tmp_path)
    yield leader
    kill_all(find_identities(find_family(leader, read_process_table())))


def test_a_family_holds_those_who_changed_group_or_session(leader: ProcessIdentity) -> None:
    table = read_process_table()
    found = find_family(leader, table)
    assert found[0] == leader.pid
    assert len(found) == 3
    assert {table[pid].session for pid in found} == {leader.pid, found[-1]}


@pytest.mark.parametrize("arguments", [(), ("deaf",)])
def test_ending_a_family_leaves_nobody(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    leader = start(tmp_path, *arguments)
    members = find_identities(find_family(leader, read_process_table()))
    end_family(leader, grace_seconds=0.3)
    assert len(members) == 3
    assert not [member for member in members if member.is_alive()]


def test_a_second_end_finds_nothing_and_does_no_harm(leader: ProcessIdentity) -> None:
    end_family(leader, grace_seconds=1)
    end_family(leader, grace_seconds=1)
    assert find_family(leader, read_process_table()) == ()


def test_what_a_killed_leader_left_in_its_session_is_found(leader: ProcessIdentity) -> None:
    kill_all([leader])
    left = find_family(leader, read_process_table())
    assert len(left) == 1
    assert leader.pid not in left


def test_a_process_id_that_was_given_away_has_no_family() -> None:
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        now = identify(other.pid)
        assert now is not None
        former = ProcessIdentity(pid=now.pid, start_ticks=now.start_ticks - 100, boot_id=now.boot_id)
        assert find_family(former, read_process_table()) == ()
        end_family(former, grace_seconds=0)
        assert other.poll() is None
        assert find_family(now, read_process_table()) == (other.pid,)
    finally:
        other.kill()
        other.wait()


def test_descendants_are_found_over_generations() -> None:
    script = "sleep 60 & wait"
    parent = subprocess.Popen(["sh", "-c", f"sh -c '{script}' & wait"], start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while len(find_descendants(parent.pid, read_process_table())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        below = find_descendants(parent.pid, read_process_table())
        assert len(below) == 2
        assert read_process_table()[below[1]].parent == below[0]
    finally:
        leader = identify(parent.pid)
        assert leader is not None
        end_family(leader, grace_seconds=0)
        parent.wait()
