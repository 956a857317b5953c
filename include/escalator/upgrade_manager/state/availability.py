"""Availability: how many members of an HA group may be impacted, over all nodes out for whatever reason.

The rule is ETSI's (NfviMaintenanceInfo, SOL001 6.2.74): a member is impacted from the first action on its
node until the recovery time after the node was given back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from heapq import heapify, heappop, heappush

from escalator.model.cloud import HaGroup
from escalator.model.verdict import Code
from escalator.upgrade_manager.state.lead_times import find_longest_lead
from escalator.upgrade_manager.state.memberships import Memberships

RUNNING = "running"
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a node may not go out now; ``lasting`` when waiting will not help."""

    message: str
    lasting: bool
    until: float | None = None
    """Second at which it lifts by itself; None: something has to happen first."""
    code: Code = Code.HA_GROUP


class Availability:
    """Who is impacted now. A decision makes it from a snapshot; the simulator keeps it as things happen.

    Times are seconds of any clock, the same for all calls.

    :param out: hosts that are out of service for whatever reason.
    :param given_back: host -> second at which it was given back.
    :param noticed_at: second at which the owners were told of the campaign.
    :param ready: ids of the servers whose managers are ready: their lead time is over.
    """

    def __init__(
        self,
        memberships: Memberships,
        *,
        out: Collection[str] = (),
        given_back: Mapping[str, float] | None = None,
        noticed_at: float = _NEVER,
        ready: Collection[str] = (),
    ) -> None:
        self._memberships = memberships
        self._ready = ready
        self._noticed_at = noticed_at
        self._ailing: set[str] = set()
        self._members: dict[str, list[str]] = {}
        self._on: dict[str, dict[str, list[str]]] = {}
        self._recovering: dict[str, float] = {}
        self._lasting: dict[str, Obstacle | None] = {}
        self._blocked: dict[str, Obstacle] = {}
        self._blocks: dict[str, set[str]] = {}
        self._impaired: dict[str, set[str]] = {}
        self._expiries = [
            noticed_at + lead
            for lead in {group.lead_seconds for group in memberships.ha_groups.values()}
            | memberships.own_leads
        ]
        heapify(self._expiries)
        self._notice_ends = max(self._expiries, default=_NEVER)
        self.out: set[str] = set()
        self._note_ailing()
        for host in out:
            self.take_out(host)
        for host, second in (given_back or {}).items():
            self._recover(host, second)

    @cached_property
    def _host(self) -> dict[str, str]:
        """Member -> the node that it is on; read when it is first asked for."""
        return {s.id: s.host for s in self._memberships.ha_servers if s.host is not None}

    @cached_property
    def _active(self) -> set[str]:
        """The members that have the active role; read when it is first asked for."""
        servers = self._memberships.ha_servers
        return {s.id for s in servers if s.ha_role == "active" and s.host is not None}

    def _note_ailing(self) -> None:
        """Count members that do not run, or are on no node that is known, as impaired."""
        servers, group_of = self._memberships.ha_servers, self._memberships.ha_group_of
        hosts = self._memberships.hosts
        for server in servers:
            if server.vm_state != "active" or server.power_state != RUNNING or server.host not in hosts:
                self._impaired.setdefault(group_of[server.id], set()).add(server.id)
                if server.host is not None:
                    self._ailing.add(server.id)
        if len(servers) < len(group_of):  # the cloud does not have them all
            known = {server.id for server in servers}
            for member, group in group_of.items():
                if member not in known:
                    self._impaired.setdefault(group, set()).add(member)

    def _members_on(self, host: str) -> list[str]:
        """Return the members that are on a node."""
        members = self._members.get(host)
        if members is None:
            group_of = self._memberships.ha_group_of
            servers = self._memberships.servers_on.get(host, ())
            members = self._members[host] = [s.id for s in servers if s.id in group_of]
        return members

    def groups_on(self, host: str) -> Mapping[str, list[str]]:
        """Return the HA groups with members on a node: group id -> ids of the members there."""
        found = self._on.get(host)
        if found is None:
            found = self._on[host] = {}
            for member in self._members_on(host):
                found.setdefault(self._memberships.ha_group_of[member], []).append(member)
        return found

    def host_of(self, server_id: str) -> str | None:
        """Return where a member is."""
        return self._host.get(server_id)

    def is_active(self, server_id: str) -> bool:
        """Tell whether a member has the active role now."""
        return server_id in self._active

    def switch(self, active: str, standby: str) -> None:
        """Record that the active role went from one member to another."""
        self._active.discard(active)
        self._active.add(standby)

    def serves(self, server_id: str) -> bool:
        """Tell whether a member runs on a node that is in service."""
        host = self._host.get(server_id)
        return host is not None and host not in self.out and server_id not in self._ailing

    def find_obstacle(self, host: str, now: float) -> Obstacle | None:
        """Say why taking a node out would impact a group too much; None when it would not."""
        if host not in self._lasting:
            self._lasting[host] = self._find_lasting_obstacle(host)
        lasting = self._lasting[host]
        if lasting is not None:
            return lasting
        known = self._blocked.get(host)
        if known is not None and (known.until is None or known.until > now):
            return known
        if self._notice_ends > now:
            notice = self._find_notice(host, now)
            if notice is not None:
                self._blocked[host] = notice
                return notice
        for group_id, members in self.groups_on(host).items():
            if group_id in self._impaired:
                found = self._find_group_obstacle(self._memberships.ha_groups[group_id], members, now)
                if found is not None:
                    self._blocked[host] = found
                    self._blocks.setdefault(group_id, set()).add(host)
                    return found
        return None

    def _find_notice(self, host: str, now: float) -> Obstacle | None:
        """Find a lead time of a server on a node that has not passed, and whose manager is not ready."""
        servers = self._memberships.servers_on.get(host, ())
        lead = find_longest_lead(self._memberships, servers, self._ready)
        if lead is None or self._noticed_at + lead.seconds <= now:
            return None
        return Obstacle(
            message=f"{lead.whose} is given {lead.seconds:g} s of notice",
            lasting=False,
            until=self._noticed_at + lead.seconds,
            code=Code.HA_NOTICE,
        )

    def _changed(self, group_id: str) -> None:
        """Look anew at the nodes that a group held up."""
        for host in self._blocks.pop(group_id, ()):
            self._blocked.pop(host, None)

    def _find_lasting_obstacle(self, host: str) -> Obstacle | None:
        """Find a group with more members on a node than may be impacted: waiting does not mend that."""
        for group_id, members in self.groups_on(host).items():
            group = self._memberships.ha_groups[group_id]
            if len(members) > group.tolerated:
                here = f"{len(members)} of its {len(group.members)} members on this node"
                message = f"HA group {group.id} has {here}, and {group.tolerated} may be impacted at once"
                return Obstacle(message=message, lasting=True)
        return None

    def find_next_change(self, now: float) -> float | None:
        """Return the next second at which a node may go merely because time has passed; None: never."""
        while self._expiries and self._expiries[0] <= now:
            heappop(self._expiries)
        return self._expiries[0] if self._expiries else None

    def take_out(self, host: str) -> None:
        """Record that a node goes out."""
        self.out.add(host)
        for group_id, members in self.groups_on(host).items():
            self._impaired.setdefault(group_id, set()).update(members)
            self._changed(group_id)

    def give_back(self, host: str, now: float) -> None:
        """Record that a node is back in service; its members recover."""
        self.out.discard(host)
        self._recover(host, now)
        for group_id, members in self.groups_on(host).items():
            for member in members:
                self._judge(group_id, member, now)

    def relocate(self, server_id: str, host: str) -> None:
        """Record that a member is on another node now."""
        if server_id in self._host:
            before = self._host[server_id]
            self._members_on(before).remove(server_id)
            self._members_on(host).append(server_id)
            self._host[server_id] = host
            for changed in (before, host):
                self._on.pop(changed, None)
                self._lasting.pop(changed, None)
            self._judge(self._memberships.ha_group_of[server_id], server_id, _NEVER)

    def _judge(self, group_id: str, server_id: str, now: float) -> None:
        """Count a member as impaired or not, by where it is and whether it recovers."""
        self._changed(group_id)
        impaired = self._impaired.setdefault(group_id, set())
        if self._impacted(server_id, now):
            impaired.add(server_id)
        else:
            impaired.discard(server_id)
        if not impaired:
            del self._impaired[group_id]

    def _find_group_obstacle(self, group: HaGroup, members: list[str], now: float) -> Obstacle | None:
        impaired = [m for m in self._impaired.get(group.id, ()) if self._impacted(m, now)]
        if not impaired:
            self._impaired.pop(group.id, None)
        others = [m for m in impaired if m not in members]
        if len(members) + len(others) <= group.tolerated:
            return None
        return self._crowded(group, others, now)

    def _crowded(self, group: HaGroup, others: list[str], now: float) -> Obstacle:
        where = sorted({self._host.get(m) or "no node" for m in others})
        passing = [m for m in others if self._only_recovers(m)]
        until = None
        if len(passing) == len(others):
            until = max(self._recovering[m] for m in passing)
        how = "recovering" if until is not None and until > now else "impacted"
        return Obstacle(
            message=f"HA group {group.id} has {len(others)} member(s) {how} on {', '.join(where)}, "
            f"and {group.tolerated} may be impacted at once",
            lasting=False,
            until=until,
        )

    def _impacted(self, server_id: str, now: float) -> bool:
        host = self._host.get(server_id)
        if host is None or host in self.out or server_id in self._ailing:
            return True
        return self._recovering.get(server_id, _NEVER) > now

    def _only_recovers(self, server_id: str) -> bool:
        host = self._host.get(server_id)
        return host is not None and host not in self.out and server_id not in self._ailing

    def _recover(self, host: str, second: float) -> None:
        for group_id, members in self.groups_on(host).items():
            seconds = self._memberships.ha_groups[group_id].recovery_seconds
            if seconds > 0:
                until = round(second + seconds, 3)  # the next look is at a whole millisecond
                heappush(self._expiries, until)
                self._changed(group_id)
                self._impaired.setdefault(group_id, set()).update(members)
                for member in members:
                    self._recovering[member] = max(until, self._recovering.get(member, _NEVER))


def to_seconds(moment: datetime) -> float:
    """Return an aware time as seconds."""
    return moment.timestamp()
