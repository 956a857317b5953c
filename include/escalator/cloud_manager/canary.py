"""The canary: a tiny server that proves a node before tenants get it, while the node is still disabled.

Nova does not offer a node whose provider has ``COMPUTE_STATUS_DISABLED``, not even when it is named. So the
trait is taken away for the moment in which the canary is scheduled, and the service stays disabled: Nova's
ComputeFilter keeps everybody off who does not force the host, as the canary does: see docs/adr/0006.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.canary_choice import (
    choose_flavor,
    choose_image,
    fetch_flavors,
    fetch_images,
    find_network,
    read_wanted_traits,
)
from escalator.cloud_manager.hypervisors import Hypervisors
from escalator.cloud_manager.placement import Inventories, Placement
from escalator.cloud_manager.records import read_migration
from escalator.cloud_manager.server_needs import read_resources
from escalator.cloud_manager.services import ComputeServices
from escalator.model.canary import AUTO_NETWORK, NO_NETWORK, CanaryWish
from escalator.model.cloud import Resources, Server, ServiceStatus
from escalator.model.errors import ConflictError, NodeFaultError, NotFoundError

PREFIX = "escalator-canary"
_METADATA_KEY = "escalator_canary"
_HOST = "OS-EXT-SRV-ATTR:host"
_NAME_LENGTH = 255
_FORCED_MICROVERSION = "2.67"
"""The last one in which a live migration may be forced, which reaches a disabled node."""
_VIF, _BOUND_TO = "binding:vif_type", "binding:host_id"
_NOT_BOUND = frozenset({"binding_failed", "unbound"})
_PLACED_WITHIN_SECONDS = 60.0
_GONE_WITHIN_SECONDS = 60.0
_POLL_SECONDS = 0.5
NO_WISH = CanaryWish()
"""Escalator chooses."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryShape:
    """What a canary is made of: ids of a flavor, of an image and of a network, or ``none`` or ``auto``."""

    flavor: str
    image: str
    network: str = NO_NETWORK
    resources: Resources = field(default_factory=dict)
    traits: frozenset[str] = frozenset()


