"""Switches over by an address pair: Neutron lets the standby send as the address, and the other not any more.

Neutron moves no fixed address. What is done, and what is not, is told in ``include/vnfs/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from escalator.model.cloud import Server
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.network import NetworkPort
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.model.vnf_means import VipPortMeans
from escalator.vim_interface.switching.cloud_side import NetworkSide
from escalator.vim_interface.switching.switcher import Health, RoleView, SwitchGroup

_REMEDY = "correct the switchover of the group in its VNF file"


class _Vip(NamedTuple):
    """The address, the host that its port is bound to, and the members' ports on its network."""

    address: str
    host: str | None
    ports: tuple[NetworkPort, ...]

    def port_of(self, server_id: str) -> NetworkPort | None:
        return next((port for port in self.ports if port.server_id == server_id), None)

    def with_pair(self) -> list[NetworkPort]:
        return [port for port in self.ports if port.has_pair(self.address)]


class VipPortSwitcher:
    """One group whose service is where Neutron lets its address be."""

    method = SwitchMethod.VIP_PORT
    repeatable = True

    def __init__(self, means: VipPortMeans, group: SwitchGroup, network: NetworkSide) -> None:
        self._means = means
        self._group = group
        self._network = network
        self._seen: _Vip | None = None

    def find_role(self) -> RoleView:
        """See which member is on the host of the address's port, else which one alone has the pair."""
        vip = self._look()
        paired = vip.with_pair()
        bound = [port for port in vip.ports if vip.host is not None and port.host == vip.host]
        if len(bound) == 1 and bound[0].server_id:
            holder = bound[0].server_id
            words = f"address {vip.address} is on {vip.host}, with {self._group.name_of(holder)}"
            return RoleView(holders=frozenset({holder}), words=words)
        if len(paired) == 1 and paired[0].server_id:
            holder = paired[0].server_id
            words = f"Neutron lets {self._group.name_of(holder)} alone send as {vip.address}"
            return RoleView(holders=frozenset({holder}), words=words)
        words = f"Neutron lets {len(paired)} members send as {vip.address} and does not tell who does"
        return RoleView(unknown=frozenset(self._group.ids), words=words)

    def is_healthy(self, server: Server) -> Health:
        """Tell whether the server has a port with port security, ACTIVE, on the network of the address."""
        port = self._look().port_of(server.id)
        if port is None:
            return Health(ok=False, words=f"{server.name} has no port on the network of the address")
        if not port.secured or port.status != "ACTIVE":
            fault = f"is {port.status or 'of no status'}" if port.secured else "has no port security"
            return Health(ok=False, words=f"port {port.id} of {server.name} {fault}")
        return Health(ok=True)

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:
        """Return the ports, and which of them had the pair."""
        vip = self._look()
        source, target = self._ends(vip, from_server, to_server)
        wider = source.find_wider_pair(vip.address)
        if wider is not None:
            raise InvalidRequestError(
                f"port {source.id}: the pair {wider.address} lets {vip.address} through, and others",
                remedy="give the port a pair for this address alone",
            )
        paired = {port.id for port in vip.with_pair()}
        self._seen = vip
        return {
            "address": vip.address,
            "from_port": source.id,
            "from_had": source.id in paired,
            "to_had": target.id in paired,
        }

    def switch(self, record: SwitchRecord) -> None:
        """Let the standby send as the address, then the server that goes out not any more."""
        vip, self._seen = self._seen or self._look(), None
        source, target = self._ends(vip, record.from_server, record.to_server)
        self._network.ensure_pair(target.id, vip.address, present=True, known=target)
        self._network.ensure_pair(source.id, vip.address, present=False, known=source)

    def finish(self, record: SwitchRecord) -> None:
        """Wait for nothing: open connections have ended with the move."""

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:
        """Give the pair back to the member that had it beside the other one."""
        found = record.found
        if not (found.get("from_had") and found.get("to_had")):
            return ()
        try:
            self._network.ensure_pair(str(found["from_port"]), str(found["address"]), present=True)
        except (NotFoundError, InvalidRequestError) as exc:
            return (f"the address pair {found['address']} was not given back: {exc.message}",)
        return ()

    def _look(self) -> _Vip:
        ports = self._network.fetch_ports(self._group.ids)
        if self._means.port is not None:
            own = self._network.fetch_port(self._means.port)
            if not own.addresses:
                raise InvalidRequestError(f"port {own.id} has no address", remedy=_REMEDY)
        else:
            own = self._find_own(self._means.address or "", ports)
        beside = tuple(port for port in ports if port.network_id == own.network_id)
        return _Vip(address=self._means.address or own.addresses[0], host=own.host, ports=beside)

    def _find_own(self, address: str, ports: Sequence[NetworkPort]) -> NetworkPort:
        """Find the port that reserves an address on a network of the members."""
        networks = {port.network_id for port in ports}
        found = [
            port
            for port in self._network.fetch_ports_with(address)
            if port.network_id in networks and port.server_id not in self._group.ids
        ]
        if len(found) != 1:
            raise InvalidRequestError(
                f"{len(found) or 'no'} ports on the networks of the members reserve {address}", remedy=_REMEDY
            )
        return found[0]

    def _ends(self, vip: _Vip, from_server: str, to_server: str | None) -> tuple[NetworkPort, NetworkPort]:
        source, target = vip.port_of(from_server), vip.port_of(to_server or "")
        if source is None or target is None:
            name = self._group.name_of(from_server if source is None else to_server or "nobody")
            raise InvalidRequestError(f"{name} has no port on the network of {vip.address}", remedy=_REMEDY)
        return source, target
