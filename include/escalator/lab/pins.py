"""The packages of the lab: releases that work together on Python 3.11 and 3.12."""

import hashlib
from functools import cache
from pathlib import Path

DEBIAN_PACKAGES = ("rabbitmq-server", "openssh-server", "postgresql", "openssl", "prometheus-alertmanager")
MACHINE_PACKAGES = ("systemd-container", "mmdebstrap", "debian-archive-keyring", "gnupg", "iproute2")
"""What it takes to make and run machines, beside the packages that every lab needs."""

CONTROL_PLANE = (
    "nova==34.0.0",
    "keystone==30.0.0",
    "openstack-placement==16.0.0",
    "glance==33.0.0",
    "neutron==29.0.0",
    "octavia==19.0.0",
    "python-openstackclient",
    "psycopg2-binary",
    "pyuwsgi",
    "uv",
)
"""The control plane is of the newest release that nodes upgrade to; they install with ``uv``."""

MASAKARI = ("masakari==22.0.0",)
"""In an environment of its own; the lab's cloud has it where ``up --masakari`` asks for it."""

ML2_DRIVER = Path(__file__).parent / "ml2"


def digest(*parts: str) -> str:
    """Return a short name for something that is made of these parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


@cache
def control_plane_digest(python: Path) -> str:
    """Return a name for the control plane of these packages, on an interpreter."""
    ours = [path.read_text() for path in sorted(ML2_DRIVER.glob("*.*"))]
    return digest(str(python), *CONTROL_PLANE, *ours)
