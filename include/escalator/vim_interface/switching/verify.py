"""Verified, not believed: looks where it can be seen that the service of a group has left a server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address

from escalator.model.errors import EscalatorError, InvalidRequestError, NotFoundError, TransientError
from escalator.model.vnf_means import FloatingIpMeans, ProbeTarget, VipPortMeans
from escalator.vim_interface.switching.cloud_side import NetworkSide
from escalator.vim_interface.switching.floating_ip import FloatingIpSwitcher
from escalator.vim_interface.switching.switcher import RoleView, Seen, Switcher, SwitchGroup
from escalator.vim_interface.switching.vip_port import VipPortSwitcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether the service was seen to have left, and what was seen where.

    :ivar holders: ids of the servers that were seen to have it, be they members or not.
    """

    seen: Seen
    words: str
    holders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddresses:
    """Floating IP -> id of the server that had it, at one moment."""

    holders: Mapping[str, str] = field(default_factory=dict)

    def of_members(self, members: Collection[str]) -> ServiceAddresses:
        """Return those that members of a group had."""
        return ServiceAddresses(holders={a: o for a, o in self.holders.items() if o in members})

    def of(self, server_id: str) -> tuple[str, ...]:
        """Return the floating IPs that a server had, sorted."""
        return tuple(sorted(address for address, owner in self.holders.items() if owner == server_id))


def fetch_service_addresses(network: NetworkSide, group: SwitchGroup) -> ServiceAddresses:
    """Read which members have which floating IPs. Two calls; none of them where Neutron has none."""
    owners = {port.id: port.server_id for port in network.fetch_ports(group.ids)}
    try:
        floating = network.fetch_floating_ips(tuple(owners))
    except InvalidRequestError:
        return ServiceAddresses()
    return ServiceAddresses(
        holders={one.address: owner for one in floating if one.port_id and (owner := owners.get(one.port_id))}
    )


def verify_left(
    server_id: str,
    group: SwitchGroup,
    *,
    network: NetworkSide,
    switcher: Switcher | None = None,
    before: ServiceAddresses | None = None,
    probe: ProbeTarget | None = None,
    answers: bool | None = None,
) -> Verification:
    """Look whether the service of a group has left a server, in the first place that can tell.

    These places are the means of the group, the floating IPs that the server had before it was asked, and the
    address that is probed, if Neutron knows who has it.

    :param before: as it was before anybody was asked to switch.
    :param answers: whether the probed address answers now: it says that there is a service, not where.
    """
    looks = [switcher.find_role] if switcher is not None else []
    if before is not None and before.of(server_id):
        looks.append(partial(_compare_now, server_id, group, before, network))
    looks += _look_at_probed(group, network, probe)
    said: list[str] = []
    for look in looks:
        try:
            role = look()
        except (NotFoundError, InvalidRequestError) as exc:
            said.append(exc.message)
            continue
        seen = role.see(server_id)
        if seen is not Seen.UNSEEN:
            return Verification(seen=seen, words=role.words, holders=role.holders)
        said.append(role.words)
    if answers is not None and probe is not None:
        said.append(f"{probe.address} {'answers' if answers else 'does not answer'}")
    words = "; ".join(said) or "the group names no place where its service could be seen"
    return Verification(seen=Seen.UNSEEN, words=words)


def find_holder(
    group: SwitchGroup,
    *,
    network: NetworkSide,
    switcher: Switcher | None = None,
    probe: ProbeTarget | None = None,
) -> str | None:
    """Return the one member that is seen to have the service of a group; None: that cannot be seen.

    :raises TransientError: the cloud does not answer.
    """
    looks = [switcher.find_role] if switcher is not None else []
    for look in (*looks, *_look_at_probed(group, network, probe)):
        try:
            role = look()
        except TransientError:
            raise
        except EscalatorError:
            continue
        holders = role.holders & set(group.ids)
        if len(holders) == 1:
            return next(iter(holders))
    return None


def _look_at_probed(
    group: SwitchGroup, network: NetworkSide, probe: ProbeTarget | None
) -> list[Callable[[], RoleView]]:
    """List how it can be seen who has the address that is probed: as a floating IP, or on a port."""
    if probe is None or not _is_address(probe.address):
        return []
    floating = FloatingIpSwitcher(FloatingIpMeans(address=probe.address), group, network)
    return [
        floating.find_role,
        VipPortSwitcher(VipPortMeans(address=probe.address), group, network).find_role,
    ]


def _compare_now(
    server_id: str, group: SwitchGroup, before: ServiceAddresses, network: NetworkSide
) -> RoleView:
    return _compare(server_id, group, before, fetch_service_addresses(network, group))


def _compare(server_id: str, group: SwitchGroup, before: ServiceAddresses, now: ServiceAddresses) -> RoleView:
    """See whether a floating IP of a server went to another member.

    Where other members had floating IPs too, they may be everybody's own: that they stay tells nothing.
    """
    name = group.name_of(server_id)
    for address in before.of(server_id):
        owner = now.holders.get(address)
        if owner is not None and owner != server_id:
            words = f"floating IP {address} went from {name} to {group.name_of(owner)}"
            return RoleView(holders=frozenset({owner}), words=words)
    kept = [address for address in before.of(server_id) if now.holders.get(address) == server_id]
    if kept and set(before.holders.values()) == {server_id}:
        return RoleView(holders=frozenset({server_id}), words=f"floating IP {kept[0]} is still at {name}")
    listed = ", ".join(before.of(server_id))
    return RoleView(words=f"floating IPs of {name} ({listed}) do not tell who has the service")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
