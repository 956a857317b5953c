from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lab.machine.machines import boot_id, make, out, reboot, running, ssh, traces

from escalator.lab.errors import LabError
from escalator.lab.machine.store import MachineStore
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from escalator.lab.machine.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.proof]


@pytest.fixture(scope="module")
def store() -> MachineStore:
    return MachineStore(settings=LabSettings(), progress=Progress())


@pytest.fixture(scope="module")
def layers(store: MachineStore) -> tuple[Path, ...]:
    return store.ensure_base()


@pytest.fixture
def machine(store: MachineStore, layers: tuple[Path, ...]) -> Iterator[Machine]:
    with running(make(store, 1, layers)) as on:
        yield on


def find_process(machine: Machine, name: str) -> int:
    """Return the process of the machine that has this name; the outermost where there are several."""
    done = subprocess.run(["ps", "-e", "-o", "pid=,comm="], capture_output=True, text=True, check=True)
    ours = machine.cgroup.fetch_processes()
    named = [int(line.split()[0]) for line in done.stdout.splitlines() if line.split()[1].startswith(name)]
    return min(pid for pid in named if pid in ours)


def test_a_machine_is_debian_with_all_that_an_upgrade_needs(store: MachineStore, machine: Machine) -> None:
    assert out(store, machine, "hostname") == machine.name
    assert wait_until(lambda: is_running(store, machine), timeout_seconds=20)
    assert out(store, machine, "cat /proc/1/comm") == "systemd"
    assert out(store, machine, "systemctl --failed --plain --no-legend") == ""
    assert out(store, machine, "dpkg --audit") == ""
    assert out(store, machine, "dpkg-query -W -f '${Status}' openssh-server") == "install ok installed"
    assert boot_id(store, machine) != Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert "sshd" in out(store, machine, "journalctl --no-pager -b -u ssh")


def test_a_user_without_rights_gets_in_and_no_further(store: MachineStore, machine: Machine) -> None:
    assert ssh(store, machine, "id -un", user="escalator").stdout.strip() == "escalator"
    assert ssh(store, machine, "sudo -n true", user="escalator", check=False).returncode != 0
    assert ssh(store, machine, "ls /root", user="escalator", check=False).returncode != 0
    assert ssh(store, machine, "true", user="nobody", check=False).returncode != 0
    assert out(store, machine, "stat -c '%U %a' /root /home/escalator").split("\n")[0] == "root 700"


def is_running(store: MachineStore, machine: Machine) -> bool:
    return ssh(store, machine, "systemctl is-system-running", check=False).stdout.strip() == "running"


def test_it_reboots_when_it_is_told_to_and_keeps_its_disk(store: MachineStore, machine: Machine) -> None:
    ssh(store, machine, "echo kept >/root/kept; touch /run/reboot-required")
    boots = [boot_id(store, machine), reboot(store, machine), reboot(store, machine)]
    assert len(set(boots)) == 3
    assert out(store, machine, "cat /root/kept") == "kept"
    assert ssh(store, machine, "test -e /run/reboot-required", check=False).returncode == 1
    told = out(store, machine, "journalctl --list-boots --no-pager")
    assert all(boot.replace("-", "") in told for boot in boots)


def test_it_does_not_come_back_from_a_reboot_when_that_was_ordered(
    store: MachineStore, machine: Machine
) -> None:
    machine.order_stay_off()
    ssh(store, machine, "systemctl reboot", check=False)
    assert wait_until(lambda: not machine.is_on, timeout_seconds=30)
    machine.ensure_on()
    before = boot_id(store, machine)
    assert reboot(store, machine) != before


def test_a_power_cut_ends_all_of_it_at_once(store: MachineStore, machine: Machine) -> None:
    ssh(store, machine, "echo kept >/root/kept; sync; setsid nohup sleep 600 >/dev/null 2>&1 &")
    machine.ensure_cut()
    assert not machine.is_on
    assert not machine.answers()
    assert machine.cgroup.fetch_processes() == frozenset()
    machine.ensure_cut()  # a second time does nothing
    with pytest.raises(LabError, match="is off"):
        machine.console("true")
    machine.ensure_on()
    assert out(store, machine, "cat /root/kept") == "kept"
    assert ssh(store, machine, "pgrep sleep", check=False).stdout == ""


def test_it_shuts_down_in_order_when_it_is_switched_off(store: MachineStore, machine: Machine) -> None:
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=touch /root/in-order\n"
    ssh(store, machine, f"printf '{unit}' >/etc/systemd/system/last.service && systemctl start last")
    machine.ensure_off()
    assert not machine.is_on
    assert (machine.upper / "root" / "in-order").exists()
    machine.ensure_off()
    machine.ensure_on()
    assert out(store, machine, "hostname") == machine.name


def test_the_console_needs_no_ssh(store: MachineStore, machine: Machine) -> None:
    ssh(store, machine, "systemctl stop ssh")
    assert not machine.answers()
    assert machine.console("hostname").stdout.strip() == machine.name
    machine.console("systemctl", "start", "ssh")
    machine.wait_for_sshd()
    with pytest.raises(LabError, match="no-such-unit"):
        machine.console("systemctl", "start", "no-such-unit")


@pytest.mark.parametrize("victim", ["unshare", "python", "systemd-nspawn"])
def test_nothing_is_left_when_one_of_its_processes_is_killed(machine: Machine, victim: str) -> None:
    os.kill(find_process(machine, victim), signal.SIGKILL)
    assert wait_until(lambda: not machine.is_on, timeout_seconds=5)
    mounts = Path("/proc/mounts").read_text()
    assert str(machine.folder) not in mounts
    machine.ensure_on()
    assert machine.console("hostname").stdout.strip() == machine.name


def test_who_started_it_may_be_killed_at_any_moment(store: MachineStore, machine: Machine) -> None:
    machine.ensure_removed()
    for seconds in (0.05, 0.1, 0.2, 0.4, 0.8):
        starter = subprocess.Popen([sys.executable, "-c", _STARTER], env={**os.environ, "PYTHONPATH": _PATH})
        assert wait_until(machine.folder.exists, timeout_seconds=10)
        try:
            starter.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            starter.kill()
            starter.wait()
        machine.ensure_removed()
        assert traces(machine) == []
    machine.ensure_on()
    assert out(store, machine, "hostname") == machine.name


_PATH = os.pathsep.join(path for path in sys.path if path)
_STARTER = """
from escalator.lab.machine.store import MachineStore
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings
from tests.lab.machine.machines import make
store = MachineStore(settings=LabSettings(), progress=Progress())
make(store, 1, store.ensure_base()).ensure_on()
"""


def test_machines_side_by_side_do_not_see_each_other(store: MachineStore, machine: Machine) -> None:
    with running(make(store, 2, machine.layers)) as other:
        assert boot_id(store, other) != boot_id(store, machine)
        assert out(store, other, "hostname") == other.name
        ssh(store, other, "touch /root/of-the-other")
        assert ssh(store, machine, "test -e /root/of-the-other", check=False).returncode == 1
        before = boot_id(store, machine)
        other.ensure_cut()
        assert boot_id(store, machine) == before
    assert boot_id(store, machine) == before


def test_removal_leaves_nothing_and_may_be_done_twice(machine: Machine) -> None:
    machine.ensure_removed()
    assert traces(machine) == []
    machine.ensure_removed()
