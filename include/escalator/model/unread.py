"""What a cloud does not let us read: it is not known, and never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CloudPart(StrEnum):
    """A list that a check reads of a cloud."""

    SERVICES = "services"
    AGGREGATES = "aggregates"
    HYPERVISORS = "hypervisors"
    PLACEMENT = "placement"
    SERVER_GROUPS = "server_groups"
    SERVERS = "servers"
    MIGRATIONS = "migrations"
    AGENTS = "agents"
    PORTS = "ports"
    SHARES = "shares"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A list that was refused, and in which words.

    :ivar partly: nothing was refused, but what belongs to other projects may be left out without a word; of
        shares, not every server was asked for its own.
    """

    part: CloudPart
    message: str
    partly: bool = False
