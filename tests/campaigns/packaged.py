"""A lab whose nova-compute is a Debian package, an Airflow beside it, and what goes wrong on its nodes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escalator.lab.lab import Lab
from escalator.lab.machine.package_files import FAIL_POSTINST, PACKAGE, version_of
from escalator.lab.nodes import Node
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings, NovaForm
from tests.campaigns.harness import NEW, Harness, airflow_beside

INSTANCE = 6
"""Of the labs with packages; their tests go one after the other."""
BOOT_ID = "/proc/sys/kernel/random/boot_id"
POLICY = "/srv/site/policy"
"""A file that a bundle names as its artefact; each node has it on its own disk."""
ARCHIVES = "/var/cache/apt/archives"


BY_APT = """\
  type: apt
  packages:
    - {name: lab-nova-compute, component: nova-compute, service: nova-compute}
"""
"""The mechanism of bundles that bring the lab's package by apt."""


def make_bundle(name: str, rest: str, mechanism: str = BY_APT) -> str:
    """Write a bundle that brings the lab's newer package; ``rest``: its lines after the mechanism."""
    return f"""\
schema: escalator.bundle/1
name: {name}
components:
  - {{name: nova-compute, to: "{version_of(NEW)}", scheme: deb}}
mechanism:
{mechanism}{rest}"""


@contextmanager
def packaged_lab(
    nodes: int, folder: Path, bundles: Mapping[str, str], told: Mapping[str, str] | None = None
) -> Iterator[Harness]:
    """Bring the lab up without servers, and an Airflow with these bundles (name -> text); end both.

    :param told: variables of the environment that Airflow's processes get.
    """
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(INSTANCE)}
    settings = LabSettings.from_environment(environment, nodes=nodes, servers=0, nova=NovaForm.PACKAGE)
    lab = Lab(settings, progress=Progress())
    try:
        lab.up()
        files = {f"{name}.yaml": text for name, text in bundles.items()}
        with airflow_beside(lab, INSTANCE, folder, more=files, told=told) as found:
            yield found
    finally:
        lab.down()


def read_boots(harness: Harness, hosts: Iterable[str] | None = None) -> dict[str, str]:
    """Return the boot that each node is in, or each of some."""
    chosen = harness.lab.settings.hosts if hosts is None else hosts
    return {host: harness.lab.node(host).console("cat", BOOT_ID).stdout.strip() for host in chosen}


def in_node(node: Node, script: str) -> str:
    """Run a script at the node's console; return what it prints."""
    return node.console("/bin/sh", "-ec", script).stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong on a node, in sh.

    :ivar strike: makes it so; :ivar mend: what a person does about it.
    """

    strike: str
    mend: str


HELD = Fault(strike=f"apt-mark hold {PACKAGE}", mend=f"apt-mark unhold {PACKAGE}")
BROKEN = Fault(
    strike="""
folder=$(mktemp -d)
mkdir $folder/DEBIAN
printf 'Package: site-tool\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@y.z>\\nDescription: x\\n' \
  >$folder/DEBIAN/control
printf '#!/bin/sh\\nexit 1\\n' >$folder/DEBIAN/postinst
chmod 0755 $folder $folder/DEBIAN $folder/DEBIAN/postinst
dpkg-deb --build $folder /root/site-tool.deb
! dpkg --install /root/site-tool.deb
[ -n "$(dpkg --audit)" ]
""",
    mend="dpkg --purge site-tool",
)
"""A package of the site's own is half-configured, by nobody that Escalator knows."""
FULL = Fault(
    strike=f"mount -t tmpfs -o size=16k,nr_inodes=9 tmpfs {ARCHIVES}",
    mend=f"umount {ARCHIVES}",
)
OTHER_SUM = Fault(strike=f"echo tampered >{POLICY}", mend=f"echo 7 >{POLICY}")
NO_CONFIGURATION = Fault(strike=f"mkdir -p /etc/lab; touch {FAIL_POSTINST}", mend=f"rm {FAIL_POSTINST}")
"""The script of the new package that runs after it is unpacked ends with 1."""
