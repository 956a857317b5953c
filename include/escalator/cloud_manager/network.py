"""Neutron's floating IPs and ports: who has an address, and giving it to another port."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError, TransientError
from escalator.model.network import AddressPair, FloatingIp, NetworkPort, is_for

_ATTEMPTS = 3
"""So often a change is tried when others change the same thing between our look and our write."""

log = logging.getLogger(__name__)


class Network:
    """Reads floating IPs and ports, and changes which port has an address."""

    def __init__(self, network: ServiceApi) -> None:
        self._network = network

    def exists(self) -> bool:
        """Tell whether the cloud has Neutron."""
        return self._network.exists()

    def fetch_floating_ip(self, address: str) -> FloatingIp:
        """Read the floating IP of an address. One call.

        :raises NotFoundError: there is none.
        :raises InvalidRequestError: this Neutron has no floating IPs.
        """
        found = self._floating_ips({"floating_ip_address": address})
        if not found:
            raise NotFoundError(f"no floating IP has the address {address}", remedy="see the VNF file")
        return found[0]

    def fetch_floating_ips(self, port_ids: Collection[str]) -> tuple[FloatingIp, ...]:
        """Read the floating IPs of ports, sorted by address. One call, none without ports.

        :raises InvalidRequestError: this Neutron has no floating IPs.
        """
        if not port_ids:
            return ()
        return self._floating_ips({"port_id": sorted(port_ids)})

    def fetch_port(self, port_id: str) -> NetworkPort:
        """Read one port. One call.

        :raises NotFoundError: there is none.
        """
        return read_port(self._network.get(f"/ports/{port_id}")["port"])

    def fetch_ports(self, server_ids: Collection[str]) -> tuple[NetworkPort, ...]:
        """Read the ports of servers, sorted by server and id. One call, none without servers."""
        if not server_ids:
            return ()
        return self._ports({"device_id": sorted(server_ids)})

    def fetch_ports_with(self, address: str) -> tuple[NetworkPort, ...]:
        """Read the ports whose fixed address this is, in any network. One call."""
        return self._ports({"fixed_ips": f"ip_address={address}"})

    def ensure_floating_ip(
        self, address: str, port_id: str, fixed_address: str, *, known: FloatingIp | None = None
    ) -> bool:
        """Give a floating IP to a port; a second run finds it there and writes nothing. One or two calls.

        One call takes it from the other port and gives it to this one. It is refused by Neutron when the
        floating IP was changed after our look: then we look again.

        :param known: the floating IP as it was just read; spares a look.
        :return: whether it had to be written.
        :raises NotFoundError: there is no such floating IP, or port.
        :raises ConflictError: the fixed address has a floating IP already.
        :raises TransientError: others change it all the time.
        """
        refused: tuple[FloatingIp, ConflictError] | None = None
        for _ in range(_ATTEMPTS):
            found, known = known or self.fetch_floating_ip(address), None
            if (found.port_id, found.fixed_address) == (port_id, fixed_address):
                return False
            if refused is not None and refused[0] == found:  # nobody has changed it: it is refused for good
                raise refused[1]
            body = {"floatingip": {"port_id": port_id, "fixed_ip_address": fixed_address}}
            try:
                self._network.put(f"/floatingips/{found.id}", body, revision=found.revision)
            except ConflictError as exc:
                refused = (found, exc)
                log.info("floating IP %s was changed at the same moment, looking again", address)
                continue
            log.info("floating IP %s: from port %s to port %s", address, found.port_id, port_id)
            return True
        raise _written_by_others(f"floating IP {address}")

    def ensure_pair(
        self, port_id: str, address: str, *, present: bool, known: NetworkPort | None = None
    ) -> bool:
        """Let a port send as an address, or not any more; other pairs stay. One or two calls.

        A second run finds it so and writes nothing.

        :param known: the port as it was just read; spares a look.
        :return: whether it had to be written.
        :raises InvalidRequestError: the port has no port security, or a wider pair lets the address through:
            nothing was written.
        :raises TransientError: others change it all the time.
        """
        for _ in range(_ATTEMPTS):
            port, known = known or self.fetch_port(port_id), None
            _refuse_without_effect(port, address, present=present)
            if port.has_pair(address) is present:
                return False
            pairs = [pair for pair in port.pairs if not is_for(pair, address)]
            pairs += [AddressPair(address=address)] if present else []
            body = {"port": {"allowed_address_pairs": [_pair_to_record(pair) for pair in pairs]}}
            try:
                self._network.put(f"/ports/{port_id}", body, revision=port.revision)
            except ConflictError:
                log.info("port %s was changed at the same moment, looking again", port_id)
                continue
            log.info("port %s: address pair %s %s", port_id, address, "added" if present else "removed")
            return True
        raise _written_by_others(f"port {port_id}")

    def _floating_ips(self, query: dict[str, Any]) -> tuple[FloatingIp, ...]:
        try:
            found = [read_floating_ip(r) for r in self._network.pages("/floatingips", "floatingips", query)]
        except NotFoundError as exc:
            raise InvalidRequestError(
                "the cloud has no floating IPs: its Neutron has no router plug-in",
                remedy="choose another switchover for the group in its VNF file",
                request_id=exc.request_id,
            ) from exc
        return tuple(sorted(found, key=lambda one: one.address))

    def _ports(self, query: dict[str, Any]) -> tuple[NetworkPort, ...]:
        found = [read_port(record) for record in self._network.pages("/ports", "ports", query)]
        return tuple(sorted(found, key=lambda port: (port.server_id or "", port.id)))


def read_floating_ip(record: Record) -> FloatingIp:
    """Read one record of ``GET /floatingips``."""
    return FloatingIp(
        id=record["id"],
        address=record["floating_ip_address"],
        port_id=record.get("port_id") or None,
        fixed_address=record.get("fixed_ip_address") or None,
        revision=record.get("revision_number"),
    )


def read_port(record: Record) -> NetworkPort:
    """Read one record of ``GET /ports``; a pair with the port's own MAC is one without."""
    own = record.get("mac_address")
    pairs = record.get("allowed_address_pairs") or ()
    return NetworkPort(
        id=record["id"],
        network_id=record["network_id"],
        server_id=record.get("device_id") or None,
        host=record.get("binding:host_id") or None,
        addresses=tuple(fixed["ip_address"] for fixed in record.get("fixed_ips") or ()),
        pairs=tuple(
            AddressPair(
                address=pair["ip_address"],
                mac=mac if (mac := pair.get("mac_address")) and mac != own else None,
            )
            for pair in pairs
        ),
        status=record.get("status") or "",
        secured=bool(record.get("port_security_enabled", True)),
        revision=record.get("revision_number"),
    )


def _pair_to_record(pair: AddressPair) -> dict[str, str]:
    return {"ip_address": pair.address} | ({"mac_address": pair.mac} if pair.mac else {})


def _refuse_without_effect(port: NetworkPort, address: str, *, present: bool) -> None:
    wider = port.find_wider_pair(address)
    if not port.secured:
        raise InvalidRequestError(
            f"port {port.id} has no port security: it may send as any address",
            remedy="enable it, or choose another switchover for the group in its VNF file",
        )
    if wider is not None and not present:
        raise InvalidRequestError(
            f"port {port.id}: the pair {wider.address} lets {address} through, and other addresses",
            remedy="give the port a pair for this address alone",
        )


def _written_by_others(what: str) -> TransientError:
    return TransientError(f"{what} is changed by others all the time", remedy="find out who changes it")
