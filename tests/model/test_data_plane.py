from __future__ import annotations

import pytest

from escalator.model.data_plane import is_service_for_guests, is_under_guests


@pytest.mark.parametrize(
    "package",
    [
        *("libvirt-daemon", "libvirt-daemon-system", "libvirt-daemon-driver-qemu", "qemu-system-x86:amd64"),
        *("qemu-kvm", "openvswitch-switch", "openvswitch-common", "ovn-host", "linux-image-6.1.0-28-amd64"),
    ],
)
def test_what_guests_run_on(package: str) -> None:
    assert is_under_guests(package)


@pytest.mark.parametrize(
    "package",
    [
        *("nova-compute", "nova-compute-libvirt", "nova-compute-qemu", "python3-libvirt", "libvirt-clients"),
        *("neutron-openvswitch-agent", "neutron-ovn-metadata-agent", "python3-openvswitch", "qemu-utils"),
        *("linux-libc-dev", "libc6"),
    ],
)
def test_what_they_do_not_run_on(package: str) -> None:
    assert not is_under_guests(package)


def test_services_that_guests_depend_on() -> None:
    for service in ("libvirtd", "libvirtd.service", "virtqemud", "ovs-vswitchd.service", "ovn-controller"):
        assert is_service_for_guests(service)
    for service in ("nova-compute", "neutron-openvswitch-agent.service", "ssh.service"):
        assert not is_service_for_guests(service)
