"""Reads which versions a node has of system, kernel, hypervisor, network and agents, by one script.

A package's version goes before what a program prints, as it names the revision. Of the kernel it is the
version of the package that *runs*. What nobody tells is left out, never guessed.
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Mapping

from escalator.model.bundle import COMPUTE, RebootPolicy
from escalator.model.errors import EscalatorError
from escalator.model.node_software import KERNEL, LIBVIRT, OPENVSWITCH, OS, OVN, QEMU, Software
from escalator.system_support.shell import Shell, parse_pairs

log = logging.getLogger("escalator.system_support.node_software")

SECONDS = 60.0
"""How long the whole script may take; each program has five of them."""
_AGENTS = (
    "neutron-openvswitch-agent",
    "neutron-ovn-metadata-agent",
    "neutron-ovn-agent",
    "neutron-dhcp-agent",
    "neutron-l3-agent",
    "neutron-metadata-agent",
    "neutron-linuxbridge-agent",
    "neutron-sriov-agent",
)
_DEB: Mapping[str, str] = {
    "libvirt-daemon": LIBVIRT,
    "libvirt-daemon-system": LIBVIRT,
    "qemu-system-x86": QEMU,
    "qemu-system-arm": QEMU,
    "qemu-system-ppc": QEMU,
    "qemu-system-s390x": QEMU,
    "nova-compute": COMPUTE,
    "openvswitch-switch": OPENVSWITCH,
    "ovn-host": OVN,
    **{name: name for name in _AGENTS},
}
"""Package of Debian's or Ubuntu's -> component; of several of a component the first one counts."""
_RPM: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), component)
    for pattern, component in (
        ("libvirt-daemon", LIBVIRT),
        ("libvirt-daemon-driver-qemu", LIBVIRT),
        ("qemu-kvm-core", QEMU),
        ("qemu-kvm", QEMU),
        ("openstack-nova-compute", COMPUTE),
        (r"openvswitch[0-9.]*", OPENVSWITCH),
        (r"ovn[0-9.-]*-host", OVN),
        ("openstack-neutron-openvswitch", "neutron-openvswitch-agent"),
        ("openstack-neutron-ovn-metadata-agent", "neutron-ovn-metadata-agent"),
        ("openstack-neutron-ovn-agent", "neutron-ovn-agent"),
        ("openstack-neutron-linuxbridge", "neutron-linuxbridge-agent"),
        ("openstack-neutron-sriov-nic-agent", "neutron-sriov-agent"),
    )
)
"""Package of an RPM distribution, as its whole name -> component, in the same way."""
_RPM_ASKED = (
    *("libvirt-daemon", "libvirt-daemon-driver-qemu", "qemu-kvm*", "openstack-nova-compute"),
    *("openvswitch*", "ovn*-host", "openstack-neutron-*"),
)
SCRIPT = f"""
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/usr/libexec"
sed -n 's/^\\(NAME\\|ID\\|VERSION\\|VERSION_ID\\)=/os.&/p' /etc/os-release 2>/dev/null
[ -r /etc/debian_version ] && echo "os.debian=$(cat /etc/debian_version)"
echo "kernel.release=$(uname -r)"
echo "kernel.version=$(uname -v)"
echo "kernel.machine=$(uname -m)"
if command -v dpkg-query >/dev/null 2>&1; then
  dpkg-query -W -f='deb.${{Package}}=${{db:Status-Abbrev}}|${{Version}}\\n' {" ".join(_DEB)} 2>/dev/null
fi
if command -v rpm >/dev/null 2>&1; then
  rpm -qa --qf 'rpm.%{{NAME}}=%|EPOCH?{{%{{EPOCH}}:}}|%{{VERSION}}-%{{RELEASE}}\\n' \\
    {" ".join(map(shlex.quote, _RPM_ASKED))} 2>/dev/null
