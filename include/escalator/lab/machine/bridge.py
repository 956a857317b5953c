"""The network of machines with real guests: a bridge of the lab's own, and the cables that lead to it."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import socket
import struct
import subprocess
from array import array
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERFACES = Path("/sys/class/net")
TUN = Path("/dev/net/tun")
ROUTES = Path("/proc/net/route")
_TRIAL = "ip link add trial type bridge; ip link add one type veth peer name other"
_ETHTOOL = 0x8946
_SET_SEND_CHECKSUMS = 0x17
"""``SIOCETHTOOL`` of linux/sockios.h and ``ETHTOOL_STXCSUM`` of linux/ethtool.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A pair of interfaces: one end in a machine, the other one in a bridge of this computer.

    :param outside: name of the end in the bridge.
    :param inside: name of the end in the machine.
    :param bridge: name of the bridge.
    :param address: with its prefix, of the end in the machine; empty: it has none.
    :param mac: of the end in the machine, so that it stays the same over reboots; empty: it is drawn.
    """

    outside: str
    inside: str
    bridge: str
    address: str = ""
    mac: str = ""

    def as_json(self) -> Mapping[str, str]:
        """Return the cable as the power loop reads it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def ensure_removed(self) -> None:
        """Take the cable away; a second run finds none."""
        if (INTERFACES / self.outside).exists():
            with contextlib.suppress(LabError):  # the kernel may be taking it away with its machine just now
                _ip("link", "delete", self.outside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The bridge of one lab instance: this computer, its machines and their guests are on it.

    All names carry the number of the instance, and the addresses are of a network that it has alone.

    :param instance: 0 to 9.
    """

    instance: int

    @property
    def name(self) -> str:
        """Return the name of the interface."""
        return f"escalator-lab{self.instance}"

    @property
    def network(self) -> IPv4Network:
        """Return the addresses of the bridge."""
        return IPv4Network(f"10.213.{self.instance}.0/24")

    @property
    def address(self) -> str:
        """Return the address of this computer on the bridge: the control plane answers there."""
        return str(self.network[1])

    @property
    def guests(self) -> tuple[str, str]:
        """Return the first and the last address that guests are given."""
        return str(self.network[110]), str(self.network[250])

    def address_of(self, host: str) -> str:
        """Return the address of a node; the end of its name is its number, 1 to 99."""
        return str(self.network[10 + _number_of(host)])

    def cables_of(self, host: str, *, guests: str) -> tuple[Cable, ...]:
        """Return the cables of a node: one of its own, one of its guests.

        :param guests: name of the interface in the machine that its guests reach the bridge by.
        """
        outside = f"{self._prefix}{_number_of(host):02d}"
        address = self.address_of(host)
        own = Cable(
            outside=f"{outside}m",
            inside="eth0",
            bridge=self.name,
            address=f"{address}/{self.network.prefixlen}",
            mac=mac_of(address),
        )
        return own, Cable(outside=f"{outside}g", inside=guests, bridge=self.name)

    def check_possible(self) -> None:
        """Refuse where real guests cannot be connected, before anything is made.

        :raises LabError: saying what is missing, or what has the addresses.
        """
        if not TUN.exists():
            raise LabError(
                f"real guests cannot run here: {TUN} is missing",
                "modprobe tun, or go without real guests: --hypervisor sim, make demo-sim",
            )
        check_free(self.network, ROUTES.read_text(), but=self.name)

    def ensure(self) -> None:
        """Make the bridge; one that exists stays, with what is connected to it.

        No checksum is left to its interfaces: behind Open vSwitch in user space a guest would get none.

        :raises LabError: when something else has these addresses, or the kernel refuses.
        """
        self.check_possible()
        if not (INTERFACES / self.name).exists():
            # one of its own: it would take the lowest of its cables, and guests would answer the one before
            mac = ("address", mac_of(self.address))
            _ip("link", "add", self.name, *mac, "type", "bridge", "forward_delay", "0")
        _ip("address", "replace", f"{self.address}/{self.network.prefixlen}", "dev", self.name)
        _send_whole_checksums(self.name)
        _ip("link", "set", self.name, "up")

    def ensure_removed(self) -> bool:
        """Remove the bridge and every cable to it; tell whether there was something.

        A second run finds nothing.
        """
        found = [path.name for path in INTERFACES.iterdir() if self._owns(path.name)]
        for name in found:
            with contextlib.suppress(LabError):  # the kernel takes cables away with their machine
                _ip("link", "delete", name)
        return bool(found)

    @property
    def _prefix(self) -> str:
        return f"esclab{self.instance}-"

    def _owns(self, interface: str) -> bool:
        return interface == self.name or interface.startswith(self._prefix)


def check_kernel() -> None:
    """Refuse where no bridge or no cable can be made, by making both in a network that goes at once.

    Where the programs for that are still to be installed, nothing is known yet, and nothing refused.

    :raises LabError: with what the kernel says.
    """
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return
    tried = subprocess.run(
        ["unshare", "--net", "sh", "-ec", _TRIAL], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        raise LabError(
            f"real guests cannot run here: no bridge can be made: {tried.stderr.strip()}",
            "modprobe bridge veth, or use --hypervisor sim",
        )


def mac_of(address: str) -> str:
    """Return the MAC address that tells an IPv4 address."""
    return f"02:00:{IPv4Address(address).packed.hex(':')}"


def check_free(network: IPv4Network, routes: str, *, but: str) -> None:
    """Refuse when this computer reaches some of the addresses another way than by its default route.

    :param routes: text of ``/proc/net/route``.
    :param but: name of the interface that may have them.
    :raises LabError: naming the interface that has them.
    """
    for line in routes.splitlines()[1:]:
        interface, target, *_, mask, _mtu, _window, _irtt = line.split()
        there = IPv4Network((_address(target), str(_address(mask))))
        if interface != but and there.prefixlen > 0 and there.overlaps(network):
            raise LabError(
                f"the addresses {network} of the lab's bridge are reached by {interface} ({there}) already",
                "choose another ESCALATOR_LAB_INSTANCE (0 to 9)",
            )


def _address(word: str) -> IPv4Address:
    """Return the address that the kernel shows as a number of this computer's byte order."""
    return IPv4Address(bytes.fromhex(word)[::-1])


def _number_of(host: str) -> int:
    return int(host.rpartition("-")[2])


def _send_whole_checksums(interface: str) -> None:
    value = array("B", struct.pack("II", _SET_SEND_CHECKSUMS, 0))
    request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _ETHTOOL, request)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(
            f"ip {' '.join(arguments)}: {done.stderr.strip()}",
            "run as root, with a kernel that has bridges (modprobe bridge veth)",
        )
