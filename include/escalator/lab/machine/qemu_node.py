"""What makes a machine a compute node with real guests: libvirt, its cables, its ways to the other nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from escalator.lab.config import Ini, render
from escalator.lab.machine.bridge import TUN
from escalator.lab.machine.compute import ComputeMachine
from escalator.lab.machine.machine_files import keys_of, source_of
from escalator.lab.machine.package_files import CONFIGURATION
from escalator.lab.machine.qemu_layers import GUEST_INTERFACE

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.machine.bridge import Bridge
    from escalator.lab.machine.machine import Machine
    from escalator.lab.machine.repository import Repository

NEWER_MOUNT = "/srv/lab-apt-newer"
"""Where a machine sees the repository of what its hypervisor is upgraded to."""
_NOVA_KEY = "/etc/nova/nova_key"
_SSH = f"""\
Match localuser nova
    IdentityFile {_NOVA_KEY}
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""
_DRIVER = """\
# edited on this node: the package's default is the lab's own hypervisor
[DEFAULT]
compute_driver = libvirt.LibvirtDriver
"""
_PREFERRED = """\
[Service]
Nice=-10
"""
"""Guests come before all else that this computer does: QEMU's emulation misses writes of a processor that has
to wait in the midst of one, while a live migration looks what was written."""
_PRIVSEP = "sudo -n /usr/bin/privsep-helper --config-file /etc/nova/nova.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuMachine(ComputeMachine):
    """A compute node of the kind ``qemu``: a machine with libvirt and QEMU's own emulation.

    :param address: of its sshd, on the lab's bridge.
    :param newer: repository of what its hypervisor is upgraded to.
    :param nova_key: private key by which the users ``nova`` of nodes reach each other, as a cold migration
        needs; all users of a node can read it, as it opens nothing but ``nova``.
    """

    newer: Repository
    nova_key: Path

    @property
    def bridge(self) -> Bridge:
        """Return the bridge that it and its guests are on."""
        return self.config.settings.bridge

    @property
    def machine(self) -> Machine:
        """Return the machine."""
        plain = super(QemuMachine, self).machine  # slots make it another class than super() knows
        return replace(
            plain,
            binds={**plain.binds, TUN: str(TUN)},
            shown={**plain.shown, self.newer.folder: NEWER_MOUNT},
            cables=self.bridge.cables_of(self.host, guests=GUEST_INTERFACE),
        )

    def ensure_on(self) -> None:
        """Make the bridge, where it is lacking, and switch the node on. A second run changes nothing.

        :raises LabError: when it does not come up.
        """
        self.bridge.ensure()
        super(QemuMachine, self).ensure_on()

    def _texts(self) -> dict[str, str]:
        plain = super(QemuMachine, self)._texts()
        return {
            **plain,
            "etc/nova/nova.conf": render(self._configuration()),
            CONFIGURATION.lstrip("/"): _DRIVER,
            _NOVA_KEY.lstrip("/"): self.nova_key.read_text(),
            keys_of("nova"): self.nova_key.with_suffix(".pub").read_text(),
            "etc/ssh/ssh_config.d/escalator-lab.conf": _SSH,
            "etc/systemd/system/libvirtd.service.d/escalator-lab.conf": _PREFERRED,
            "etc/apt/sources.list.d/escalator-lab-newer.sources": source_of(NEWER_MOUNT),
        }

    def _configuration(self) -> Ini:
        """Return what nova-compute is told; the catalogue has loopback, where a node finds itself."""
        seen = replace(self.config, seen_at=self.bridge.address)
        content = seen.compute(host=self.host, address=self.address)
        for service in ("placement", "glance", "neutron"):
            content[service]["endpoint_override"] = seen.endpoint(service)
        content["DEFAULT"] |= {"vif_plugging_is_fatal": False, "vif_plugging_timeout": 5}
        content["libvirt"] = {
            "virt_type": "qemu",
            "cpu_mode": "none",
            "images_type": "qcow2",
            "live_migration_scheme": "tcp",
            "live_migration_inbound_addr": self.address,
            "live_migration_permit_auto_converge": True,
            "live_migration_downtime_steps": 3,  # few rounds: each may miss a page, as QEMU emulates
            "live_migration_downtime_delay": 3,
        }
        # Nova's own default is its rootwrap, once for each library that needs rights
        for library in ("nova_sys_admin", "vif_plug_ovs_privileged", "privsep_osbrick"):
            content[library] = {"helper_command": _PRIVSEP}
        content["workarounds"] = {
            "skip_cpu_compare_on_dest": True,
            "disable_deep_image_inspection": True,  # a guest's kernel looks like a disk with partitions
        }
        return content
