"""Placement: what every node has, what is taken of it, and its traits, in few calls.

Usages and traits of all providers come in one answer, the provider summaries of ``/allocation_candidates``.
It holds capacities only. What else is in an inventory (total, reserved, ratio, largest unit) is read of one
provider for all that have the same capacities of all resource classes: these are machines of one kind. A
machine whose hardware or configuration changes gets other capacities, and is read again.

What stands on child providers of a node (vGPUs, PCI devices, network bandwidth) counts with the node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from threading import Lock

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.records import read_inventory_record
from escalator.model.cloud import ResourceInventory
from escalator.model.errors import ConflictError, NotFoundError, TransientError

Inventories = Mapping[str, ResourceInventory]
Shape = frozenset[tuple[str, int]]
"""Capacity by resource class: what tells one kind of machine from another."""

DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"
"""Nova's mark on the provider of a disabled nova-compute: Placement offers no such provider to Nova."""
_ANY_FREE = "MEMORY_MB:1"
"""Asks for every provider with a MiB of memory left; the few that have none are read one by one."""
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """One resource provider: what it has (by resource class), what is allocated of it, its traits."""

    inventory: Inventories
    usage: Mapping[str, int]
    traits: frozenset[str]


class Placement:
    """Reads resource providers; the only thing it writes is Nova's own disabled trait."""

    def __init__(self, placement: ServiceApi) -> None:
        self._placement = placement
        self._known: dict[Shape, Inventories] = {}
        self._lock = Lock()

    def fetch_summaries(self) -> dict[str, Record]:
        """Read capacity, use and traits of every provider that has memory left. One call.

        :return: provider id -> provider summary of Placement's.
        """
        query = {"resources": _ANY_FREE}
        summaries: dict[str, Record] = self._placement.get("/allocation_candidates", query)[
            "provider_summaries"
        ]
        return summaries

    def fetch_states(
        self, provider_ids: Iterable[str], summaries: Mapping[str, Record], pool: Executor
    ) -> dict[str, ProviderState]:
        """Complete the summaries of these providers with inventories.

        One call for each kind of machine or device seen for the first time; three for each provider that is
        full and each of its children, and one more for all of them.

        :param summaries: what :meth:`fetch_summaries` has read.
        :return: provider id -> state with that of its children; what Placement does not know is left out.
        """
        roots = list(provider_ids)
        children = self._find_children(roots, summaries)
        wanted = [*roots, *(child for ids in children.values() for child in ids)]
        examples = {read_shape(summaries[i]): i for i in reversed(wanted) if i in summaries}
        unknown = [provider_id for shape, provider_id in examples.items() if shape not in self._known]
        list(pool.map(self._learn, unknown))
        states = pool.map(lambda provider_id: self._state(provider_id, summaries.get(provider_id)), wanted)
        found = dict(zip(wanted, states, strict=True))
        return {
            root: add_up_states([state, *filter(None, (found[child] for child in children.get(root, ())))])
            for root in roots
            if (state := found[root]) is not None
        }

    def _find_children(
        self, roots: Sequence[str], summaries: Mapping[str, Record]
    ) -> Mapping[str, Sequence[str]]:
        """Return the child providers of nodes; only where one is full the providers are listed for it."""
        known = set(roots)
        parents = {i: summary.get("root_provider_uuid") for i, summary in summaries.items()}
        if not known <= parents.keys():
            listed = self._placement.get("/resource_providers")["resource_providers"]
            parents |= {record["uuid"]: record.get("root_provider_uuid") for record in listed}
        children: dict[str, list[str]] = {}
        for provider_id, root in parents.items():
            if root in known and provider_id != root:
                children.setdefault(root, []).append(provider_id)
        return children

    def fetch_tree(self, provider_id: str) -> Inventories:
        """Read the inventories of a provider and of its children. One call, and one for each of them.

        :raises NotFoundError: there is no such provider.
        """
        listed = self._placement.get("/resource_providers", {"in_tree": provider_id})["resource_providers"]
        if not listed:
            raise NotFoundError(f"Placement has no resource provider {provider_id}")
        return add_up_inventories([self.fetch_inventory(record["uuid"]) for record in listed])

    def fetch_inventory(self, provider_id: str) -> Inventories:
        """Read the inventories of one provider. One call.

        :raises NotFoundError: there is no such provider.
        """
        records = self._placement.get(f"/resource_providers/{provider_id}/inventories")["inventories"]
        inventories = {name: read_inventory_record(record) for name, record in records.items()}
        with self._lock:
            self._known[frozenset((name, item.capacity) for name, item in inventories.items())] = inventories
        return inventories

    def fetch_usage(self, provider_id: str) -> dict[str, int]:
        """Read what is allocated on one provider. One call."""
        return dict(self._placement.get(f"/resource_providers/{provider_id}/usages")["usages"])

    def fetch_traits(self, provider_id: str) -> frozenset[str]:
        """Read the traits of one provider. One call."""
        return frozenset(self._placement.get(f"/resource_providers/{provider_id}/traits")["traits"])

    def ensure_disabled_trait(self, provider_id: str, *, present: bool) -> bool:
        """Set or remove Nova's disabled trait; a second run finds it so and writes nothing. One or two calls.

        :return: whether it had to be written.
        :raises TransientError: somebody else kept writing to the provider.
        """
        path = f"/resource_providers/{provider_id}/traits"
        for _ in range(_ATTEMPTS):
            found = self._placement.get(path)
            if (DISABLED_TRAIT in found["traits"]) is present:
                return False
            others = [trait for trait in found["traits"] if trait != DISABLED_TRAIT]
            traits = [*others, DISABLED_TRAIT] if present else others
            generation = found["resource_provider_generation"]
            try:
                self._placement.put(path, {"traits": traits, "resource_provider_generation": generation})
            except ConflictError:
                continue
            return True
        raise TransientError(f"the traits of provider {provider_id} are written by others all the time")

    def _state(self, provider_id: str, summary: Record | None) -> ProviderState | None:
        try:
            if summary is None:
                return ProviderState(
                    inventory=self.fetch_inventory(provider_id),
                    usage=self.fetch_usage(provider_id),
                    traits=self.fetch_traits(provider_id),
                )
            known = self._known.get(read_shape(summary))
            return ProviderState(
                inventory=self.fetch_inventory(provider_id) if known is None else known,
                usage={name: int(item["used"]) for name, item in summary["resources"].items()},
                traits=frozenset(summary["traits"]),
            )
        except NotFoundError:
            return None

    def _learn(self, provider_id: str) -> None:
        with contextlib.suppress(NotFoundError):  # deleted since: others of its kind are read by themselves
            self.fetch_inventory(provider_id)


