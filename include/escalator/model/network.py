"""Neutron's floating IPs and ports, as far as a switchover looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIp:
    """One floating IP.

    :ivar port_id: the port that has it; None: none has.
    :ivar fixed_address: the address of that port that it stands for.
    :ivar revision: counts its changes; None where Neutron does not tell.
    """

    id: str
    address: str
    port_id: str | None = None
    fixed_address: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPair:
    """An address, or a whole range, that a port may send as besides its own; ``mac`` None: the port's own."""

    address: str
    mac: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPort:
    """One port.

    :ivar server_id: the server that it is a card of; None: of none.
    :ivar host: the host that it is bound to; None: it is not bound, or Neutron does not tell.
    :ivar addresses: its fixed addresses.
    :ivar secured: port security decides what it may send as.
    :ivar revision: counts its changes; None where Neutron does not tell.
    """

    id: str
    network_id: str
    server_id: str | None = None
    host: str | None = None
    addresses: tuple[str, ...] = ()
    pairs: tuple[AddressPair, ...] = ()
    status: str = ""
    secured: bool = True
    revision: int | None = None

    def has_pair(self, address: str) -> bool:
        """Tell whether a pair is for this one address."""
        return any(is_for(pair, address) for pair in self.pairs)

    def find_wider_pair(self, address: str) -> AddressPair | None:
        """Return a pair that covers the address and others; None when there is none."""
        wanted = ip_address(address)
        for pair in self.pairs:
            if not is_for(pair, address) and wanted in ip_network(pair.address, strict=False):
                return pair
        return None


def is_for(pair: AddressPair, address: str) -> bool:
    """Tell whether a pair is for this one address; Neutron writes it with or without its length."""
    return ip_network(pair.address, strict=False) == ip_network(address)