class Canaries:
    """Boots, watches and deletes canaries. They belong to the project of the connection.

    :param sleep: waits that many seconds.
    :param monotonic: a clock in seconds that only goes forward.
    """

    def __init__(
        self,
        compute: ServiceApi,
        image: ServiceApi,
        network: ServiceApi,
        services: ComputeServices,
        hypervisors: Hypervisors,
        placement: Placement,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._image = image
        self._network = network
        self._services = services
        self._hypervisors = hypervisors
        self._placement = placement
        self._sleep = sleep
        self._monotonic = monotonic
        self._shapes: dict[object, CanaryShape] = {}

    def describe(self, host: str, *, wish: CanaryWish = NO_WISH) -> Server:
        """Return the canary of a node as a server on it, to be placed on paper. Two calls after its boot."""
        shape = self._choose_shape(host, wish)
        return Server(
            id=make_canary_name(host, ""),
            name=make_canary_name(host, ""),
            host=host,
            vm_state="active",
            resources=shape.resources,
            required_traits=shape.traits,
        )

    def boot(self, host: str, *, run_tag: str, wish: CanaryWish = NO_WISH, at: str | None = None) -> str:
        """Boot a canary on a node, disabled or not; a second run with the same tag takes the one there is.

        :param run_tag: tells apart the canaries of different attempts; part of the name.
        :param wish: of the operator; by default the smallest flavor and image that the node can take.
        :param at: another node, where the canary of this one boots; None: on the node itself.
        :return: id of the server, which has been placed on the node; it may still be building.
        :raises NodeFaultError: it cannot be placed there, or fails while it is built.
        """
        name = make_canary_name(host, run_tag)
        for server in self._find(host):
            if server["name"] != name:
                continue
            if server["status"] != "ERROR":
                return str(server["id"])
            self._force_delete(server["id"])
        shape = self._choose_shape(host, wish)
        where = at or host
        try:
            return self._place(host, where, name, shape)
        except NodeFaultError as exc:
            log.info("%s: once more, nova-compute may have written its traits just then: %s", where, exc)
            self.delete_all(host)
            return self._place(host, where, name, shape)

    def wait(self, server_id: str, host: str, *, timeout_seconds: float) -> None:
        """Wait until a canary is ACTIVE on its node.

        :raises NodeFaultError: it fails, is elsewhere, or takes too long.
        """
        record = self._until(server_id, host, timeout_seconds, lambda server: server["status"] == "ACTIVE")
        if record.get(_HOST) != host:
            raise NodeFaultError(
                f"the canary of {host} runs on {record.get(_HOST)}", remedy="see the scheduler"
            )

    def move(self, server_id: str, destination: str, *, forced: bool, timeout_seconds: float) -> None:
        """Move a canary live to a node and see it arrive; forced goes to a disabled node, past the scheduler.

        :raises NodeFaultError: it does not arrive, or not in time.
        :raises ConflictError: somebody else does something with it.
        """
        request = {"host": destination, "block_migration": "auto", **({"force": True} if forced else {})}
        self._compute.post(
            f"/servers/{server_id}/action",
            {"os-migrateLive": request},
            microversion=_FORCED_MICROVERSION if forced else None,
        )
        deadline = self._monotonic() + timeout_seconds
        while not self._has_arrived(server_id, destination):
            if self._monotonic() > deadline:
                raise NodeFaultError(
                    f"its live migration to {destination} takes more than {timeout_seconds:.0f} s",
                    remedy=f"see the migrations of server {server_id}, and nova-compute's log on both nodes",
                )
            self._sleep(_POLL_SECONDS)

    def _has_arrived(self, server_id: str, destination: str) -> bool:
        """Tell whether a canary is there and its migration is over. One call while it moves, else two.

        :raises NodeFaultError: its migration failed.
        """
        record: Record = self._compute.get(f"/servers/{server_id}")["server"]
        if record["status"] != "ERROR" and record.get("OS-EXT-STS:task_state"):
            return False
        found = self._compute.get("/os-migrations", {"instance_uuid": server_id})["migrations"]
        last = max(map(read_migration, found), key=lambda migration: migration.id, default=None)
        if record["status"] == "ERROR" or (last is not None and last.status.failed):
            said = (record.get("fault") or {}).get("message")
            raise NodeFaultError(
                f"its live migration to {destination} ended in status {last.status if last else 'unknown'}"
                + (f": {said}" if said else ""),
                remedy="read nova-compute's log on both nodes",
            )
        over = last is not None and not last.status.unfinished
        return over and record.get(_HOST) == destination

    def check_ports(self, server_id: str, host: str) -> None:
        """See that the ports of a canary are bound to its node. One call; none where it has no network.

        :raises NodeFaultError: one is not.
        """
        if all(shape.network == NO_NETWORK for shape in self._shapes.values()):
            return
        query = {"device_id": server_id, "fields": ("id", _VIF, _BOUND_TO)}
        for port in self._network.get("/ports", query)["ports"]:
            vif, where = port.get(_VIF), port.get(_BOUND_TO)
            if vif in _NOT_BOUND or (where is not None and where != host):
                raise NodeFaultError(
                    f"port {port['id']} of its canary is not bound to {host}: {vif}, on {where or 'no host'}",
                    remedy="read the logs of Neutron's server and of its agent on the node",
                )

    def delete_all(self, host: str) -> int:
        """Delete every canary of a node and wait until they are gone; a second run finds none.

        :return: how many were there.
        :raises NodeFaultError: one does not go away.
        """
        found = self._find(host)
        for server in found:
            self._force_delete(server["id"])
        deadline = self._monotonic() + _GONE_WITHIN_SECONDS
        left = found
        while left and (left := self._find(host)):
            if self._monotonic() > deadline:
                names = ", ".join(str(server["name"]) for server in left)
                raise NodeFaultError(f"{host}: not deleted: {names}", remedy="see nova-compute's log there")
            self._sleep(_POLL_SECONDS)
        return len(found)

    def _place(self, host: str, where: str, name: str, shape: CanaryShape) -> str:
        with self._open_to_forced(where):
            server_id = self._create(host, where, name, shape)
            self._until(server_id, host, _PLACED_WITHIN_SECONDS, lambda server: bool(server.get(_HOST)))
        log.info("%s: canary %s placed on %s", host, server_id, where)
        return server_id

    @contextmanager
    def _open_to_forced(self, host: str) -> Iterator[None]:
        """Let Placement offer a disabled node inside the block; then it is as its service says again."""
        hypervisor = self._hypervisors.fetch(host)
        if hypervisor.status is ServiceStatus.ENABLED:
            yield
            return
        try:
            self._placement.ensure_disabled_trait(hypervisor.id, present=False)
            yield
        finally:
            self.restore_trait(host, hypervisor.id)

    def restore_trait(self, host: str, provider_id: str) -> None:
        """Make Nova's disabled trait agree with the service; a second run writes nothing."""
        disabled = self._services.fetch(host).status is ServiceStatus.DISABLED
        self._placement.ensure_disabled_trait(provider_id, present=disabled)

    def _create(self, host: str, where: str, name: str, shape: CanaryShape) -> str:
        request = {
            "name": name,
            "flavorRef": shape.flavor,
            "imageRef": shape.image,
            "networks": shape.network
            if shape.network in (NO_NETWORK, AUTO_NETWORK)
            else [{"uuid": shape.network}],
            "availability_zone": f":{where}",
            "metadata": {_METADATA_KEY: host},
        }
        return str(self._compute.post("/servers", {"server": request})["server"]["id"])

    def _until(
        self, server_id: str, host: str, timeout_seconds: float, reached: Callable[[Record], bool]
    ) -> Record:
        deadline = self._monotonic() + timeout_seconds
        while True:
            record: Record = self._compute.get(f"/servers/{server_id}")["server"]
            if record["status"] == "ERROR":
                said = (record.get("fault") or {}).get("message", "no fault recorded")
                raise NodeFaultError(f"the canary of {host} failed: {said}", remedy=f"see server {server_id}")
            if reached(record):
                return record
            if self._monotonic() > deadline:
                message = f"the canary of {host} is {record['status']} after {timeout_seconds:.0f} s"
                raise NodeFaultError(message, remedy=f"see server {server_id} and nova-compute's log")
            self._sleep(_POLL_SECONDS)

    def _find(self, host: str) -> list[Record]:
        """List our own project's canaries of a node: no tenant's server can be among them."""
        query = {"name": f"^{re.escape(make_canary_name(host, ''))}"}
        found = self._compute.pages("/servers/detail", "servers", query)
        return [server for server in found if server["metadata"].get(_METADATA_KEY) == host]

    def _force_delete(self, server_id: str) -> None:
        """Delete at once, also where deleted servers are kept for a while."""
        try:
            self._compute.post(f"/servers/{server_id}/action", {"forceDelete": None})
        except (NotFoundError, ConflictError) as exc:
            log.info("canary %s: %s", server_id, exc)

    def _choose_shape(self, host: str, wish: CanaryWish) -> CanaryShape:
        """Choose flavor, image and network; of nodes that have the same, once."""
        inventory = None if wish.flavor else self._fetch_inventory(host)
        key = (wish, None if inventory is None else frozenset(inventory.items()))
        if key not in self._shapes:
            flavor = choose_flavor(fetch_flavors(self._compute), wish.flavor, inventory)
            images = fetch_images(self._image, wish.image)
            image = choose_image(images, wish.image, flavor, self._compute.find_project())
            network = find_network(self._network, wish.network)
            self._shapes[key] = CanaryShape(
                flavor=flavor["id"],
                image=image["id"],
                network=network,
                resources=read_resources(flavor, {}, volume_backed=False),
                traits=read_wanted_traits(flavor),
            )
        return self._shapes[key]

    def _fetch_inventory(self, host: str) -> Inventories | None:
        try:
            return self._placement.fetch_inventory(self._hypervisors.fetch(host).id)
        except NotFoundError:
            return None


def make_canary_name(host: str, run_tag: str) -> str:
    """Name the canary of a node and an attempt."""
    return f"{PREFIX}-{host}-{run_tag}"[:_NAME_LENGTH]
