"""What the Debian package ``lab-nova-compute`` holds beside Nova itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.lab.machine.nova_on_disk import UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = "lab-nova-compute"
VENV = "/opt/nova/venv"
DRIVER = "/usr/lib/lab-nova/virt"
HYPERVISORS = "/var/lib/lab-hypervisors"
"""Where a machine sees the guests, faults and guest events of all nodes."""
FAIL_POSTINST = "/etc/lab/fail-postinst"
"""A file that makes the configuration of the package fail: a fault of the lab's."""
ASKS_REBOOT = "/etc/lab/asks-reboot"
"""A file that makes the package ask for a reboot, as a new kernel does."""

CONFIGURATION = "/etc/nova/nova-compute.conf"
"""Where a machine has the line that names its driver."""
SUDOERS = "/etc/sudoers.d/lab-nova-compute"
CONFFILES = (CONFIGURATION, SUDOERS)
_LAUNCHER = f"{DRIVER}/nova_compute.py"

_CONTROL = f"""\
Package: {PACKAGE}
Version: @VERSION@
Architecture: amd64
Section: net
Priority: optional
Maintainer: Escalator lab <lab@example.org>
Depends: python3 (>= 3.11), python3 (<< 3.12), adduser, sudo
Description: nova-compute @RELEASE@ in a virtual environment, for a lab
"""

_UNIT = f"""\
[Unit]
Description=OpenStack Nova compute (@RELEASE@)
Wants=network-online.target
After=network-online.target libvirtd.service openvswitch-switch.service

[Service]
User=nova
Environment=PYTHONWARNINGS=ignore ESCALATOR_LAB_HYPERVISORS={HYPERVISORS}
EnvironmentFile=-/etc/default/nova-compute
ExecStart={VENV}/bin/python {_LAUNCHER} --config-file /etc/nova/nova.conf --config-file {CONFIGURATION}
Restart=on-failure
RestartSec=2
TimeoutStopSec=20
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""

_CONFIG = f"""\
# of {PACKAGE} @RELEASE@
[DEFAULT]
compute_driver = lab.driver.LabDriver
"""

_POSTINST = f"""\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
if ! getent passwd nova >/dev/null; then
    adduser --system --group --home /var/lib/nova --no-create-home --shell /bin/bash nova >/dev/null
fi
install -d -o nova -g nova /var/lib/nova /var/lib/nova/instances /var/log/nova
if [ -e {FAIL_POSTINST} ]; then
    echo "postinst: ordered to fail" >&2
    exit 1
fi
if getent group libvirt >/dev/null; then adduser nova libvirt >/dev/null 2>&1 || true; fi
if [ -e {ASKS_REBOOT} ]; then
    touch /run/reboot-required
    echo {PACKAGE} >>/run/reboot-required.pkgs
fi
deb-systemd-helper enable {UNIT}.service >/dev/null
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    deb-systemd-invoke restart {UNIT}.service
fi
"""

_PRERM = f"""\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then deb-systemd-invoke stop {UNIT}.service; fi
"""

_POSTRM = f"""\
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
if [ "$1" = purge ]; then deb-systemd-helper purge {UNIT}.service >/dev/null; fi
"""

MODES = {
    "DEBIAN/postinst": 0o755,
    "DEBIAN/prerm": 0o755,
    "DEBIAN/postrm": 0o755,
    SUDOERS.lstrip("/"): 0o440,
}
"""Path in the package -> its mode, where it is not that of any file."""


def version_of(release: str, revision: int = 1) -> str:
    """Return the Debian version of a release of Nova; the epoch is that of Debian's own packages."""
    return f"3:{release}-0lab{revision}"


def file_name(release: str, revision: int = 1) -> str:
    """Return the name of the package's file, which has no epoch."""
    return f"{PACKAGE}_{release}-0lab{revision}_amd64.deb"


def texts_of(release: str, revision: int = 1) -> Mapping[str, str]:
    """Return path in the package -> content, for a release of Nova."""
    texts = {
        "DEBIAN/control": _CONTROL,
        "DEBIAN/conffiles": "".join(f"{path}\n" for path in CONFFILES),
        "DEBIAN/postinst": _POSTINST,
        "DEBIAN/prerm": _PRERM,
        "DEBIAN/postrm": _POSTRM,
        CONFIGURATION.lstrip("/"): _CONFIG,
        SUDOERS.lstrip("/"): "nova ALL=(root) NOPASSWD: /usr/bin/privsep-helper *\n",
        f"lib/systemd/system/{UNIT}.service": _UNIT,
    }
    version = version_of(release, revision)
    return {
        path: text.replace("@VERSION@", version).replace("@RELEASE@", release) for path, text in texts.items()
    }
