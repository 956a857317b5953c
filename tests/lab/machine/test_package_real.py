from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.lab.machine.machines import APT, NEW, OLD, make, out, reboot, running, ssh, with_repository

from escalator.lab.machine.package_files import ASKS_REBOOT, FAIL_POSTINST, PACKAGE, version_of
from escalator.lab.machine.repository import Repository
from escalator.lab.machine.signing import SigningKey
from escalator.lab.machine.store import MachineStore
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from escalator.lab.machine.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.proof]

CONFFILE = "/etc/nova/nova-compute.conf"
NOVA_CONF = """[DEFAULT]
transport_url = rabbit://guest:guest@127.0.0.1:9/
log_dir = /var/log/nova
state_path = /var/lib/nova
"""


@pytest.fixture(scope="module")
def store() -> MachineStore:
    return MachineStore(settings=LabSettings(), progress=Progress())


@pytest.fixture(scope="module")
def repository(store: MachineStore) -> Repository:
    return store.ensure_repository((OLD, NEW))


def configured(store: MachineStore, machine: Machine) -> None:
    """Give nova-compute what it needs to run; nobody answers it."""
    ssh(store, machine, f"mkdir -p /etc/nova /etc/lab; printf '{NOVA_CONF}' >/etc/nova/nova.conf")


@pytest.fixture
def bare(store: MachineStore, repository: Repository) -> Iterator[Machine]:
    machine = make(store, 3, store.ensure_base())
    with running(with_repository(machine, repository.folder, repository.key.public)) as on:
        configured(store, on)
        yield on


@pytest.fixture
def installed(store: MachineStore, repository: Repository) -> Iterator[Machine]:
    machine = make(store, 4, store.ensure_installed(OLD))
    with running(with_repository(machine, repository.folder, repository.key.public)) as on:
        configured(store, on)
        ssh(
            store,
            on,
            "systemctl reset-failed nova-compute; systemctl restart nova-compute; apt-get -q update",
        )
        yield on


def main_pid(store: MachineStore, machine: Machine) -> str:
    return out(store, machine, "systemctl show -P MainPID nova-compute")


def runs(store: MachineStore, machine: Machine, release: str) -> bool:
    """Tell whether the unit runs, is of the release, and talks to its broker (which is not there)."""
    state = out(store, machine, "systemctl show -P ActiveState -P Description nova-compute")
    asked = ssh(store, machine, "grep -c ECONNREFUSED /var/log/nova/nova-compute.log", check=False).stdout
    version = out(store, machine, "/opt/nova/venv/bin/nova-compute --version 2>/dev/null")
    return "active" in state.split() and release in state and version == release and asked.strip() != "0"


def status(store: MachineStore, machine: Machine) -> str:
    return out(store, machine, f"dpkg-query -W -f '${{Version}} ${{db:Status-Status}}' {PACKAGE}")


def test_apt_installs_nova_compute_from_the_signed_repository(store: MachineStore, bare: Machine) -> None:
    ssh(store, bare, "apt-get -q update")
    ssh(store, bare, f"{APT} install {PACKAGE}={version_of(OLD)}")
    assert status(store, bare) == f"{version_of(OLD)} installed"
    assert out(store, bare, "dpkg --audit") == ""
    assert wait_until(lambda: runs(store, bare, OLD), timeout_seconds=30, poll_seconds=1)
    assert out(store, bare, "systemctl is-enabled nova-compute") == "enabled"
    assert out(store, bare, "stat -c %U /var/lib/nova /var/log/nova").split() == ["nova", "nova"]
    assert out(store, bare, f"dpkg --verify {PACKAGE}") == ""


def test_a_repository_of_another_key_is_refused(
    store: MachineStore, repository: Repository, tmp_path: Path
) -> None:
    foreign = Repository(folder=tmp_path / "repository", key=SigningKey(folder=tmp_path / "key"))
    shutil.copytree(repository.folder, foreign.folder, ignore=shutil.ignore_patterns("*.deb"))
    foreign.publish(datetime.now(UTC))
    tmp_path.chmod(0o755)
    machine = with_repository(make(store, 3, store.ensure_base()), foreign.folder, repository.key.public)
    with running(machine):
        refused = ssh(store, machine, "apt-get -q update", check=False)
        assert refused.returncode == 100
        assert "NO_PUBKEY" in refused.stderr


def test_an_upgrade_by_apt_restarts_the_unit_and_keeps_what_was_edited(
    store: MachineStore, installed: Machine
) -> None:
    assert wait_until(lambda: runs(store, installed, OLD), timeout_seconds=30, poll_seconds=1)
    ssh(store, installed, f"echo '# edited' >>{CONFFILE}; touch {ASKS_REBOOT}")
    before = main_pid(store, installed)
    told = out(store, installed, f"apt-get -s install {PACKAGE}={version_of(NEW)}")
    assert f"Inst {PACKAGE} [{version_of(OLD)}] ({version_of(NEW)}" in told
    ssh(store, installed, f"{APT} install --download-only {PACKAGE}={version_of(NEW)}")
    assert version_of(NEW).replace(":", "%3a") in out(store, installed, "ls /var/cache/apt/archives")
    assert main_pid(store, installed) == before
    ssh(store, installed, f"{APT} install {PACKAGE}={version_of(NEW)}")
    assert main_pid(store, installed) not in {before, "0"}
    assert wait_until(lambda: runs(store, installed, NEW), timeout_seconds=30, poll_seconds=1)
    assert out(store, installed, f"tail -1 {CONFFILE}; ls {CONFFILE}.dpkg-dist").split("\n") == [
        "# edited",
        f"{CONFFILE}.dpkg-dist",
    ]
    assert out(store, installed, "cat /run/reboot-required.pkgs") == PACKAGE
    reboot(store, installed)
    assert wait_until(lambda: runs(store, installed, NEW), timeout_seconds=30, poll_seconds=1)
    assert ssh(store, installed, "test -e /run/reboot-required", check=False).returncode == 1


def test_a_script_of_the_package_that_fails_leaves_the_old_process_and_can_be_mended(
    store: MachineStore, installed: Machine
) -> None:
    before = main_pid(store, installed)
    ssh(store, installed, f"touch {FAIL_POSTINST}")
    assert ssh(store, installed, f"{APT} install {PACKAGE}={version_of(NEW)}", check=False).returncode == 100
    assert PACKAGE in out(store, installed, "dpkg --audit")
    assert status(store, installed) == f"{version_of(NEW)} half-configured"
    assert main_pid(store, installed) == before
    ssh(store, installed, f"rm {FAIL_POSTINST}")
    ssh(store, installed, "DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a")
    assert out(store, installed, "dpkg --audit") == ""
    assert wait_until(lambda: runs(store, installed, NEW), timeout_seconds=30, poll_seconds=1)


def test_a_held_package_is_not_touched(store: MachineStore, installed: Machine) -> None:
    ssh(store, installed, f"apt-mark hold {PACKAGE}")
    assert ssh(store, installed, f"{APT} install {PACKAGE}={version_of(NEW)}", check=False).returncode == 100
    assert status(store, installed) == f"{version_of(OLD)} installed"
