"""Switches over by weights: Octavia sends no new connection to the members of the server that goes out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from escalator.model.cloud import Server
from escalator.model.errors import InvalidRequestError, NodeFaultError, NotFoundError
from escalator.model.load_balancer import PoolMember
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.model.vnf_means import OctaviaMeans
from escalator.vim_interface.switching.cloud_side import BalancerSide, NetworkSide
from escalator.vim_interface.switching.switcher import Health, RoleView, SwitchGroup

_ASK_EVERY_SECONDS = 1.0

log = logging.getLogger(__name__)


class OctaviaSwitcher:
    """One group whose members share the connections of pools.

    :param clock: returns the time, aware; :param sleep: waits that many seconds.
    """

    method = SwitchMethod.OCTAVIA
    repeatable = True

    def __init__(
        self,
        means: OctaviaMeans,
        group: SwitchGroup,
        network: NetworkSide,
        balancers: BalancerSide,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._means = means
        self._group = group
        self._network = network
        self._balancers = balancers
        self._clock = clock
        self._sleep = sleep

    def find_role(self) -> RoleView:
        """See in Octavia whose members get connections; one whose change is under way cannot be told."""
        of_server = self._members_by_server()
        serving = {s for s, members in of_server.items() if any(m.weight > 0 and m.enabled for m in members)}
        busy = {s for s, members in of_server.items() if not all(m.is_left for m in members)} - serving
        names = ", ".join(sorted(map(self._group.name_of, serving))) or "nobody"
        words = f"Octavia sends new connections to {names}"
        return RoleView(holders=frozenset(serving), unknown=frozenset(busy), words=words)

    def is_healthy(self, server: Server) -> Health:
        """Tell whether the server is a member that serves in every pool."""
        members = self._members_by_server().get(server.id, [])
        pools = self._pools()
        missing = [pool for pool in pools if not any(m.pool_id == pool and m.serves for m in members)]
        if missing:
            return Health(ok=False, words=f"{server.name} does not serve in pool {missing[0]}")
        return Health(ok=True)

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the weights of the server's members.

        :raises InvalidRequestError: nobody else serves in one of the pools.
        """
        of_server = self._members_by_server()
        weights: dict[str, dict[str, int]] = {}
        for member in of_server.get(from_server, []):
            if member.weight > 0:
                weights.setdefault(member.pool_id, {})[member.id] = member.weight
        for pool in weights:
            others = [m for server, ms in of_server.items() if server != from_server for m in ms]
            if not any(m.pool_id == pool and m.serves for m in others):
                raise InvalidRequestError(
                    f"no other member serves in pool {pool}", remedy="see the members of the pool"
                )
        return {"weights": weights}

    def switch(self, record: SwitchRecord) -> None:
        """Give every member that had a weight the weight 0."""
        for pool, weights in record.found.get("weights", {}).items():
            for member in weights:
                self._balancers.ensure_weight(pool, member, 0)

    def finish(self, record: SwitchRecord) -> None:
        """Wait until no connection is open through the load balancers, or the limit after the beginning."""
        until = record.begun_at + timedelta(seconds=self._means.drain_seconds)
        owners = {self._balancers.fetch_load_balancer(pool) for pool in record.found.get("weights", {})}
        while owners and self._clock() < until:
            if not sum(map(self._balancers.fetch_open_connections, sorted(owners))):
                return
            left = (until - self._clock()).total_seconds()
            self._sleep(min(_ASK_EVERY_SECONDS, max(0.0, left)))

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:
        """Restore the weights that are still 0, value for value; what a person has set meanwhile stays.

        :raises NodeFaultError: Octavia could not bring a change to its load balancers; the others are made.
        """
        findings: list[str] = []
        broken: list[NodeFaultError] = []
        for pool, weights in record.found.get("weights", {}).items():
            try:
                now = {member.id: member.weight for member in self._balancers.fetch_members(pool)}
            except NotFoundError:
                findings.append(f"pool {pool} is gone")
                continue
            for member, weight in weights.items():
                if member not in now:
                    findings.append(f"member {member} of pool {pool} is gone")
                elif now[member] == 0:
                    try:
                        self._balancers.ensure_weight(pool, member, int(weight))
                    except NodeFaultError as exc:
                        broken.append(exc)
                elif now[member] != weight:
                    findings.append(
                        f"member {member} of pool {pool} was given the weight {now[member]} meanwhile, "
                        f"it had {weight}: that stays"
                    )
        if broken:
            raise NodeFaultError("; ".join(exc.message for exc in broken), remedy=broken[0].remedy)
        return tuple(findings)

    def _pools(self) -> tuple[str, ...]:
        if self._means.pool is not None:
            return (self._means.pool,)
        return self._balancers.fetch_pools(self._means.load_balancer or "")

    def _members_by_server(self) -> dict[str, list[PoolMember]]:
        """Read the members of every pool: id of the server -> its own; a server is known by its addresses."""
        owners = {
            address: port.server_id
            for port in self._network.fetch_ports(self._group.ids)
            for address in port.addresses
            if port.server_id
        }
        found: dict[str, list[PoolMember]] = {}
        for pool in self._pools():
            for member in self._balancers.fetch_members(pool):
                owner = owners.get(member.address)
                if owner is None:
                    log.info(
                        "member %s of pool %s (%s) is of no server of the group",
                        member.id,
                        pool,
                        member.address,
                    )
                    continue
                found.setdefault(owner, []).append(member)
        return found
