"""What is saved of a node: configuration by a list of paths, and what the bundle's mechanism will change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escalator.model.bundle import (
    AnsibleMechanism,
    Bundle,
    CommandMechanism,
    HookTime,
    KollaAnsibleMechanism,
    NoMechanism,
    PackageMechanism,
    VenvMechanism,
)

DEFAULT_PATHS = (
    *("/etc/nova", "/etc/neutron", "/etc/libvirt", "/etc/qemu", "/etc/openvswitch", "/etc/ovn"),
    *("/etc/ceph", "/etc/iscsi", "/etc/multipath.conf", "/etc/multipath", "/etc/ceilometer", "/etc/kolla"),
    *("/etc/default", "/etc/sysconfig", "/etc/fstab", "/etc/hosts", "/etc/network", "/etc/netplan"),
    *("/etc/systemd/network", "/etc/modprobe.d", "/etc/modules-load.d", "/etc/sysctl.conf", "/etc/sysctl.d"),
    *("/etc/apt", "/var/lib/apt/extended_states", "/etc/yum.repos.d", "/etc/dnf"),
)
"""Files and folders that are saved where they are there, unless the operator names others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupWish:
    """What to save of a node.

    :ivar paths: absolute; those that are not there are passed over.
    :ivar units: services whose units and drop-ins are saved.
    :ivar packages: those whose files are saved when the node still has them.
    :ivar link: the link that names an environment; None: there is none.
    """

    paths: tuple[str, ...] = DEFAULT_PATHS
    units: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    link: str | None = None


def make_wish(bundle: Bundle, paths: Sequence[str] = DEFAULT_PATHS) -> BackupWish:
    """Say what to save before a bundle is brought to a node."""
    match bundle.mechanism:
        case VenvMechanism() as venv:
            return BackupWish(paths=tuple(paths), units=(venv.service,), link=venv.venv)
        case PackageMechanism() as brought:
            services = (*(package.service for package in brought.packages), *brought.restarts)
            return BackupWish(
                paths=tuple(paths),
                units=tuple(dict.fromkeys(service for service in services if service)),
                packages=tuple(package.name for package in brought.packages),
            )
        case CommandMechanism() | AnsibleMechanism() | KollaAnsibleMechanism() as own:
            return BackupWish(paths=tuple(paths), units=(own.service,))
        case _:
            return BackupWish(paths=tuple(paths))


def needs_backup(bundle: Bundle) -> bool:
    """Tell whether a bundle changes anything on a node: its software, by its hooks, or with a reboot."""
    hooks = any(bundle.hooks.get(when) for when in (HookTime.PRE, HookTime.POST))
    return hooks or bundle.may_reboot or not isinstance(bundle.mechanism, NoMechanism)