def read_shape(summary: Record) -> Shape:
    """Return the capacities of a provider summary."""
    return frozenset((name, int(item["capacity"])) for name, item in summary["resources"].items())


def add_up_states(states: Sequence[ProviderState]) -> ProviderState:
    """Put the states of a node's provider and of its children together, its own first."""
    if len(states) == 1:
        return states[0]
    usage: dict[str, int] = {}
    for state in states:
        for name, amount in state.usage.items():
            usage[name] = usage.get(name, 0) + amount
    return ProviderState(
        inventory=add_up_inventories([state.inventory for state in states]),
        usage=usage,
        traits=frozenset().union(*(state.traits for state in states)),
    )


def add_up_inventories(inventories: Sequence[Inventories]) -> Inventories:
    """Add up inventories by resource class; one server may have what the largest of the providers has.

    Of providers with different ratios the capacities are added up, as totals without a ratio.
    """
    items: dict[str, list[ResourceInventory]] = {}
    for inventory in inventories:
        for name, item in inventory.items():
            items.setdefault(name, []).append(item)
    return {name: found[0] if len(found) == 1 else _add_up(found) for name, found in items.items()}


def _add_up(items: Sequence[ResourceInventory]) -> ResourceInventory:
    most = max(
        item.capacity if item.max_unit is None else min(item.max_unit, item.capacity) for item in items
    )
    ratios = {item.allocation_ratio for item in items}
    if len(ratios) > 1:
        return ResourceInventory(total=sum(item.capacity for item in items), max_unit=most)
    return ResourceInventory(
        total=sum(item.total for item in items),
        reserved=sum(item.reserved for item in items),
        allocation_ratio=ratios.pop(),
        max_unit=most,
    )
