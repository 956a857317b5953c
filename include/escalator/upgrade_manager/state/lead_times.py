"""Lead times: how long the owners of servers are given between the notice and the first impact.

The rule is ETSI's (impact_notification_lead_time) with the word of OpenStack Fenix: a manager that is ready
says so earlier, and ends the lead time of its servers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from escalator.model.cloud import CloudSnapshot, Server
from escalator.upgrade_manager.state.memberships import Memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTime:
    """The lead time of a server, who is given it, in words, and whether that is its HA group."""

    seconds: float
    whose: str
    of_group: bool = False


def find_lead_times(memberships: Memberships, servers: Iterable[Server]) -> Mapping[str, LeadTime]:
    """Return the lead times of servers, their own or their HA group's, whichever is longer.

    :return: server id -> lead time; servers without one are not in it.
    """
    found = {server.id: _find_lead_time(memberships, server) for server in servers}
    return {server_id: lead for server_id, lead in found.items() if lead.seconds > 0}


def list_lead_seconds(snapshot: CloudSnapshot, servers: Iterable[Server]) -> dict[str, float]:
    """Return the lead times of servers of a snapshot in seconds, by the ids of those that have one."""
    found = find_lead_times(Memberships(snapshot), servers)
    return {server_id: lead.seconds for server_id, lead in found.items()}


def find_longest_lead(
    memberships: Memberships, servers: Iterable[Server], ready: Collection[str] = ()
) -> LeadTime | None:
    """Return the longest lead time of some servers; None when none has one.

    :param ready: ids of the servers whose managers have said that they are ready.
    """
    waiting = (server for server in servers if server.id not in ready)
    return max(find_lead_times(memberships, waiting).values(), key=lambda lead: lead.seconds, default=None)


def _find_lead_time(memberships: Memberships, server: Server) -> LeadTime:
    group = memberships.ha_groups.get(memberships.ha_group_of.get(server.id, ""))
    if group is not None and group.lead_seconds >= server.lead_seconds:
        return LeadTime(seconds=group.lead_seconds, whose=f"HA group {group.id}", of_group=True)
    return LeadTime(seconds=server.lead_seconds, whose=f"server {server.name}")
