"""How the groups of a cloud are switched over without a manager, and where their services are probed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError
from escalator.model.vnf_means import (
    FloatingIpMeans,
    ProbeTarget,
    SwitchoverMeans,
    VipPortMeans,
)
from escalator.vim_interface.registry.found import FoundGroup, HaGroupSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchMeans:
    """What is declared of a cloud's groups: group id -> means, and where its service is probed."""

    means: Mapping[str, SwitchoverMeans] = field(default_factory=dict)
    probes: Mapping[str, ProbeTarget] = field(default_factory=dict)


def find_means(snapshot: CloudSnapshot, sources: Sequence[HaGroupSource]) -> Mapping[str, SwitchoverMeans]:
    """Return the means of the groups that have some: id of the group -> means.

    :param sources: in their order of precedence: the first one that knows a group says it all.
    :raises InvalidRequestError: a source contradicts itself, or two groups name the same address.
    """
    found = {group.group.id: group for group in _first_ones(snapshot, sources) if group.means is not None}
    _refuse_shared_addresses(list(found.values()))
    return {group_id: group.means for group_id, group in found.items() if group.means is not None}


def find_probes(snapshot: CloudSnapshot, sources: Sequence[HaGroupSource]) -> Mapping[str, ProbeTarget]:
    """Return where the services of groups are probed: id of the group -> target.

    :param sources: in their order of precedence: the first one that knows a group says it all.
    :raises InvalidRequestError: a source contradicts itself.
    """
    return {g.group.id: g.probe for g in _first_ones(snapshot, sources) if g.probe is not None}


def _first_ones(snapshot: CloudSnapshot, sources: Sequence[HaGroupSource]) -> Iterator[FoundGroup]:
    known: set[str] = set()
    for source in sources:
        groups = source.groups(snapshot)
        yield from (group for group in groups if group.group.id not in known)
        known.update(group.group.id for group in groups)


def _refuse_shared_addresses(groups: Sequence[FoundGroup]) -> None:
    """Refuse two groups that would take the same address from each other."""
    owners: dict[str, FoundGroup] = {}
    for group in groups:
        if not isinstance(group.means, FloatingIpMeans | VipPortMeans):
            continue
        address = group.means.address or getattr(group.means, "port", None) or ""
        other = owners.setdefault(address, group)
        if other is not group:
            raise InvalidRequestError(
                f"{group.origin}.switchover: {address} is that of {other.group.id!r} ({other.origin}) too",
                remedy="let every address be that of one group",
            )
