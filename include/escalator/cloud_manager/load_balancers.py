"""Octavia's pools and their members: who gets connections, and with which weight."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.model.errors import ConflictError, InvalidRequestError, NodeFaultError, TransientError
from escalator.model.load_balancer import PoolMember

_ASK_EVERY_SECONDS = 0.5
_ATTEMPTS = 120
"""A load balancer takes no change while it carries out another one: it is asked so often."""

log = logging.getLogger(__name__)


class LoadBalancers:
    """Reads pools and members, and sets weights.

    :param sleep: waits that many seconds.
    """

    def __init__(self, octavia: ServiceApi, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._octavia = octavia
        self._sleep = sleep

    def exists(self) -> bool:
        """Tell whether the cloud has Octavia."""
        return self._octavia.exists()

    def fetch_pools(self, load_balancer_id: str) -> tuple[str, ...]:
        """Read the ids of a load balancer's pools, sorted. One call.

        :raises NotFoundError: there is no such load balancer.
        """
        self._require()
        record = self._octavia.get(f"/lbaas/loadbalancers/{load_balancer_id}")["loadbalancer"]
        return tuple(sorted(pool["id"] for pool in record.get("pools") or ()))

    def fetch_load_balancer(self, pool_id: str) -> str:
        """Read the id of the load balancer that a pool is of. One call.

        :raises NotFoundError: there is no such pool.
        """
        self._require()
        record = self._octavia.get(f"/lbaas/pools/{pool_id}")["pool"]
        owners = [owner["id"] for owner in record.get("loadbalancers") or ()]
        if not owners:
            raise InvalidRequestError(
                f"pool {pool_id} is of no load balancer", remedy="see the pool in the VNF file"
            )
        return str(owners[0])

    def fetch_members(self, pool_id: str) -> tuple[PoolMember, ...]:
        """Read the members of a pool, sorted by id. One call.

        :raises NotFoundError: there is no such pool.
        """
        self._require()
        records = self._octavia.pages(f"/lbaas/pools/{pool_id}/members", "members")
        return tuple(sorted((read_member(r, pool_id) for r in records), key=lambda member: member.id))

    def fetch_open_connections(self, load_balancer_id: str) -> int:
        """Read how many connections are open through a load balancer, to whatever member. One call."""
        self._require()
        stats = self._octavia.get(f"/lbaas/loadbalancers/{load_balancer_id}/stats")["stats"]
        return int(stats["active_connections"])

    def ensure_weight(self, pool_id: str, member_id: str, weight: int) -> bool:
        """Give a member that weight and wait until it is in effect; a second run writes nothing.

        :return: whether it had to be written.
        :raises NotFoundError: there is no such member.
        :raises NodeFaultError: Octavia could not bring the change to its load balancers.
        :raises TransientError: the load balancer stays busy.
        """
        self._require()
        path = f"/lbaas/pools/{pool_id}/members/{member_id}"
        written = False
        for _ in range(_ATTEMPTS):
            member = read_member(self._octavia.get(path)["member"], pool_id)
            if member.provisioning_status == "ERROR":
                raise NodeFaultError(
                    f"member {member_id} of pool {pool_id} is in ERROR",
                    remedy="fail the load balancer over, see `openstack loadbalancer failover`",
                )
            if member.weight == weight and member.provisioning_status == "ACTIVE":
                return written
            if member.weight != weight and member.provisioning_status == "ACTIVE":
                written = self._try_weight(path, weight) or written
            else:
                self._sleep(_ASK_EVERY_SECONDS)
        raise TransientError(
            f"member {member_id} of pool {pool_id} takes no change: its load balancer is busy",
            remedy="see the provisioning status of the load balancer",
        )

    def _try_weight(self, path: str, weight: int) -> bool:
        """Write it; a load balancer that is busy refuses it with 409, having done nothing."""
        try:
            self._octavia.put(path, {"member": {"weight": weight}})
        except ConflictError as exc:
            log.info("%s", exc)
            self._sleep(_ASK_EVERY_SECONDS)
            return False
        log.info("%s: weight %d", path, weight)
        return True

    def _require(self) -> None:
        if not self.exists():
            raise InvalidRequestError(
                "the cloud has no load balancers: its catalogue has no service load-balancer",
                remedy="choose another switchover for the group in its VNF file",
            )


def read_member(record: Record, pool_id: str) -> PoolMember:
    """Read one record of ``GET /v2/lbaas/pools/{id}/members``."""
    return PoolMember(
        id=record["id"],
        pool_id=pool_id,
        address=record["address"],
        weight=int(record["weight"]),
        operating_status=record.get("operating_status") or "",
        provisioning_status=record.get("provisioning_status") or "",
        enabled=bool(record.get("admin_state_up", True)),
        backup=bool(record.get("backup")),
    )
