"""What nodes tell of their versions: as Debian 12, Ubuntu 24.04 and Rocky 9 print it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.system_support.conftest import Sshd

from escalator.model.bundle import RebootPolicy
from escalator.model.errors import NodeFaultError, TransientError
from escalator.system_support.node_software import SCRIPT, is_wanted, parse_software, read_software
from escalator.system_support.shell import CommandResult

DEBIAN_12 = """\
os.PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
os.NAME="Debian GNU/Linux"
os.VERSION_ID="12"
os.VERSION="12 (bookworm)"
os.ID=debian
os.debian=12.9
kernel.release=6.1.0-31-amd64
kernel.version=#1 SMP PREEMPT_DYNAMIC Debian 6.1.128-1 (2025-02-07)
kernel.machine=x86_64
deb.libvirt-daemon=ii |9.0.0-4+deb12u2
deb.libvirt-daemon-system=ii |9.0.0-4+deb12u2
deb.qemu-system-x86=hi |1:7.2+dfsg-7+deb12u12
deb.nova-compute=ii |2:26.2.1-1~deb12u2
deb.openvswitch-switch=ii |3.1.0-2+deb12u1
deb.neutron-openvswitch-agent=rc |2:21.0.0-7
deb.ovn-host=un |
deb.neutron-ovn-metadata-agent=iF |2:21.0.0-7+deb12u1
program.libvirt=libvirtd (libvirt) 9.0.0
program.qemu=QEMU emulator version 7.2.15 (Debian 1:7.2+dfsg-7+deb12u12)
program.openvswitch=ovs-vswitchd (Open vSwitch) 3.1.0
"""
UBUNTU_24 = """\
os.NAME="Ubuntu"
os.VERSION_ID="24.04"
os.VERSION="24.04.1 LTS (Noble Numbat)"
os.ID=ubuntu
os.debian=trixie/sid
kernel.release=6.8.0-52-generic
kernel.version=#53-Ubuntu SMP PREEMPT_DYNAMIC Sat Jan 11 00:06:25 UTC 2025
kernel.machine=x86_64
deb.libvirt-daemon=ii |10.0.0-2ubuntu8.5
deb.qemu-system-x86=ii |1:8.2.2+ds-0ubuntu1.4
deb.nova-compute=ii |3:29.2.0-0ubuntu1.2
deb.openvswitch-switch=ii |3.3.0-1ubuntu3.2
deb.ovn-host=ii |24.03.2-0ubuntu0.24.04.1
deb.neutron-ovn-metadata-agent=ii |2:24.0.0-0ubuntu1
"""
ROCKY_9 = """\
os.NAME="Rocky Linux"
os.VERSION="9.4 (Blue Onyx)"
os.ID="rocky"
os.VERSION_ID="9.4"
kernel.release=5.14.0-427.13.1.el9_4.x86_64
kernel.version=#1 SMP PREEMPT_DYNAMIC Wed May 1 19:11:28 UTC 2024
kernel.machine=x86_64
rpm.openvswitch-selinux-extra-policy=1.0-36.el9s
rpm.openvswitch3.3=3.3.0-2.el9s
rpm.ovn24.03-host=24.03.1-5.el9s
rpm.qemu-kvm-common=17:8.2.0-11.el9_4
rpm.qemu-kvm-core=17:8.2.0-11.el9_4
rpm.libvirt-daemon=10.0.0-6.el9_4
rpm.openstack-nova-compute=1:29.0.1-1.el9s
rpm.openstack-neutron-ovn-metadata-agent=1:24.0.0-1.el9s
program.libvirt=libvirtd (libvirt) 10.0.0
program.qemu=QEMU emulator version 8.2.0 (qemu-kvm-8.2.0-11.el9_4)
program.ovn=ovn-controller 24.03.1
"""


def test_debian() -> None:
    assert parse_software(DEBIAN_12) == {
        "os": "Debian GNU/Linux 12.9",
        "kernel": "6.1.128-1",
        "libvirt": "9.0.0-4+deb12u2",
        "qemu": "1:7.2+dfsg-7+deb12u12",
        "nova-compute": "2:26.2.1-1~deb12u2",
        "openvswitch": "3.1.0-2+deb12u1",
    }


def test_ubuntu() -> None:
    assert parse_software(UBUNTU_24) == {
        "os": "Ubuntu 24.04.1",
        "kernel": "6.8.0-52.53",
        "libvirt": "10.0.0-2ubuntu8.5",
        "qemu": "1:8.2.2+ds-0ubuntu1.4",
        "nova-compute": "3:29.2.0-0ubuntu1.2",
        "openvswitch": "3.3.0-1ubuntu3.2",
        "ovn": "24.03.2-0ubuntu0.24.04.1",
        "neutron-ovn-metadata-agent": "2:24.0.0-0ubuntu1",
    }


def test_rocky() -> None:
    assert parse_software(ROCKY_9) == {
        "os": "Rocky Linux 9.4",
        "kernel": "5.14.0-427.13.1.el9_4",
        "libvirt": "10.0.0-6.el9_4",
        "qemu": "17:8.2.0-11.el9_4",
        "nova-compute": "1:29.0.1-1.el9s",
        "openvswitch": "3.3.0-2.el9s",
        "ovn": "24.03.1-5.el9s",
        "neutron-ovn-metadata-agent": "1:24.0.0-1.el9s",
    }


@pytest.mark.parametrize(
    ("release", "version", "kernel"),
    [
        ("6.8.0-52-generic", "#53~22.04.1-Ubuntu SMP PREEMPT_DYNAMIC Wed Jan 15", "6.8.0-52.53~22.04.1"),
        ("6.10.11+bpo-amd64", "#1 SMP Debian 6.10.11-1~bpo12+1 (2024-10-03)", "6.10.11-1~bpo12+1"),
        ("6.6.1-own", "#7 SMP Mon Jan 1", "6.6.1-own"),
    ],
)
def test_the_kernel_is_the_package_of_the_one_that_runs(release: str, version: str, kernel: str) -> None:
    text = f"kernel.release={release}\nkernel.version={version}\nkernel.machine=x86_64\n"
    assert parse_software(text) == {"kernel": kernel}


def test_of_what_no_package_brought_the_program_is_asked() -> None:
    text = "deb.qemu-system-x86=iF |1:7.2\nprogram.qemu=QEMU emulator version 10.0.2\nprogram.ovn=\n"
    assert parse_software(text) == {"qemu": "10.0.2"}


@pytest.mark.parametrize("text", ["", "\n", "motd of the day\n", "os.NAME='\n", "deb.qemu-system-x86=\n"])
def test_what_is_not_told_is_not_known(text: str) -> None:
    assert parse_software(text) == {}


def test_what_is_no_version_is_left_out() -> None:
    text = f"deb.nova-compute=ii |{'9' * 500}\ndeb.ovn-host=ii |24\x1b[2J\nkernel.release=6.1\n"
    assert parse_software(text) == {"kernel": "6.1"}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Programs of a node: those of Debian's packages and of the hypervisor."""
    for name, prints in {
        "dpkg-query": "case \"$*\" in *' qemu-system-x86 '*) "
        "printf 'deb.qemu-system-x86=ii |1:7.2+dfsg-7\\n';; esac; exit 1",
        "libvirtd": "[ $1 = --version ] && echo 'libvirtd (libvirt) 11.0.0'",
        "ovs-vswitchd": "echo 'ovs-vswitchd (Open vSwitch) 3.1.0'; exit 3",
        "uname": 'case $1 in -r) echo 6.1.0-31-amd64;; -v) echo "#1 SMP Debian 6.1.128-1 (2025-02-07)";; '
        "-m) echo x86_64;; esac",
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{prints}\n")
        path.chmod(0o755)
    return tmp_path


EXPECTED = {
    "kernel": "6.1.128-1",
    "libvirt": "11.0.0",
    "qemu": "1:7.2+dfsg-7",
    "openvswitch": "3.1.0",
}


def test_the_script_asks_packages_and_programs(programs: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
    )
    assert done.stderr == ""
    assert EXPECTED.items() <= parse_software(done.stdout).items()


def test_over_ssh_it_is_one_command(sshd: Sshd, programs: Path) -> None:
    for path in programs.iterdir():
        (sshd.home / "bin" / path.name).write_bytes(path.read_bytes())
        (sshd.home / "bin" / path.name).chmod(0o755)
    try:
        with sshd.shell() as shell:
            assert EXPECTED.items() <= read_software(shell).items()
    finally:
        for path in programs.iterdir():
            (sshd.home / "bin" / path.name).unlink()


class Silent:
    host = "node-01"

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        assert (command, timeout_seconds) == (SCRIPT, 60.0)
        if self.fault is not None:
            raise self.fault
        return CommandResult(exit_code=127, stdout="", stderr="no")


@pytest.mark.parametrize("fault", [None, TransientError("lost"), NodeFaultError("no sudo")])
def test_a_node_that_does_not_answer_tells_nothing_and_is_no_fault(fault: Exception | None) -> None:
    assert read_software(Silent(fault)) == {}


@pytest.mark.parametrize(
    ("brings", "reboot", "wanted"),
    [
        (True, RebootPolicy.NEVER, True),
        (False, RebootPolicy.NEVER, False),
        (False, RebootPolicy.ALWAYS, True),
    ],
)
def test_nodes_whose_versions_cannot_change_are_not_asked(
    brings: bool,  # noqa: FBT001
    reboot: RebootPolicy,
    wanted: bool,  # noqa: FBT001
) -> None:
    assert is_wanted(brings_software=brings, reboot=reboot) is wanted
