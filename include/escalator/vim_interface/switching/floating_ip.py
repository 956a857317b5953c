"""Switches over by a floating IP: Neutron gives it to a port of the standby."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from escalator.model.cloud import Server
from escalator.model.errors import InvalidRequestError
from escalator.model.network import FloatingIp, NetworkPort
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.model.vnf_means import FloatingIpMeans
from escalator.vim_interface.switching.cloud_side import NetworkSide
from escalator.vim_interface.switching.switcher import Health, RoleView, SwitchGroup

_REMEDY = "give the standby a port on the network of the active member, or correct the VNF file"


class _Place(NamedTuple):
    """Where the floating IP was a moment ago, and the port and address of the target that it goes to."""

    floating: FloatingIp
    target: str
    port_id: str
    fixed_address: str


class FloatingIpSwitcher:
    """One group whose service is where its floating IP is."""

    method = SwitchMethod.FLOATING_IP
    repeatable = True

    def __init__(self, means: FloatingIpMeans, group: SwitchGroup, network: NetworkSide) -> None:
        self._address = means.address
        self._group = group
        self._network = network
        self._seen: _Place | None = None

    def find_role(self) -> RoleView:
        """See in Neutron which server's port has the floating IP."""
        floating, port = self._look()
        if port is None or port.server_id is None:
            where = "no port" if port is None else f"port {port.id}, which is of no server"
            return RoleView(words=f"floating IP {floating.address} is at {where}")
        holder = port.server_id
        words = f"floating IP {floating.address} is at {self._group.name_of(holder)}"
        return RoleView(holders=frozenset({holder}), words=words)

    def is_healthy(self, server: Server) -> Health:
        """Tell whether the server has a port that Neutron calls ACTIVE on the floating IP's network."""
        try:
            _, current = self._look()
            port, _ = self._choose_place(server.id, current, self._network.fetch_ports((server.id,)))
        except InvalidRequestError as exc:
            return Health(ok=False, words=exc.message)
        if port.status != "ACTIVE":
            return Health(
                ok=False, words=f"port {port.id} of {server.name} is {port.status or 'of no status'}"
            )
        return Health(ok=True)

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:
        """Return the port and address that have the floating IP."""
        floating, port = self._look()
        target = _named(to_server, from_server)
        place, fixed = self._choose_place(target, port, self._network.fetch_ports((target,)))
        if port is not None and port.server_id == from_server:
            self._seen = _Place(floating=floating, target=target, port_id=place.id, fixed_address=fixed)
        return {"port": floating.port_id, "fixed_address": floating.fixed_address}

    def switch(self, record: SwitchRecord) -> None:
        """Give the floating IP to the standby, if the server that goes out has it still."""
        target = _named(record.to_server, record.from_server)
        seen, self._seen = self._seen, None
        if seen is None or seen.target != target:
            seen = self._find_place(record.from_server, target)
        if seen is not None:
            self._network.ensure_floating_ip(
                seen.floating.address, seen.port_id, seen.fixed_address, known=seen.floating
            )

    def finish(self, record: SwitchRecord) -> None:
        """Wait for nothing: open connections have ended with the move."""

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:  # noqa: ARG002
        """Restore nothing: the service stays where it is."""
        return ()

    def _find_place(self, from_server: str, target: str) -> _Place | None:
        """Look where the floating IP is to go; None: the server that goes out has it not any more."""
        floating = self._network.fetch_floating_ip(self._address)
        ports = self._network.fetch_ports((from_server, target))
        port = next((one for one in ports if one.id == floating.port_id), None)
        if port is None or port.server_id != from_server:
            return None
        place, fixed = self._choose_place(target, port, ports)
        return _Place(floating=floating, target=target, port_id=place.id, fixed_address=fixed)

    def _look(self) -> tuple[FloatingIp, NetworkPort | None]:
        floating = self._network.fetch_floating_ip(self._address)
        return floating, self._network.fetch_port(floating.port_id) if floating.port_id else None

    def _choose_place(
        self, server_id: str, port: NetworkPort | None, ports: Sequence[NetworkPort]
    ) -> tuple[NetworkPort, str]:
        """Choose the port and address of a server that the floating IP goes to, from ``port``'s network."""
        for one in ports:
            fixed = [address for address in one.addresses if ip_address(address).version == 4]  # noqa: PLR2004
            beside = port is None or one.network_id == port.network_id
            if one.server_id == server_id and fixed and beside:
                return one, fixed[0]
        name = self._group.name_of(server_id)
        raise InvalidRequestError(f"{name} has no port that could take {self._address}", remedy=_REMEDY)


def _named(to_server: str | None, from_server: str) -> str:
    if to_server is None:
        raise InvalidRequestError(
            f"no member is named that takes over from {from_server}", remedy="see the members of the group"
        )
    return to_server