fi
program() {{
  component=$1; shift
  for name; do
    command -v "$name" >/dev/null 2>&1 || continue
    echo "program.$component=$(timeout 5 "$name" --version 2>/dev/null </dev/null | head -n 1)"
    return
  done
}}
program {LIBVIRT} libvirtd virtqemud
program {QEMU} "qemu-system-$(uname -m)" qemu-kvm
program {OPENVSWITCH} ovs-vswitchd
program {OVN} ovn-controller
true
"""
"""Prints lines ``key=value``; it changes nothing, and ends well whatever is lacking."""

_PROGRAMS = (LIBVIRT, QEMU, OPENVSWITCH, OVN)
_INSTALLED = "i"
"""dpkg's word for a package that is whole; one that is half configured tells nothing."""
_LONGEST = 120
_NUMBERS = re.compile(r"\d+(?:\.\d+)+")
_OF_DEBIAN = re.compile(r"\bDebian (\S+)")
_OF_UBUNTU = re.compile(r"#(\d+(?:~\S+?)?)-Ubuntu\b")
_UBUNTU_RELEASE = re.compile(r"(\d+\.\d+\.\d+-\d+)-\w+")
_POINT = re.compile(r"\d+(\.\d+)+")


def is_wanted(*, brings_software: bool, reboot: RebootPolicy) -> bool:
    """Tell whether a bundle may change versions: where none can change, no node is asked for them."""
    return brings_software or reboot is not RebootPolicy.NEVER


def read_software(shell: Shell) -> Software:
    """Read what a node tells of its versions; nothing when it does not answer, which is no fault."""
    try:
        result = shell.run_as_root(SCRIPT, timeout_seconds=SECONDS)
    except EscalatorError as exc:
        log.warning("%s does not tell its versions: %s", shell.host, exc)
        return {}
    return parse_software(result.stdout)


def parse_software(text: str) -> dict[str, str]:
    """Read what the script printed."""
    found = parse_pairs(text)
    told = {
        **_read_programs(found),
        **_read_packages(found),
        OS: _read_os(found),
        KERNEL: _read_kernel(found),
    }
    return {name: version for name, version in told.items() if _is_plain(version)}


def _is_plain(version: str) -> bool:
    return 0 < len(version) <= _LONGEST and version.isprintable()


def _read_os(found: Mapping[str, str]) -> str:
    """Return name and version of the system, with the point release where it is told."""
    name, version = _unquote(found.get("os.NAME", "")), _unquote(found.get("os.VERSION", ""))
    number = version.partition(" ")[0] or _unquote(found.get("os.VERSION_ID", ""))
    point = found.get("os.debian", "").strip()
    if _unquote(found.get("os.ID", "")) == "debian" and _POINT.fullmatch(point):
        number = point
    return f"{name} {number}" if name and number else name


def _unquote(word: str) -> str:
    try:
        return " ".join(shlex.split(word))
    except ValueError:
        return ""


def _read_kernel(found: Mapping[str, str]) -> str:
    """Return the version of the package of the running kernel; where it cannot be told, its release."""
    release, built = found.get("kernel.release", "").strip(), found.get("kernel.version", "")
    if debian := _OF_DEBIAN.search(built):
        return debian[1]
    upload, abi = _OF_UBUNTU.search(built), _UBUNTU_RELEASE.fullmatch(release)
    if upload and abi:
        return f"{abi[1]}.{upload[1]}"
    return release.removesuffix(f".{found.get('kernel.machine', '').strip()}")


def _read_packages(found: Mapping[str, str]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for pattern, component in _RPM:
        for key, version in found.items():
            if key.startswith("rpm.") and pattern.fullmatch(key.removeprefix("rpm.")):
                versions.setdefault(component, version.strip())
    for package, component in _DEB.items():
        state, _, version = found.get(f"deb.{package}", "").partition("|")
        if state[1:2] == _INSTALLED and version.strip():
            versions.setdefault(component, version.strip())
    return versions


def _read_programs(found: Mapping[str, str]) -> dict[str, str]:
    lines = {component: found.get(f"program.{component}", "") for component in _PROGRAMS}
    return {component: match[0] for component, line in lines.items() if (match := _NUMBERS.search(line))}
