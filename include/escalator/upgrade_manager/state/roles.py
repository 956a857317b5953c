"""Roles: who of an active-standby group is active, by what was declared and by the switchovers since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from escalator.model.cloud import CloudSnapshot
from escalator.model.switch import SwitchRecord

ACTIVE, STANDBY = "active", "standby"


def apply_switchovers(snapshot: CloudSnapshot, switches: Iterable[SwitchRecord]) -> CloudSnapshot:
    """Return the snapshot with the roles as switchovers have left them.

    What is declared of a group is how it was when somebody wrote it down; nobody writes it anew after each
    switchover of a campaign.

    :param switches: of one run; those after which no other member is the active one change nothing.
    """
    roles: dict[str, str] = {}
    done = [(s.ended_at, s) for s in switches if s.ended_at is not None and s.changed_active]
    for _, switch in sorted(done, key=lambda item: item[0]):
        roles[switch.from_server] = STANDBY
        roles[switch.to_server or ""] = ACTIVE
    if not roles:
        return snapshot
    servers = (replace(s, ha_role=roles[s.id]) if s.id in roles else s for s in snapshot.servers)
    return replace(snapshot, servers=tuple(servers))
