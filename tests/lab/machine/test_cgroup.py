from __future__ import annotations

import os
import time
from pathlib import Path

from escalator.lab.machine.cgroup import Cgroup, find_hierarchies, prune

HYBRID = """\
31 23 0:27 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755
32 31 0:28 / /sys/fs/cgroup/cpu rw,relatime shared:10 - cgroup cgroup rw,cpu
33 31 0:29 / /sys/fs/cgroup/cpuset rw,relatime shared:11 - cgroup cgroup rw,cpuset
34 31 0:30 / /sys/fs/cgroup/pids rw,relatime shared:12 - cgroup cgroup rw,pids
35 31 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
36 31 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_every_hierarchy_is_used_but_those_that_take_no_process_at_once() -> None:
    assert [path.name for path in find_hierarchies(HYBRID)] == ["pids", "systemd", "unified"]


def test_a_computer_of_version_2_has_one_hierarchy() -> None:
    line = "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert find_hierarchies(line) == (Path("/sys/fs/cgroup"),)


def test_processes_of_inner_groups_are_the_machines_too(tmp_path: Path) -> None:
    group = Cgroup(name="machine", hierarchies=(tmp_path / "systemd", tmp_path / "pids"))
    inner = tmp_path / "systemd" / "machine" / "payload" / "init.scope"
    inner.mkdir(parents=True)
    (inner / "cgroup.procs").write_text("12\n15\n")
    (tmp_path / "systemd" / "machine" / "cgroup.procs").write_text("11\n")
    assert group.fetch_processes() == {11, 12, 15}


def test_a_group_that_is_not_there_has_no_process_and_is_removed_already(tmp_path: Path) -> None:
    group = Cgroup(name="machine", hierarchies=(tmp_path,))
    assert not group.ensure_killed()
    group.ensure_removed()


def test_a_group_is_removed_with_what_is_in_it(tmp_path: Path) -> None:
    group = Cgroup(name="machine", hierarchies=(tmp_path,))
    group.make()
    group.make()
    (tmp_path / "machine" / "payload" / "system.slice").mkdir(parents=True)
    group.ensure_removed()
    assert list(tmp_path.iterdir()) == []


def test_groups_that_nothing_runs_in_are_removed_and_no_others(tmp_path: Path) -> None:
    """One is left empty where the process that would have removed it was killed."""
    names = ("escalator-lab-left", "escalator-lab-on", "escalator-lab-about-to-be-joined", "of-others")
    left, running, new, other = (tmp_path / "pids" / name for name in names)
    for folder in (left / "payload", running / "payload", new, other):
        folder.mkdir(parents=True)
    (running / "payload" / "cgroup.procs").write_text("11\n")  # the kernel refuses to remove such a one
    for folder in (left, running, new, other):
        os.utime(folder, (0, 0))
    Cgroup(name=new.name, hierarchies=(tmp_path / "pids",)).make()
    assert prune([tmp_path / "pids"], now=time.time()) == (left.name,)
    assert {path.name for path in (tmp_path / "pids").iterdir()} == {running.name, new.name, other.name}
    assert prune([tmp_path / "pids"], now=time.time()) == ()
