"""Find out who listens on a TCP port, from /proc alone."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import PortTakenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LISTEN = "0A"
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104  (compared with, never listened on)
_IPV4_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address and a port that the lab wants to listen on.

    :param purpose: what for, in words.
    """

    address: str
    port: int
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A socket that listens.

    :param inode: of the socket; leads to the process that holds it.
    """

    address: str
    port: int
    inode: int

    def hinders(self, wanted: Endpoint) -> bool:
        """Tell whether this socket keeps another from listening there."""
        same = self.address == wanted.address or self.address in _ANY
        return same and self.port == wanted.port


def fetch_listeners(proc: Path = Path("/proc")) -> tuple[Listener, ...]:
    """Read all listening TCP sockets of this network namespace.

    :param proc: where the kernel shows them.
    """
    return tuple(
        listener
        for name in ("tcp", "tcp6")
        for listener in _parse((proc / "net" / name).read_text().splitlines()[1:])
    )


def check_free(wanted: Iterable[Endpoint], listeners: Iterable[Listener]) -> None:
    """Refuse when somebody listens where the lab wants to.

    :raises PortTakenError: naming every taken port, its holder, and what to do.
    """
    listeners = tuple(listeners)
    taken = [(want, other) for want in wanted for other in listeners if other.hinders(want)]
    if not taken:
        return
    lines = [
        f"{want.address}:{want.port} ({want.purpose}) is taken by {describe_holder(other)}"
        for want, other in taken
    ]
    remedy = "end that process, or choose another ESCALATOR_LAB_INSTANCE (0 to 9)"
    if any("ssh" in want.purpose for want, _ in taken):
        remedy += ", or for the nodes' ssh another ESCALATOR_LAB_SSH_PORT (for example 2222)"
    raise PortTakenError("; ".join(lines), remedy)


def describe_holder(listener: Listener, proc: Path = Path("/proc")) -> str:
    """Return the process id and command line of the process that holds a socket."""
    for pid in _pids(proc):
        if _holds(proc / pid, listener.inode):
            command = (
                (proc / pid / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            )
            return f"pid {pid}: {command}"
    return "a process that this user cannot see"


def _pids(proc: Path) -> Iterator[str]:
    return (entry.name for entry in proc.iterdir() if entry.name.isdigit())


def _holds(process: Path, inode: int) -> bool:
    wanted = f"socket:[{inode}]"
    try:
        return any(str(descriptor.readlink()) == wanted for descriptor in (process / "fd").iterdir())
    except OSError:
        return False


def _parse(lines: Iterable[str]) -> Iterator[Listener]:
    for line in lines:
        fields = line.split()
        if fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            yield Listener(address=_address(address), port=int(port, 16), inode=int(fields[9]))


def _address(text: str) -> str:
    """Turn the kernel's form (words of four bytes in the machine's order) into the usual one."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    raw = b"".join(words)
    if len(raw) == _IPV4_BYTES:
        return str(ipaddress.IPv4Address(raw))
    address = ipaddress.IPv6Address(raw)
    return str(address.ipv4_mapped or address)
