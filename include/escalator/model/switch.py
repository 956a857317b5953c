"""Switchovers: what Escalator did by the means that the VNF file names, and what managers of VNFs did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class SwitchMethod(StrEnum):
    """How the service of a group leaves a server.

    floating-ip, vip-port: its address is moved to a healthy standby through Neutron. octavia: its member of
    the load balancer gets weight 0. http: the VNF is asked with a POST. command: the operator's command does
    it. vnfm: the VNF's manager was asked and did it. found: the service was found at another member than the
    run knew of: the VNF did it by itself, or too late for its answer. Nothing of the last two is ours to
    restore.
    """

    FLOATING_IP = "floating-ip"
    VIP_PORT = "vip-port"
    OCTAVIA = "octavia"
    HTTP = "http"
    COMMAND = "command"
    VNFM = "vnfm"
    FOUND = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """One switchover of one server. Times are aware.

    :ivar host: the node that the service has to leave.
    :ivar from_server: id of the server that it leaves.
    :ivar to_server: id of the standby that takes it over; None: the others share it, or nobody took it.
    :ivar ended_at: when it was done, or given up; None: begun, and perhaps in effect.
    :ivar verified: it was seen where it can be seen that the service has left; ``message``: what was seen.
    :ivar found: what was found before the act and has to be restored, as JSON; never a secret.
    :ivar restored_at: when that was restored; None: not yet, or there is nothing to restore.
    :ivar not_restored: what is not as it was all the same, or why it could not be restored, in words.
    """

    campaign: str
    run_id: str
    host: str
    group: str
    method: SwitchMethod
    from_server: str
    to_server: str | None
    begun_at: datetime
    ended_at: datetime | None = None
    verified: bool = False
    message: str = ""
    found: Mapping[str, Any] = field(default_factory=dict)
    restored_at: datetime | None = None
    not_restored: tuple[str, ...] = ()

    @property
    def changed_active(self) -> bool:
        """Tell whether another member is the active one since, seen or believed."""
        return self.ended_at is not None and self.to_server is not None

    @property
    def is_open(self) -> bool:
        """Tell whether it is ours, and its node was not given back since; what a VNF did is its own."""
        return self.method not in {SwitchMethod.VNFM, SwitchMethod.FOUND} and self.restored_at is None

    @property
    def is_to_restore(self) -> bool:
        """Tell whether something of ours is to be restored: weights, or a pair that both members had."""
        had_both = self.found.get("from_had") and self.found.get("to_had")
        return self.is_open and bool(self.found.get("weights") or had_both)
