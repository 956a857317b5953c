"""One node's resource provider, whole: what verify compares with what was there before the upgrade."""

from __future__ import annotations

from escalator.cloud_manager.api import ServiceApi
from escalator.cloud_manager.placement import DISABLED_TRAIT, Placement, add_up_inventories
from escalator.model.errors import NotFoundError
from escalator.model.node_facts import ProviderFacts


class Providers:
    """Reads resource providers one by one; writes nothing."""

    def __init__(self, placement: ServiceApi) -> None:
        self._placement = placement
        self._reader = Placement(placement)

    def fetch_provider(self, provider_id: str) -> ProviderFacts:
        """Read what Placement has of a node. Four calls, and two for each child of its provider.

        :raises NotFoundError: there is no such provider.
        """
        listed = self._placement.get("/resource_providers", {"in_tree": provider_id})["resource_providers"]
        if not listed:
            raise NotFoundError(f"Placement has no resource provider {provider_id}")
        ids = [str(record["uuid"]) for record in listed]
        inventories = [self._reader.fetch_inventory(one) for one in ids]
        traits = frozenset().union(*(self._reader.fetch_traits(one) for one in ids))
        found = self._placement.get(f"/resource_providers/{provider_id}/aggregates")["aggregates"]
        return ProviderFacts(
            id=provider_id,
            inventory=add_up_inventories(inventories),
            traits=tuple(sorted(traits - {DISABLED_TRAIT})),
            aggregates=tuple(sorted(map(str, found))),
        )

    def fetch_consumers(self, provider_id: str) -> frozenset[str]:
        """Read who has allocations on a provider: ids of servers and of migrations. One call.

        :raises NotFoundError: there is no such provider.
        """
        found = self._placement.get(f"/resource_providers/{provider_id}/allocations")["allocations"]
        return frozenset(found)
